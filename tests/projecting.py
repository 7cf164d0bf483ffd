"""Projections written by hand: batches of any size on a connection whose work is undone afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from psycopg import sql

from domain.recorded import Recorded
from given import accessed, complained, filed, listed, penalty, punished, registered, resolved
from ledger.migrations import open_pool
from projections.bitemporal import BitemporalTable
from projections.projection import Database, Projection
from running import fresh

Kept = tuple[Any, ...]
"""subject, known_from, known_to, valid_from, valid_to and the table's own columns."""
A_ROW_IN_EVERY_TABLE = (
    registered(),
    filed(number="96999"),
    accessed(number="96999"),
    complained("2020-01-05", complaintId="C", displayedNumber="96999"),
    resolved("2020-01-06", complaintId="C"),
    punished("2026-05-01"),
    penalty("Publicised", "2026-05-02"),
    listed("2026-05-03"),
)
SIZES: Final = (1, 7, 100)


@contextmanager
def connected(conninfo: str) -> Iterator[Database]:
    """A connection to a migrated schema of its own."""
    with fresh(conninfo) as schema, open_pool(conninfo, schema, max_size=1) as pool, pool.connection() as database:
        database.autocommit = False
        yield database
        database.rollback()


def applied(database: Database, projection: Projection, log: Sequence[Recorded], size: int) -> None:
    """Undoes what was written before, and applies the log in batches of a size."""
    database.rollback()
    for start in range(0, len(log), size):
        projection.apply(database, log[start : start + size])


def kept(database: Database, table: BitemporalTable) -> set[Kept]:
    """Every row of a table, without its id; no two may be the same."""
    columns = ["subject", "known_from", "known_to", "valid_from", "valid_to", *(name for name, _ in table.columns)]
    statement = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table.name)
    )
    rows = database.execute(statement).fetchall()
    assert len(rows) == len(set(rows)), "a row is kept twice"
    return set(rows)


def holding(rows: set[Kept], on: date, at: int) -> list[Kept]:
    """Subject and own columns of the rows that hold at (D, P)."""
    return [
        (subject, *own)
        for subject, known_from, known_to, valid_from, valid_to, *own in rows
        if known_from <= at < known_to and valid_from <= on < valid_to
    ]
