"""What the naive model refuses, worked out by hand, and the histories that it is compared over."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naive import histories, refusals, rules
from naive.books import (
    ENTRY,
    FILED,
    GRANTED,
    LICENSED,
    NOW,
    ORDER,
    PENALTY,
    REGISTERED,
    TODAY,
    A,
    B,
    Written,
    book,
    codes,
    d,
    fact,
    void,
)
from naive.model import E


def test_a_code_is_registered_again_only_after_the_void_of_its_registration() -> None:
    new = {"name": "甲", "province": "31", "effectiveOn": "2015-01-01"}
    assert codes(book(REGISTERED), "enterpriseRegistered", **new) == {("ALREADY_EXISTS", "uscc")}
    assert codes(book(REGISTERED, void(1)), "enterpriseRegistered", **new) == set()


def test_an_id_is_never_used_again() -> None:
    exposed = {"exposureId": "X", "channel": "网站", "becauseOf": "OTHER"}
    events = book(REGISTERED, fact("ExposurePublished", "2021-01-01", exposureId="X"), void(2))
    assert codes(events, "exposurePublished", **exposed) == {("ALREADY_EXISTS", "exposureId")}


def test_what_takes_effect_later_is_not_there_yet() -> None:
    assert codes(book(REGISTERED), "enterpriseRenamed", "2016-01-03", name="乙") == {("UNKNOWN_ENTERPRISE", "uscc")}
    assert codes(book(REGISTERED, ORDER), "rectificationConfirmed", "2020-03-01", orderId="O") == {
        ("NOT_FOUND", "orderId")
    }


def test_only_a_cancellation_follows_a_revocation() -> None:
    events = book(REGISTERED, LICENSED, fact("LicenceRevoked", "2020-01-01", licenceNo="L"))
    ended = {name: codes(events, name, licenceNo="L") for name in ("licenceCancelled", "licenceAnnulled")}
    assert ended == {"licenceCancelled": set(), "licenceAnnulled": {("WRONG_STATE", "licenceNo")}}


def test_a_late_ending_before_the_known_one_is_accepted() -> None:
    events = book(REGISTERED, LICENSED, fact("LicenceRevoked", "2020-01-01", licenceNo="L"))
    assert codes(events, "licenceRevoked", "2019-12-31", licenceNo="L") == set()


def test_a_basis_bears_the_same_code_and_is_seen() -> None:
    events = book(REGISTERED, PENALTY, fact("PenaltyImposed", "2020-03-02", uscc=B, documentNo="Q"), void(2))
    entry = {"entryId": "E", "list": "ADVERSE", "ground": "PENALTY"}
    asked = [codes(events, "listEntryMade", **entry, basis=[p]) for p in (1, 2, 3, 9)]
    assert asked == [set(), *[{("NOT_FOUND", "basis")}] * 3]


def test_repair_removes_entries_only_since_april_2026() -> None:
    events = book(REGISTERED, PENALTY, ENTRY)
    removal = {"entryId": "E", "ground": "REPAIRED"}
    assert codes(events, "listEntryRemoved", "2026-03-31", **removal) == {("WRONG_STATE", "ground")}
    assert codes(events, "listEntryRemoved", "2026-04-01", **removal) == set()


def test_a_void_is_made_once_of_what_may_be_voided() -> None:
    decision = ("GateDecided", "2020-01-01", False, {"uscc": A, "decisionId": "D"})
    events = book(REGISTERED, PENALTY, void(2), decision)
    asked = [codes(events, "eventVoided", position=p) for p in (1, 2, 3, 4, 5)]
    assert asked == [set(), *[{("WRONG_STATE", "position")}] * 3, {("NOT_FOUND", "position")}]


def test_an_access_changes_only_under_its_carrier_and_from_the_state_it_leaves() -> None:
    events = book(REGISTERED, GRANTED)
    on, which = "2021-01-01", {"accessId": "A", "reason": "核查"}
    assert codes(events, "accessRestored", on, **which, carrier="T") >= {("WRONG_STATE", "accessId")}
    assert codes(events, "accessRestricted", on, **which, carrier="U") >= {("NOT_FOUND", "accessId")}


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("penaltyImposed", {"documentNo": "P", "kinds": ["FINE"], "fine": "0.00"}, "fine"),
        ("penaltyImposed", {"documentNo": "P", "kinds": ["CONFISCATION"]}, "confiscated"),
        ("numberFilingAmended", {"number": "95012"}, ""),
        ("selfReportFiled", {"campaign": 2021}, "campaign"),
        ("enterpriseRenamed", {"name": "乙", "effectiveOn": "2027-10-02"}, "effectiveOn"),
        (
            "numberFiled",
            {**FILED[3], "carriers": ["CHINA_MOBILE"], "historical": True, "decisionId": "D"},
            "decisionId",
        ),
    ],
)
def test_the_malformed_is_invalid(name: str, given: dict[str, Any], field: str) -> None:
    assert ("INVALID", field) in codes(book(REGISTERED), name, **given)


FILING = {"number": "95012", "carriers": ["CHINA_MOBILE", "CHINA_UNICOM"], "directions": "INBOUND"}


def decision(on: str, **changed: Any) -> Written:
    request = {"uscc": A, **FILING, "outboundUndertaking": False}
    judged = {"gate": "NUMBER_FILING", "request": request, "outcome": "PERMIT", "reasons": [], "decisionId": "D"}
    return "GateDecided", on, False, {"uscc": A, **judged, **changed}


def filing_codes(*facts: Written, on: str = "2020-06-01", **given: Any) -> set[tuple[str, str]]:
    stated = {**FILING, "carriers": ["CHINA_UNICOM", "CHINA_MOBILE"], "use": "客服", "decisionId": "D"}
    return codes(book(REGISTERED, LICENSED, *facts), "numberFiled", on, **{**stated, **given})


def test_a_live_filing_needs_a_decision_that_matches() -> None:
    assert filing_codes(decisionId=None) == {("DECISION_REQUIRED", "decisionId")}
    assert filing_codes(decision("2020-06-01")) == set()
    assert filing_codes(decision("2020-06-01"), carriers=["CHINA_MOBILE"]) == {("WRONG_STATE", "decisionId")}


def test_a_decision_serves_30_days_from_its_date_on() -> None:
    asked = [filing_codes(decision("2020-06-01"), on=on) for on in ("2020-05-31", "2020-07-01", "2020-07-02")]
    assert asked == [{("NOT_FOUND", "decisionId")}, set(), {("WRONG_STATE", "decisionId")}]


def test_a_decision_is_used_once_voided_or_not() -> None:
    used = ("NumberFiled", "2020-06-01", False, {**FILED[3], "number": "96345", "decisionId": "D"})
    assert filing_codes(decision("2020-06-01"), used, void(4)) == {("WRONG_STATE", "decisionId")}


def test_a_review_needs_a_written_justification() -> None:
    review = decision("2020-06-01", outcome="REVIEW")
    assert filing_codes(review) == {("DECISION_REQUIRED", "justification")}
    assert filing_codes(review, justification="已核查") == set()


def test_a_permit_does_not_help_when_the_gate_refuses_by_then() -> None:
    ended = fact("LicenceCancelled", "2020-06-01", licenceNo="L")
    assert filing_codes(decision("2020-06-01"), ended) == {("GATE_REFUSED", "decisionId")}
    assert filing_codes(decision("2020-05-31"), ended, on="2020-05-31") == set()


def test_a_provincial_regulator_records_only_what_names_it() -> None:
    who = refusals.Recorder("regulator", authority="CA-31")
    named = [refusals.forbidden(who, "penaltyPublicised", {"authority": a}) for a in ("CA-31", "MIIT")]
    assert (named, refusals.forbidden(who, "eventVoided", {})) == ([False, True], False)


def test_each_fact_of_a_batch_reads_those_before_it() -> None:
    new = {"uscc": A, "name": "乙", "effectiveOn": "2020-06-01"}
    assert refusals.refuse([], "enterpriseRenamed", new, now=NOW) == {("UNKNOWN_ENTERPRISE", "uscc")}
    assert refusals.refuse([], "enterpriseRenamed", new, now=NOW, known_in_batch=book(REGISTERED)) == set()


@pytest.mark.parametrize("code", histories.USCCS)
def test_the_codes_of_the_histories_have_their_check_character(code: str) -> None:
    assert refusals.is_uscc(code)
    assert not refusals.is_uscc(code[:-1] + ("A" if code[-1] != "A" else "B"))


# ── histories ────────────────────────────────────────────────────────────────────────────────────────────────────


def replayed(candidates: list[histories.Candidate]) -> list[E]:
    """The events that the naive model alone makes of a history."""
    events: list[E] = []
    positions: dict[int, int] = {}
    decisions: dict[int, str] = {}
    for index, (name, candidate) in enumerate(candidates):
        given_ = histories.resolve(candidate, positions, decisions)
        if name == "decideGate":
            decisions[index] = f"D-{index}"
            as_of = d(given_["asOf"])
            request, gate = given_["request"], given_["gate"]
            events.append(refusals.decided(events, gate, request, as_of, now=NOW, decision_id=f"D-{index}"))
        elif not refusals.refuse(events, name, given_, now=NOW):
            events.append(refusals.recorded(events, name, given_, now=NOW))
        positions[index] = len(events)
    return events


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(histories.histories(TODAY), st.data())
def test_a_timeline_agrees_with_the_status_on_every_date(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    events = replayed(history)
    on, at = data.draw(histories.questions(len(events), TODAY, [e.effective_on for e in events]))
    for uscc in histories.USCCS:
        spans = rules.timeline(events, uscc, at)
        assert [status for start, status in spans if start is None or start <= on][-1] == rules.status(
            events, uscc, on, at
        )[0]
        assert all(before[1] != after[1] for before, after in itertools.pairwise(spans))
