"""Where programs cannot be put in place, the operator reads why and what to do."""

import re
from pathlib import Path

import msgspec
import pytest

from dialer.asterisk import packages
from dialer.asterisk.packages import Unpacked, fetch
from domain.errors import BadInput


def test_a_machine_without_apt_is_told_what_else_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"no apt-get.*cadencia demo"):
        fetch(22, tmp_path / "cache")


def test_a_mirror_out_of_reach_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = (tmp_path / "nowhere").as_uri()
    monkeypatch.setenv("CADENCIA_DEBIAN_MIRROR", mirror)
    monkeypatch.setattr(packages, "PAUSES_S", ())
    with pytest.raises(BadInput, match=rf"apt-get update from {re.escape(mirror)} sid failed 1 times"):
        fetch(22, tmp_path)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENCIA_DEBIAN_KEYRING", str(tmp_path / "no.gpg"))
    with pytest.raises(BadInput, match=r"CADENCIA_DEBIAN_KEYRING.*no\.gpg"):
        fetch(22, tmp_path)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Asterisk 13"):
        fetch(13, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(BadInput, match="CADENCIA_CACHE"):
        fetch(22, blocked / "cache")


def test_a_complete_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = f"layout {packages.LAYOUT}, sid: {' '.join(packages.PACKAGES)}"
    made = Unpacked(
        prefix=Path("/elsewhere"),
        wanted=wanted,
        asterisk_version="Asterisk 22.1",
        sipp_version="SIPp v3",
        packages=("a.deb",),
    )
    (tmp_path / "asterisk-22").mkdir()
    (tmp_path / "asterisk-22" / "unpacked.json").write_bytes(msgspec.json.encode(made, enc_hook=str))
    monkeypatch.setenv("PATH", "")
    found = fetch(22, tmp_path)
    assert found.asterisk == tmp_path / "asterisk-22" / "bin" / "asterisk"
    assert found.major == 22


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    monkeypatch.delenv("CADENCIA_CACHE", raising=False)
    assert packages.cache_folder() == tmp_path / "x" / "cadencia"
    monkeypatch.setenv("CADENCIA_CACHE", str(tmp_path / "y"))
    assert packages.cache_folder() == tmp_path / "y"
