"""One process runs a floor: the ledger's lease says so between hosts, a locked file between processes of one folder.

The file is there for the dead: the system lets go of its lock when a process dies in any way, so the next one knows
that the lease whose owner the file names is nobody's, and does not wait until it runs out.
"""

import asyncio
import fcntl
import os
import secrets
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from dialer.lookups import Lookups
from domain.errors import BadInput

#: A lease not renewed for so long may be taken by another host.
_TTL_S = 30.0
_RENEW_EVERY_S = 10.0

log = structlog.get_logger()


class Leases(Protocol):
    """Leases as the ledger keeps them."""

    def take_lease(self, stream: str, owner: str, ttl_s: float) -> None: ...
    def renew_lease(self, stream: str, owner: str, ttl_s: float) -> None: ...
    def release_lease(self, stream: str, owner: str) -> None: ...


class Lease:
    """The right to run one floor.

    Parameters
    ----------
    lock_path : Path, optional
        The file in the working folder; without it only the lease counts.
    """

    def __init__(self, ledger: Leases, stream: str, lock_path: Path | None) -> None:
        self._ledger = ledger
        self._stream = stream
        self._path = lock_path
        self._file: int | None = None
        #: Unique to this process: a restarted container has the host and process number of its predecessor.
        self.owner = f"{socket.gethostname()} process {os.getpid()} of user {os.getuid()} ({secrets.token_hex(4)})"

    def take(self) -> None:
        """Take the lease.

        Raises
        ------
        BadInput
            When another process has it; says who, since when and what to do.
        """
        before = self._lock()
        try:
            self._take(before)
        except BadInput:
            self._unlock()
            raise
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{self.owner}\n{datetime.now(UTC).isoformat(timespec='seconds')}\n".encode(), 0)

    def _take(self, before: str) -> None:
        try:
            self._ledger.take_lease(self._stream, self.owner, _TTL_S)
        except BadInput:
            if not before:
                raise
            log.info("lease_of_a_dead_process", owner=before)
            self._ledger.release_lease(self._stream, before)
            self._ledger.take_lease(self._stream, self.owner, _TTL_S)

    async def keep(self, lookups: Lookups) -> None:
        """Renew for ever; `Broken` when the lease has gone to somebody else."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            await lookups.insist("lease", self._ledger.renew_lease, self._stream, self.owner, _TTL_S)

    def release(self) -> None:
        self._ledger.release_lease(self._stream, self.owner)
        self._unlock()

    def _lock(self) -> str:
        """Lock the folder's file; return the owner it names, who is dead, else nothing."""
        if self._path is None:
            return ""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        owner, since = (*os.pread(self._file, 1000, 0).decode().splitlines(), "", "")[:2]
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            raise BadInput(
                f"floor {self._stream}: is run from this folder by {owner or 'a process just starting'} since "
                f"{since or 'now'}; see `cadencia status`, or end it with `cadencia stop`"
            ) from None
        return owner

    def _unlock(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
