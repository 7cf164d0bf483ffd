"""Rows that hold for a span of legal dates and a span of knowledge.

What follows from a subject's facts (what it owes, its list entries …) is a set of rows, each for a span of dates D, and
changes with P when an event touches the subject. A row is kept from the position that made it true to the one that
made it false, so any (D, P) is a look-up: valid_from ≤ D < valid_to and known_from ≤ P < known_to.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from psycopg import sql

from ledger.rows import Texts, columns
from projections.projection import Database

Row = tuple[Any, ...]
"""valid_from, valid_to and the table's own columns."""
FOREVER: Final = 2**63 - 1
"""known_to of what is still so."""


class Change(NamedTuple):
    """What is so of a subject from a position on: of all of it, or only of some of the parts that its table tells apart."""

    subject: str
    position: int
    rows: frozenset[Row]
    parts: Collection[Any] | None = None


@dataclass(frozen=True)
class BitemporalTable:
    """A table with subject, known_from, known_to, valid_from, valid_to and columns of its own, as (name, type).

    `part`: the column of its own whose values part a subject's rows, so that a change may be of some of them alone.
    """

    name: str
    columns: Sequence[tuple[str, str]]
    part: str = ""

    @property
    def _all(self) -> list[tuple[str, str]]:
        return [("valid_from", "date"), ("valid_to", "date"), *self.columns]

    @property
    def _place(self) -> int:
        """Where in a row its part is."""
        return next((place for place, (name, _) in enumerate(self._all) if name == self.part), 0)

    def apply(self, database: Database, changes: Iterable[Change]) -> None:
        """Writes changes, which come in position order; what stays as it is costs no write."""
        changes, place = list(changes), self._place
        if not changes:
            return
        present = self._present(database, {change.subject for change in changes})
        closed: list[tuple[int, int]] = []
        opened: list[tuple[Any, ...]] = []
        for change in changes:
            rows = present.setdefault(change.subject, {})
            parts = change.parts
            gone = [row for row in rows if row not in change.rows and (parts is None or row[place] in parts)]
            for row in gone:
                row_id, known_from = rows.pop(row)
                if row_id is not None:
                    closed.append((row_id, change.position))
                elif known_from < change.position:
                    opened.append((change.subject, known_from, change.position, *row))
            for row in change.rows:
                rows.setdefault(row, (None, change.position))
        for subject, rows in present.items():
            opened += [
                (subject, known_from, FOREVER, *row) for row, (row_id, known_from) in rows.items() if row_id is None
            ]
        self._close(database, closed)
        self._open(database, opened)

    def _present(self, database: Database, subjects: set[str]) -> dict[str, dict[Row, tuple[int | None, int]]]:
        statement = sql.SQL(
            "SELECT subject, id, known_from, {} FROM {} WHERE subject = ANY(%s) AND known_to = %s"
        ).format(sql.SQL(", ").join(sql.Identifier(name) for name, _ in self._all), sql.Identifier(self.name))
        found: dict[str, dict[Row, tuple[int | None, int]]] = {}
        for subject, row_id, known_from, *row in database.execute(
            statement, [Texts.packed(subjects), FOREVER], binary=True
        ):
            found.setdefault(subject, {})[tuple(row)] = row_id, known_from
        return found

    def _close(self, database: Database, closed: Sequence[tuple[int, int]]) -> None:
        if closed:
            statement = sql.SQL(
                "UPDATE {} AS kept SET known_to = done.known_to"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS done (id, known_to) WHERE kept.id = done.id"
            ).format(sql.Identifier(self.name))
            database.execute(statement, columns(closed))

    def _open(self, database: Database, opened: Sequence[tuple[Any, ...]]) -> None:
        if not opened:
            return
        described = [("subject", "text"), ("known_from", "bigint"), ("known_to", "bigint"), *self._all]
        statement = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({})").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in described),
            sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(type_)) for _, type_ in described),
        )
        database.execute(statement, columns(opened))


def spans(steps: Iterable[tuple[date, Row | None]]) -> Iterator[Row]:
    """The rows of a step function of D: each step's row holds until the next step; None is no row."""
    begun: tuple[date, Row] | None = None
    for begins, row in steps:
        if begun and begun[1] != row:
            yield (begun[0], begins, *begun[1])
            begun = None
        if row is not None and begun is None:
            begun = begins, row
    if begun:
        yield (begun[0], date.max, *begun[1])


def changes(touched: Mapping[str, Sequence[int]], rows: Callable[[str, int], Iterable[Row]]) -> Iterator[Change]:
    """The change that each touching position makes to each subject; `rows(subject, position)` gives what is so then."""
    for subject, positions in touched.items():
        for position in positions:
            yield Change(subject, position, frozenset(rows(subject, position)))
