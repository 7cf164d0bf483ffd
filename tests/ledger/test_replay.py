"""Decisions decided again from the log alone (§8, “Decision.replay”)."""

from collections.abc import Sequence

import psycopg
import pytest
from psycopg import sql

import decided
from decided import EARLY, FLIPS_UNDER_2020, OUTCOMES, Deciding, forge
from domain.events import FiredRule, GateDecided
from domain.facts import Facts
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Version
from domain.vocabulary import Outcome
from given import A, d, interviewed, listed, registered
from ledger.entry import seal
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.replay import Replayed, UnknownVersion, replay
from ledger.sealing import Discarding
from ledger.snapshots import Snapshots
from ledger.streams import Streams


@pytest.fixture
def ledger(pool: Pool) -> Ledger:
    return Ledger(PostgresRecorder(pool, seal=seal), Discarding())


@pytest.fixture
def decisions(ledger: Ledger) -> list[Recorded]:
    return decided.decide(ledger)


def version(name: str) -> Version:
    found = RULEBOOK.named(name)
    assert found
    return found


def again(ledger: Ledger, decisions: Sequence[Recorded]) -> list[Replayed]:
    return replay(Streams(ledger.recorder), decisions)


def test_the_decisions_that_are_replayed_here_are_what_the_history_says(decisions: list[Recorded]) -> None:
    made = [one.event for one in decisions if isinstance(one.event, GateDecided)]
    assert [(one.gate, one.outcome, tuple(reason.rule for reason in one.reasons)) for one in made] == OUTCOMES


def test_every_decision_is_reproduced_when_read_together(ledger: Ledger, decisions: list[Recorded]) -> None:
    made = again(ledger, decisions)
    assert all(one.matches and not one.flips for one in made)
    assert [one.position for one in made] == [one.position for one in decisions]
    assert [one.known_at for one in made] == [one.position - 1 for one in decisions]


def test_every_decision_is_reproduced_when_read_alone(ledger: Ledger, decisions: list[Recorded]) -> None:
    made = [again(ledger, [one])[0] for one in decisions]
    assert all(one.matches for one in made)
    assert [one.events_read for one in made] == [1, 3, 3, 3, 3, 4, 5, 6, 26]


def test_what_came_later_does_not_change_what_was_known(ledger: Ledger, decisions: list[Recorded]) -> None:
    Deciding(ledger).record(listed("2018-01-01", entryId="E-9", list="DISHONESTY"))
    made = again(ledger, decisions)
    assert all(one.matches for one in made)
    head = ledger.recorder.head()
    (today,) = replay(Streams(ledger.recorder), decisions[-1:], known_at=head)
    assert (today.matches, today.flips, today.known_at) == (False, True, head)
    assert "CRD-1" in [reason.rule for reason in today.again.reasons]


def test_a_forged_outcome_does_not_match(ledger: Ledger, decisions: list[Recorded]) -> None:
    (made,) = again(ledger, [forge(ledger, Outcome.PERMIT)])
    assert (made.matches, made.flips) == (False, True)
    assert made.again.outcome is Outcome.REVIEW


def test_a_forged_reason_does_not_match_though_the_outcome_does(ledger: Ledger, decisions: list[Recorded]) -> None:
    (made,) = again(ledger, [forge(ledger, Outcome.REVIEW, FiredRule("CRD-2", Outcome.REVIEW, (1,)))])
    assert (made.matches, made.flips) == (False, False)


def test_a_poisoned_snapshot_misleads_those_who_ask_and_not_the_replay(
    ledger: Ledger, pool: Pool, decisions: list[Recorded]
) -> None:
    poison = Facts()
    poison.position = ledger.recorder.head()
    snapshots = Snapshots(pool)
    snapshots.keep({f"enterprise:{A}": poison})
    misled = Streams(ledger.recorder, snapshots)

    assert misled.read([f"enterprise:{A}"])[1][f"enterprise:{A}"].size == 0
    assert all(one.matches for one in replay(misled, decisions))


def test_it_reads_nothing_but_the_log(ledger: Ledger, database: str, schema: str, decisions: list[Recorded]) -> None:
    with psycopg.connect(database) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
        besides = {name for (name,) in tables} - {"events", "tags", "head", "migrations"}
        assert "snapshots" in besides
        for name in besides:
            owner.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, name)))
    assert all(one.matches for one in again(ledger, decisions))


def test_another_version_says_what_it_would_have_decided(ledger: Ledger, decisions: list[Recorded]) -> None:
    made = replay(Streams(ledger.recorder), decisions, version("2020.1"))
    turned = {(one.decision.gate, reason.rule) for one in made if one.flips for reason in one.again.reasons}
    assert turned == {(gate, rule) for gate, rule, _, _ in FLIPS_UNDER_2020}
    assert {one.version.version for one in made} == {"2020.1"}


def test_an_earlier_version_does_not_ask_what_came_with_a_later_one(ledger: Ledger, decisions: list[Recorded]) -> None:
    (made,) = replay(Streams(ledger.recorder), decisions[-1:], version("2018.1"))
    assert [reason.rule for reason in made.again.reasons] == ["CRD-2"]
    assert (made.matches, made.flips) == (False, False)


def test_a_version_that_the_program_does_not_have_is_an_error(ledger: Ledger, decisions: list[Recorded]) -> None:
    forged = forge(ledger, Outcome.PERMIT, rulebook="2031.1")
    with pytest.raises(UnknownVersion, match=r"position \d+ was made under 2031\.1"):
        again(ledger, [*decisions, forged])


def test_a_version_added_as_one_row_replays_what_was_decided(ledger: Ledger, decisions: list[Recorded]) -> None:
    added = Version("2027.1", d("2027-01-01"), version("2026.1").parameters)
    made = replay(Streams(ledger.recorder), decisions, added, rulebook=RULEBOOK.with_version(added))
    assert {one.version.version for one in made} == {"2027.1"}
    assert [one.flips for one in made].count(True) == 2


def test_no_decisions_are_no_answers(ledger: Ledger) -> None:
    assert again(ledger, []) == []


def test_facts_of_one_request_are_known_to_the_next_decision(ledger: Ledger) -> None:
    book = Deciding(ledger)
    book.record(registered(), interviewed("2019-02-01"))
    made = again(ledger, [book.ask(decided.COOPERATION, EARLY)])
    assert made[0].matches
    assert made[0].events_read == 2
