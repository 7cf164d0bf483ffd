"""Changes of credit timelines: one an enterprise and position whose event changes it."""

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

from agreement import folded, log, replayed, spans
from domain.credit import Span
from domain.vocabulary import CreditStatus
from given import d
from naive import histories
from naive.rules import Timeline
from projecting import SIZES, applied, connected
from projections.credit import CreditChanges, dumped, loaded
from projections.projection import Database
from seldom import wholes

EXAMPLES = os.environ.get("CASELEDGER_EXAMPLES")
UNKNOWN: Timeline = [(None, "UNKNOWN")]


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Database]:
    with connected(database) as connection:
        yield connection


def changes(connection: Database) -> list[tuple[int, str, Timeline]]:
    rows = connection.execute("SELECT position, uscc, timeline::text FROM credit_changes ORDER BY position, uscc")
    return [(at, uscc, [(one.begins, one.status.value) for one in loaded(text)]) for at, uscc, text in rows]


@settings(
    max_examples=int(EXAMPLES or 10),
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=list(HealthCheck),
)
@given(wholes(10))
def test_the_last_change_at_any_position_is_the_timeline_known_there(
    connection: Database, history: list[histories.Candidate]
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    found = []
    for size in SIZES:
        applied(connection, CreditChanges(both.ledger.streams), recorded, size)
        found.append(changes(connection))
    assert found[0] == found[1] == found[2]
    for at in range(len(recorded) + 1):
        folds = folded(recorded[:at])
        for uscc in histories.USCCS:
            last = [timeline for position, whose, timeline in found[0] if whose == uscc and position <= at]
            assert (last[-1] if last else UNKNOWN) == spans(folds, uscc, at)
    for uscc in histories.USCCS:
        timelines = [UNKNOWN, *(timeline for _, whose, timeline in found[0] if whose == uscc)]
        assert all(before != after for before, after in pairwise(timelines))


def test_a_timeline_is_read_as_it_was_written() -> None:
    timeline = (Span(None, CreditStatus.UNKNOWN), Span(d("2020-01-01"), CreditStatus.GOOD))
    assert loaded(dumped(timeline)) == timeline
