"""Statements that run again and again on one connection, each prepared once and sent with parameters in binary form.

Psycopg's cursors ask and convert for every statement what is always the same here: on the way of an append they took as
long as the database. So this speaks to libpq by psycopg's own binding of it (`psycopg.pq`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from itertools import count
from struct import Struct
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from psycopg import OperationalError, adapters
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
    oids, given = [], []
    for name in numbered.names:
        value = values[name]
        oid, dump = _DUMPED[type(value)]
        oids.append(oid)
        given.append(dump(value))
    try:
        return _executed(database, numbered.text, oids, given)
    except InvalidSqlStatementName:
        # Psycopg deallocates whatever a connection has prepared, after a rollback for example. Nothing was executed.
        _NAMES.pop(database, None)
        return _executed(database, numbered.text, oids, given)


def _executed(database: Database, text: bytes, oids: list[int], given: list[bytes]) -> int:
    name = _prepared(database, text, oids)
    connection = database.pgconn
    return _checked(connection, connection.exec_prepared(name, given, [Format.BINARY] * len(given))).ntuples


def _prepared(database: Database, text: bytes, oids: list[int]) -> bytes:
    names = _NAMES.setdefault(database, {})
    name = names.get(text)
    if name is None:
        name = b"prepared_%d" % next(_NUMBERS)
        _checked(database.pgconn, database.pgconn.prepare(name, text, oids))
        names[text] = name
    return name


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
