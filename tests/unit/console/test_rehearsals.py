"""When rehearsals start, and what their copy leaves behind."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from console import rehearsals
from domain.errors import BadInput
from domain.instants import iso, parse
from ledger.schema import metadata


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-21T10:00:00+00:00", "2026-11-25T15:30:00.000+00:00"),
        ("2026-11-25T15:29:59+00:00", "2026-11-25T15:30:00.000+00:00"),
        ("2026-11-25T15:30:00+00:00", "2026-12-02T15:30:00.000+00:00"),
        ("2026-12-31T23:59:59+00:00", "2027-01-06T15:30:00.000+00:00"),
    ],
)
def test_a_rehearsal_starts_on_the_coming_wednesday(now: str, start: str) -> None:
    assert iso(rehearsals.start_us(parse(now))) == start


def test_every_table_is_either_of_people_or_of_engines() -> None:
    tables = {table.name for table in metadata.sorted_tables}
    of_engines = {name for name in tables if "stream" in metadata.tables[name].c and name != "change"} | {
        "outcome",
        "plan",
        "plan_chunk",
    }
    assert of_engines == rehearsals._LEFT_BEHIND


def test_a_trial_of_another_process_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "rehearsal"
    claiming = (
        "import sys, pathlib; from console.rehearsals import claim; claim(pathlib.Path(sys.argv[1])); "
        "print('claimed', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", claiming, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        (folder / "ledger.db").touch()
        with pytest.raises(BadInput, match="a new one would replace it"):
            rehearsals.claim(folder)
        # The folder that holds it is not thrown away under it either.
        (tmp_path / rehearsals.MARK).touch()
        with pytest.raises(BadInput, match="a new one would replace it"):
            rehearsals.claim(tmp_path)
        assert (folder / "ledger.db").exists()
        other.communicate()
    rehearsals.claim(folder)
    assert [one.name for one in folder.iterdir()] == [rehearsals.MARK]
    rehearsals.claim(folder)


def test_a_trial_whose_engine_was_started_by_hand_is_not_replaced(tmp_path: Path) -> None:
    rehearsals.claim(tmp_path)
    with (tmp_path / "cadencia.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="cadencia stop"):
            rehearsals.claim(tmp_path)
    rehearsals.claim(tmp_path)
    assert not (tmp_path / "cadencia.lock").exists()


def test_somebody_elses_folder_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BadInput, match="was not made by a rehearsal"):
        rehearsals.claim(tmp_path)
    with pytest.raises(BadInput, match="cannot be made anew"):
        rehearsals.claim(tmp_path / "thesis.txt" / "below")
    assert (tmp_path / "thesis.txt").exists()
