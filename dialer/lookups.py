"""The ledger as the loop asks it: in threads, and patiently while it stalls."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from domain.errors import LedgerStalled

_RETRY_S = 0.5
_END_WITHIN_S = 2.0

log = structlog.get_logger()
T = TypeVar("T")


class Lookups:
    """Threads for everything but commits."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lookup")
        #: What stalls now, by the job it holds up.
        self.troubles: dict[str, str] = {}

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call once.

        Raises
        ------
        LedgerStalled
            When the ledger cannot answer now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def insist(self, job: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call again and again until the ledger answers."""
        while True:
            try:
                result = await self.call(function, *arguments)
            except LedgerStalled as error:
                await self.stalled(job, error)
            else:
                self.troubles.pop(job, None)
                return result

    async def stalled(self, job: str, error: LedgerStalled) -> None:
        """Remember what holds a job up, and rest before the next try."""
        if job not in self.troubles:
            log.error("ledger_stalled", job=job, error=str(error))
        self.troubles[job] = str(error)
        await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """Let what is being read end, for a moment; the ledger may be closed next."""
        ending = asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(ending, _END_WITHIN_S)
