"""Live facts and the decisions that carry them (§5, “Live and historical facts”)."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.live import MOST_DAYS, decided_request, request_of
from domain.requests import CooperationRequest, Request
from domain.vocabulary import BusinessForm, Directions, LicenceRoute
from given import (
    TODAY,
    A,
    B,
    Book,
    Judged,
    Stated,
    access,
    access_granted,
    accessed,
    amended,
    asks_access,
    asks_filing,
    asks_licence,
    complained,
    d,
    filed,
    given,
    granted,
    inspected,
    licensed,
    listed,
    number_filed,
    ordered,
    registered,
    renamed,
    resolved,
    site_inspected,
    unlisted,
    voided,
    withdrawn,
)

READY = (registered(), registered(uscc=B), licensed(licenceNo="L-0"), site_inspected("2018-01-01"))
"""A licence, a number and an access may follow it; the next position is 5."""
Fact = Callable[..., Stated]
LICENCE = (granted, asks_licence)
NUMBER = (number_filed, asks_filing)
ACCESS = (access_granted, asks_access)
GATED = [LICENCE, NUMBER, ACCESS]
NAMES = ["licence", "number", "access"]
each = pytest.mark.parametrize(("fact", "asks"), GATED, ids=NAMES)


def ready(fact: Fact) -> Book:
    return given(*READY, *([filed()] if fact is access_granted else []))


def decided(fact: Fact, request: Request, on: str = "2026-06-01") -> Book:
    book = ready(fact)
    book.add(Judged("D-1", request, d(on)))
    return book


# ── the decision ─────────────────────────────────────────────────────────────────────────────────────────────────


@each
def test_a_live_fact_is_recorded_with_its_decision_and_found_by_it(fact: Fact, asks: Callable[..., Request]) -> None:
    recorded = decided(fact, asks()).add(fact(decisionId="D-1"))
    assert "decision:D-1" in recorded.tags
    assert not recorded.historical
    assert recorded.uscc == A


@each
def test_a_live_fact_needs_a_decision(fact: Fact, asks: Callable[..., Request]) -> None:
    decided(fact, asks()).when(*fact()).then_refused("DECISION_REQUIRED decisionId")
    decided(fact, asks()).when(*fact(justification="已核实")).then_refused("DECISION_REQUIRED decisionId")


@each
def test_a_historical_fact_needs_none_whatever_the_rules_say(fact: Fact, asks: Callable[..., Request]) -> None:
    book = given(registered(), listed("2017-01-01", list="DISHONESTY"))
    assert book.add(fact(historical=True)).historical


@each
def test_a_decision_that_is_not_there_is_not_found(fact: Fact, asks: Callable[..., Request]) -> None:
    decided(fact, asks()).when(*fact(decisionId="D-2")).then_refused("NOT_FOUND decisionId")


@each
def test_the_decision_is_of_this_enterprise(fact: Fact, asks: Callable[..., Request]) -> None:
    decided(fact, asks(uscc=B)).when(*fact(decisionId="D-1")).then_refused("NOT_FOUND decisionId")


@each
def test_a_decision_carries_facts_from_its_day_to_30_days_after(fact: Fact, asks: Callable[..., Request]) -> None:
    book = decided(fact, asks(), on="2026-05-01")
    book.when(*fact("2026-04-30", decisionId="D-1")).then_refused("NOT_FOUND decisionId")
    book.when(*fact("2026-06-01", decisionId="D-1")).then_refused("WRONG_STATE decisionId")
    for on in ("2026-05-01", "2026-05-31"):
        assert book.when(*fact(on, decisionId="D-1")).refusals == []
    assert MOST_DAYS == 30


ANOTHER_ID = {granted: {"licenceNo": "L-9"}, number_filed: {}, access_granted: {"accessId": "A-9"}}


@each
def test_a_decision_is_used_once(fact: Fact, asks: Callable[..., Request]) -> None:
    book = decided(fact, asks())
    used = book.add(fact(decisionId="D-1")).position
    filed_now = ["ALREADY_EXISTS number"] if fact is number_filed else []
    refusals = book.when(*fact(decisionId="D-1", **ANOTHER_ID[fact])).then_refused("WRONG_STATE decisionId", *filed_now)
    assert all(str(used) in refusal.text.en for refusal in refusals)


@each
def test_a_void_of_the_fact_does_not_free_its_decision(fact: Fact, asks: Callable[..., Request]) -> None:
    book = decided(fact, asks())
    book.add(voided(book.add(fact(decisionId="D-1")).position))
    book.when(*fact(decisionId="D-1", **ANOTHER_ID[fact])).then_refused("WRONG_STATE decisionId")


def test_two_facts_of_one_request_do_not_share_a_decision() -> None:
    facts = [access_granted(decisionId="D-1"), access_granted(decisionId="D-1", accessId="A-2")]
    decided(access_granted, asks_access()).when_together(facts).then_refused("WRONG_STATE decisionId")


# ── what the decision was asked ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fact", "request_"),
    [
        (granted(decisionId="D-1"), asks_licence(route=LicenceRoute.COMMITMENT)),
        (granted(decisionId="D-1"), asks_filing()),
        (granted(decisionId="D-1"), CooperationRequest(uscc=A, carrier="CHINA_TELECOM")),
        (number_filed(decisionId="D-1"), asks_filing(number="95013")),
        (number_filed(decisionId="D-1"), asks_filing(carriers=("CHINA_TELECOM",))),
        (number_filed(decisionId="D-1"), asks_filing(carriers=("CHINA_TELECOM", "CHINA_MOBILE", "CHINA_UNICOM"))),
        (number_filed(decisionId="D-1"), asks_filing(outbound_undertaking=True)),
        (
            number_filed(decisionId="D-1", outboundUndertaking=True),
            asks_filing(outbound_undertaking=True, directions=Directions.INBOUND_AND_OUTBOUND),
        ),
        (number_filed(decisionId="D-1"), asks_licence()),
    ],
)
def test_the_decision_answered_what_the_fact_states(fact: Stated, request_: Request) -> None:
    given(*READY, Judged("D-1", request_, TODAY)).when(*fact).then_refused("WRONG_STATE decisionId")


OTHER_ACCESS: list[dict[str, Any]] = [
    {"carrier": "CHINA_MOBILE"},
    {"number": "95013"},
    {"directions": "INBOUND_AND_OUTBOUND"},
]


@pytest.mark.parametrize("stated", OTHER_ACCESS, ids=["carrier", "number", "directions"])
def test_an_access_has_the_carrier_number_and_directions_that_were_asked(stated: dict[str, Any]) -> None:
    book = given(*READY, filed(), filed(number="95013"), Judged("D-1", asks_access(), TODAY))
    book.when(*access_granted(decisionId="D-1", **stated)).then_refused("WRONG_STATE decisionId")


def test_a_cooperation_decision_carries_no_access() -> None:
    book = given(*READY, filed(), Judged("D-1", CooperationRequest(uscc=A, carrier="CHINA_TELECOM"), TODAY))
    book.when(*access_granted(decisionId="D-1")).then_refused("WRONG_STATE decisionId")


def test_carriers_match_as_a_set() -> None:
    for carriers in (["CHINA_MOBILE", "CHINA_TELECOM"], ["CHINA_MOBILE", "CHINA_TELECOM", "CHINA_MOBILE"]):
        book = decided(number_filed, asks_filing())
        book.when(*number_filed(decisionId="D-1", carriers=carriers)).then_recorded()


def test_what_the_request_does_not_ask_is_the_facts_own() -> None:
    decided(granted, asks_licence(form=BusinessForm.SYSTEM_AND_SEAT_RENTAL)).when(
        *granted(decisionId="D-1", provinces=["11"], authority="CA-65")
    ).then_recorded()


def test_all_errors_of_a_decision_are_reported_together() -> None:
    book = given(*READY, listed("2026-04-01"), Judged("D-1", asks_licence(), d("2026-04-02")))
    book.when(*granted(route="COMMITMENT", decisionId="D-1")).then_refused(
        "WRONG_STATE decisionId", "DECISION_REQUIRED justification"
    )
    book.when(*granted(licenceNo="L-0", decisionId="D-9")).then_refused(
        "ALREADY_EXISTS licenceNo", "NOT_FOUND decisionId"
    )


# ── its outcome, then and now ────────────────────────────────────────────────────────────────────────────────────


def test_a_review_needs_a_written_justification() -> None:
    book = given(*READY, filed(), listed("2026-01-01"), Judged("D-1", asks_access(), TODAY))
    book.when(*access_granted(decisionId="D-1")).then_refused("DECISION_REQUIRED justification")
    book.when(*access_granted(decisionId="D-1", justification="已核实")).then_recorded()


def test_the_outcome_that_counts_for_a_justification_is_the_decisions_own() -> None:
    since = given(*READY, filed(), Judged("D-1", asks_access(), TODAY), listed())
    since.when(*access_granted(decisionId="D-1")).then_recorded()
    before = given(*READY, filed(), listed("2026-01-01"), Judged("D-1", asks_access(), TODAY), unlisted())
    before.when(*access_granted(decisionId="D-1")).then_refused("DECISION_REQUIRED justification")


@each
def test_a_refused_decision_carries_nothing_even_if_the_rules_would_permit_now(
    fact: Fact, asks: Callable[..., Request]
) -> None:
    book = ready(fact)
    book.add(listed("2026-01-01", list="DISHONESTY"))
    book.add(Judged("D-1", asks(), TODAY))
    for unlist in ([], [unlisted()]):
        for one in unlist:
            book.add(one)
        [refusal] = book.when(*fact(decisionId="D-1")).then_refused("GATE_REFUSED decisionId")
        assert [reason.rule for reason in refusal.reasons] == ["CRD-1"]


@each
def test_a_permitted_decision_carries_nothing_if_the_rules_refuse_now(fact: Fact, asks: Callable[..., Request]) -> None:
    book = decided(fact, asks())
    entry = book.add(listed(list="DISHONESTY")).position
    [refusal] = book.when(*fact(decisionId="D-1")).then_refused("GATE_REFUSED decisionId")
    assert [(reason.rule, reason.positions) for reason in refusal.reasons] == [("CRD-1", (entry,))]


def test_asked_again_it_is_asked_at_the_day_the_fact_takes_effect() -> None:
    book = given(*READY, filed(), Judged("D-1", asks_access(), TODAY), listed("2026-06-10", list="DISHONESTY"))
    assert book.when(*access_granted("2026-06-09", decisionId="D-1")).refusals == []
    book.when(*access_granted("2026-06-10", decisionId="D-1")).then_refused("GATE_REFUSED decisionId")


def test_asked_again_it_carries_all_rules_that_fire_and_those_of_the_decision_only_if_none_refuses() -> None:
    book = given(*READY, filed(), ordered(dueOn="2026-05-31"), Judged("D-1", asks_access(), TODAY))
    book.add(listed())
    book.add(withdrawn())
    [refusal] = book.when(*access_granted(decisionId="D-1")).then_refused("GATE_REFUSED decisionId")
    assert [reason.rule for reason in refusal.reasons] == ["CRD-2", "ENF-2", "NUM-1"]


def test_asked_again_an_access_is_asked_of_the_number_as_it_is_filed_now() -> None:
    for change, rule in (
        (withdrawn(), "NUM-1"),
        (amended(carriers=["CHINA_UNICOM"]), "NUM-2"),
    ):
        book = given(*READY, filed(), Judged("D-1", asks_access(), TODAY), change)
        [refusal] = book.when(*access_granted(decisionId="D-1")).then_refused("GATE_REFUSED decisionId")
        assert [reason.rule for reason in refusal.reasons] == [rule]


def test_asked_again_a_filing_is_refused_for_a_number_that_another_has_meanwhile() -> None:
    book = given(*READY, Judged("D-1", asks_filing(), TODAY), filed("2026-05-01", uscc=B))
    refusals = book.when(*number_filed(decisionId="D-1")).then_refused(
        "ALREADY_EXISTS number", "GATE_REFUSED decisionId"
    )
    assert [reason.rule for refusal in refusals for reason in refusal.reasons] == ["NUM-4"]


def test_asked_again_complaints_of_the_days_before_are_counted() -> None:
    book = given(*READY, filed(), Judged("D-1", asks_access(), TODAY))
    for n in range(10):
        book.add(complained(f"2026-05-{3 + n:02}", complaintId=str(n), uscc=A))
        book.add(resolved(complaintId=str(n)))
    book.when(*access_granted(decisionId="D-1")).then_recorded()
    book.add(Judged("D-2", asks_access(), TODAY))
    book.when(*access_granted(accessId="A-2", decisionId="D-2")).then_refused("DECISION_REQUIRED justification")


def test_a_decision_of_an_enterprise_whose_registration_was_voided_is_refused_by_reg_1() -> None:
    book = given(registered(), site_inspected("2018-01-01"), Judged("D-1", asks_licence(), TODAY), voided(1))
    refusals = book.when(*granted(decisionId="D-1")).then_refused("UNKNOWN_ENTERPRISE uscc", "GATE_REFUSED decisionId")
    assert [reason.rule for refusal in refusals for reason in refusal.reasons] == ["REG-1"]


def test_a_decision_on_what_was_asked_and_not_only_on_what_the_fact_states() -> None:
    """ADM-2 and ADM-4 are asked of what the request said, which a fact does not repeat."""
    book = decided(granted, asks_licence(marketing_outbound=True, undertaking_filed=False))
    [refusal] = book.when(*granted(decisionId="D-1")).then_refused("GATE_REFUSED decisionId")
    assert [reason.rule for reason in refusal.reasons] == ["ADM-2", "ADM-4"]


def test_a_decision_that_does_not_match_is_asked_again_all_the_same() -> None:
    """§5: “only if that decision's request asked again … is not REFUSE”; §3: a fact is reported with all its errors."""
    book = given(*READY, filed(), Judged("D-1", asks_access(), TODAY), listed(list="DISHONESTY"))
    book.when(*access_granted(carrier="CHINA_MOBILE", decisionId="D-1")).then_refused(
        "WRONG_STATE decisionId", "GATE_REFUSED decisionId"
    )


def test_a_refused_decision_that_does_not_match_has_both_errors() -> None:
    book = given(*READY, listed("2026-01-01", list="DISHONESTY"), Judged("D-1", asks_filing(), TODAY))
    book.when(*number_filed(use="热线", carriers=["CHINA_UNICOM"], decisionId="D-1")).then_refused(
        "WRONG_STATE decisionId", "GATE_REFUSED decisionId"
    )


def test_facts_before_it_in_the_request_count_for_the_gate() -> None:
    book = given(*READY, filed(), Judged("D-1", asks_access(), TODAY))
    book.when_together([listed(list="DISHONESTY"), access_granted(decisionId="D-1")]).then_refused(
        "GATE_REFUSED decisionId"
    )
    book.when_together([listed(list="DISHONESTY"), unlisted(), access_granted(decisionId="D-1")]).then_recorded()


# ── the requests of facts and decisions ──────────────────────────────────────────────────────────────────────────


@each
def test_a_fact_asks_its_gate_with_what_it_states(fact: Fact, asks: Callable[..., Request]) -> None:
    book = given(registered())
    assert request_of(book.add(fact(historical=True)).event) == asks()


def test_other_facts_ask_no_gate() -> None:
    book = given(registered(), accessed())
    for stated in (renamed(), access("Restricted"), inspected()):
        with pytest.raises(TypeError):
            request_of(book.add(stated).event)


@each
def test_a_decision_gives_back_the_request_that_it_answered(fact: Fact, asks: Callable[..., Request]) -> None:
    decision = decided(fact, asks()).history[-1].event
    assert decided_request(decision) == asks()  # type: ignore[arg-type]  # the last event is the decision
