"""Refusals and acceptances of complaints, inspections, interviews, orders, exposures, penalties and lists (§3)."""

from typing import Any

import pytest

from domain.complaints import attribution
from domain.events import ComplaintReceived, PenaltyImposed
from given import (
    TODAY,
    A,
    B,
    C,
    Drawn,
    Judged,
    Stated,
    amended,
    asks_licence,
    complained,
    confirmed,
    d,
    exposed,
    filed,
    given,
    inspected,
    interviewed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    resolved,
    retracted,
    unlisted,
    voided,
    withdrawn,
)

BOTH = (registered(), registered(uscc=B))
FOLLOW_UPS = [
    (ordered(), confirmed, "orderId", "O-2"),
    (exposed(), retracted, "exposureId", "X-2"),
    (punished(), lambda on=None, **given: penalty("Annulled", on, **given), "documentNo", "文-2"),
    (listed(), unlisted, "entryId", "E-2"),
]
NAMES = [field for _, _, field, _ in FOLLOW_UPS]


# ── what ends an order, an exposure, a penalty, an entry ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(("made", "ends", "field", "other"), FOLLOW_UPS, ids=NAMES)
def test_what_ends_something_names_it_of_this_enterprise_from_its_day_on(
    made: Stated, ends: Any, field: str, other: str
) -> None:
    book = given(*BOTH, Stated(made.name, {**made.fields, "effectiveOn": "2020-01-02"}))
    book.when(*ends(**{field: other})).then_refused(f"NOT_FOUND {field}")
    book.when(*ends(uscc=B)).then_refused(f"NOT_FOUND {field}")
    book.when(*ends("2020-01-01")).then_refused(f"NOT_FOUND {field}")
    book.when(*ends("2020-01-02")).then_recorded()


@pytest.mark.parametrize(("made", "ends", "field", "other"), FOLLOW_UPS, ids=NAMES)
def test_what_has_ended_does_not_end_again_but_may_have_ended_earlier(
    made: Stated, ends: Any, field: str, other: str
) -> None:
    begun = [Stated(made.name, {**made.fields, "effectiveOn": "2020-01-02", field: one}) for one in (other, "1")]
    book = given(registered(), *begun, ends("2021-01-01", **{field: other}))
    book.when(*ends("2021-01-01", **{field: other})).then_refused(f"WRONG_STATE {field}")
    book.when(*ends("2022-01-01", **{field: other})).then_refused(f"WRONG_STATE {field}")
    book.when(*ends("2022-01-01", **{field: "1"})).then_recorded()
    book.when(*ends("2020-12-31", **{field: other})).then_recorded()


@pytest.mark.parametrize("name", ["interviewHeld", "rectificationOrdered", "exposurePublished", "penaltyImposed"])
def test_a_named_inspection_is_one_of_this_enterprise_that_is_visible_on_the_day(name: str) -> None:
    fields = {one.name: one.fields for one in (interviewed(), ordered(), exposed(), punished())}[name]
    book = given(*BOTH, inspected("2020-01-02"), inspected("2020-01-02", inspectionId="I-2"), voided(4))
    for inspection, on, uscc in (
        ("I-9", "2020-01-02", A),
        ("I-1", "2020-01-01", A),
        ("I-1", "2020-01-02", B),
        ("I-2", "2020-01-02", A),
    ):
        fact = {**fields, "inspectionId": inspection, "effectiveOn": on, "uscc": uscc}
        book.when(name, fact).then_refused("NOT_FOUND inspectionId")
    assert book.when(name, {**fields, "inspectionId": " I-1 ", "effectiveOn": "2020-01-02"}).refusals == []
    assert book.when(name, fields).refusals == []


# ── inspections and draws ────────────────────────────────────────────────────────────────────────────────────────


def test_an_inspection_bears_its_tags() -> None:
    book = given(registered(), Drawn("R-1", (A,), TODAY))
    book.when(*inspected()).then_tags(f"enterprise:{A}", "inspection:I-1")
    book.when(*inspected(drawId="R-1")).then_tags(f"enterprise:{A}", "inspection:I-1", "draw:R-1")


def test_a_named_draw_drew_this_enterprise_on_or_before_the_day() -> None:
    book = given(*BOTH, registered(uscc=C), Drawn("R-1", (B, A), d("2026-05-01")))
    book.when(*inspected(drawId="R-2")).then_refused("NOT_FOUND drawId")
    book.when(*inspected(drawId="R-1", uscc=C)).then_refused("NOT_FOUND drawId")
    book.when(*inspected("2026-04-30", drawId="R-1")).then_refused("NOT_FOUND drawId")
    book.when(*inspected("2026-05-01", drawId="R-1")).then_recorded()
    book.when(*inspected(drawId="R-1", uscc=B, inspectionId="I-2")).then_recorded()
    book.when(*inspected(drawId="R-2")).then_refused("NOT_FOUND drawId", "ALREADY_EXISTS inspectionId")


# ── complaints ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_resolution_is_of_a_complaint_that_is_there_on_the_day() -> None:
    book = given(complained("2020-01-02"))
    book.when(*resolved(complaintId="C-2")).then_refused("NOT_FOUND complaintId")
    book.when(*resolved("2020-01-01")).then_refused("NOT_FOUND complaintId")
    book.when(*resolved("2020-01-02")).then_recorded()
    book.when(*resolved("2020-01-02", outcome="WITHDRAWN")).then_recorded()


def bearer_of(*facts: Stated, **complaint: Any) -> str | None:
    return given(*BOTH, *facts, complained(**complaint)).history[-1].uscc


def test_a_complaint_belongs_to_whom_it_names_registered_or_not_whoever_has_the_number() -> None:
    assert bearer_of(filed(), uscc=B) == B
    assert bearer_of(filed(), uscc=C) == C
    assert bearer_of(filed(), uscc=B, displayedNumber="未知") == B


def test_a_complaint_belongs_to_whom_the_number_was_filed_for_on_the_day_of_the_call() -> None:
    moved = (filed("2018-02-01"), withdrawn("2020-01-02"), filed("2020-01-02", uscc=B))
    assert bearer_of(*moved, calledAt="2020-01-01T15:59:59Z") == A
    assert bearer_of(*moved, calledAt="2020-01-01T16:00:00Z") == B
    assert bearer_of(*moved, calledAt="2018-01-31T15:59:59Z") is None
    assert bearer_of(filed(), withdrawn("2019-01-01")) is None
    assert bearer_of() is None


def test_the_day_of_receipt_plays_no_part_in_to_whom_a_complaint_belongs() -> None:
    assert bearer_of(filed("2019-01-01"), on="2018-06-01", calledAt="2020-01-02T04:00:00Z") == A
    assert bearer_of(filed("2019-01-01"), on="2020-06-01", calledAt="2018-01-02T04:00:00Z") is None


def test_a_complaint_belongs_by_the_longest_number_that_is_filed() -> None:
    longer = filed(number="950121", uscc=B)
    assert bearer_of(filed(), longer, displayedNumber="9501218888") == B
    assert bearer_of(filed(), longer, displayedNumber="9501228888") == A
    assert bearer_of(filed(), longer, displayedNumber="950121") == B
    assert bearer_of(filed(), longer, displayedNumber="95012") == A
    assert bearer_of(filed(), displayedNumber="9501218888") == A
    ended = withdrawn("2019-01-01", number="950121", uscc=B)
    assert bearer_of(filed(), longer, ended, displayedNumber="9501218888") == A


@pytest.mark.parametrize(
    "number", ["", "+8695012", " 95012", "95012 ", "0950123", "9501", "9５012", "95012" + "0" * 16]
)
def test_what_is_no_number_with_a_filed_prefix_is_kept_for_nobody(number: str) -> None:
    assert bearer_of(filed(), displayedNumber=number) is None


def test_nothing_recorded_later_moves_a_complaint() -> None:
    book = given(registered(), registered(uscc=B), complained(), filed(), complained(complaintId="C-2"), voided(4))
    book.add(filed("2019-01-01", uscc=B))
    assert [book.history[position].uscc for position in (2, 4)] == [None, A]
    assert book.add(resolved()).uscc is None
    assert book.add(resolved(complaintId="C-2")).uscc == A
    assert book.add(complained(complaintId="C-3")).uscc == B


def test_to_whom_a_complaint_belongs_is_read_as_known_at_its_own_position() -> None:
    book = given(registered(), complained(displayedNumber="95012"), filed())
    complaint = book.history[1].event
    assert isinstance(complaint, ComplaintReceived)
    assert attribution(complaint, [book.number()], 1) is None
    known_later = attribution(complaint, [book.number()], 3)
    assert known_later is not None
    assert known_later.uscc == A


def test_a_complaint_and_its_resolution_have_the_tags_of_its_day_of_receipt() -> None:
    day = f"complaints:{A}:2020-06-01"
    book = given(registered(), filed())
    book.when(*complained("2020-06-01")).then_tags("complaint:C-1", day)
    book.add(complained("2020-06-01"))
    book.when(*resolved("2021-01-01")).then_tags("complaint:C-1", day)
    book.when(*complained(complaintId="C-2", displayedNumber="x")).then_tags("complaint:C-2")


def test_a_complaint_knows_the_filings_of_its_own_request() -> None:
    together = given(registered()).when_together([filed(), complained(), amended(use="热线")])
    assert together.recorded[1].uscc == A
    before = given(registered()).when_together([complained(), filed()])
    assert before.recorded[0].uscc is None


# ── penalties ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_number_is_used_once_by_an_authority_and_is_not_freed_by_a_void() -> None:
    book = given(*BOTH, punished(documentNo="文-1"))
    book.when(*punished(documentNo="文-1")).then_refused("ALREADY_EXISTS documentNo")
    book.when(*punished("2018-01-01", documentNo="文-1", uscc=B)).then_refused("ALREADY_EXISTS documentNo")
    book.when(*punished(documentNo="文-1", authority="CA-31")).then_recorded()
    book.add(voided(3))
    book.when(*punished(documentNo="文-1")).then_refused("ALREADY_EXISTS documentNo")
    book.when(*punished(documentNo="文-2")).then_recorded()


@pytest.mark.parametrize("change", ["Publicised", "Performed", "Annulled"])
def test_what_follows_a_penalty_names_it_by_authority_and_number(change: str) -> None:
    book = given(*BOTH, punished("2020-01-02"))
    book.when(*penalty(change, authority="CA-31")).then_refused("NOT_FOUND documentNo")
    book.when(*penalty(change, documentNo="文-2")).then_refused("NOT_FOUND documentNo")
    book.when(*penalty(change, uscc=B)).then_refused("NOT_FOUND documentNo")
    book.when(*penalty(change, "2020-01-01")).then_refused("NOT_FOUND documentNo")
    book.when(*penalty(change, "2020-01-02")).then_recorded()


@pytest.mark.parametrize("change", ["Publicised", "Performed", "Annulled"])
def test_nothing_follows_an_annulled_penalty_from_that_day_on(change: str) -> None:
    book = given(registered(), punished("2020-01-02"), penalty("Annulled", "2021-01-01"))
    book.when(*penalty(change, "2021-01-01")).then_refused("WRONG_STATE documentNo")
    book.when(*penalty(change, "2020-12-31")).then_recorded()


def test_publicity_and_performance_may_be_recorded_twice() -> None:
    book = given(registered(), punished("2020-01-02"))
    for change in ("Publicised", "Publicised", "Performed", "Performed", "Publicised"):
        book.add(penalty(change))


def test_penalties_of_two_authorities_with_one_number_are_two() -> None:
    book = given(registered(), punished(documentNo="1"), punished(documentNo="1", authority="MIIT"))
    book.add(penalty("Annulled", documentNo="1"))
    book.when(*penalty("Publicised", documentNo="1")).then_refused("WRONG_STATE documentNo")
    book.when(*penalty("Publicised", documentNo="1", authority="MIIT")).then_recorded()


def test_a_penalty_bears_its_tags() -> None:
    tags = (f"enterprise:{A}", "penalty:CA-11:文-1")
    book = given(registered())
    book.when(*punished(documentNo="文-1")).then_tags(*tags)
    book.add(punished(documentNo="文-1"))
    for change in ("Publicised", "Performed", "Annulled"):
        book.when(*penalty(change, documentNo="文-1")).then_tags(*tags)


def test_the_kinds_of_a_penalty_are_kept() -> None:
    recorded = given(registered(), punished(kinds=["FINE", "WARNING"], fine="2000")).history[-1].event
    assert isinstance(recorded, PenaltyImposed)
    assert [str(kind) for kind in recorded.kinds] == ["FINE", "WARNING"]
    assert recorded.fine == "2000.00"


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_needs_no_basis() -> None:
    given(registered()).when(*listed()).then_tags(f"enterprise:{A}", "entry:E-1")
    given(registered()).when(*listed(basis=[])).then_recorded()


def test_a_basis_is_a_visible_event_that_bears_the_code() -> None:
    book = given(
        *BOTH, punished("2020-01-02"), punished("2020-01-02", uscc=B, documentNo="文-2"), interviewed(), voided(5)
    )
    for on, basis, missing in (
        ("2020-01-02", [1, 3], []),
        ("2020-01-01", [3], [0]),
        ("2020-01-02", [1, 4], [1]),
        ("2026-06-01", [3, 5], [1]),
        ("2026-06-01", [7], [0]),
        ("2026-06-01", [8], [0]),
        ("2026-06-01", [2, 3, 4, 5, 99], [0, 2, 3, 4]),
    ):
        verdict = book.when(*listed(on, basis=basis))
        if missing:
            verdict.then_refused(*(f"NOT_FOUND basis.{place}" for place in missing))
        else:
            assert verdict.refusals == []


def test_a_future_void_takes_a_basis_out_today() -> None:
    book = given(registered(), punished(), voided(2, "2027-01-01"))
    book.when(*listed(basis=[2])).then_refused("NOT_FOUND basis.0")


def test_decisions_complaints_and_voids_that_bear_the_code_may_be_a_basis() -> None:
    book = given(
        registered(), complained(uscc=A), resolved(), Judged("D-1", asks_licence(), TODAY), punished(), voided(5)
    )
    book.when(*listed(basis=[1, 2, 3, 4, 6])).then_recorded()
    given(*BOTH, complained(uscc=B)).when(*listed(basis=[3])).then_refused("NOT_FOUND basis.0")
    given(*BOTH, complained(displayedNumber="x")).when(*listed(basis=[3])).then_refused("NOT_FOUND basis.0")


def test_an_entry_is_no_basis_of_itself() -> None:
    given(registered()).when(*listed(basis=[2])).then_refused("NOT_FOUND basis.0")


@pytest.mark.parametrize("ground", ["PERIOD_ENDED", "DUTY_PERFORMED", "BASIS_ANNULLED", "ERROR"])
def test_other_grounds_of_removal_are_of_any_date(ground: str) -> None:
    given(registered(), listed("2018-01-01")).when(*unlisted("2018-01-02", ground=ground)).then_recorded()


def test_repair_is_a_ground_of_removal_from_april_2026_on() -> None:
    book = given(registered(), listed("2018-01-01"))
    book.when(*unlisted("2026-03-31", ground="REPAIRED")).then_refused("WRONG_STATE ground")
    book.when(*unlisted("2010-01-01", ground="REPAIRED")).then_refused(
        "WRONG_STATE ground", "NOT_FOUND entryId", "UNKNOWN_ENTERPRISE uscc"
    )
    book.when(*unlisted("2026-04-01", ground="REPAIRED")).then_recorded()
    book.when(*unlisted("2027-06-01", ground="REPAIRED")).then_refused("WRONG_STATE entryId")


def test_an_early_repair_of_a_removed_entry_has_both_errors() -> None:
    book = given(registered(), listed("2018-01-01"), unlisted("2019-01-01"))
    book.when(*unlisted("2026-03-31", ground="REPAIRED")).then_refused("WRONG_STATE ground", "WRONG_STATE entryId")


def test_an_authority_is_as_given_and_need_not_be_the_one_that_began() -> None:
    book = given(registered(), listed(), exposed(), ordered())
    book.when(*unlisted(authority="CA-65")).then_recorded()
