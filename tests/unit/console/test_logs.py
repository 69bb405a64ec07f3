"""The log of a command that keeps none in a folder."""

import io
import logging
import sys
from pathlib import Path

import pytest
import structlog

from console import logs


def test_a_warning_goes_to_standard_error_as_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    with io.StringIO() as before:
        monkeypatch.setattr(sys, "stderr", before)
        logs.to_stderr()
    # The one of the start is closed now.
    now = io.StringIO()
    monkeypatch.setattr(sys, "stderr", now)
    structlog.get_logger().warning("trunk_down", trunk="a")
    structlog.get_logger().info("nothing_to_tell")
    assert '"event": "trunk_down"' in now.getvalue()
    assert "nothing_to_tell" not in now.getvalue()


class _FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_does_not_fail_who_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "open", lambda *_, **__: _FullDisk())
    logs.to_file(tmp_path)
    structlog.get_logger().error("commit_failed", rows=3)
    logging.getLogger("asyncio").warning("slow callback")
    # Said once, not at every line.
    assert capsys.readouterr().err.count("the log cannot be written: [Errno 28] No space left on device") == 1
