"""What every fact is refused for: [E], ids, voids, and facts of one request (§3 and the paragraphs below its table)."""

from typing import Any

import pytest

from domain.events import RECORDABLE, EventVoided
from domain.rulebook import RULEBOOK
from given import (
    EVERY_EVENT,
    TODAY,
    A,
    Adopted,
    B,
    Book,
    C,
    Drawn,
    Judged,
    Stated,
    access,
    accessed,
    adopted,
    amended,
    asks_licence,
    complained,
    confirmed,
    ended,
    exposed,
    filed,
    given,
    granted,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    renewed,
    resolved,
    retracted,
    self_reported,
    unlisted,
    voided,
    withdrawn,
)

NEED_REGISTRATION = [name for name, cls in RECORDABLE.items() if cls.by_enterprise]
NEED_NONE = ["enterpriseRegistered", "complaintReceived", "complaintResolved", "eventVoided", "rulebookAdopted"]


def codes(book: Book, stated: Stated) -> set[str]:
    return {f"{one.code} {one.path}" for one in book.when(*stated).refusals}


# ── registration ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_but_five_facts_need_a_registration() -> None:
    assert sorted([*NEED_REGISTRATION, *NEED_NONE]) == sorted(RECORDABLE)


@pytest.mark.parametrize("name", NEED_REGISTRATION)
def test_a_registration_is_read_on_the_day_the_fact_takes_effect(name: str) -> None:
    book = given(registered("2020-01-02"))
    day_before, same_day = ({**EVERY_EVENT[name].fields, "effectiveOn": on} for on in ("2020-01-01", "2020-01-02"))
    assert "UNKNOWN_ENTERPRISE uscc" in codes(book, Stated(name, day_before))
    assert "UNKNOWN_ENTERPRISE uscc" not in codes(book, Stated(name, same_day))


@pytest.mark.parametrize("name", NEED_REGISTRATION)
def test_neither_another_enterprise_nor_a_voided_registration_counts(name: str) -> None:
    fact = Stated(name, EVERY_EVENT[name].fields)
    assert "UNKNOWN_ENTERPRISE uscc" in codes(given(registered(uscc=B)), fact)
    assert "UNKNOWN_ENTERPRISE uscc" in codes(given(registered(), voided(1)), fact)
    assert "UNKNOWN_ENTERPRISE uscc" in codes(given(registered(), voided(1, "2027-01-01")), fact)
    assert "UNKNOWN_ENTERPRISE uscc" not in codes(given(registered(), voided(1), registered()), fact)


def test_what_bears_no_enterprise_needs_no_registration() -> None:
    given().when(*complained()).then_recorded()
    given().when(*complained(uscc=A)).then_recorded()
    given(complained()).when(*resolved()).then_recorded()
    given(complained()).when(*voided(1)).then_recorded()
    given().when(*adopted()).then_recorded()


@pytest.mark.parametrize("on", ["2016-01-01", "2017-01-01", "2018-01-01"])
def test_a_code_is_registered_once_whatever_the_date(on: str) -> None:
    [one] = given(registered()).when(*registered(on)).then_refused("ALREADY_EXISTS uscc")
    assert "1" in one.text.en
    given(registered("2027-01-01")).when(*registered(on)).then_refused("ALREADY_EXISTS uscc")


def test_a_code_is_registered_again_after_the_void_of_its_registration() -> None:
    book = given(registered(), voided(1, "2027-01-01"))
    assert book.when(*registered("2016-01-01")).then_recorded().position == 3
    book.when(*registered()).then_refused("ALREADY_EXISTS uscc")


def test_another_code_is_registered_beside_it() -> None:
    given(registered()).when(*registered(uscc=B)).then_tags(f"enterprise:{B}")


def test_unknown_enterprise_is_reported_beside_the_other_errors() -> None:
    given().when(*renewed()).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND licenceNo")
    given().when(*ended("Cancelled")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND licenceNo")
    given().when(*granted()).then_refused("UNKNOWN_ENTERPRISE uscc", "DECISION_REQUIRED decisionId")
    given().when(*amended(use="热线")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND number")
    given().when(*withdrawn()).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND number")
    given().when(*access("Restored")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND accessId")
    given().when(*confirmed()).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND orderId")
    given().when(*retracted()).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND exposureId")
    given().when(*penalty("Annulled")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND documentNo")
    given().when(*unlisted("2020-01-01", ground="REPAIRED")).then_refused(
        "UNKNOWN_ENTERPRISE uscc", "NOT_FOUND entryId", "WRONG_STATE ground"
    )
    given(complained(displayedNumber="x")).when(*listed(basis=[1, 2])).then_refused(
        "UNKNOWN_ENTERPRISE uscc", "NOT_FOUND basis.0", "NOT_FOUND basis.1"
    )
    given().when(*inspected(drawId="R-1")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND drawId")
    given().when(*punished(inspectionId="I-1")).then_refused("UNKNOWN_ENTERPRISE uscc", "NOT_FOUND inspectionId")


def test_facts_that_only_need_a_registration_are_recorded_again_and_again() -> None:
    book = given(registered())
    for name in ("siteInspected", "licenceRefused", "selfReportFiled", "annualReportDemanded", "annualReportFiled"):
        book.add(EVERY_EVENT[name])
        book.add(EVERY_EVENT[name])
    book.add(renamed())
    book.add(renamed())
    book.add(interviewed())
    book.add(interviewed())
    assert book.head == 15


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────

IDS = [
    (licensed, "licenceNo"),
    (accessed, "accessId"),
    (complained, "complaintId"),
    (inspected, "inspectionId"),
    (ordered, "orderId"),
    (exposed, "exposureId"),
    (listed, "entryId"),
]


@pytest.mark.parametrize(("fact", "field"), IDS, ids=[field for _, field in IDS])
def test_an_id_is_used_once_by_whomever_and_whenever_and_is_not_freed_by_a_void(fact: Any, field: str) -> None:
    book = given(registered(), registered(uscc=B), fact("2020-01-01"))
    [refusal] = book.when(*fact("2020-01-01")).then_refused(f"ALREADY_EXISTS {field}")
    assert "3" in refusal.text.en
    assert "3" in refusal.text.zh
    book.when(*fact("2019-01-01", uscc=B)).then_refused(f"ALREADY_EXISTS {field}")
    book.when(*fact("2021-01-01")).then_refused(f"ALREADY_EXISTS {field}")
    book.add(voided(3))
    book.when(*fact("2020-01-01")).then_refused(f"ALREADY_EXISTS {field}")
    book.when(*fact("2020-01-01", **{field: "another"})).then_recorded()


@pytest.mark.parametrize(("fact", "field"), IDS, ids=[field for _, field in IDS])
def test_an_id_in_use_from_a_future_date_is_in_use(fact: Any, field: str) -> None:
    given(registered(), fact("2027-01-01")).when(*fact("2020-01-01")).then_refused(f"ALREADY_EXISTS {field}")


def test_ids_are_compared_as_they_are_written_and_trimmed() -> None:
    book = given(registered(), ordered(orderId="a"))
    book.when(*ordered(orderId=" a ")).then_refused("ALREADY_EXISTS orderId")
    book.when(*ordered(orderId="A")).then_recorded()
    book.add(ordered(orderId="e\u0301"))
    book.when(*ordered(orderId="é")).then_recorded()


def test_ids_are_unique_per_kind_only() -> None:
    book = given(registered(), licensed(licenceNo="1"), accessed(accessId="1"), complained(complaintId="1"))
    for fact in (inspected(inspectionId="1"), ordered(orderId="1"), exposed(exposureId="1"), listed(entryId="1")):
        book.add(fact)
    book.add(punished(documentNo="1"))
    assert book.head == 9


def test_case_ids_and_document_numbers_of_licence_endings_may_be_used_again() -> None:
    book = given(registered(), licensed(), licensed(licenceNo="L-2"), interviewed(caseId="Y"), interviewed(caseId="Y"))
    book.add(ended("Revoked", documentNo="文"))
    book.add(ended("Revoked", licenceNo="L-2", documentNo="文"))
    book.add(ended("Cancelled", documentNo="文"))
    assert book.head == 8


# ── voids ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_is_an_event_to_void() -> None:
    given(registered()).when(*voided(2)).then_refused("NOT_FOUND position")
    given(registered()).when(*voided(3)).then_refused("NOT_FOUND position")
    given().when(*voided(1)).then_refused("NOT_FOUND position")
    given(registered()).when(*voided(2**53 - 1)).then_refused("NOT_FOUND position")


def test_an_event_is_voided_at_most_once_whatever_the_dates() -> None:
    book = given(registered("2020-01-01"), voided(1, "2027-01-01"))
    for on in ("2019-01-01", "2020-01-01", "2027-01-01"):
        [refusal] = book.when(*voided(1, on)).then_refused("WRONG_STATE position")
        assert "2" in refusal.text.en


def test_a_void_reads_positions_only() -> None:
    given(registered("2020-01-01")).when(*voided(1, "1950-01-01")).then_recorded()
    given(registered("2027-01-01")).when(*voided(1, "2026-01-01")).then_recorded()


def test_a_void_cannot_be_voided() -> None:
    given(registered(), voided(1)).when(*voided(2)).then_refused("WRONG_STATE position")


def test_what_the_ledger_makes_cannot_be_voided() -> None:
    book = given(registered(), Judged("D-1", asks_licence(), TODAY), Drawn("R-1", (A,), TODAY), Adopted("2020.1"))
    for position in (2, 3, 4):
        book.when(*voided(position)).then_refused("WRONG_STATE position")


def test_a_version_that_a_client_adopted_can_be_voided() -> None:
    given(adopted()).when(*voided(1)).then_recorded()


@pytest.mark.parametrize(
    ("fact", "uscc", "tags"),
    [
        (registered(), A, {f"enterprise:{A}"}),
        (licensed(), A, {f"enterprise:{A}", "licence:L-1"}),
        (filed(), A, {f"enterprise:{A}", "number:95012"}),
        (complained(uscc=B), B, {"complaint:C-1", f"complaints:{B}:2026-06-01"}),
        (complained(displayedNumber="x"), None, {"complaint:C-1"}),
        (adopted(), None, {"rulebook:2027.1"}),
    ],
    ids=["registration", "licence", "filing", "complaint", "unattributed", "version"],
)
def test_a_void_bears_the_type_enterprise_and_tags_of_what_it_voids(
    fact: Stated, uscc: str | None, tags: set[str]
) -> None:
    book = given(registered(), registered(uscc=B)) if fact.name != "enterpriseRegistered" else given()
    position = book.add(fact).position
    recorded = book.add(voided(position, reason="误录"))
    event = recorded.event
    assert isinstance(event, EventVoided)
    assert event.type == fact.name[0].upper() + fact.name[1:]
    assert (event.uscc, recorded.uscc) == (uscc, uscc)
    assert set(recorded.tags) == {*tags, f"void:{position}"}


def test_what_was_voided_is_no_longer_such() -> None:
    history = [registered(), licensed(), filed(), accessed(), complained(), ordered(), exposed(), punished(), listed()]
    book = given(*history, *(voided(position) for position in range(2, 10)))
    book.when(*renewed()).then_refused("NOT_FOUND licenceNo")
    book.when(*ended("Cancelled")).then_refused("NOT_FOUND licenceNo")
    book.when(*amended(use="热线")).then_refused("NOT_FOUND number")
    book.when(*withdrawn()).then_refused("NOT_FOUND number")
    book.when(*access("Terminated")).then_refused("NOT_FOUND accessId")
    book.when(*resolved()).then_refused("NOT_FOUND complaintId")
    book.when(*confirmed()).then_refused("NOT_FOUND orderId")
    book.when(*retracted()).then_refused("NOT_FOUND exposureId")
    book.when(*penalty("Publicised")).then_refused("NOT_FOUND documentNo")
    book.when(*unlisted()).then_refused("NOT_FOUND entryId")


def test_a_void_of_what_ended_a_state_gives_the_state_back() -> None:
    history = [registered(), licensed(), ordered(), exposed(), punished(), listed()]
    ends = [ended("Cancelled"), confirmed(), retracted(), penalty("Annulled"), unlisted()]
    book = given(*history, *ends)
    for fact, refused in zip(ends, ("licenceNo", "orderId", "exposureId", "documentNo", "entryId"), strict=True):
        book.when(*fact).then_refused(f"WRONG_STATE {refused}")
    for position in range(7, 12):
        book.add(voided(position))
    for fact in ends:
        book.add(fact)


# ── the ledger's own ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_version_is_adopted_once() -> None:
    given(adopted()).when(*adopted()).then_refused("ALREADY_EXISTS version")
    given(adopted()).when(*adopted(version="2028.1")).then_tags("rulebook:2028.1")
    for version in RULEBOOK.versions:
        book = given(Adopted(version.version))
        book.when(*adopted(version=version.version)).then_refused("ALREADY_EXISTS version")


def test_a_version_is_adopted_again_after_the_void_of_its_adoption() -> None:
    given(adopted(), voided(1)).when(*adopted()).then_recorded()


def test_an_adoption_counts_before_the_date_it_takes_effect() -> None:
    book = given(Stated("rulebookAdopted", {**adopted().fields, "effectiveOn": "2027-01-01"}))
    book.when(*adopted()).then_refused("ALREADY_EXISTS version")


# ── facts of one request ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_facts_of_one_request_are_taken_in_order_each_reading_those_before_it() -> None:
    facts = [registered(), licensed(), renewed("2020-01-01"), ended("Cancelled", "2021-01-01"), registered(uscc=B)]
    assert [one.position for one in given().when_together(facts).recorded] == [1, 2, 3, 4, 5]
    given().when_together([licensed(), registered()]).then_refused("UNKNOWN_ENTERPRISE uscc")
    given(registered()).when_together([licensed(), licensed()]).then_refused("ALREADY_EXISTS licenceNo")
    given(registered()).when_together([ordered(), confirmed(), confirmed()]).then_refused("WRONG_STATE orderId")
    given(registered()).when_together([exposed(), retracted(), retracted()]).then_refused("WRONG_STATE exposureId")
    given(registered()).when_together([self_reported(), filed(), withdrawn(), filed("2026-06-01")]).then_recorded()


def test_a_fact_can_void_and_rest_on_positions_of_its_own_request() -> None:
    book = given(registered())
    together = book.when_together([punished(), listed(basis=[2])])
    assert together.recorded[-1].position == 3
    assert together.known is not None
    assert together.known.leans_on_positions
    book.when_together([licensed(), voided(2), renewed()]).then_refused("NOT_FOUND licenceNo")
    book.when_together([licensed(), voided(2), voided(2)]).then_refused("WRONG_STATE position")
    book.when_together([licensed(), voided(2), voided(3)]).then_refused("WRONG_STATE position")
    book.when_together([punished(), voided(2), listed(basis=[2])]).then_refused("NOT_FOUND basis.0")
    book.when_together([listed(basis=[3]), punished()]).then_refused("NOT_FOUND basis.0")
    book.when_together([registered(uscc=C), voided(2), registered(uscc=C)]).then_recorded()


def test_positions_of_before_the_request_do_not_make_it_lean_on_its_own() -> None:
    verdict = given(registered(), punished()).when_together([renamed(), listed(basis=[2]), voided(1)])
    assert verdict.refusals == []
    assert verdict.known is not None
    assert not verdict.known.leans_on_positions


def test_each_error_of_a_fact_is_reported() -> None:
    book = given(registered(), licensed("2018-01-01", validTo="2020-12-31"), ended("Revoked", "2019-01-01"))
    book.when(*renewed("2019-06-01", validTo="2020-12-31")).then_refused("WRONG_STATE licenceNo", "WRONG_STATE validTo")
    book.when(*exposed(exposureId="X-1", inspectionId="I-9")).then_refused("NOT_FOUND inspectionId")
    book.add(exposed())
    book.when(*exposed(inspectionId="I-9")).then_refused("NOT_FOUND inspectionId", "ALREADY_EXISTS exposureId")


def test_dates_are_read_at_the_day_the_fact_takes_effect_not_at_its_recording() -> None:
    book = given(registered("2017-01-01"), licensed("2020-01-01"), ended("Revoked", "2022-01-01"))
    book.when(*renewed("2019-12-31")).then_refused("NOT_FOUND licenceNo")
    book.when(*renewed("2020-01-01")).then_recorded()
    book.when(*renewed("2021-12-31", validTo="2031-12-31")).then_recorded()
    book.when(*renewed("2022-01-01", validTo="2032-12-31")).then_refused("WRONG_STATE licenceNo")
