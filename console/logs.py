"""Where the log goes: JSON lines into the folder of a run, warnings to standard error for everything else."""

import io
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import structlog

FILE = "cadencia.log"
#: What a full disk, a closed stream, a narrow encoding raise.
_UNWRITABLE = (OSError, ValueError)


def to_file(folder: Path) -> Path:
    """Send the log of a run into its folder; return the file."""
    path = folder / FILE
    file = path.open("a", encoding="utf-8")
    _configure(_Out(lambda: file), logging.INFO)
    return path


def to_stderr() -> None:
    """Send warnings and errors to standard error."""
    # As it is when something is written: who replaced it may have closed the one of before.
    _configure(_Out(lambda: sys.stderr), logging.WARNING)


class _Out(io.TextIOBase):
    """A stream that never fails its writer: a full disk or a closed terminal must not stop who has something to log.

    The first of some lines that cannot be written is told on standard error, if that can be written to.
    """

    def __init__(self, stream: Callable[[], TextIO]) -> None:
        self._stream = stream
        self._failed = False

    def write(self, text: str) -> int:
        try:
            self._stream().write(text)
            self._failed = False
        except _UNWRITABLE as error:
            self._tell(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream().flush()
        except _UNWRITABLE as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            with suppress(*_UNWRITABLE):
                print(f"cadencia: the log cannot be written: {error}", file=sys.stderr)


def _configure(stream: _Out, level: int) -> None:
    out = cast(TextIO, stream)
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, stamp],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
