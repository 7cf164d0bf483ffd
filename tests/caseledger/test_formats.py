"""Formats: what a reader owes, and what the import makes of rows with several facts or an identity."""

import io
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from caseledger.formats import FORMATS, format_of
from caseledger.importing import Importer, Rejected
from caseledger.items import Item, Settle
from caseledger.json_lines import JSON_LINES, items
from caseledger.lines import Source
from caseledger.main import IMPORTED
from caseledger.wiring import System
from domain.commands import Code, refusal
from given import A, B, Stated, interviewed, punished, registered, renamed
from ledger.imports import ImportedLines
from ledger.recorder import PostgresRecorder

ADOPTED = 4


def item(number: int, *facts: Stated, unique: bool = False) -> Item:
    named = b" ".join(repr(fact).encode() for fact in facts)
    return Item(number, {"row": number}, facts, content=named, unique=unique, counted=("row",))


class Imported:
    """An import of items into one ledger: the tally, and where and why rows were rejected."""

    def __init__(self, system: System) -> None:
        self._system = system

    def __call__(self, *given: Item, settle: Settle | None = None) -> tuple[int, int, int]:
        self.rejected: list[Rejected] = []
        importer = Importer(self._system.ledger, ImportedLines(self._system.pool), self.rejected.append, settle=settle)
        for _ in importer.run(given):
            pass
        self.tally = importer.tally
        return self.tally.recorded, self.tally.replayed, self.tally.rejected

    @property
    def why(self) -> list[tuple[int, str, str]]:
        return [(each.number, each.refusals[0].code, each.refusals[0].path) for each in self.rejected]

    def types(self) -> list[str]:
        recorder: PostgresRecorder = self._system.ledger.recorder
        return [found.event.type for found in recorder.read(after=ADOPTED)]


@pytest.fixture
def imported(system: System) -> Imported:
    return Imported(system)


def source(content: bytes) -> Source:
    return Source("a", io.BufferedReader(io.BytesIO(content)))


def test_a_file_that_fits_no_other_format_is_taken_for_json_lines() -> None:
    assert list(FORMATS)[-1] == JSON_LINES.name
    assert format_of(None, source(b"uscc,name\n")) is JSON_LINES
    assert format_of(None, source(b"")) is JSON_LINES


def test_what_is_looked_at_to_tell_the_format_is_read_all_the_same() -> None:
    file = source(b'{"enterpriseRenamed": {}}\n{"enterpriseRenamed": {}}\n')
    assert file.beginning().startswith(b'{"enterpriseRenamed"')
    assert [each.number for each in items(file)] == [1, 2]


def test_the_facts_of_a_row_go_in_all_or_none(imported: Imported) -> None:
    rows = (
        item(1, registered(), punished(documentNo="1")),
        item(2, registered(uscc=B), punished(uscc=B, documentNo="2", fine="-1")),
        item(3, renamed(), interviewed()),
        item(4, renamed(), renamed(uscc=B)),
    )
    assert imported(*rows) == (2, 0, 2)
    assert imported.why == [(2, "INVALID", "penaltyImposed.fine"), (4, "UNKNOWN_ENTERPRISE", "enterpriseRenamed.uscc")]
    assert [each.sent for each in imported.rejected] == [{"row": 2}, {"row": 4}]
    assert imported.types() == ["EnterpriseRegistered", "PenaltyImposed", "EnterpriseRenamed", "InterviewHeld"]
    assert imported.tally.counts == {"row": 2}
    assert imported(*rows) == (0, 2, 2)


def test_rows_of_more_facts_than_a_request_takes_go_in_by_several(imported: Imported) -> None:
    rows = [item(n, interviewed(caseId=f"a{n}"), interviewed(caseId=f"b{n}")) for n in range(2, 702)]
    assert imported(item(1, registered()), *rows) == (701, 0, 0)
    assert imported.types() == ["EnterpriseRegistered", *["InterviewHeld"] * 1_400]


def test_a_row_with_an_identity_goes_in_once_however_often_it_comes(imported: Imported) -> None:
    first = item(1, registered())
    twice = [item(n, interviewed(), unique=True) for n in (2, 3)]
    assert imported(first, *twice) == (2, 1, 0)
    assert imported(first, *twice) == (0, 3, 0)
    assert imported(item(1, interviewed(), unique=True)) == (0, 1, 0)


def test_a_settled_row_goes_in_as_it_was_settled_on_what_the_ledger_holds_by_then(imported: Imported) -> None:
    """The second row of an enterprise registers it where the first was refused."""

    def settle(rows: Sequence[Item]) -> list[Item | None]:
        known = A if "EnterpriseRegistered" in imported.types() else None
        settled: list[Item | None] = []
        for row in rows:
            if row.number == 4:
                settled.append(None)
            elif row.number == 5:
                settled.append(replace(row, refusals=(refusal(Code.ALREADY_EXISTS, "x", "在", "in"),)))
            else:
                settled.append(row if known else replace(row, facts=(registered(), *row.facts)))
                known = A
        return settled

    rows = [item(n, punished(documentNo=str(n), fine="-1" if n == 1 else "5.00")) for n in range(1, 6)]
    assert imported(*rows, settle=settle) == (2, 1, 2)
    assert imported.why == [(1, "INVALID", "penaltyImposed.fine"), (5, "ALREADY_EXISTS", "x")]
    assert imported.types() == ["EnterpriseRegistered", "PenaltyImposed", "PenaltyImposed"]


def test_the_formats_that_the_command_names_are_those_that_there_are() -> None:
    assert tuple(FORMATS) == IMPORTED
