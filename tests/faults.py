"""Faults at the writing steps of the program, without a hook in it: a pool whose connections know each step.

A step is a statement that writes, named by all that it writes (“INSERT events + INSERT tags”), the commit of what was written
(“COMMIT after INSERT tags”) or a notification. An append that is a transaction by itself is a step “… at once”. A fault happens
once, at one step: before it is executed, all that came before it being there, or after it
was kept.

    watch = Watch()
    with watch.pools():
        ... open the system ...
    watch.arm(Fault("UPDATE head", after=True, act=broken))
"""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import psycopg
import pytest
from psycopg import Connection, Cursor, Transaction, pq, sql
from psycopg.rows import TupleRow

from caseledger.postgres import CarriedPostgres
from ledger import prepared
from ledger.deadlines import TimedPool
from ledger.prepared import Line

WRITING: Final = re.compile(r"\b(INSERT) INTO\s+\"?(\w+)|\b(DELETE) FROM\s+\"?(\w+)|(?:^|\()\s*(UPDATE)\s+\"?(\w+)")
READING: Final = re.compile(r"\s*(SELECT|SET|SHOW|LISTEN|WITH)\b")


_RUN: Final = prepared.run


class Broken(Exception):
    """What the fault of the kind “exception” raises; no product code knows it."""


def step_of(statement: str) -> str | None:
    """The name of a statement by all that it writes; None for one that reads or sets. What is unknown has its own name."""
    if found := [" ".join(filter(None, parts)) for parts in WRITING.findall(statement)]:
        return " + ".join(found)
    if "pg_notify(" in statement:
        return "NOTIFY"
    return None if READING.match(statement) else " ".join(statement.split()[:3])


@dataclass(frozen=True)
class Fault:
    """`act` is called on the connection at the step's occurrence number `skip`, counted from 0."""

    step: str
    after: bool
    act: Callable[["Watched"], None]
    skip: int = 0


@dataclass
class Watch:
    """What the steps are, and the fault that is to come."""

    steps: list[str] = field(default_factory=list)
    orders: Path | None = None
    """A file in which another process orders a kill -9 of this one, as {"step": …, "after": …}."""
    _armed: Fault | None = None
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed, self._passed = fault, 0

    @contextmanager
    def pools(self) -> Iterator[None]:
        """Pools that are opened within are watched."""

        class Connecting(Watched):
            watch = self

        class Pool(TimedPool):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, connection_class=Connecting, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ledger.migrations.TimedPool", Pool)
            patch.setattr(prepared, "run", _run_watched)
            for user in ("appending", "sequencer"):
                patch.setattr(f"ledger.{user}.Line", _WatchedLine)
            yield

    def due(self, step: str) -> Fault | None:
        """Notes a step that is about to be taken, and gives its fault if it is to have one."""
        with self._lock:
            self.steps.append(step)
            fault = self._armed or self._ordered()
            if fault is None or fault.step != step:
                return None
            self._passed += 1
            if self._passed <= fault.skip:
                return None
            self._armed = None
            if self.orders:
                self.orders.unlink(missing_ok=True)
            return fault

    def _ordered(self) -> Fault | None:
        if self.orders is None:
            return None
        try:
            return Fault(**json.loads(self.orders.read_text()), act=kill_this_process)
        except FileNotFoundError:
            return None


def _run_watched(database: Connection[TupleRow], text: bytes, values: Mapping[str, Any]) -> int:
    if not isinstance(database, Watched):
        return _RUN(database, text, values)
    with database.at(text):
        return _RUN(database, text, values)


class _WatchedLine(Line):
    """Its steps are those of its transactions: each statement, and the commit, which is kept once its answer is there."""

    def __init__(self, database: Connection[TupleRow]) -> None:
        super().__init__(database)
        self._watched = database if isinstance(database, Watched) else None
        self._written: str | None = None
        self._fault: Fault | None = None

    def send(self, text: bytes, values: Mapping[str, Any]) -> None:
        self._written = step_of(text.decode())
        assert self._written, "a line is for what writes"
        fault = self._due(self._written)
        self._act(fault, after=False)
        super().send(text, values)
        self._act(fault, after=True)

    def commit(self) -> None:
        self._fault = self._due(f"COMMIT after {self._written}")
        self._act(self._fault, after=False)
        super().commit()

    def receive(self) -> int | None:
        came = super().receive()
        self._act(self._fault, after=True)
        return came

    def _due(self, step: str) -> Fault | None:
        return self._watched.watch.due(step) if self._watched else None

    def _act(self, fault: Fault | None, *, after: bool) -> None:
        if self._watched and fault and fault.after is after:
            fault.act(self._watched)


def _happen(connection: "Watched", fault: Fault | None, after: bool) -> None:
    if fault is None or fault.after is not after:
        return
    if connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:
        # The end of an inner pipeline is a sync: what was sent so far is executed.
        with connection.pipeline():
            pass
    fault.act(connection)


class Watched(Connection[TupleRow]):
    """A connection that tells its steps to a watch."""

    watch: ClassVar[Watch]
    written: str | None = None
    """The last step of the transaction under way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = _Cursor

    @contextmanager
    def at(self, query: Any) -> Iterator[None]:
        """Around the execution of a statement."""
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        step = step_of(text.decode() if isinstance(text, bytes) else text)
        if step and step.startswith("UPDATE head") and self.pgconn.pipeline_status == pq.PipelineStatus.OFF:
            step += " at once"
        if step is None:
            yield
            return
        fault = self.watch.due(step)
        _happen(self, fault, after=False)
        yield
        _happen(self, fault, after=True)
        self.written = step

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        self.written, fault = None, None
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if self.written:
                fault = self.watch.due(f"COMMIT after {self.written}")
                _happen(self, fault, after=False)
        _happen(self, fault, after=True)


class _Cursor(Cursor[TupleRow]):
    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
        assert isinstance(self.connection, Watched)
        with self.connection.at(query):
            return super().execute(query, *args, **kwargs)

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> None:
        assert isinstance(self.connection, Watched)
        with self.connection.at(query):
            super().executemany(query, *args, **kwargs)


# Kinds


def broken(_: Connection[TupleRow]) -> None:
    raise Broken


def connection_ended(conninfo: str) -> Callable[[Connection[TupleRow]], None]:
    """Ends the connection's own backend, from another connection, and returns when it is gone."""

    def act(connection: Connection[TupleRow]) -> None:
        with psycopg.connect(conninfo, autocommit=True) as other:
            gone = other.execute("SELECT pg_terminate_backend(%s, 20000)", [connection.info.backend_pid]).fetchone()
        assert gone == (True,)

    return act


def kill_this_process(_: Watched) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_postgres(postgres: CarriedPostgres) -> None:
    """SIGKILL for the postmaster and every process that it started; returns when all are gone."""
    postmaster = postgres.pid
    assert postmaster is not None
    all_ = [postmaster, *_children(postmaster)]
    for pid in all_:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(_runs, all_)):
        assert time.monotonic() < deadline, "PostgreSQL outlives its SIGKILL"
        time.sleep(0.005)


def start_again(postgres: CarriedPostgres) -> None:
    """Starts what was killed; `postgres` goes on holding the home."""
    again = CarriedPostgres(postgres.home, version=postgres.version)
    again.start()
    again.stop()


def _children(parent: int) -> list[int]:
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _stat(stat)[1:2] == [str(parent)]]


def _runs(pid: int) -> bool:
    return _stat(Path(f"/proc/{pid}/stat"))[:1] not in ([], ["Z"], ["X"])


def _stat(file: Path) -> list[str]:
    """State, parent and the rest; nothing of a process that is gone."""
    try:
        return file.read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
