"""Work that one process of all does, beside the serving and never in its way; the others stand by for its lock."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import ClassVar, Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from ledger.migrations import Database, Pool
from ledger.notices import connect

RETRY_SECONDS: Final = 2.0
_LOCK: Final = "hashtextextended('caseledger ' || %s || ' ' || current_schema(), 0)"

log = structlog.get_logger(__name__)


class Alone(ABC):
    """Works in a thread of its own from `start` to `stop`, on one event loop."""

    name: ClassVar[str]
    """What the work is about: names its lock and its thread."""

    def __init__(self, pool: Pool, seconds: float = RETRY_SECONDS) -> None:
        self.pool = pool
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @abstractmethod
    async def work(self, database: Database) -> None:
        """Goes on until it is cancelled. What is written by this connection is by whoever has the lock."""

    def start(self) -> None:
        self._task = self._loop.create_task(self._stand_by())
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing more is sent or kept; a request under way is broken off."""
        if self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()

    def _run(self) -> None:
        assert self._task
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _stand_by(self) -> None:
        """Works whenever no other process does."""
        pause = max(self._seconds, RETRY_SECONDS)
        while True:
            try:
                with closing(connect(self.pool)) as database:
                    while not _locks(database, self.name):
                        await asyncio.sleep(pause)
                    await self._work_alone(database)
            except* (psycopg.Error, PoolTimeout) as errors:
                log.warning(f"{self.name} wait for the database", faults=_kinds(errors))
            except* Exception as errors:
                log.error(f"{self.name} cannot go on", faults=_kinds(errors))
            await asyncio.sleep(pause)

    async def _work_alone(self, database: Database) -> None:
        try:
            await self.work(database)
        finally:
            # Whoever stands by may begin at once, not only when the server has seen that the connection is closed.
            with suppress(psycopg.Error):
                database.execute(f"SELECT pg_advisory_unlock({_LOCK})".encode(), [self.name])


@contextmanager
def running(alone: Alone) -> Iterator[None]:
    """Works while the block runs."""
    alone.start()
    try:
        yield
    finally:
        alone.stop()


def _locks(database: Database, name: str) -> bool:
    """Takes the lock for as long as the connection lasts. Says whether this is the process that has it."""
    row = database.execute(f"SELECT pg_try_advisory_lock({_LOCK})".encode(), [name]).fetchone()
    return row is not None and row[0] is True


def _kinds(errors: BaseExceptionGroup[BaseException]) -> list[str]:
    return sorted({type(error).__name__ for error in errors.exceptions})
