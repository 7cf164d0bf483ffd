"""previewGate and decideGate: what each gate answers, under which version, as known when, and to whom."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from gating import (
    CHECKED,
    DECIDE,
    GATES,
    PREVIEW,
    READY,
    Asked,
    access,
    answer,
    cooperation,
    decide,
    decided,
    filing,
    licence,
    preview,
    refused,
)
from given import A, B, C, filed, interviewed, listed, ordered, registered
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


# What each gate answers


@pytest.mark.parametrize("gate", GATES)
def test_a_ready_enterprise_is_permitted_at_every_gate(ready: System, gate: str) -> None:
    assert preview(ready, GATES[gate]()) == {
        "gate": gate,
        "uscc": A,
        "outcome": "PERMIT",
        "asOf": "2026-06-01",
        "knownAt": ready.head,
        "rulebook": {"version": "2026.1", "inForceFrom": "2026-04-01"},
        "reasons": [],
    }


@pytest.mark.parametrize(
    ("request_", "outcome", "rules"),
    [
        (licence(marketingOutbound=True), "REFUSE", [("ADM-2", [])]),
        (licence(undertakingFiled=False, form="SELF_USE"), "REFUSE", [("ADM-4", []), ("SCP-1", [])]),
        (licence(form="SYSTEM_AND_SEAT_RENTAL"), "PERMIT", []),
        (filing(number="95012"), "PERMIT", []),
        (filing(number="95013"), "REFUSE", [("NUM-4", [6])]),
        (filing(directions="INBOUND_AND_OUTBOUND"), "REFUSE", [("NUM-5", [])]),
        (filing(directions="INBOUND_AND_OUTBOUND", outboundUndertaking=True), "PERMIT", []),
        (access(number="95013"), "REFUSE", [("NUM-1", [])]),
        (access(carrier="CHINA_UNICOM"), "REFUSE", [("NUM-2", [4])]),
        (access(directions="INBOUND_AND_OUTBOUND"), "REFUSE", [("NUM-3", [4])]),
        (access(checked={**CHECKED, "businessPlan": False}), "REFUSE", [("ACC-1", [])]),
        (cooperation(carrier="CHINA_BROADNET"), "PERMIT", []),
    ],
)
def test_a_gate_fires_the_rules_of_the_request(ready: System, request_: Asked, outcome: str, rules: list[Any]) -> None:
    assert answer(preview(ready, request_)) == (outcome, rules)


def test_a_gate_fires_the_rules_of_the_record(system: System) -> None:
    system.known(
        *READY,
        listed("2026-05-01"),
        listed("2026-05-02", entryId="E-2", list="DISHONESTY"),
        interviewed("2026-05-03"),
        ordered("2026-05-04", dueOn="2026-05-31"),
        ordered("2026-05-05", orderId="O-2"),
    )
    entries, signals, orders = [("CRD-1", [6]), ("CRD-2", [5])], [("CRD-3", [7])], [("ENF-1", [9]), ("ENF-2", [8])]
    assert answer(preview(system, licence())) == ("REFUSE", entries)
    assert answer(preview(system, filing())) == ("REFUSE", [*entries, *orders])
    assert answer(preview(system, access())) == ("REFUSE", [*entries, *signals, *orders])
    assert answer(preview(system, cooperation())) == ("REFUSE", [*entries, *signals])
    assert answer(preview(system, cooperation(), asOf="2026-05-01")) == ("REVIEW", [("CRD-2", [5])])


def test_every_rule_that_fired_comes_with_its_words(ready: System) -> None:
    found = preview(ready, access(uscc=A, number="95013", checked={**CHECKED, "licence": False}))
    assert [(r["rule"], r["outcome"]) for r in found["reasons"]] == [("ACC-1", "REFUSE"), ("NUM-1", "REFUSE")]
    assert all(reason[name] for reason in found["reasons"] for name in ("citation", "message", "remedy"))


@pytest.mark.parametrize("gate", GATES)
def test_an_unregistered_code_is_refused_by_one_rule_alone(ready: System, gate: str) -> None:
    for request in (GATES[gate](uscc=C), GATES[gate](uscc=C, **({"carrier": "X_Y"} if gate == "ACCESS" else {}))):
        assert answer(preview(ready, request)) == ("REFUSE", [("REG-1", [])])


# Dates, knowledge, versions


def test_a_gate_is_judged_by_the_version_in_force_on_the_date(ready: System) -> None:
    versions = {
        on: preview(ready, cooperation(), asOf=on)["rulebook"]["version"]
        for on in ("2016-01-01", "2018-03-14", "2018-03-15", "2020-06-18", "2026-03-31", "2026-04-01", "2036-06-01")
    }
    assert list(versions.values()) == ["2017.1", "2017.1", "2018.1", "2020.1", "2020.1", "2026.1", "2026.1"]


def test_a_named_version_judges_whatever_is_in_force(system: System) -> None:
    system.known(*READY, listed("2026-05-01"), interviewed("2026-05-02"))
    found = {
        version: answer(preview(system, cooperation(), rulebook=version))
        for version in ("2017.1", "2018.1", "2020.1", "2026.1")
    }
    entry, signal = ("CRD-2", [5]), ("CRD-3", [6])
    assert list(found.values()) == [
        ("PERMIT", []),
        ("REVIEW", [entry]),
        ("REVIEW", [entry, signal]),
        ("REVIEW", [entry, signal]),
    ]
    shown = preview(system, cooperation(), rulebook="2018.1", asOf="2016-01-01")["rulebook"]
    assert shown == {"version": "2018.1", "inForceFrom": "2018-03-15"}


def test_an_unknown_version_is_invalid_and_the_known_ones_are_named(ready: System) -> None:
    ((found, message),) = ready.errors(PREVIEW, {"request": cooperation(), "rulebook": "2027.1"})
    assert found == "INVALID"
    assert all(version in message for version in ("2027.1", "2017.1", "2018.1", "2020.1", "2026.1"))


def test_a_preview_looks_at_any_date_and_any_knowledge(ready: System) -> None:
    assert answer(preview(ready, access(), asOf="2028-01-01")) == ("REFUSE", [("LIC-1", [])])
    assert answer(preview(ready, access(), knownAt=ADOPTED + 3)) == ("REFUSE", [("NUM-1", [])])
    assert answer(preview(ready, access(), knownAt=0)) == ("REFUSE", [("REG-1", [])])
    assert preview(ready, access(), knownAt=ADOPTED + 3)["knownAt"] == ADOPTED + 3


@pytest.mark.parametrize(
    "asked", [{"asOf": "1948-12-31"}, {"asOf": "2036-06-02"}, {"asOf": "2026-02-29"}, {"knownAt": -1}]
)
def test_a_preview_of_a_date_or_position_that_cannot_be_is_invalid(ready: System, asked: Asked) -> None:
    ((found, message),) = ready.errors(PREVIEW, {"request": access(), **asked})
    assert (found, next(iter(asked)) in message) == ("INVALID", True)


def test_a_preview_as_known_beyond_the_head_is_not_yet_known(ready: System) -> None:
    assert ready.codes(PREVIEW, {"request": access(), "knownAt": ready.head + 1}) == ["NOT_YET_KNOWN"]


def test_a_preview_records_nothing(ready: System) -> None:
    before = ready.head
    preview(ready, access())
    assert ready.head == before


# Malformed requests

MALFORMED: Final = [
    (access(number="12345"), "request.access.number"),
    (access(uscc=A[:-1] + "9"), "request.access.uscc"),
    (access(carrier="telecom"), "request.access.carrier"),
    (filing(carriers=[]), "request.numberFiling.carriers"),
    (filing(carriers=["CHINA_TELECOM", "?"]), "request.numberFiling.carriers.1"),
    (licence(uscc=""), "request.licence.uscc"),
    (cooperation(carrier=""), "request.cooperation.carrier"),
]


@pytest.mark.parametrize(("request_", "path"), MALFORMED)
def test_a_malformed_request_is_an_error_of_a_preview(ready: System, request_: Asked, path: str) -> None:
    ((found, message),) = ready.errors(PREVIEW, {"request": request_})
    assert (found, path in message) == ("INVALID", True)


@pytest.mark.parametrize(("request_", "path"), MALFORMED)
def test_a_malformed_request_is_a_refusal_with_its_path_when_it_is_decided(
    ready: System, request_: Asked, path: str
) -> None:
    assert refused(ready, request_) == {f"INVALID {path}"}


def test_every_flaw_of_a_request_and_its_date_is_told_at_once(ready: System) -> None:
    wrong = access(number="1", carrier="x", uscc="y")
    assert refused(ready, wrong, "2026-06-02") == {
        "INVALID request.access.number",
        "INVALID request.access.carrier",
        "INVALID request.access.uscc",
        "INVALID asOf",
    }


@pytest.mark.parametrize("request_", [{}, {**access(), **cooperation()}, {"access": None}, {"draw": {}}])
def test_a_request_asks_exactly_one_gate(ready: System, request_: Asked) -> None:
    for query, variables in (
        (PREVIEW, {"request": request_}),
        (DECIDE, {"input": {"idempotencyKey": "one", "request": request_}}),
    ):
        (found,) = ready.codes(query, variables)
        assert found in ("BAD_DOCUMENT", "BAD_VARIABLES")


# Decisions


def test_a_decision_is_an_event_right_after_what_it_knew(ready: System) -> None:
    before = ready.head
    made = decided(ready, access(), "2026-05-20")
    assert (made["position"], made["knownAt"], ready.head) == (before + 1, before, before + 1)
    assert (made["gate"], made["uscc"], made["outcome"], made["asOf"]) == ("ACCESS", A, "PERMIT", "2026-05-20")
    assert made["requestedBy"].startswith("regulator:MIIT:")
    assert made["request"] == access()["access"]
    ready.settle()
    event = ready.ask(f"{{ ledger {{ event(position: {before + 1}) {{ type area uscc effectiveOn data }} }} }}")
    assert event["ledger"]["event"] == {
        "type": "GateDecided",
        "area": "LEDGER",
        "uscc": A,
        "effectiveOn": "2026-05-20",
        "data": {
            "decisionId": made["id"],
            "gate": "ACCESS",
            "uscc": A,
            "request": access()["access"],
            "asOf": "2026-05-20",
            "knownAt": before,
            "rulebook": "2026.1",
            "outcome": "PERMIT",
            "reasons": [],
            "requestedBy": made["requestedBy"],
        },
    }


def test_a_decision_answers_what_a_preview_does(live: System) -> None:
    live.record(listed("2026-05-01"), interviewed("2026-05-02"))
    for ask in GATES.values():
        expected = preview(live, ask())
        made = decided(live, ask())
        assert {name: made[name] for name in expected} == expected


def test_a_decision_is_dated_today_unless_it_says_otherwise(ready: System) -> None:
    assert decided(ready, access())["asOf"] == "2026-06-01"
    assert decided(ready, access(), "2017-06-01")["rulebook"]["version"] == "2017.1"


@pytest.mark.parametrize("as_of", ["2026-06-02", "2036-06-01", "1948-12-31", "2026-02-30", "today"])
def test_a_decision_is_dated_between_1949_and_today(ready: System, as_of: str) -> None:
    assert refused(ready, access(), as_of) == {"INVALID asOf"}


def test_an_unregistered_code_is_decided_too(ready: System) -> None:
    made = decided(ready, access(uscc=C))
    assert answer(made) == ("REFUSE", [("REG-1", [])])
    assert made["uscc"] == C


def test_the_same_decision_asked_again_is_the_first_one(live: System) -> None:
    first = decide(live, access(), once="again")
    head = live.head
    live.record(listed())
    again = decide(live, access(), once="again")
    assert (again["replayed"], again["errors"]) == (True, [])
    assert again["decision"] == first["decision"]
    assert live.head == head + 1


def test_a_default_left_out_of_a_request_is_the_same_input(ready: System) -> None:
    first = decide(ready, filing(), once="default")["decision"]
    again = decide(ready, filing(outboundUndertaking=False), once="default")
    assert (again["replayed"], again["decision"]) == (True, first)


@pytest.mark.parametrize(("request_", "as_of"), [(access(), "2026-05-31"), (access(number="95013"), None)])
def test_another_request_under_the_same_key_is_refused(ready: System, request_: Asked, as_of: str | None) -> None:
    decide(ready, access(), once="taken")
    head = ready.head
    payload = decide(ready, request_, as_of, once="taken")
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
    ]
    assert (payload["decision"], ready.head) == (None, head)


def test_keys_of_facts_and_of_decisions_are_the_same_keys(live: System) -> None:
    live.send(listed(), once="shared")
    payload = decide(live, access(), once="shared")
    assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_MISMATCH"]


# Who may ask


@pytest.mark.parametrize("request_", [access(), cooperation()])
def test_a_carrier_asks_the_gates_of_carriers_under_its_own_code(ready: System, request_: Asked) -> None:
    assert preview(ready, request_, key="telecom")["outcome"] == "PERMIT"
    assert decided(ready, request_, key="telecom")["requestedBy"].startswith("carrier:CHINA_TELECOM:")


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (access(carrier="CHINA_MOBILE"), "request.access.carrier"),
        (cooperation(carrier="CHINA_MOBILE"), "request.cooperation.carrier"),
        (licence(), "request.licence"),
        (filing(), "request.numberFiling"),
    ],
)
def test_a_carrier_asks_nothing_else(ready: System, request_: Asked, path: str) -> None:
    assert ready.codes(PREVIEW, {"request": request_}, key="telecom") == ["FORBIDDEN"]
    assert refused(ready, request_, key="telecom") == {f"FORBIDDEN {path}"}


@pytest.mark.parametrize("gate", GATES)
def test_an_auditor_previews_every_gate_and_decides_none(ready: System, gate: str) -> None:
    assert preview(ready, GATES[gate](), key="auditor")["outcome"] == "PERMIT"
    (found,) = refused(ready, GATES[gate](), key="auditor")
    assert found.startswith("FORBIDDEN ")


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("key", [None, "intake"])
def test_the_public_and_the_intake_ask_no_gate(ready: System, key: str | None, gate: str) -> None:
    assert ready.codes(PREVIEW, {"request": GATES[gate]()}, key=key) == ["FORBIDDEN"]
    (found,) = refused(ready, GATES[gate](), key=key)
    assert found.startswith("FORBIDDEN ")


@pytest.mark.parametrize("gate", GATES)
def test_a_provincial_regulator_decides_every_gate(ready: System, gate: str) -> None:
    assert decided(ready, GATES[gate](), key="beijing")["outcome"] == "PERMIT"
