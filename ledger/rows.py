"""Rows into the database and out of it: what every module that speaks SQL in sets needs."""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from struct import Struct
from types import NoneType
from typing import Any, ClassVar, Final, Self

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.migrations import Database, Pool

_HEADER: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")
_DAY: Final = Struct("!i")
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
"""PostgreSQL counts dates from it."""
_INTEGER: Final = Struct("!iq").pack
_DAYS: Final = Struct("!ii").pack
_LONG: Final = Struct("!q").pack
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts instants from it, in microseconds."""


FEW: Final = 20
"""Numbers up to which each is packed by itself: to put bytes in place for all of them has a price of its own."""


class _Lengths(dict[int, bytes]):
    """Lengths as they stand before elements: looked up, those that are usual."""

    def __missing__(self, length: int) -> bytes:
        return _LENGTH.pack(length)


_LENGTHS: Final = _Lengths((length, _LENGTH.pack(length)) for length in range(1_024))
_NULL: Final = _LENGTH.pack(-1)


class Packed(bytes):
    """An array of one dimension in PostgreSQL's binary form, as array_recv reads it.

    Psycopg's own dumper works for lists of whatever depth and content, and takes ten times as long: most of an append.
    """

    __slots__ = ()
    oid: ClassVar[int]
    element: ClassVar[int]

    @classmethod
    def of(cls, count: int, elements: bytes) -> Self:
        """Puts the header before elements that stand each after its length."""
        header = _HEADER.pack(bool(count), 0, cls.element, count, 1)[: None if count else 12]
        return cls(header + elements)


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

    @classmethod
    def nullable(cls, values: Sequence[str | None]) -> Self:
        return cls.of(len(values), _or_null([None if value is None else value.encode() for value in values]))


class Integers(Packed):
    """A bigint[] parameter."""

    @classmethod
    def packed(cls, values: Iterable[int]) -> Self:
        numbers = array("q", values)
        if len(numbers) > FEW:
            return cls.of(len(numbers), _of_one_length(numbers))
        return cls.of(len(numbers), b"".join(map(_INTEGER, repeat(8), numbers)))


class Dates(Packed):
    """A date[] parameter."""

    @classmethod
    def packed(cls, values: Iterable[date]) -> Self:
        days = array("i", [value.toordinal() - _FIRST_DAY for value in values])
        if len(days) > FEW:
            return cls.of(len(days), _of_one_length(days))
        return cls.of(len(days), b"".join(map(_DAYS, repeat(4), days)))

    @classmethod
    def nullable(cls, values: Sequence[date | None]) -> Self:
        days = [None if value is None else _DAY.pack(value.toordinal() - _FIRST_DAY) for value in values]
        return cls.of(len(days), _or_null(days))


class Flags(Packed):
    """A boolean[] parameter."""

    @classmethod
    def packed(cls, values: Sequence[bool]) -> Self:
        return cls.of(len(values), b"".join([_TRUE if value else _FALSE for value in values]))


_TRUE: Final = _LENGTH.pack(1) + b"\x01"
_FALSE: Final = _LENGTH.pack(1) + b"\x00"


def instant(at: datetime) -> bytes:
    """A timestamptz in PostgreSQL's binary form."""
    return _LONG((at - _EPOCH) // timedelta(microseconds=1))


def _of_one_length(numbers: "array[int]") -> bytes:
    """Numbers, the first byte first, each after its length: put in place a byte of all of them at a time."""
    if sys.byteorder == "little":
        numbers.byteswap()
    width, raw = numbers.itemsize, numbers.tobytes()
    step = _LENGTH.size + width
    packed = bytearray(step * len(numbers))
    packed[_LENGTH.size - 1 :: step] = bytes([width]) * len(numbers)
    for place in range(width):
        packed[_LENGTH.size + place :: step] = raw[place::width]
    return bytes(packed)


def _each_after_its_length(values: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(values))
    parts[::2] = map(_LENGTHS.__getitem__, map(len, values))
    parts[1::2] = values
    return b"".join(parts)


def _or_null(values: Sequence[bytes | None]) -> bytes:
    """Elements each after its length, which says of one that there is none."""
    return b"".join([_NULL if value is None else _LENGTHS[len(value)] + value for value in values])


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
_register(Flags, "bool")

_PACKED: Final[dict[frozenset[type], Callable[[Sequence[Any]], Any]]] = {
    frozenset({bytes}): Bytes.packed,
    frozenset({str}): Texts.packed,
    frozenset({int}): Integers.packed,
    frozenset({date}): Dates.packed,
    frozenset({bool}): Flags.packed,
    frozenset({str, NoneType}): Texts.nullable,
    frozenset({date, NoneType}): Dates.nullable,
}


def columns(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows of equal length as their columns, the parameters of an `unnest`, which casts them; none for no rows."""
    return [_PACKED.get(frozenset(map(type, column)), list)(column) for column in zip(*rows, strict=True)]


@contextmanager
def moment(pool: Pool) -> Iterator[Database]:
    """A connection that sees what one moment of the database holds, while others may go on writing; it writes nothing."""
    with pool.connection() as database, database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield database


class Questions:
    """Questions to tables: each is one statement on a connection of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _rows(
        self, statement: str, parameters: dict[str, Any], *, prepare: bool | None = None
    ) -> list[tuple[Any, ...]]:
        with self._pool.connection() as database:
            return database.execute(statement.encode(), parameters, binary=True, prepare=prepare).fetchall()

    def _count(self, statement: str, parameters: dict[str, Any]) -> int:
        count: int = self._rows(statement, parameters)[0][0]
        return count
