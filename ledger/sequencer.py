"""The sequencer: appends wait in a bounded queue, and one thread of the process commits what waits as one group.

So one wait for the disk serves all who wait, and any number of processes may do the same: the head row orders their
groups. A refused or faulty append never fails its neighbours.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from ledger.appending import Append, Appended, Clock, Result, Seal, Tree, append_group
from ledger.migrations import Pool

MOST_TOGETHER: Final = 1_024
"""Appends that are committed as one group."""
MOST_EVENTS_TOGETHER: Final = 4_096
"""Events of one group, unless its first append alone has more."""
MOST_WAITING: Final = 4_096
"""Appends that wait; one more is turned away."""
IDLE_SECONDS: Final = 10.0
"""After so long without an append the thread ends; the next append starts it again."""


class Overloaded(Exception):
    """More appends wait than the ledger takes in for now: nothing was appended, try again in a moment."""


class Sequencer:
    """Commits appends in groups. Safe for many threads."""

    def __init__(self, pool: Pool, seal: Seal, clock: Clock, tree: Tree | None = None) -> None:
        self._pool = pool
        self._seal = seal
        self._clock = clock
        self._tree = tree
        self._waiting: deque[tuple[Append, Future[Result]]] = deque()
        self._arrived = threading.Condition()
        self._running = False

    def append(self, append: Append) -> Appended:
        """Waits until the append is durable.

        Raises IntegrityError when its condition does not hold, AlreadyAppended when its key is kept, Overloaded when
        too many wait, and psycopg.Error or PoolTimeout when the database fails: then it is unknown whether it was kept.
        """
        future: Future[Result] = Future()
        with self._arrived:
            if len(self._waiting) >= MOST_WAITING:
                raise Overloaded(f"{MOST_WAITING} appends wait already")
            self._start()
            self._waiting.append((append, future))
            self._arrived.notify()
        result = future.result()
        if isinstance(result, Appended):
            return result
        raise result

    def _start(self) -> None:
        if not self._running:
            threading.Thread(target=self._run, name="sequencer", daemon=True).start()
            self._running = True

    def _run(self) -> None:
        while group := self._take():
            self._commit(group)

    def _take(self) -> list[tuple[Append, Future[Result]]]:
        """What waits, as much as goes into one group; nothing after a long time without an append."""
        with self._arrived:
            if not self._waiting and not self._arrived.wait_for(lambda: bool(self._waiting), IDLE_SECONDS):
                self._running = False
                return []
            group: list[tuple[Append, Future[Result]]] = []
            events = 0
            while self._waiting and len(group) < MOST_TOGETHER:
                events += len(self._waiting[0][0].events)
                if group and events > MOST_EVENTS_TOGETHER:
                    break
                group.append(self._waiting.popleft())
            return group

    def _commit(self, group: Sequence[tuple[Append, Future[Result]]]) -> None:
        try:
            with self._pool.connection() as database:
                results = append_group(database, [a for a, _ in group], self._seal, self._clock, self._tree)
                _resolve(group, results)
                _notify(database)
        except BaseException as fault:
            # Who was answered has appended: what failed is what came after it.
            failed = [member for member in group if not member[1].done()]
            if len(group) == 1 or _is_away(fault):
                _fail(failed, fault)
            else:
                # One of them cannot be written: alone it fails alone.
                for member in failed:
                    self._commit([member])


def _resolve(group: Sequence[tuple[Append, Future[Result]]], results: Sequence[Result]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        future.set_result(result)


def _fail(group: Sequence[tuple[Append, Future[Result]]], fault: BaseException) -> None:
    for _, future in group:
        future.set_exception(fault)


def _is_away(fault: BaseException) -> bool:
    """Whether the database is at fault and not what was to be written: what is too large for it is an error of its own."""
    if isinstance(fault, psycopg.errors.ProgramLimitExceeded):
        return False
    return isinstance(fault, (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout))


def _notify(database: psycopg.Connection[tuple[object, ...]]) -> None:
    # What was appended is durable: a failure here is no failure of the append, and subscribers poll as well.
    with suppress(psycopg.Error):
        database.execute(_NOTIFY)


# A notification needs no durability, and must not wait for the disk as a commit does.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(current_schema() || '_head', '')"
