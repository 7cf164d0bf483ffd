"""Mutation.record: all or none, once, by whom, and what is said when a fact is refused."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from given import (
    A,
    B,
    Stated,
    access,
    accessed,
    complained,
    confirmed,
    exposed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    number_filed,
    ordered,
    punished,
    registered,
    renamed,
    resolved,
    voided,
)
from running import ADOPTED, RECORD, System, at_once, code

ONE_MIB = "长" + "x" * (1024 * 1024)


def many(count: int) -> list[Stated]:
    return [registered(uscc=code(number), name=f"企业{number}") for number in range(count)]


# All or none


def test_a_thousand_facts_are_recorded_in_their_order_by_one_request(system: System) -> None:
    payload = system.send(*many(1_000))
    assert payload["errors"] == []
    assert [event["uscc"] for event in payload["events"]] == [code(number) for number in range(1_000)]
    assert [event["position"] for event in payload["events"]] == list(range(ADOPTED + 1, ADOPTED + 1_001))
    assert payload["head"] == ADOPTED + 1_000 == system.head


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_request_has_1_to_1000_facts(shared: System, count: int) -> None:
    assert shared.refused(*many(count)) == {"INVALID facts"}


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (registered(uscc="91110000100012345X"), "INVALID facts.999.enterpriseRegistered.uscc"),
        (registered(uscc=code(7)), "ALREADY_EXISTS facts.999.enterpriseRegistered.uscc"),
        (renamed(uscc=code(5_000)), "UNKNOWN_ENTERPRISE facts.999.enterpriseRenamed.uscc"),
    ],
)
def test_one_bad_fact_among_a_thousand_leaves_nothing(shared: System, bad: Stated, error: str) -> None:
    assert shared.refused(*many(999), bad) == {error}
    assert shared.head == ADOPTED


def test_the_first_refused_fact_is_reported_alone_with_all_its_errors(shared: System) -> None:
    bad = punished(kinds=["FINE"], effectiveOn="2020-02-30", authority="CA-99", documentNo=" ")
    assert shared.refused(registered(), bad, registered(uscc="1"), renamed(uscc=B)) == {
        "INVALID facts.1.penaltyImposed.effectiveOn",
        "INVALID facts.1.penaltyImposed.authority",
        "INVALID facts.1.penaltyImposed.documentNo",
        "INVALID facts.1.penaltyImposed.fine",
    }


def test_all_reasons_of_state_are_reported_together(shared: System) -> None:
    assert shared.refused(listed(basis=[99], ground="PENALTY")) == {
        "UNKNOWN_ENTERPRISE facts.0.listEntryMade.uscc",
        "NOT_FOUND facts.0.listEntryMade.basis.0",
    }


def test_an_earlier_fact_refused_by_state_comes_before_a_later_one_refused_by_shape(shared: System) -> None:
    assert shared.refused(renamed(), registered(uscc="1")) == {"UNKNOWN_ENTERPRISE facts.0.enterpriseRenamed.uscc"}


def test_facts_of_one_request_know_those_before_them(system: System) -> None:
    facts = [registered(), licensed(), filed(), accessed(), complained(), resolved(), access("Restricted")]
    payload = system.send(*facts)
    assert payload["errors"] == []
    assert [event["uscc"] for event in payload["events"]] == [A] * len(facts)


def test_facts_of_one_request_do_not_know_those_after_them(shared: System) -> None:
    assert shared.refused(filed(), registered()) == {"UNKNOWN_ENTERPRISE facts.0.numberFiled.uscc"}


def test_the_same_id_twice_in_one_request_is_refused(shared: System) -> None:
    assert shared.refused(registered(), licensed(), licensed()) == {"ALREADY_EXISTS facts.2.licenceGranted.licenceNo"}


def test_a_fact_may_name_the_position_that_another_of_its_request_gets(system: System) -> None:
    penalty = system.head + 2
    payload = system.send(registered(), punished(), listed(ground="PENALTY", basis=[penalty]), voided(penalty))
    assert payload["errors"] == []
    assert [event["position"] for event in payload["events"]] == [penalty - 1, penalty, penalty + 1, penalty + 2]
    assert payload["events"][2]["data"]["basis"] == [penalty]
    assert payload["events"][3]["data"] == {"position": penalty, "reason": "误录", "type": "PenaltyImposed", "uscc": A}


def test_a_fact_may_not_name_the_position_of_one_after_it(shared: System) -> None:
    after = shared.head + 3
    assert shared.refused(registered(), listed(basis=[after]), punished()) == {
        "NOT_FOUND facts.1.listEntryMade.basis.0"
    }


# Once


def test_the_same_request_again_is_answered_with_what_it_recorded_then(system: System) -> None:
    first = system.send(registered(), licensed(), once="once")
    system.record(renamed())
    head = system.head
    again = system.send(registered(), licensed(), once="once")
    assert again == {**first, "replayed": True}
    assert again["head"] == head - 1
    assert system.head == head


def test_an_event_that_was_voided_since_says_so_when_its_request_comes_again(system: System) -> None:
    (event,) = system.send(registered(), once="once")["events"]
    (void,) = system.record(voided(event["position"]))
    assert system.send(registered(), once="once")["events"] == [{**event, "voidedBy": void.position}]


def test_what_was_left_out_and_what_was_sent_as_null_are_the_same_input(system: System) -> None:
    first = system.send(registered(), once="once")
    again = system.send(registered(legalRepresentative=None), once="once")
    assert again["replayed"] is True
    assert again["events"] == first["events"]


def test_a_default_that_was_left_out_and_its_value_are_the_same_input(system: System) -> None:
    system.record(registered())
    first = system.send(filed(), once="once")
    again = system.send(filed(outboundUndertaking=False), once="once")
    assert again["replayed"] is True
    assert again["events"] == first["events"]


def test_another_input_under_the_same_key_is_refused(system: System) -> None:
    system.send(registered(), once="once")
    assert system.refused(registered(uscc=B), once="once") == {"IDEMPOTENCY_MISMATCH idempotencyKey"}
    assert system.refused(registered(), renamed(), once="once") == {"IDEMPOTENCY_MISMATCH idempotencyKey"}


def test_each_holder_has_idempotency_keys_of_its_own(system: System) -> None:
    assert system.send(registered(), once="once", key="miit")["replayed"] is False
    assert system.send(registered(uscc=B), once="once", key="officer")["errors"] == []
    assert system.head == ADOPTED + 2


def test_a_refused_request_does_not_use_up_its_key(system: System) -> None:
    assert system.refused(renamed(), once="once") == {"UNKNOWN_ENTERPRISE facts.0.enterpriseRenamed.uscc"}
    system.record(registered())
    assert system.send(renamed(), once="once")["errors"] == []


def test_the_same_request_sent_at_once_is_recorded_once(system: System) -> None:
    payloads = at_once([lambda: system.send(registered(), filed(), once="once")] * 8)
    assert [payload["errors"] for payload in payloads] == [[]] * 8
    assert sorted(payload["replayed"] for payload in payloads) == [False] + [True] * 7
    assert all(payload["events"] == payloads[0]["events"] for payload in payloads)
    assert system.head == ADOPTED + 2


def test_a_request_that_lost_the_race_to_its_twin_is_answered_with_what_the_twin_recorded(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What names a person is looked for before it is weighed, and once more when it is refused.
    fact = registered(legalRepresentative="张三")
    first = system.send(fact, once="once")
    look_up, early = system.recorder.appended, iter([True])

    def appended(holder: str, key: str) -> Any:
        """Looks too early the first time: before the twin has committed."""
        return None if next(early, False) else look_up(holder, key)

    monkeypatch.setattr(system.recorder, "appended", appended)
    assert system.send(fact, once="once") == {**first, "replayed": True}
    assert next(early, False) is False


def test_a_repeated_request_that_is_accepted_once_more_is_answered_with_what_was_recorded(system: System) -> None:
    system.record(registered())
    first = system.send(renamed(), once="once")
    assert system.send(renamed(), once="other")["errors"] == []
    assert system.send(renamed(), once="once") == {**first, "replayed": True}
    assert system.head == first["head"] + 1


def test_a_repeated_request_makes_no_new_key_for_a_subject_that_was_erased_since(system: System) -> None:
    fact = registered(legalRepresentative="张三")
    first = system.send(fact, once="once")
    with system.pool.connection() as database:
        database.execute("DELETE FROM subjects")
    assert system.send(fact, once="once") == {**first, "replayed": True}
    with system.pool.connection() as database:
        assert database.execute("SELECT count(*) FROM subjects").fetchone() == (0,)


@pytest.mark.parametrize("key", ["", "k" * 201, "a\nb", "a\u0000b", ONE_MIB])
def test_an_idempotency_key_is_1_to_200_printable_characters(shared: System, key: str) -> None:
    sent = {"idempotencyKey": key, "facts": [{registered().name: registered().fields}]}
    (error,) = shared.ask(RECORD, {"input": sent})["record"]["errors"]
    assert (error["code"], error["path"]) == ("INVALID", "idempotencyKey")
    assert len(error["message"]) < 300
    assert shared.head == ADOPTED


# What is said


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("zh-CN", "接入号码应为 95 或 96 开头、后接 3 或 4 位数字，收到 “12345”"),
        ("en", "A service number is 95 or 96 followed by 3 or 4 digits; got “12345”"),
    ],
)
def test_a_refusal_is_said_in_the_readers_language(shared: System, language: str, message: str) -> None:
    (error,) = shared.send(filed(number="12345"), language=language)["errors"]
    assert error == {"code": "INVALID", "message": message, "path": "facts.0.numberFiled.number", "reasons": []}


def test_a_live_fact_without_a_decision_is_refused(system: System) -> None:
    system.record(registered(), licensed())
    assert system.refused(number_filed()) == {"DECISION_REQUIRED facts.0.numberFiled.decisionId"}


def test_effective_on_is_the_legal_day_of_recording_unless_stated(system: System) -> None:
    system.clock.now = system.clock.now.replace(hour=17)
    (event,) = system.send(registered(None))["events"]
    assert event["effectiveOn"] == "2026-06-02"


def test_a_fact_takes_effect_at_most_366_days_ahead(system: System) -> None:
    today = system.ledger.today
    last, beyond = (str(today + timedelta(days=days)) for days in (366, 367))
    assert system.refused(registered(beyond)) == {"INVALID facts.0.enterpriseRegistered.effectiveOn"}
    assert system.send(registered(last))["errors"] == []


# Malformed values

MALFORMED: list[tuple[Stated, str]] = [
    (registered(uscc=911100001000123450), "uscc"),
    (registered(uscc={"code": A}), "uscc"),
    (registered(uscc=[A]), "uscc"),
    (registered(uscc="91110000100012345l9"), "uscc"),
    (registered(uscc=ONE_MIB), "uscc"),
    (registered(on="2020-02-30"), "effectiveOn"),
    (registered(on="1948-12-31"), "effectiveOn"),
    (registered(effectiveOn=20200101), "effectiveOn"),
    (registered(effectiveOn="2020-01-01T00:00:00Z"), "effectiveOn"),
    (registered(effectiveOn=["2020-01-01"]), "effectiveOn"),
    (registered(name=ONE_MIB), "name"),
    (registered(name=" \u3000 "), "name"),
    (registered(name="a\u0000b"), "name"),
    (registered(province="71"), "province"),
    (inspected(note=ONE_MIB), "note"),
    (inspected(inspectionId="I\u200b1"), "inspectionId"),
    (filed(number=95012), "number"),
    (filed(number="９５０１２"), "number"),
    (filed(carriers=[]), "carriers"),
    (filed(carriers=["CHINA_TELECOM", "china mobile"]), "carriers.1"),
    (licensed(validTo="2017-12-31"), "validTo"),
    (licensed(business="B24-2"), "business"),
    (punished(kinds=["FINE"], fine="-1"), "fine"),
    (punished(kinds=["FINE"], fine=2000.5), "fine"),
    (punished(kinds=["FINE"], fine="1e3"), "fine"),
    (punished(kinds=["FINE"], fine={"yuan": 1}), "fine"),
    (complained(calledAt="2020-01-02T04:00:00"), "calledAt"),
    (complained(calledAt="2026-06-01T02:00:00.000001Z"), "calledAt"),
    (complained(calledAt=1577937600), "calledAt"),
    (listed(basis=["5"]), "basis.0"),
    (listed(basis=[1.5]), "basis.0"),
    (listed(basis=[True]), "basis.0"),
    (listed(basis=[2**53]), "basis.0"),
    (listed(basis=[1] * 1_001), "basis"),
    (voided(2**53), "position"),
    (Stated("selfReportFiled", {"uscc": A, "campaign": 2021}), "campaign"),
]


@pytest.mark.parametrize(("fact", "path"), MALFORMED, ids=lambda value: value[:20] if isinstance(value, str) else "")
def test_a_malformed_value_is_a_refusal_with_its_path(shared: System, fact: Stated, path: str) -> None:
    payload = shared.send(fact, key="miit")
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("INVALID", f"facts.0.{fact.name}.{path}")
    ]
    assert len(payload["errors"][0]["message"]) < 400
    assert shared.head == ADOPTED


def test_malformed_literals_in_the_document_are_refusals_too(shared: System) -> None:
    query = """mutation { record(input: {idempotencyKey: "k", facts: [{enterpriseRegistered: {
        uscc: {a: 1}, name: "x", province: "11", effectiveOn: FIRST_OF_MAY}}]}) { errors { code path } } }"""
    assert shared.ask(query)["record"]["errors"] == [
        {"code": "INVALID", "path": "facts.0.enterpriseRegistered.uscc"},
        {"code": "INVALID", "path": "facts.0.enterpriseRegistered.effectiveOn"},
    ]


@pytest.mark.parametrize(
    "fact",
    [
        {"enterpriseFounded": {"uscc": A}},
        {"gateDecided": {"uscc": A}},
        {},
        {"enterpriseRegistered": registered().fields, "enterpriseRenamed": renamed().fields},
        {"enterpriseRegistered": None},
        {"enterpriseRegistered": {**registered().fields, "colour": "red"}},
        {"enterpriseRegistered": {"uscc": A, "province": "11"}},
        {"enterpriseRegistered": {**registered().fields, "name": None}},
        {"interviewHeld": interviewed(becauseOf="BAD_MOOD").fields},
        {"numberFiled": filed(directions="OUTBOUND").fields},
        {"inspectionHeld": inspected(violations=["NO_CONSENT", "RUDENESS"]).fields},
        {"annualReportFiled": {"uscc": A, "year": "2020"}},
    ],
    ids=lambda fact: ",".join(fact),
)
def test_unknown_fields_and_enum_values_are_graphql_errors(shared: System, fact: dict[str, Any]) -> None:
    sent = {"idempotencyKey": "k", "facts": [{registered().name: registered().fields}, fact]}
    (said,) = shared.codes(RECORD, {"input": sent})
    assert said in ("BAD_VARIABLES", "BAD_DOCUMENT")
    assert shared.head == ADOPTED


# Who may record what

REGISTERED_EARLIER = (registered(), licensed(), filed(), accessed())
PERMITTED = [
    ("miit", interviewed(authority="CA-31")),
    ("miit", complained()),
    ("beijing", interviewed(authority="CA-11")),
    ("beijing", renamed()),
    ("beijing", access("Restricted")),
    ("telecom", access("Restored")),
    ("telecom", access("Terminated")),
    ("intake", complained(complaintId="C-2")),
    ("intake", resolved(complaintId="C-2")),
]
FORBIDDEN: list[tuple[str | None, Stated, str]] = [
    ("beijing", interviewed(authority="CA-31"), "authority"),
    ("beijing", interviewed(authority="MIIT"), "authority"),
    ("telecom", access("Restricted", carrier="CHINA_MOBILE"), "carrier"),
    ("telecom", accessed(accessId="A-2"), "historical"),
    ("telecom", renamed(), ""),
    ("telecom", complained(), ""),
    ("telecom", filed(number="95013"), ""),
    ("mobile", access("Restricted"), "carrier"),
    ("intake", renamed(), ""),
    ("intake", access("Restricted"), ""),
    ("intake", voided(ADOPTED + 1), ""),
    ("auditor", complained(), ""),
    ("auditor", voided(ADOPTED + 1), ""),
    (None, complained(), ""),
    (None, registered(uscc=B), ""),
]


def test_each_role_records_its_own_facts(system: System) -> None:
    system.record(*REGISTERED_EARLIER)
    for key, fact in PERMITTED:
        assert system.send(fact, key=key)["errors"] == [], (key, fact.name)


@pytest.mark.parametrize(("key", "fact", "path"), FORBIDDEN, ids=[f"{key}-{fact.name}" for key, fact, _ in FORBIDDEN])
def test_no_role_records_what_is_not_its_own(shared: System, key: str | None, fact: Stated, path: str) -> None:
    assert shared.refused(fact, key=key) == {f"FORBIDDEN facts.0.{fact.name}.{path}".rstrip(".")}


def test_a_role_learns_nothing_of_the_shape_of_facts_that_it_may_not_record(shared: System) -> None:
    assert shared.refused(registered(uscc="1", name=""), key="auditor") == {"FORBIDDEN facts.0.enterpriseRegistered"}


def test_recorded_by_names_role_authority_and_key(system: System) -> None:
    system.record(*REGISTERED_EARLIER)
    signed = [
        system.send(fact, key=key)["events"][0]["recordedBy"]
        for key, fact in (("beijing", renamed()), ("telecom", access("Restricted")), ("intake", complained()))
    ]
    ids = {name: system.callers[name].holder for name in ("beijing", "telecom", "intake")}
    assert signed == [
        f"regulator:CA-11:{ids['beijing']}",
        f"carrier:CHINA_TELECOM:{ids['telecom']}",
        f"intake:{ids['intake']}",
    ]


def test_personal_fields_of_what_was_just_recorded_are_masked(system: System) -> None:
    fact = complained(complainantPhone="13800001111", summary="推销贷款")
    (event,) = system.send(registered(), filed(), fact, key="miit")["events"][2:]
    assert (event["data"]["complainantPhone"], event["data"]["summary"]) == ("***", "***")
    shown = system.send(complained(complaintId="C-2", complainantPhone="13800001111"), key="officer")["events"][0]
    assert shown["data"]["complainantPhone"] == "13800001111"


# Writers at the same time


def test_of_32_who_file_one_number_at_once_exactly_one_wins(system: System) -> None:
    rivals = [code(number) for number in range(32)]
    system.record(*(registered(uscc=rival) for rival in rivals))
    head = system.head
    payloads = at_once([partial(system.send, filed(uscc=rival)) for rival in rivals])
    won = [payload for payload in payloads if payload["events"]]
    lost = [payload for payload in payloads if not payload["events"]]
    assert len(won) == 1
    assert [[error["code"] for error in payload["errors"]] for payload in lost] == [["ALREADY_EXISTS"]] * 31
    assert system.head == head + 1
    assert won[0]["events"][0]["position"] == head + 1


def test_no_update_of_32_writers_to_one_enterprise_is_lost(system: System) -> None:
    system.record(registered())
    numbers = [f"95{number:03d}" for number in range(100, 132)]
    payloads = at_once([partial(system.send, filed(number=number)) for number in numbers])
    recorded = {event["data"]["number"] for payload in payloads for event in payload["events"]}
    assert {error["code"] for payload in payloads for error in payload["errors"]} <= {"CONFLICT"}
    assert all(bool(payload["events"]) is not bool(payload["errors"]) for payload in payloads)
    shown = system.ask(f'{{ enterprise(uscc: "{A}") {{ numbers {{ number position }} }} }}')["enterprise"]["numbers"]
    assert {filing["number"] for filing in shown} == recorded
    assert sorted(filing["position"] for filing in shown) == list(range(ADOPTED + 2, system.head + 1))
    assert [event.position for event in system.log()] == list(range(1, system.head + 1))
    # A loser tries again until it gets through: most do, whatever the machine.
    assert len(recorded) >= 16


def test_of_32_who_close_one_order_at_once_exactly_one_wins(system: System) -> None:
    system.record(registered(), ordered())
    payloads = at_once([lambda: system.send(confirmed())] * 32)
    assert sum(len(payload["events"]) for payload in payloads) == 1
    codes = [error["code"] for payload in payloads for error in payload["errors"]]
    assert codes == ["WRONG_STATE"] * 31
    assert system.head == ADOPTED + 3


def test_facts_that_lean_on_positions_of_their_request_keep_them_among_other_writers(system: System) -> None:
    punished_ones = [code(number) for number in range(3)]
    system.record(registered(), *(registered(uscc=uscc) for uscc in punished_ones))

    def listed_for_a_penalty(uscc: str) -> Any:
        """Sends a penalty and an entry that rests on it until the guess of the position is right."""
        for _ in range(200):
            position = system.head + 1
            facts = punished(uscc=uscc, documentNo=uscc), listed(uscc=uscc, entryId=uscc, basis=[position])
            payload = system.send(*facts)
            if payload["events"]:
                return payload
        raise AssertionError("it was never recorded")

    others = [partial(system.send, exposed(exposureId=f"X-{n}")) for n in range(12)]
    writers = [partial(listed_for_a_penalty, uscc) for uscc in punished_ones]
    for payload in at_once([*writers, *others])[:3]:
        penalty, entry = payload["events"]
        assert entry["data"]["basis"] == [penalty["position"]]
