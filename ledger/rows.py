"""Rows into the database and out of it: what every module that speaks SQL in sets needs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import chain
from struct import Struct
from typing import Any, ClassVar, Final

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.migrations import Pool

_HEADER: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")
_INTEGER: Final = Struct("!q")
_DAYS: Final = Struct("!i")
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
"""PostgreSQL counts dates from it."""


class Bytes(list[bytes]):
    """A bytea[] parameter."""


class Texts(list[bytes]):
    """A text[] parameter. Raises UnicodeEncodeError for what is no text."""

    def __init__(self, values: Iterable[str]) -> None:
        super().__init__([value.encode() for value in values])


class Integers(list[bytes]):
    """A bigint[] parameter."""

    def __init__(self, values: Iterable[int]) -> None:
        super().__init__([_INTEGER.pack(value) for value in values])


class Dates(list[bytes]):
    """A date[] parameter."""

    def __init__(self, values: Iterable[date]) -> None:
        super().__init__([_DAYS.pack(value.toordinal() - _FIRST_DAY) for value in values])


class _ArrayDumper(Dumper):
    """Writes arrays of one dimension without nulls in PostgreSQL's binary form, as array_recv reads it.

    Psycopg's own works for lists of whatever depth and content, and takes ten times as long: most of an append.
    """

    format = Format.BINARY
    element: ClassVar[int]

    def dump(self, obj: Sequence[bytes]) -> bytes:
        header = _HEADER.pack(bool(obj), 0, self.element, len(obj), 1)[: None if obj else 12]
        return header + b"".join(chain.from_iterable(zip(map(_LENGTH.pack, map(len, obj)), obj, strict=True)))


def _register(type_: type[list[bytes]], name: str) -> None:
    of = adapters.types[name]
    adapters.register_dumper(
        type_, type(f"{type_.__name__}Dumper", (_ArrayDumper,), {"oid": of.array_oid, "element": of.oid})
    )


_register(Bytes, "bytea")
_register(Texts, "text")
_register(Integers, "int8")
_register(Dates, "date")

_PACKED: Final[dict[frozenset[type], Callable[[Sequence[Any]], Any]]] = {
    frozenset({bytes}): Bytes,
    frozenset({str}): Texts,
    frozenset({int}): Integers,
    frozenset({date}): Dates,
}


def columns(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows of equal length as their columns, the parameters of an `unnest`, which casts them; none for no rows."""
    return [_PACKED.get(frozenset(map(type, column)), list)(column) for column in zip(*rows, strict=True)]


class Questions:
    """Questions to tables: each is one statement on a connection of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _rows(self, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._pool.connection() as database:
            return database.execute(statement.encode(), parameters, binary=True).fetchall()

    def _count(self, statement: str, parameters: dict[str, Any]) -> int:
        count: int = self._rows(statement, parameters)[0][0]
        return count
