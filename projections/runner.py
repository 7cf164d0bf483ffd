"""The runner: one loop that reads the log and keeps every projection in step with it.

A batch's rows and the new position are one transaction, so each event is applied exactly once. The rows of the table
`projections` are locked while a batch is written: of several processes one writes, the others find nothing left to do
and take over when it stops.
"""

import threading
from collections.abc import Sequence
from time import monotonic
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from ledger.entry import opened
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from projections.projection import Database, Projection

BATCH: Final = 2_000
"""Events applied in one transaction."""
POLL_SECONDS: Final = 0.25
"""Longest time after which an event is seen that another process appended."""
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Runner:
    """Keeps projections in step. `start` and `stop` it, or call `catch_up` where no thread is wanted."""

    def __init__(self, pool: Pool, recorder: PostgresRecorder, projections: Sequence[Projection]) -> None:
        self._pool = pool
        self._recorder = recorder
        self._projections = projections
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._moved = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="projections", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the batch under way is written."""
        self._stopped.set()
        self._wake.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """Says that something was appended; without it a runner sees it within POLL_SECONDS."""
        self._wake.set()

    def catch_up(self) -> int:
        """Applies what has come until nothing is left, and returns the position reached."""
        while self.step():
            pass
        return self.position()

    def position(self) -> int:
        """The position that every projection has reached."""
        with self._pool.connection() as database:
            return _reached(database, [projection.name for projection in self._projections])

    def wait_for(self, position: int, seconds: float) -> int:
        """Waits until every projection has reached a position, at most so long; returns the position reached."""
        reached = self.position()
        if reached >= position:
            return reached
        self.wake()
        ends = monotonic() + seconds
        while reached < position and (left := ends - monotonic()) > 0:
            with self._moved:
                self._moved.wait(min(left, 0.02))
            reached = self.position()
        return reached

    def step(self) -> bool:
        """Applies one batch. Says whether there was one."""
        with self._pool.connection() as database, database.transaction():
            names = [projection.name for projection in self._projections]
            reached = _lock(database, names)
            batch = [opened(each.event.data) for each in self._recorder.read(after=min(reached.values()), limit=BATCH)]
            if not batch:
                return False
            for projection in self._projections:
                projection.apply(database, [event for event in batch if event.position > reached[projection.name]])
            database.execute(
                "UPDATE projections SET position = greatest(position, %s), moved_at = clock_timestamp() WHERE name = ANY(%s)",
                [batch[-1].position, names],
            )
        with self._moved:
            self._moved.notify_all()
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                if self.step():
                    continue
                self._wake.wait(POLL_SECONDS)
            except (psycopg.OperationalError, PoolTimeout):
                log.warning("projections wait for the database")
                self._stopped.wait(RETRY_SECONDS)
            except Exception as fault:
                log.error("a projection cannot be moved on", fault=type(fault).__name__)
                self._stopped.wait(RETRY_SECONDS)


def _lock(database: Database, names: Sequence[str]) -> dict[str, int]:
    database.execute("INSERT INTO projections (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", [list(names)])
    rows = database.execute(
        "SELECT name, position FROM projections WHERE name = ANY(%s) ORDER BY name FOR UPDATE", [list(names)]
    )
    return dict(rows.fetchall())


def _reached(database: Database, names: Sequence[str]) -> int:
    row = database.execute(
        "SELECT count(*), min(position) FROM projections WHERE name = ANY(%s)", [list(names)]
    ).fetchone()
    return row[1] if row and row[0] == len(names) else 0
