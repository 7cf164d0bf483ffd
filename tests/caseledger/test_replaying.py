"""Replaying every decision, in several processes."""

from dataclasses import asdict, replace

import psycopg
import pytest
from psycopg import sql

import decided
from caseledger import replaying
from caseledger.replaying import Difference, Report, count, replay_all, replay_one
from caseledger.wiring import System
from decided import FLIPS_UNDER_2020, OUTCOMES, forge
from domain.events import FiredRule
from domain.facts import Facts
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Version
from domain.vocabulary import Outcome
from given import A, B
from ledger.replay import UnknownVersion
from ledger.snapshots import Snapshots

KEPT = {"events", "tags", "head", "migrations"}
"""The tables of the log itself."""


@pytest.fixture
def decisions(system: System) -> list[Recorded]:
    return decided.decide(system.ledger)


def named(name: str) -> Version:
    found = RULEBOOK.named(name)
    assert found
    return found


def report(system: System, **how: object) -> Report:
    return replay_all(system.pool, system.settings.schema, **{"processes": 1, **how})  # type: ignore[arg-type]


def positions(found: Report) -> list[int]:
    return [difference.position for difference in found.differences]


def test_every_decision_reproduces(system: System, decisions: list[Recorded]) -> None:
    found = report(system)
    assert (found.decisions, found.differences, found.flips) == (len(OUTCOMES), [], {})
    assert count(system.pool) == len(OUTCOMES)


def test_a_ledger_without_decisions_has_an_empty_report(system: System) -> None:
    assert report(system) == Report()
    assert count(system.pool) == 0


def test_read_models_and_snapshots_are_not_read(system: System, database: str, decisions: list[Recorded]) -> None:
    system.runner.catch_up()
    poison = Facts()
    poison.position = system.ledger.recorder.head()
    Snapshots(system.pool).keep({f"enterprise:{code}": poison for code in (A, B)})
    assert asdict(report(system))["differences"] == []

    schema = system.settings.schema
    with psycopg.connect(database) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
        besides = {name for (name,) in tables} - KEPT
        assert {"snapshots", "register", "decisions", "credit_changes"} < besides
        for name in besides:
            owner.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(schema, name)))
    found = report(system)
    assert (found.decisions, found.differences) == (len(OUTCOMES), [])


def test_several_processes_give_the_report_of_one(
    system: System, decisions: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(system.ledger, Outcome.PERMIT)
    forge(system.ledger, Outcome.REFUSE, decision_id="D-forged-too")
    monkeypatch.setattr(replaying, "AT_A_TIME", 2)
    monkeypatch.setattr(replaying, "WINDOW", 5)
    alone, together = (report(system, processes=number, version=named("2020.1")) for number in (1, 3))
    assert len(alone.differences) == 4
    assert together == alone


def test_a_forged_decision_is_told_with_what_it_was_and_is(system: System, decisions: list[Recorded]) -> None:
    forged = forge(system.ledger, Outcome.PERMIT)
    found = report(system)
    assert found.differences == [
        Difference(
            decision_id="D-forged",
            position=forged.position,
            gate="COOPERATION",
            uscc=A,
            was="PERMIT",
            is_now="REVIEW",
            rules_were=(),
            rules_are=("CMP-1", "CRD-2"),
        )
    ]
    assert found.flips == {
        ("COOPERATION", "CMP-1", "PERMIT", "REVIEW"): 1,
        ("COOPERATION", "CRD-2", "PERMIT", "REVIEW"): 1,
    }


def test_a_forged_reason_is_a_difference_and_no_flip(system: System, decisions: list[Recorded]) -> None:
    forged = forge(system.ledger, Outcome.REVIEW, FiredRule("CRD-2", Outcome.REVIEW, (1,)))
    found = report(system)
    assert (positions(found), found.flips) == ([forged.position], {})


def test_differences_are_told_in_the_order_of_the_log(system: System, decisions: list[Recorded]) -> None:
    forged = [forge(system.ledger, Outcome.REFUSE, decision_id=f"D-{code}", uscc=code) for code in (B, A)]
    assert positions(report(system)) == [one.position for one in forged]


def test_another_version_gives_its_flips_by_gate_and_rule(system: System, decisions: list[Recorded]) -> None:
    found = report(system, version=named("2020.1"))
    assert found.flips == FLIPS_UNDER_2020
    assert positions(found) == [one.position for one in decisions[1:3]]


def test_decisions_after_a_position_are_left_out(system: System, decisions: list[Recorded]) -> None:
    forge(system.ledger, Outcome.PERMIT)
    upto = decisions[3].position
    found = report(system, upto=upto)
    assert (found.decisions, found.differences) == (4, [])
    assert (count(system.pool, upto), count(system.pool, upto - 1)) == (4, 3)
    assert report(system, upto=0) == Report()


def test_progress_counts_every_decision(
    system: System, decisions: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "AT_A_TIME", 4)
    told: list[int] = []
    report(system, progress=told.append)
    assert told == [4, 4, 1]


def test_a_version_of_which_nobody_knows_is_an_error(system: System, decisions: list[Recorded]) -> None:
    strange = replace(named("2026.1"), version="2031.1")
    with pytest.raises(UnknownVersion, match=r"no version 2031\.1; its versions are 2017\.1, "):
        report(system, version=strange)


def test_a_recorded_version_of_which_nobody_knows_is_an_error(system: System, decisions: list[Recorded]) -> None:
    forged = forge(system.ledger, Outcome.PERMIT, rulebook="2031.1")
    with pytest.raises(UnknownVersion, match=rf"position {forged.position} was made under 2031\.1"):
        report(system)
    assert report(system, version=named("2020.1")).decisions == len(OUTCOMES) + 1


def test_one_decision_is_replayed_by_its_id(system: System, decisions: list[Recorded]) -> None:
    forge(system.ledger, Outcome.PERMIT)
    event = decisions[1].event
    own = replay_one(system.pool, getattr(event, "decision_id", ""))
    assert own == Report(decisions=1, events_read=3)
    other = replay_one(system.pool, getattr(event, "decision_id", ""), named("2020.1"))
    assert other
    assert positions(other) == [decisions[1].position]
    forged = replay_one(system.pool, "D-forged")
    assert forged
    assert [difference.decision_id for difference in forged.differences] == ["D-forged"]
    assert replay_one(system.pool, "D-none") is None
