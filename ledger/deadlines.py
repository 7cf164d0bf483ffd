"""Deadlines: work that takes too long is ended where it waits, in the database.

A thread that works under a deadline takes its connections from a `TimedPool`. When the time is over the statement under
way is cancelled by the server itself, and no connection is given out any more; both raise psycopg's QueryCanceled. What
other threads do for the work, the writing of an append above all, is left alone.
"""

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.errors import QueryCanceled
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

T = TypeVar("T")
CANCEL_SECONDS: Final = 2.0
"""Longest time for telling the server to cancel."""

CONNECTION_SECONDS: Final = 3.0
"""Longest wait of work under a deadline for a connection: whoever finds none is told so while it can still try again, and does
not keep a thread from others."""

_current: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


class Deadline:
    """The time limit of one piece of work. Whoever watches the clock calls `expire`, from another thread."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._ends = monotonic() + seconds
        self._lock = Lock()
        self._used: list[Connection[TupleRow]] = []

    def run(self, work: Callable[[], T]) -> T:
        """Does the work in this thread."""
        token = _current.set(self)
        try:
            return work()
        finally:
            _current.reset(token)

    def expire(self) -> None:
        """Cancels what the work waits for. Does not raise; returns when the server was told."""
        with self._lock:
            self.is_over = True
            for connection in self._used:
                # Whose connection is lost waits for nothing.
                with suppress(psycopg.Error, OSError):
                    connection.cancel_safe(timeout=CANCEL_SECONDS)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._ends - monotonic())

    def take(self, connection: Connection[TupleRow]) -> bool:
        """Whether there is still time for using a connection, which is cancelled from now on."""
        with self._lock:
            if not self.is_over:
                self._used.append(connection)
            return not self.is_over

    def give_back(self, connection: Connection[TupleRow]) -> None:
        """Waits for a cancelling that is under way; a connection that it may still reach serves nobody after."""
        with self._lock:
            if connection in self._used:
                self._used.remove(connection)
                if self.is_over:
                    connection.close()


class TimedPool(ConnectionPool[Connection[TupleRow]]):
    """A pool whose connections are cancelled with the deadline of the thread that took them."""

    def getconn(self, timeout: float | None = None) -> Connection[TupleRow]:
        deadline = _current.get()
        if deadline is None:
            return super().getconn(timeout)
        if not deadline.is_over:
            usual = min(self.timeout, CONNECTION_SECONDS) if timeout is None else timeout
            connection = super().getconn(min(deadline.left, usual))
            if deadline.take(connection):
                return connection
            super().putconn(connection)
        raise QueryCanceled("the time for this work is over")

    def putconn(self, conn: Connection[TupleRow]) -> None:
        if deadline := _current.get():
            deadline.give_back(conn)
        super().putconn(conn)
