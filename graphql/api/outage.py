"""Outage: while the database is away requests are refused at once, and not after each has waited for it.

There are few threads for requests. If every one waited its ten seconds for a connection, the others would stand in line behind them and
time out unheard. So after a few requests in succession that found no database, one look after another is made beside the
requests, and until one succeeds all are told to come again in a moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

FAILURES: Final = 3
"""So many requests in succession find no database: fewer may have lost a connection that somebody ended."""
LOOK_SECONDS: Final = 0.25

log = structlog.get_logger(__name__)


class Outage:
    """What is known of the database's being away. For one event loop."""

    def __init__(self, reaches: Callable[[], Awaitable[bool]]) -> None:
        self.is_known = False
        self._reaches = reaches
        self._failures = 0
        self._looking: asyncio.Task[None] | None = None

    def answered(self) -> None:
        """A request was answered by the database."""
        self._failures = 0

    def failed(self) -> None:
        """A request found none."""
        self._failures += 1
        if self._failures >= FAILURES and not self.is_known:
            self.is_known = True
            log.warning("the database is away; requests are refused until it is back")
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while not await self._reaches():
            await asyncio.sleep(LOOK_SECONDS)
        self.is_known, self._failures = False, 0
        log.warning("the database is back")
