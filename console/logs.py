"""Where the log goes: JSON lines into the folder of a run, warnings to standard error for everything else."""

import io
import logging
import sys
from pathlib import Path
from typing import TextIO, cast

import structlog

FILE = "cadencia.log"


def to_file(folder: Path) -> Path:
    """Send the log of a run into its folder; return the file."""
    path = folder / FILE
    _configure(path.open("a", encoding="utf-8"), logging.INFO)
    return path


def to_stderr() -> None:
    """Send warnings and errors to standard error."""
    _configure(cast(TextIO, _Stderr()), logging.WARNING)


class _Stderr(io.TextIOBase):
    """Standard error as it is when something is written: who replaced it may have closed the one of before."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _configure(out: TextIO, level: int) -> None:
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
