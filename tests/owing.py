"""What an enterprise's rows say: short forms for the tests of `domain.obligations`."""

from collections.abc import Iterable
from typing import Any

from domain.facts import HEAD, Moment
from domain.obligations import Obligation, obligations
from domain.rulebook import RULEBOOK, Rulebook
from given import A, Book, Stated, d, given, registered

OPEN, OVERDUE, MET, MET_LATE = "OPEN", "OVERDUE", "MET", "MET_LATE"


def owed(book: Book, rule: str, on: str, known_at: int = HEAD, rulebook: Rulebook = RULEBOOK) -> list[Obligation]:
    """The rows of one rule."""
    found = obligations(book.enterprise(), A, Moment(d(on), known_at), rulebook)
    return [row for row in found if row.rule == f"OBL-{rule}"]


def said(rows: Iterable[Obligation]) -> list[str]:
    """Each row as “due day, state, day of meeting”."""
    return [f"{row.due_on} {row.state}{f' {row.met_on}' if row.met_on else ''}" for row in rows]


def state(book: Book, rule: str, on: str, known_at: int = HEAD) -> str | None:
    rows = owed(book, rule, on, known_at)
    assert len(rows) < 2
    return rows[0].state if rows else None


def enterprise(*facts: Stated) -> Book:
    """A registered enterprise; the facts begin at position 2."""
    return given(registered(), *facts)


def second(**fields: Any) -> dict[str, Any]:
    return {"documentNo": "京通罚〔2020〕2号", **fields}
