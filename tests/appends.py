"""What tests append, and a head that is held so that appends gather behind it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError
from psycopg_pool import PoolTimeout

from ledger.appends import AlreadyAppended, Once
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.sequencer import Overloaded
from running import wait_until

Unit = tuple[list[str], list[str]]
"""Types and tags of a query item."""

SHA = b"\x01" * 32
NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)


def event(type_: str = "A", *tags: str, data: bytes = b"") -> DCBEvent:
    return DCBEvent(type_, data, list(tags))


def unless(*items: Unit, after: int = 0) -> DCBAppendCondition:
    return DCBAppendCondition(DCBQuery([DCBQueryItem(types, tags) for types, tags in items]), after)


def once(key: str = "key", holder: str = "holder") -> Once:
    return Once(holder, key, SHA)


def now() -> datetime:
    return NOW


def bare(sealed: DCBEvent, position: int, recorded_at: datetime) -> bytes:
    """A seal: an entry that no other event has."""
    return f"{position} {sealed.type} {sorted(sealed.tags)} ".encode() + sealed.data


def stored(pool: Pool) -> list[tuple[int, str]]:
    """Position and type of every event."""
    with pool.connection() as database:
        return [(at, type_) for at, type_ in database.execute("SELECT position, type FROM events ORDER BY position")]


def transactions(pool: Pool) -> list[int]:
    """How many events each transaction appended, in order."""
    with pool.connection() as database:
        rows = database.execute("SELECT count(*) FROM events GROUP BY xmin::text ORDER BY min(position)")
        return [count for (count,) in rows]


def outcome(work: Callable[[], int]) -> object:
    """The position that an append gives, or the name of what it raises."""
    try:
        return work()
    except (IntegrityError, AlreadyAppended, Overloaded, PoolTimeout, psycopg.Error, UnicodeError) as refused:
        return type(refused).__name__


@dataclass
class Queue:
    """Appends by one recorder, each of a thread of its own, in the order in which they were queued."""

    recorder: PostgresRecorder
    threads: ThreadPoolExecutor
    outcomes: list[Callable[[], object]] = field(default_factory=list)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None, once: Once | None = None
    ) -> None:
        """Queues an append and comes back when it waits behind those before it."""
        before = self.waiting
        work = self.threads.submit(outcome, lambda: self.recorder.append(events, condition, once=once))
        self.outcomes.append(work.result)
        wait_until(lambda: self.waiting > before or work.done())

    @property
    def waiting(self) -> int:
        return len(self.recorder._sequencer._waiting)

    def came(self) -> list[object]:
        """What came of each append, in their order."""
        return [result() for result in self.outcomes]


@contextmanager
def queued(recorder: PostgresRecorder) -> Iterator[Queue]:
    """Holds the head while the block runs: an append “first” is stuck on it, and those of the block wait as the next group."""
    with ThreadPoolExecutor(64) as threads:
        queue = Queue(recorder, threads)
        with recorder.pool.connection() as holder, holder.transaction():
            holder.execute("SELECT * FROM head FOR UPDATE")
            queue.outcomes.append(threads.submit(outcome, lambda: recorder.append([event("first")])).result)
            wait_until(lambda: stuck(recorder.pool) != [])
            yield queue


def stuck(pool: Pool) -> list[int]:
    """The backends that wait for the head."""
    with pool.connection() as database:
        rows = database.execute(
            "SELECT pid FROM pg_locks WHERE NOT granted AND pid IN "
            "(SELECT pid FROM pg_locks WHERE relation = 'head'::regclass)"
        )
        return [pid for (pid,) in rows]


def sequencers() -> set[threading.Thread]:
    """The threads of sequencers that are alive."""
    return {thread for thread in threading.enumerate() if thread.name == "sequencer"}
