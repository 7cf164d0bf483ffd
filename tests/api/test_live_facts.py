"""Live facts lean on the decision of their gate: one that matches, is fresh and unused, and still holds (§5)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest

from gating import READY, Asked, access, cooperation, decided, filing, licence, preview
from given import (
    B,
    Stated,
    access_granted,
    accessed,
    filed,
    granted,
    listed,
    number_filed,
    ordered,
    registered,
    site_inspected,
    unlisted,
    voided,
    withdrawn,
)
from running import ADOPTED, System, started


@pytest.fixture(scope="module")
def ready(database: str) -> Iterator[System]:
    """A is ready for every gate, B has a number; no test of it records anything but decisions."""
    with started(database) as system:
        system.known(*READY, registered(uscc=B), filed(uscc=B, number="95013"))
        yield system


@pytest.fixture
def live(system: System) -> System:
    system.known(*READY)
    return system


LIVE: Final = {
    "LICENCE": (licence(), granted(licenceNo="L-9", validFrom="2026-06-01")),
    "NUMBER_FILING": (
        filing(carriers=["CHINA_TELECOM", "CHINA_MOBILE"]),
        number_filed(number="96345", carriers=["CHINA_MOBILE", "CHINA_TELECOM"]),
    ),
    "ACCESS": (access(), access_granted()),
}


def citing(fact: Stated, decision_id: str, **given: Any) -> Stated:
    return Stated(fact.name, {**fact.fields, "decisionId": decision_id, **given})


@pytest.mark.parametrize("gate", LIVE)
def test_a_live_fact_is_recorded_on_its_decision(live: System, gate: str) -> None:
    request, fact = LIVE[gate]
    made = decided(live, request)
    (event,) = live.send(citing(fact, made["id"]))["events"]
    assert (event["data"]["decisionId"], event["historical"]) == (made["id"], False)


@pytest.mark.parametrize("gate", LIVE)
def test_a_live_fact_without_a_decision_is_refused(ready: System, gate: str) -> None:
    fact = LIVE[gate][1]
    assert ready.refused(fact) == {f"DECISION_REQUIRED facts.0.{fact.name}.decisionId"}
    assert ready.refused(citing(fact, "decision-0")) == {f"NOT_FOUND facts.0.{fact.name}.decisionId"}


def test_a_licence_a_number_and_an_access_are_granted_from_nothing_on_decisions_alone(system: System) -> None:
    system.known(registered(), site_inspected("2026-05-01"))
    for gate, changed in (
        ("LICENCE", {}),
        ("NUMBER_FILING", {"number": "95012", "carriers": ["CHINA_TELECOM"]}),
        ("ACCESS", {}),
    ):
        request, fact = LIVE[gate]
        ((name, asked),) = request.items()
        made = decided(system, {name: {**asked, **changed}})
        assert made["outcome"] == "PERMIT", made["reasons"]
        system.send(citing(fact, made["id"], **changed))
    assert [one.type for one in system.log()[-6:]] == [
        "GateDecided",
        "LicenceGranted",
        "GateDecided",
        "NumberFiled",
        "GateDecided",
        "AccessGranted",
    ]


def test_a_decision_is_used_once_even_if_what_used_it_was_voided(live: System) -> None:
    made = decided(live, access())
    (event,) = live.send(citing(access_granted(), made["id"]))["events"]
    again = citing(access_granted(accessId="A-2"), made["id"])
    wrong = {"WRONG_STATE facts.0.accessGranted.decisionId"}
    assert live.refused(again) == wrong
    live.record(voided(event["position"]))
    assert live.refused(again) == wrong


def test_a_decision_is_used_once_in_one_request_too(live: System) -> None:
    made = decided(live, access())
    facts = (citing(access_granted(accessId=f"A-{n}"), made["id"]) for n in (1, 2))
    assert live.refused(*facts) == {"WRONG_STATE facts.1.accessGranted.decisionId"}


@pytest.mark.parametrize(
    ("as_of", "on", "code"),
    [
        ("2026-05-01", None, "WRONG_STATE"),
        ("2026-06-01", "2026-07-02", "WRONG_STATE"),
        ("2026-06-01", "2026-05-31", "NOT_FOUND"),
    ],
)
def test_a_decision_serves_neither_before_its_date_nor_later_than_thirty_days(
    ready: System, as_of: str, on: str | None, code: str
) -> None:
    made = decided(ready, access(), as_of)
    assert ready.refused(citing(access_granted(on), made["id"])) == {f"{code} facts.0.accessGranted.decisionId"}


def test_a_decision_serves_from_its_date_until_the_thirtieth_day(live: System) -> None:
    for n, (as_of, on) in enumerate((("2026-05-02", None), ("2026-06-01", "2026-06-01"), ("2026-06-01", "2026-07-01"))):
        made = decided(live, access(), as_of)
        assert live.send(citing(access_granted(on, accessId=f"A-{n}"), made["id"]))["errors"] == []


def test_a_decision_of_another_enterprise_is_not_found(ready: System) -> None:
    made = decided(ready, access(uscc=B, number="95013"))
    assert ready.refused(citing(access_granted(), made["id"])) == {"NOT_FOUND facts.0.accessGranted.decisionId"}


@pytest.mark.parametrize(
    ("gate", "changed"),
    [
        ("ACCESS", {"carrier": "CHINA_MOBILE"}),
        ("ACCESS", {"number": "96345"}),
        ("ACCESS", {"directions": "INBOUND_AND_OUTBOUND"}),
        ("NUMBER_FILING", {"number": "96346"}),
        ("NUMBER_FILING", {"carriers": ["CHINA_TELECOM"]}),
        ("NUMBER_FILING", {"carriers": ["CHINA_TELECOM", "CHINA_MOBILE", "CHINA_UNICOM"]}),
        ("NUMBER_FILING", {"directions": "INBOUND_AND_OUTBOUND"}),
        ("NUMBER_FILING", {"outboundUndertaking": True}),
        ("LICENCE", {"route": "COMMITMENT"}),
    ],
)
def test_a_decision_carries_only_what_it_was_asked(ready: System, gate: str, changed: Asked) -> None:
    request, fact = LIVE[gate]
    made = decided(ready, request)
    assert ready.refused(citing(fact, made["id"], **changed)) == {f"WRONG_STATE facts.0.{fact.name}.decisionId"}


def test_the_decision_of_another_gate_does_not_serve(ready: System) -> None:
    made = decided(ready, cooperation())
    assert ready.refused(citing(access_granted(), made["id"])) == {"WRONG_STATE facts.0.accessGranted.decisionId"}


def refusal(system: System, fact: Stated) -> tuple[str, str, list[tuple[str, list[int]]]]:
    """Code, path and rules of the one refusal of a fact; nothing is recorded."""
    head = system.head
    (error,) = system.send(fact)["errors"]
    assert system.head == head
    return error["code"], error["path"], [(r["rule"], [p - ADOPTED for p in r["positions"]]) for r in error["reasons"]]


def test_what_its_gate_refused_is_not_recorded_and_the_rules_are_told(live: System) -> None:
    live.record(listed("2026-05-01", list="DISHONESTY"), ordered("2026-05-02", dueOn="2026-05-03"))
    made = decided(live, access())
    assert made["outcome"] == "REFUSE"
    expected = [("CRD-1", [5]), ("ENF-2", [6])]
    path = "facts.0.accessGranted.decisionId"
    assert refusal(live, citing(access_granted(), made["id"])) == ("GATE_REFUSED", path, expected)
    assert refusal(live, citing(access_granted(), made["id"], justification="已核实")) == (
        "GATE_REFUSED",
        path,
        expected,
    )


def test_a_refusal_that_its_gate_would_not_repeat_carries_the_rules_of_then(live: System) -> None:
    live.record(listed("2026-05-01", list="DISHONESTY"))
    made = decided(live, access())
    live.record(unlisted("2026-05-20"))
    assert preview(live, access())["outcome"] == "PERMIT"
    path = "facts.0.accessGranted.decisionId"
    assert refusal(live, citing(access_granted(), made["id"])) == ("GATE_REFUSED", path, [("CRD-1", [5])])


@pytest.mark.parametrize(
    ("since", "rule"),
    [(listed("2026-06-01", list="DISHONESTY"), ("CRD-1", [6])), (withdrawn("2026-06-01"), ("NUM-1", []))],
)
def test_a_permit_does_not_serve_once_its_gate_would_refuse(live: System, since: Stated, rule: Any) -> None:
    made = decided(live, access())
    live.record(since)
    path = "facts.0.accessGranted.decisionId"
    assert refusal(live, citing(access_granted(), made["id"])) == ("GATE_REFUSED", path, [rule])


def test_a_review_needs_a_written_justification(live: System) -> None:
    live.record(listed("2026-05-01"))
    made = decided(live, access())
    assert made["outcome"] == "REVIEW"
    path = "facts.0.accessGranted.justification"
    assert refusal(live, citing(access_granted(), made["id"])) == ("DECISION_REQUIRED", path, [])
    (event,) = live.send(citing(access_granted(), made["id"], justification="已当面核实"))["events"]
    assert event["data"]["justification"] == "已当面核实"


def test_a_historical_fact_needs_no_decision_and_takes_none(live: System) -> None:
    assert live.send(accessed())["events"][0]["historical"] is True
    made = decided(live, access())
    assert live.refused(citing(accessed(accessId="A-2"), made["id"])) == {"INVALID facts.0.accessGranted.decisionId"}


def test_a_carrier_grants_access_on_its_own_decision(live: System) -> None:
    made = decided(live, access(), key="telecom")
    (event,) = live.send(citing(access_granted(), made["id"]), key="telecom")["events"]
    assert event["recordedBy"].startswith("carrier:CHINA_TELECOM:")


def test_a_fact_weeks_after_its_decision_is_judged_on_its_own_date(live: System) -> None:
    live.clock.now += timedelta(days=20)
    made = decided(live, access(), "2026-06-01")
    live.record(ordered("2026-06-05", dueOn="2026-06-10"))
    path = "facts.0.accessGranted.decisionId"
    later = citing(access_granted("2026-06-11"), made["id"])
    assert refusal(live, later) == ("GATE_REFUSED", path, [("ENF-2", [6])])
    assert live.send(citing(access_granted("2026-06-10"), made["id"]))["events"]
