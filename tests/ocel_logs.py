"""Object-centric event logs (OCEL 2.0) as SQLite, as tests make and read them."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from caseledger.ocel_sqlite import Counts, write_ocel
from running import System

INDEPENDENT: Final = ("event_map_type", "object_map_type", "event", "object", "event_object", "object_object")


class Log:
    """An exported log, as anyone reads it."""

    def __init__(self, path: Path, counts: Counts) -> None:
        self.path = path
        self.counts = counts
        self.database = sqlite3.connect(path)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.database.execute(query, values).fetchall()

    def columns(self, table: str) -> dict[str, str]:
        """The declared type of each column."""
        return dict(self.rows("SELECT name, type FROM pragma_table_info(?)", table))

    def key(self, table: str) -> list[str]:
        """The columns of the primary key, in its order."""
        return [name for (name,) in self.rows("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", table)]

    def foreign(self, table: str) -> set[tuple[str, str, str]]:
        """Column, and table and column that it refers to."""
        return set(self.rows('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', table))

    def typed(self, kind: str) -> list[str]:
        """The tables of the types that the log says it has."""
        return [f"{kind}_{name}" for (name,) in self.rows(f"SELECT ocel_type_map FROM {kind}_map_type")]

    def tables(self, kind: str) -> set[str]:
        names = {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {name for name in names - set(INDEPENDENT) if name.startswith(f"{kind}_")}


def exported(system: System, path: Path, after: int = 0, upto: int | None = None, **how: Any) -> Log:
    last = system.head if upto is None else upto
    return Log(path, write_ocel(system.pool, system.ledger.streams, path, after, last, **how))
