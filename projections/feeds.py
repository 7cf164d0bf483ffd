"""Feeds: events and changes of credit after a position, then live, for any number of followers.

One thread a process looks for what is new and reads it once for all; who follows waits on the event loop, without a
thread or a connection. What is older than the tail is read from the database in short pages, a few at the same time.
Both feeds follow the read models, which move in one transaction a batch: so nothing is seen before it can be asked for.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from functools import partial
from typing import Final, Generic, TypeVar

import anyio
import anyio.to_thread
import psycopg
import structlog
from psycopg_pool import PoolClosed, PoolTimeout

from domain.events import EventVoided
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notices import Notices
from projections.reads import CreditChange, Known, Reads
from projections.runner import Runner
from projections.tail import P, Tail

PAGE: Final = 50
"""Items that one who catches up holds at a time."""
READERS: Final = 4
"""Pages that are read at the same time in one process."""
POLL_SECONDS: Final = 0.5
"""Longest time after which is seen what nobody told of."""
SETTLE_SECONDS: Final = 2.0
"""Longest time that the read models are waited for before it is looked again."""
RETRY_SECONDS: Final = 1.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Feeds:
    """The feeds of one process, on one event loop; nothing runs before somebody follows. `end` them, from any thread.

    `most` is how many items of each are kept for those who follow.
    """

    def __init__(self, pool: Pool, ledger: Ledger, reads: Reads, runner: Runner, most: int) -> None:
        self._pool = pool
        self._ledger = ledger
        self._reads = reads
        self._runner = runner
        self._most = most
        self._stopped = threading.Event()
        self._begun: asyncio.Task[None] | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._events: Tail[Known] | None = None
        self._changes: Tail[CreditChange] | None = None

    @property
    def position(self) -> int:
        """The position up to which those who follow can know."""
        return self._events.position if self._events else 0

    def end(self) -> None:
        self._stopped.set()

    async def events(
        self, after: int, types: Collection[str] | None = None, uscc: str | None = None
    ) -> AsyncGenerator[list[Known], None]:
        """Every event after a position, of these types, bearing this enterprise, in order; never empty, never ending."""

        def wanted(item: Known) -> bool:
            recorded = item.recorded
            return (types is None or recorded.type in types) and (uscc is None or recorded.uscc == uscc)

        page = partial(self._reads.events, types=None if types is None else sorted(types), uscc=uscc)
        await self._follow()
        assert self._events
        async for batch in _Feed(self, self._events, page, wanted).after(after):
            yield batch

    async def changes(
        self, after: int, usccs: Collection[str] | None = None
    ) -> AsyncGenerator[list[CreditChange], None]:
        """Every change of a credit timeline after a position, of these enterprises, in order."""
        page = partial(self._reads.credit_changes, usccs=None if usccs is None else sorted(usccs))
        await self._follow()
        assert self._changes
        async for batch in _Feed(self, self._changes, page, lambda c: usccs is None or c.uscc in usccs).after(after):
            yield batch

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Does what reads the database, READERS at a time."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(READERS)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def known(self) -> int:
        """The position that the read models have reached; asks the database."""
        return self._runner.position()

    async def _follow(self) -> None:
        """Starts the thread, once."""
        if self._begun is None or (self._begun.done() and (self._begun.cancelled() or self._begun.exception())):
            self._begun = asyncio.create_task(self._begin())
        await asyncio.shield(self._begun)

    async def _begin(self) -> None:
        position = await self.in_thread(self.known)
        self._events, self._changes = Tail(position, self._most), Tail(position, self._most)
        run = partial(self._run, asyncio.get_running_loop(), position)
        threading.Thread(target=run, name="feeds", daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop, position: int) -> None:
        while not self._stopped.is_set():
            try:
                with Notices(self._pool) as notices:
                    while not self._stopped.is_set():
                        position = self._step(loop, position)
                        notices.wait(POLL_SECONDS)
            except PoolClosed:
                return
            except (psycopg.Error, PoolTimeout, NotInTime):
                log.warning("feeds wait for the database")
                self._stopped.wait(RETRY_SECONDS)
            except RuntimeError:
                # The event loop is closed: nobody follows any more.
                return

    def _step(self, loop: asyncio.AbstractEventLoop, position: int) -> int:
        """Reads what is new and hands it over; returns the position up to which this is done."""
        reached = self._runner.wait_for(self._ledger.recorder.head(), SETTLE_SECONDS)
        if reached <= position:
            return position
        if reached - position > self._most:
            work = self._skip(reached)
        else:
            new = self._reads.events(position, self._most), self._reads.credit_changes(position, self._most)
            work = self._publish(
                [each for each in new[0] if each.position <= reached],
                [each for each in new[1] if each.position <= reached],
                reached,
            )
        # Handed over before more is read: the event loop's own queue holds one piece of news at most.
        asyncio.run_coroutine_threadsafe(work, loop).result(RETRY_SECONDS * 30)
        return reached

    async def _skip(self, position: int) -> None:
        assert self._events and self._changes
        self._events.skip(position)
        self._changes.skip(position)

    async def _publish(self, events: Sequence[Known], changes: Sequence[CreditChange], position: int) -> None:
        assert self._events and self._changes
        if position <= self._events.position:
            # What was handed over, but not in time, is handed over again.
            return
        for each in events:
            if isinstance(void := each.recorded.event, EventVoided):
                self._events.amend(void.position, partial(replace, voided_by=each.position))
        self._events.add(events, position)
        self._changes.add(changes, position)


class _Feed(Generic[P]):
    """One who follows: `page` reads from the database what `wanted` picks from the tail."""

    def __init__(
        self, feeds: Feeds, tail: Tail[P], page: Callable[[int, int], Sequence[P]], wanted: Callable[[P], bool]
    ) -> None:
        self._feeds = feeds
        self._tail = tail
        self._page = page
        self._wanted = wanted

    async def after(self, position: int) -> AsyncGenerator[list[P], None]:
        while True:
            if position < self._tail.floor:
                found, position = await self._feeds.in_thread(partial(self._read, position))
            else:
                found = [item for item in self._tail.after(position) if self._wanted(item)]
                position = max(position, self._tail.position)
            if found:
                yield found
            elif position >= self._tail.position:
                await self._tail.moved_beyond(position)

    def _read(self, position: int) -> tuple[list[P], int]:
        """A page, and the position up to which it holds all that is wanted."""
        reached = self._feeds.known()
        found = list(self._page(position, PAGE))
        last = found[-1].position if found else position
        return found, last if len(found) == PAGE else max(last, reached)
