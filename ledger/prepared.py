"""Statements that run again and again on one connection, each prepared once and sent with parameters in binary form.

Psycopg's cursors ask and convert for every statement what is always the same here: on the way of an append they took as
long as the database. So this speaks to libpq by psycopg's own binding of it (`psycopg.pq`).
"""

from __future__ import annotations

import re
import select
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import count
from struct import Struct
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from psycopg import Error, OperationalError, adapters
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from ledger.migrations import Database
from ledger.rows import Bytes, Integers, Texts, instant

_PLACEHOLDER: Final = re.compile(rb"%\((\w+)\)[sb]")
_LONG: Final = Struct("!q").pack

_DUMPED: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (adapters.types["int8"].oid, _LONG),
    str: (adapters.types["text"].oid, str.encode),
    bytes: (adapters.types["bytea"].oid, bytes),
    datetime: (adapters.types["timestamptz"].oid, instant),
    **{kind: (kind.oid, bytes) for kind in (Bytes, Texts, Integers)},
}

_NUMBERS: Final = count()
_NAMES: Final[WeakKeyDictionary[Database, dict[bytes, bytes]]] = WeakKeyDictionary()
"""Under which names statements are prepared on each connection."""


class _Numbered(NamedTuple):
    """A statement with numbered placeholders, and whose values they take."""

    text: bytes
    names: tuple[str, ...]


def run(database: Database, text: bytes, values: Mapping[str, Any]) -> int:
    """Runs a statement with %(name)s placeholders as a transaction of its own, and gives how many rows it has.

    Values are integers, texts, bytes, instants and packed arrays. Raises psycopg.Error.
    """
    numbered = _numbered(text)
    oids, given = _dumped(numbered, values)
    try:
        return _executed(database, numbered.text, oids, given)
    except InvalidSqlStatementName:
        # Psycopg deallocates whatever a connection has prepared, after a rollback for example. Nothing was executed.
        _NAMES.pop(database, None)
        return _executed(database, numbered.text, oids, given)


class Line:
    """Transactions under way on a connection, one behind the other, each of some statements: the database goes on with the next
    while nobody has looked at the answer to the last. The connection is of no other use while one is under way.

    After an error that is not the database's own a line is only to be left.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._connection = database.pgconn
        self._under_way: deque[list[bytes]] = deque()
        """What is prepared with each transaction."""
        self._is_open = False
        """Whether the last one is still to be committed."""

    def fileno(self) -> int:
        """What can be read from once the eldest has an answer, unless `is_answered` says that it has been read already."""
        return self._connection.socket

    @property
    def is_answered(self) -> bool:
        """Whether the answer to the eldest was read while something else was waited for."""
        return not self._connection.is_busy()

    def send(self, text: bytes, values: Mapping[str, Any]) -> None:
        """Sends a statement, as `run` takes it, of the transaction that `commit` ends. Raises psycopg.Error.

        All of it is sent: a rest that stays behind would let the database wait for the next one.
        """
        numbered = _numbered(text)
        oids, given = _dumped(numbered, values)
        if not self._under_way:
            self._connection.enter_pipeline_mode()
        if not self._is_open:
            self._under_way.append([])
            self._is_open = True
        names = _NAMES.setdefault(self.database, {})
        name = names.get(numbered.text)
        if name is None:
            name = names[numbered.text] = _new_name()
            self._under_way[-1].append(numbered.text)
            self._connection.send_prepare(name, numbered.text, oids)
        self._connection.send_query_prepared(name, given, [Format.BINARY] * len(given))
        self._flush()

    def commit(self) -> None:
        """Lets the statements since the last commit be kept, all or none. Raises psycopg.Error."""
        self._is_open = False
        self._connection.pipeline_sync()
        self._flush()

    def receive(self) -> int | None:
        """How many rows the eldest transaction's first statement has, once it is kept.

        None where nothing was executed, since the database had forgotten a statement. Raises psycopg.Error.
        """
        results = list(self._results())
        prepared = self._under_way.popleft()
        if not self._under_way:
            self._connection.exit_pipeline_mode()
        try:
            came = [_checked(self._connection, result) for result in results]
        except InvalidSqlStatementName:
            _NAMES.pop(self.database, None)
            return None
        except Error:
            for text in prepared:
                _NAMES.get(self.database, {}).pop(text, None)
            raise
        return next((result.ntuples for result in came if result.status == ExecStatus.TUPLES_OK), 0)

    def leave(self) -> None:
        """Makes the connection one as any other; it ends where something is under way still."""
        if self._under_way:
            self.database.close()

    def _flush(self) -> None:
        while self._connection.flush():
            _wait(self._connection, select.POLLIN | select.POLLOUT)
            self._connection.consume_input()

    def _results(self) -> Iterator[PGresult]:
        """Of the eldest transaction's statements and their preparations."""
        came: PGresult | None = None
        while True:
            before, came = came, self._next()
            if came is None:
                if before is None:
                    raise OperationalError(self._connection.get_error_message())
            elif came.status == ExecStatus.PIPELINE_SYNC:
                return
            else:
                yield came

    def _next(self) -> PGresult | None:
        while self._connection.is_busy():
            _wait(self._connection, select.POLLIN)
            self._connection.consume_input()
        return self._connection.get_result()


def _wait(connection: PGconn, events: int) -> None:
    poll = select.poll()
    poll.register(connection.socket, events)
    poll.poll()


def _dumped(numbered: _Numbered, values: Mapping[str, Any]) -> tuple[list[int], list[bytes]]:
    """The types and the binary forms of a statement's parameters."""
    oids, given = [], []
    for name in numbered.names:
        value = values[name]
        oid, dump = _DUMPED[type(value)]
        oids.append(oid)
        given.append(dump(value))
    return oids, given


def _executed(database: Database, text: bytes, oids: list[int], given: list[bytes]) -> int:
    name = _prepared(database, text, oids)
    connection = database.pgconn
    return _checked(connection, connection.exec_prepared(name, given, [Format.BINARY] * len(given))).ntuples


def _prepared(database: Database, text: bytes, oids: list[int]) -> bytes:
    names = _NAMES.setdefault(database, {})
    name = names.get(text)
    if name is None:
        name = _new_name()
        _checked(database.pgconn, database.pgconn.prepare(name, text, oids))
        names[text] = name
    return name


def _new_name() -> bytes:
    return b"prepared_%d" % next(_NUMBERS)


@cache
def _numbered(text: bytes) -> _Numbered:
    names = tuple(dict.fromkeys(name.decode() for name in _PLACEHOLDER.findall(text)))
    numbers = {name.encode(): b"$%d" % number for number, name in enumerate(names, 1)}
    return _Numbered(_PLACEHOLDER.sub(lambda found: numbers[found[1]], text), names)


def _checked(connection: PGconn, result: PGresult) -> PGresult:
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    if connection.status != ConnStatus.OK and result.error_field(DiagnosticField.SQLSTATE) is None:
        raise OperationalError(connection.get_error_message())
    raise error_from_result(result)
