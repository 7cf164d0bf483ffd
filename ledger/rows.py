"""Rows into the database and out of it: what every module that speaks SQL in sets needs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from struct import Struct
from typing import Any, ClassVar, Final, Self

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.migrations import Pool

_HEADER: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i").pack
_INTEGER: Final = Struct("!iq").pack
_LONG: Final = Struct("!q").pack
_DAYS: Final = Struct("!ii")
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
"""PostgreSQL counts dates from it."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts instants from it, in microseconds."""


class Packed(bytes):
    """An array of one dimension without nulls in PostgreSQL's binary form, as array_recv reads it.

    Psycopg's own dumper works for lists of whatever depth and content, and takes ten times as long: most of an append.
    """

    __slots__ = ()
    oid: ClassVar[int]
    element: ClassVar[int]

    @classmethod
    def of(cls, count: int, elements: Iterable[bytes]) -> Self:
        """Packs elements, each after its length."""
        header = _HEADER.pack(bool(count), 0, cls.element, count, 1)[: None if count else 12]
        return cls(header + b"".join(elements))


class Bytes(Packed):
    """A bytea[] parameter."""

    @classmethod
    def packed(cls, values: Sequence[bytes]) -> Self:
        return cls.of(len(values), _each_after_its_length(values))


class Texts(Packed):
    """A text[] parameter."""

    @classmethod
    def packed(cls, values: Iterable[str]) -> Self:
        """Raises UnicodeEncodeError for what is no text."""
        encoded = list(map(str.encode, values))
        return cls.of(len(encoded), _each_after_its_length(encoded))


class Integers(Packed):
    """A bigint[] parameter."""

    @classmethod
    def packed(cls, values: Iterable[int]) -> Self:
        elements = list(map(_INTEGER, repeat(8), values))
        return cls.of(len(elements), elements)


class Dates(Packed):
    """A date[] parameter."""

    @classmethod
    def packed(cls, values: Iterable[date]) -> Self:
        elements = [_DAYS.pack(4, value.toordinal() - _FIRST_DAY) for value in values]
        return cls.of(len(elements), elements)


def instant(at: datetime) -> bytes:
    """A timestamptz in PostgreSQL's binary form."""
    return _LONG((at - _EPOCH) // timedelta(microseconds=1))


def _each_after_its_length(values: Sequence[bytes]) -> list[bytes]:
    # Without a step of the interpreter for each: there are ten for every event of an append.
    parts = [b""] * (2 * len(values))
    parts[::2] = map(_LENGTH, map(len, values))
    parts[1::2] = values
    return parts


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj


def _register(type_: type[Packed], name: str) -> None:
    of = adapters.types[name]
    type_.oid, type_.element = of.array_oid, of.oid
    adapters.register_dumper(type_, type(f"{type_.__name__}Dumper", (_PackedDumper,), {"oid": of.array_oid}))


_register(Bytes, "bytea")
_register(Texts, "text")
_register(Integers, "int8")
_register(Dates, "date")

_PACKED: Final[dict[frozenset[type], Callable[[Sequence[Any]], Any]]] = {
    frozenset({bytes}): Bytes.packed,
    frozenset({str}): Texts.packed,
    frozenset({int}): Integers.packed,
    frozenset({date}): Dates.packed,
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
