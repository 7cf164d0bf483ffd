"""Rows into the database and out of it: what every module that speaks SQL in sets needs."""

from collections.abc import Iterable
from typing import Any

from ledger.migrations import Pool


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows of equal length as their columns, the parameters of an `unnest`; none for no rows."""
    return [list(column) for column in zip(*rows, strict=True)]


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
