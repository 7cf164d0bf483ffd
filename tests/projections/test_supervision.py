"""What supervision works with: the rows kept are at every (D, P) what is so there, in whatever batches they came."""

import os
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agreement
from agreement import TODAY, Folds, folded, log, replayed
from domain.facts import Moment
from domain.obligations import state_on
from domain.recorded import Recorded
from domain.register import accesses
from naive import histories
from naive.histories import USCCS
from projecting import SIZES, Kept, applied, connected, holding, kept
from projections.projection import Database
from projections.supervision import DUTIES, EXHIBITS, FINDINGS, LISTINGS, LIVE_ACCESSES, Supervision
from seldom import wholes

EXAMPLES = os.environ.get("CASELEDGER_EXAMPLES")
TABLES = (DUTIES, LISTINGS, EXHIBITS, LIVE_ACCESSES, FINDINGS)
DATES = 6
"""How many dates are asked about at each position."""
thoroughly = settings(
    max_examples=int(EXAMPLES or 10),
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=list(HealthCheck),
)
a_history = wholes(10)


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Database]:
    with connected(database) as connection:
        yield connection


def tables(connection: Database, supervision: Supervision, recorded: Sequence[Recorded], size: int) -> list[set[Kept]]:
    """The rows of each table when the log comes in batches of a size."""
    applied(connection, supervision, recorded, size)
    return [kept(connection, table) for table in TABLES]


@thoroughly
@given(a_history)
def test_rows_do_not_depend_on_the_batches_in_which_events_come(
    connection: Database, history: list[histories.Candidate]
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    one, seven, hundred = (tables(connection, Supervision(both.ledger.streams), recorded, size) for size in SIZES)
    assert one == seven == hundred


@thoroughly
@given(a_history)
def test_what_came_later_leaves_what_was_known_as_it_was(
    connection: Database, history: list[histories.Candidate]
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    whole = tables(connection, Supervision(both.ledger.streams), recorded, 7)
    half = len(recorded) // 2
    before = tables(connection, Supervision(both.ledger.streams), recorded[:half], 7)
    for later, earlier in zip(whole, before, strict=True):
        known = {(*row[:2], min(row[2], half + 1), *row[3:]) for row in later if row[1] <= half}
        assert known == {(*row[:2], min(row[2], half + 1), *row[3:]) for row in earlier}


@thoroughly
@given(a_history, st.randoms(use_true_random=False))
def test_the_rows_at_any_point_are_what_is_so_there(
    connection: Database, history: list[histories.Candidate], chance: Any
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    duties, listings, exhibits, live, findings = tables(connection, Supervision(both.ledger.streams), recorded, 7)
    edges = sorted({day for rows in (duties, listings, exhibits, live, findings) for row in rows for day in row[3:5]})
    edges = [day for day in edges if day < date.max] or [TODAY]
    for at in range(len(recorded) + 1):
        folds = folded(recorded[:at])
        for day in chance.sample(edges, min(DATES, len(edges))):
            for on in {day, day - timedelta(days=1)}:
                assert owed(holding(duties, on, at), on) == expected_owed(folds, Moment(on, at)), (on, at)
                assert listed(holding(listings, on, at)) == expected_listed(folds, Moment(on, at)), (on, at)
                assert shown(holding(exhibits, on, at)) == expected_shown(folds, Moment(on, at)), (on, at)
                assert sorted(holding(live, on, at)) == expected_live(folds, Moment(on, at)), (on, at)
                assert found(holding(findings, on, at)) == expected_found(folds, Moment(on, at)), (on, at)


def owed(rows: list[Kept], on: date) -> list[Any]:
    return sorted(
        (
            (rule, subject.removeprefix("enterprise:"), owed_by, due_on, state_on(on, due_on, met_on).value, met_on, at)
            for subject, rule, at, _, owed_by, due_on, met_on in rows
        ),
        key=repr,
    )


def expected_owed(folds: Folds, at: Moment) -> list[Any]:
    return sorted((row for uscc in USCCS for row in agreement.owed(folds, uscc, at)), key=repr)


def listed(rows: list[Kept]) -> list[Any]:
    return sorted(
        (at, entry_id, on_list, subject.removeprefix("enterprise:"), name, authority, ground, removed_on)
        for subject, at, entry_id, on_list, name, authority, ground, removed_on in rows
    )


def expected_listed(folds: Folds, at: Moment) -> list[Any]:
    names = ("position", "entryId", "list", "uscc", "name", "authority", "ground")
    entries = [entry for uscc in USCCS for entry in agreement.listed(folds, uscc, at)]
    return sorted(
        (*(one[name] for name in names), one["removedOn"] and date.fromisoformat(one["removedOn"])) for one in entries
    )


def shown(rows: list[Kept]) -> list[Any]:
    return sorted((at, public_until) for _, at, _, _, public_until in rows)


def expected_shown(folds: Folds, at: Moment) -> list[Any]:
    return sorted(one for uscc in USCCS for one in agreement.publicised(folds, uscc, at))


def expected_live(folds: Folds, at: Moment) -> list[Any]:
    held = [(uscc, access) for uscc in USCCS for access in accesses(agreement.of(folds, uscc), at)]
    return sorted((f"enterprise:{uscc}", one.granted.position) for uscc, one in held if one.state == "GRANTED")


def found(rows: list[Kept]) -> list[Any]:
    return sorted(
        (
            (rule, uscc, at, on, [tuple(ground) for ground in msgspec.json.decode(reasons)])
            for _, rule, uscc, at, on, reasons in rows
        ),
        key=repr,
    )


def expected_found(folds: Folds, at: Moment) -> list[Any]:
    return sorted(
        (
            (rule, uscc, position, on, grounds)
            for uscc in USCCS
            for rule, position, on, grounds in agreement.found(folds, uscc, at)
            if rule != "FND-LIVE"
        ),
        key=repr,
    )
