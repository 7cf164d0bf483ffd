"""The enterprise map is made beside the serving: a segment as soon as its entries are there, by one process of all.

It waits for nothing that an append waits for. After each piece of work it rests nine times as long, so that on the whole it
takes a tenth of a core from appends and answers; a piece is a few milliseconds, but for the database's sort of a segment: a
third of a second for 65,536 entries, seconds for a million. Where entries come more quickly, it is behind until they do not.
Whoever asks for evidence brings it up at once.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from caseledger.alone import Alone, running
from ledger.map_keeping import bring_up
from ledger.migrations import Database, Pool

LOOK_SECONDS: Final = 5.0
"""How often it is looked whether a segment is whole."""
RESTS: Final = 9
"""How many times as long as it worked it rests."""
LONGEST_REST: Final = 10.0
"""Seconds; the database ends a transaction that stands still for a minute."""


class _Stopped(Exception):
    """It was told to stop: the segment under way is given up."""


class MapMaker(Alone):
    """Makes the map in a thread of its own from `start` to `stop`."""

    name = "enterprise map"

    def __init__(self, pool: Pool, seconds: float) -> None:
        super().__init__(pool, seconds)
        self._ended = threading.Event()

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    async def work(self, database: Database) -> None:
        while not self._ended.is_set():
            row = database.execute("SELECT position FROM head").fetchone()
            try:
                bring_up(self.pool, row[0] if row else 0, rest=_Rest(self._ended))
            except _Stopped:
                return
            await asyncio.sleep(self._seconds)


class _Rest:
    """Rests after each piece of work, by the time that it took: the database's as well, which is waited for."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended
        self._began = time.monotonic()

    def __call__(self) -> None:
        if self._ended.wait(min(RESTS * (time.monotonic() - self._began), LONGEST_REST)):
            raise _Stopped
        self._began = time.monotonic()


@contextmanager
def mapping(pool: Pool, seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """Makes the map while the block runs."""
    with running(MapMaker(pool, seconds)):
        yield
