from typing import Any

import pytest
from msgspec.structs import replace

from domain.events import ComplaintReceived
from domain.facts import HEAD, Facts, Moment
from domain.findings import (
    Finding,
    Ground,
    gate_findings,
    live_findings,
    outbound_finding,
    reads_of_gate_findings,
    reads_of_live_findings,
    reads_of_outbound_finding,
)
from domain.vocabulary import Outcome
from given import (
    A,
    B,
    Book,
    Stated,
    access,
    accessed,
    amended,
    complained,
    d,
    ended,
    filed,
    given,
    licensed,
    listed,
    ordered,
    registered,
    renewed,
    resolved,
    site_inspected,
    unlisted,
    voided,
    withdrawn,
)

REFUSE, REVIEW = Outcome.REFUSE, Outcome.REVIEW


class Watched(dict[str, Facts]):
    """Folds that notice which of them were read."""

    def __init__(self, folds: dict[str, Facts]) -> None:
        super().__init__(folds)
        self.read: set[str] = set()

    def __getitem__(self, tag: str) -> Facts:
        self.read.add(tag)
        return super().__getitem__(tag)


def gate_found(book: Book, on: str, known_at: int = HEAD, uscc: str = A) -> list[Finding]:
    facts = book.enterprise(uscc)
    streams = {tag: book.facts(tag) for tag in reads_of_gate_findings(facts)}
    return gate_findings(facts, streams, Moment(d(on), known_at))


def live_found(book: Book, on: str, known_at: int = HEAD) -> list[Finding]:
    facts, at = book.enterprise(), Moment(d(on), known_at)
    streams = Watched({tag: book.facts(tag) for tag in reads_of_live_findings(facts, at)})
    found = live_findings(facts, streams, at)
    assert streams.read == set(streams)
    return found


def outbound_found(book: Book, on: str = "2026-06-01", known_at: int = HEAD, complaint: str = "C-1") -> Finding | None:
    stream = book.facts(f"complaint:{complaint}")
    event = stream.ever(ComplaintReceived)[0].event
    return outbound_finding(
        stream, [book.facts(tag) for tag in reads_of_outbound_finding(event)], Moment(d(on), known_at)
    )


def many_complaints(count: int, on: str, **fields: Any) -> list[Stated]:
    """Complaints that name the enterprise, each substantiated: 2·count events."""
    return [
        fact
        for n in range(count)
        for fact in (
            complained(on, complaintId=f"M-{n}", uscc=A, **fields),
            resolved(on, complaintId=f"M-{n}"),
        )
    ]


# FND-GATE


def test_a_historical_fact_that_its_gate_would_have_refused_is_found() -> None:
    book = given(registered(), filed("2018-02-01"))
    assert gate_found(book, "2026-06-01") == [
        Finding("FND-GATE", A, 2, d("2018-02-01"), (Ground("LIC-1", REFUSE, ()),))
    ]


def test_a_historical_fact_that_its_gate_would_have_permitted_is_not_found() -> None:
    assert (
        gate_found(
            given(registered(), licensed("2018-01-01"), filed("2018-02-01"), accessed("2018-03-01")), "2026-06-01"
        )
        == []
    )


def test_it_is_judged_by_the_version_of_its_own_date() -> None:
    # ADM-1, no inspection before a licence by the standard route, is a rule from 2020.1 on.
    dates = {"validFrom": "2018-01-01"}
    assert gate_found(given(registered(), licensed("2020-06-17", **dates)), "2026-06-01") == []
    found = gate_found(given(registered(), licensed("2020-06-18", **dates)), "2026-06-01")
    assert [one.reasons for one in found] == [(Ground("ADM-1", REFUSE, ()),)]


def test_a_licence_is_asked_as_a_call_centre_with_its_undertaking_and_without_marketing() -> None:
    book = given(registered(), site_inspected("2021-01-01"), licensed("2021-02-01", validFrom="2021-02-01"))
    assert gate_found(book, "2026-06-01") == []


def test_a_licence_by_commitment_needs_no_inspection() -> None:
    book = given(registered(), licensed("2021-02-01", validFrom="2021-02-01", route="COMMITMENT"))
    assert gate_found(book, "2026-06-01") == []


def test_all_rules_that_fired_are_its_reasons_also_those_that_only_call_for_review() -> None:
    book = given(registered(), listed("2018-03-20"), filed("2018-04-01"))
    assert [one.reasons for one in gate_found(book, "2026-06-01")] == [
        (Ground("CRD-2", REVIEW, (2,)), Ground("LIC-1", REFUSE, ()))
    ]


def test_a_fact_that_called_for_review_alone_is_not_found() -> None:
    book = given(registered(), licensed("2018-01-01"), listed("2018-03-20"), filed("2018-04-01"))
    assert gate_found(book, "2026-06-01") == []


def test_it_is_judged_by_what_was_known_before_its_own_position() -> None:
    licence_known_late = given(registered(), filed("2018-02-01"), licensed("2018-01-01"))
    assert [one.position for one in gate_found(licence_known_late, "2026-06-01")] == [2]
    listed_late = given(
        registered(), licensed("2018-01-01"), filed("2018-04-01"), listed("2018-03-20", list="DISHONESTY")
    )
    assert gate_found(listed_late, "2026-06-01") == []


def test_a_void_known_later_changes_no_finding_but_one_of_the_fact_itself() -> None:
    book = given(registered(), licensed("2018-01-01"), filed("2018-02-01"), voided(2))
    assert gate_found(book, "2026-06-01") == []
    forbidden = given(registered(), filed("2018-02-01"), voided(2))
    assert gate_found(forbidden, "2026-06-01") == []
    assert len(gate_found(forbidden, "2026-06-01", known_at=2)) == 1


def test_a_finding_is_there_from_the_facts_date_and_position_on() -> None:
    book = given(registered(), filed("2018-02-01"), registered(uscc=B))
    assert [len(gate_found(book, on)) for on in ("2018-01-31", "2018-02-01")] == [0, 1]
    assert [len(gate_found(book, "2018-02-01", known_at)) for known_at in (1, 2, 3)] == [0, 1, 1]


def test_a_live_fact_is_never_a_finding() -> None:
    book = given(registered(), filed("2018-02-01"))
    live = Book([replace(one, historical=False) for one in book.history])
    assert len(gate_found(book, "2026-06-01")) == 1
    assert gate_found(live, "2026-06-01") == []


def test_an_access_is_asked_with_its_carrier_number_and_directions() -> None:
    book = given(
        registered(),
        licensed("2018-01-01"),
        filed("2018-02-01"),
        accessed("2020-07-01", carrier="CHINA_UNICOM", directions="INBOUND_AND_OUTBOUND"),
        accessed("2020-07-02", accessId="A-2", number="95013"),
    )
    assert [(one.position, one.reasons) for one in gate_found(book, "2026-06-01")] == [
        (4, (Ground("NUM-2", REFUSE, (3,)), Ground("NUM-3", REFUSE, (3,)))),
        (5, (Ground("NUM-1", REFUSE, ()),)),
    ]


def test_a_number_filing_is_asked_as_filed() -> None:
    outbound = {"directions": "INBOUND_AND_OUTBOUND"}
    book = given(
        registered(),
        licensed("2018-01-01"),
        filed("2020-07-01", **outbound),
        filed("2020-07-01", number="95013", outboundUndertaking=True, **outbound),
    )
    assert [(one.position, one.reasons) for one in gate_found(book, "2026-06-01")] == [
        (3, (Ground("NUM-5", REFUSE, ()),))
    ]


def test_the_complaints_of_the_days_to_its_date_are_weighed_too() -> None:
    book = given(registered(), *many_complaints(10, "2020-07-01"), accessed("2020-07-20"))
    assert [one.reasons for one in gate_found(book, "2026-06-01")] == [
        (
            Ground("CMP-1", REVIEW, tuple(range(2, 22))),
            Ground("LIC-1", REFUSE, ()),
            Ground("NUM-1", REFUSE, ()),
        )
    ]


def test_findings_come_in_legal_order() -> None:
    book = given(
        registered(),
        filed("2019-02-01"),
        filed("2018-02-01", number="95013"),
        licensed("2021-01-01", validFrom="2021-01-01"),
    )
    assert [one.position for one in gate_found(book, "2026-06-01")] == [3, 2, 4]


def test_an_enterprise_has_the_findings_of_its_own_facts_alone() -> None:
    book = given(
        registered(),
        registered(uscc=B),
        licensed("2018-01-01"),
        filed("2018-02-01"),
        filed("2019-02-01", uscc=B, number="95013"),
    )
    assert gate_found(book, "2026-06-01") == []
    assert [(one.uscc, one.position) for one in gate_found(book, "2026-06-01", uscc=B)] == [(B, 5)]


# FND-LIVE


def connected(*facts: Stated, valid_to: str = "2022-12-31") -> Book:
    """An access, at position 4, that was granted rightly; the facts begin at position 5."""
    return given(
        registered(), licensed("2018-01-01", validTo=valid_to), filed("2018-02-01"), accessed("2018-03-01"), *facts
    )


def test_a_live_access_that_would_be_refused_is_found_while_it_would() -> None:
    book = connected(renewed("2023-03-01", validTo="2024-12-31"))
    days = ("2022-12-31", "2023-01-01", "2023-02-28", "2023-03-01", "2025-01-01")
    assert [len(live_found(book, day)) for day in days] == [0, 1, 1, 0, 1]
    assert live_found(book, "2023-01-01") == [
        Finding("FND-LIVE", A, 4, d("2018-03-01"), (Ground("LIC-1", REFUSE, ()),))
    ]


def test_it_is_asked_as_known_at_p() -> None:
    book = connected(ended("Revoked", "2019-01-01"), voided(5))
    assert [len(live_found(book, "2020-01-01", known_at)) for known_at in (4, 5, 6)] == [0, 1, 0]


def test_an_access_restricted_or_terminated_is_no_live_one_and_one_restored_is() -> None:
    book = connected(
        access("Restricted", "2023-02-01"), access("Restored", "2023-03-01"), access("Terminated", "2023-04-01")
    )
    days = ("2023-01-31", "2023-02-01", "2023-03-01", "2023-04-01")
    assert [len(live_found(book, day)) for day in days] == [1, 0, 1, 0]


def test_an_access_is_not_found_before_its_grant_nor_when_that_is_voided() -> None:
    assert live_found(given(registered(), accessed("2018-03-01")), "2018-02-28") == []
    assert live_found(connected(voided(4)), "2023-01-01") == []


def test_what_calls_for_review_alone_is_no_finding_but_a_reason_beside_a_refusal() -> None:
    book = connected(ordered("2022-12-01", dueOn="2023-01-31"))
    assert live_found(book, "2022-12-31") == []
    assert [one.reasons for one in live_found(book, "2023-01-01")] == [
        (Ground("ENF-1", REVIEW, (5,)), Ground("LIC-1", REFUSE, ()))
    ]
    assert [one.reasons for one in live_found(book, "2023-02-01")] == [
        (Ground("ENF-2", REFUSE, (5,)), Ground("LIC-1", REFUSE, ()))
    ]


def test_it_is_judged_by_the_version_in_force_on_d() -> None:
    # The carrier left the filing in 2019; NUM-2 is a rule from 2020.1 on.
    book = connected(amended("2019-01-01", carriers=["CHINA_MOBILE"]))
    assert live_found(book, "2020-06-17") == []
    assert [one.reasons for one in live_found(book, "2020-06-18")] == [(Ground("NUM-2", REFUSE, (3, 5)),)]


def test_every_access_is_asked_for_itself_and_like_ones_come_out_alike() -> None:
    book = connected(
        accessed("2018-03-02", accessId="A-2", contractNo="K-2"),
        accessed("2018-03-03", accessId="A-3", carrier="CHINA_MOBILE"),
        withdrawn("2019-01-01"),
        filed("2019-01-02", number="95013"),
        accessed("2019-01-03", accessId="A-4", number="95013"),
    )
    found = live_found(book, "2019-02-01")
    assert [(one.position, one.effective_on.isoformat()) for one in found] == [
        (4, "2018-03-01"),
        (5, "2018-03-02"),
        (6, "2018-03-03"),
    ]
    assert {one.reasons for one in found} == {(Ground("NUM-1", REFUSE, ()),)}


def test_a_list_entry_makes_a_finding_until_it_is_removed() -> None:
    book = connected(listed("2019-01-01", list="DISHONESTY"), unlisted("2019-06-01"))
    assert [len(live_found(book, day)) for day in ("2018-12-31", "2019-01-01", "2019-06-01")] == [0, 1, 0]


def test_complaints_are_a_reason_for_the_days_in_which_they_count() -> None:
    book = connected(*many_complaints(10, "2023-01-01"))
    rules = [[reason.rule for reason in live_found(book, day)[0].reasons] for day in ("2023-01-30", "2023-01-31")]
    assert rules == [["CMP-1", "LIC-1"], ["LIC-1"]]


def test_without_a_live_access_nothing_is_read() -> None:
    facts = given(registered(), licensed("2018-01-01")).enterprise()
    assert reads_of_live_findings(facts, Moment(d("2020-01-01"))) == frozenset()
    assert reads_of_gate_findings(given(registered()).enterprise()) == frozenset()


# FND-OUT: the call was on 2020-01-02


def called_from_inbound(*facts: Stated, category: str = "MARKETING", **fields: Any) -> Book:
    """A number filed INBOUND at position 2, and at 3 a complaint about a call from it; the facts begin at 4."""
    return given(registered(), filed("2018-02-01"), complained("2020-01-05", category=category, **fields), *facts)


@pytest.mark.parametrize("category", ["MARKETING", "NO_CONSENT"])
def test_a_substantiated_call_from_a_number_filed_inbound_is_found(category: str) -> None:
    book = called_from_inbound(resolved("2020-01-20"), category=category)
    assert outbound_found(book) == Finding("FND-OUT", A, 3, d("2020-01-05"), (Ground("FND-OUT", None, (2, 3, 4)),))


@pytest.mark.parametrize("category", ["HARASSING", "SPOOFED_NUMBER", "PRIVACY", "OTHER"])
def test_complaints_of_other_categories_are_not_read(category: str) -> None:
    book = called_from_inbound(resolved("2020-01-20"), category=category)
    assert outbound_found(book) is None
    event = book.facts("complaint:C-1").ever(ComplaintReceived)[0].event
    assert reads_of_outbound_finding(event) == ()
    assert outbound_finding(book.facts("complaint:C-1"), [book.number()], Moment(d("2026-06-01"))) is None


def test_complaints_that_name_their_enterprise_are_not_read() -> None:
    book = called_from_inbound(resolved("2020-01-20"), uscc=A)
    assert outbound_found(book) is None
    assert outbound_finding(book.facts("complaint:C-1"), [book.number()], Moment(d("2026-06-01"))) is None


def test_it_is_found_from_the_resolution_on_while_that_is_the_last() -> None:
    book = called_from_inbound(
        resolved("2020-01-20"), resolved("2020-02-01", outcome="UNSUBSTANTIATED"), resolved("2020-03-01")
    )
    days = ("2020-01-19", "2020-01-20", "2020-02-01", "2020-03-01")
    assert [outbound_found(book, day) is not None for day in days] == [False, True, False, True]
    last = outbound_found(book, "2020-03-01")
    assert last is not None
    assert last.reasons[0].positions == (2, 3, 6)


@pytest.mark.parametrize("outcome", ["UNSUBSTANTIATED", "WITHDRAWN"])
def test_a_complaint_not_substantiated_is_not_found(outcome: str) -> None:
    assert outbound_found(called_from_inbound(resolved("2020-01-20", outcome=outcome))) is None
    assert outbound_found(called_from_inbound()) is None


def test_voids_of_the_complaint_and_of_its_resolution_take_the_finding_away() -> None:
    for position in (3, 4):
        book = called_from_inbound(resolved("2020-01-20"), voided(position))
        assert outbound_found(book) is None
        assert outbound_found(book, known_at=4) is not None


def test_a_number_filed_for_outbound_is_not_found() -> None:
    outbound = {"directions": "INBOUND_AND_OUTBOUND"}
    book = given(
        registered(),
        filed("2018-02-01", **outbound),
        complained("2020-01-05", category="MARKETING"),
        resolved("2020-01-20"),
    )
    assert outbound_found(book) is None


def test_amendments_of_directions_by_the_day_of_the_call_count_and_are_named() -> None:
    book = given(
        registered(),
        filed("2018-02-01", directions="INBOUND_AND_OUTBOUND"),
        amended("2020-01-02", directions="INBOUND"),
        amended("2019-01-01", use="热线"),
        complained("2020-01-05", category="MARKETING"),
        resolved("2020-01-20"),
    )
    found = outbound_found(book)
    assert found is not None
    assert found.reasons == (Ground("FND-OUT", None, (2, 3, 5, 6)),)


def test_an_amendment_the_day_after_the_call_changes_nothing() -> None:
    book = given(
        registered(),
        filed("2018-02-01"),
        amended("2020-01-03", directions="INBOUND_AND_OUTBOUND"),
        complained("2020-01-05", category="MARKETING"),
        resolved("2020-01-20"),
    )
    found = outbound_found(book)
    assert found is not None
    assert found.reasons[0].positions == (2, 4, 5)


def test_what_is_recorded_after_the_complaint_changes_nothing() -> None:
    amended_late = called_from_inbound(amended("2019-01-01", directions="INBOUND_AND_OUTBOUND"), resolved("2020-01-20"))
    assert outbound_found(amended_late) is not None
    voided_late = called_from_inbound(resolved("2020-01-20"), voided(2))
    assert outbound_found(voided_late) == outbound_found(voided_late, known_at=4)
    filed_late = given(
        registered(), complained("2020-01-05", category="MARKETING"), filed("2018-02-01"), resolved("2020-01-20")
    )
    assert outbound_found(filed_late) is None


def test_the_longest_number_filed_on_the_day_of_the_call_is_the_one() -> None:
    book = given(
        registered(),
        registered(uscc=B),
        filed("2018-02-01"),
        filed("2018-02-01", uscc=B, number="950123", directions="INBOUND_AND_OUTBOUND"),
        complained("2020-01-05", category="MARKETING", displayedNumber="95012399"),
        resolved("2020-01-20"),
        complained("2020-01-05", category="MARKETING", displayedNumber="9501249", complaintId="C-2"),
        resolved("2020-01-20", complaintId="C-2"),
    )
    assert outbound_found(book) is None
    assert outbound_found(book, complaint="C-2") == Finding(
        "FND-OUT", A, 7, d("2020-01-05"), (Ground("FND-OUT", None, (3, 7, 8)),)
    )


def test_a_number_withdrawn_by_the_day_of_the_call_belongs_to_nobody() -> None:
    book = given(
        registered(),
        filed("2018-02-01"),
        withdrawn("2020-01-02"),
        complained("2020-01-05", category="MARKETING"),
        resolved("2020-01-20"),
    )
    assert outbound_found(book) is None
