"""The log of a command that keeps none in a folder."""

import io
import sys

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
