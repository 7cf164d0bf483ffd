"""Rows into the database and out of it: what every module that speaks SQL in sets needs."""

from collections.abc import Iterable, Sequence
from itertools import chain
from struct import Struct
from typing import Any, ClassVar, Final

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.migrations import Pool


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows of equal length as their columns, the parameters of an `unnest`; none for no rows."""
    return [list(column) for column in zip(*rows, strict=True)]


_HEADER: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")
_INTEGER: Final = Struct("!q")


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


class _ArrayDumper(Dumper):
    """Writes arrays of one dimension without nulls in PostgreSQL's binary form, as array_recv reads it.

    Psycopg's own works for lists of whatever depth and content, and takes ten times as long: most of an append.
    """

    format = Format.BINARY
    element: ClassVar[int]

    def dump(self, obj: Sequence[bytes]) -> bytes:
        header = _HEADER.pack(bool(obj), 0, self.element, len(obj), 1)[: None if obj else 12]
        return header + b"".join(chain.from_iterable(zip(map(_LENGTH.pack, map(len, obj)), obj, strict=True)))


class _BytesDumper(_ArrayDumper):
    oid = adapters.types["bytea"].array_oid
    element = adapters.types["bytea"].oid


class _TextsDumper(_ArrayDumper):
    oid = adapters.types["text"].array_oid
    element = adapters.types["text"].oid


class _IntegersDumper(_ArrayDumper):
    oid = adapters.types["int8"].array_oid
    element = adapters.types["int8"].oid


for _type, _dumper in ((Bytes, _BytesDumper), (Texts, _TextsDumper), (Integers, _IntegersDumper)):
    adapters.register_dumper(_type, _dumper)


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
