"""Tags, and whose event an event is (§3, “Whose event”)."""

import pytest

from domain.events import EVENTS, EventVoided, SubjectErased
from domain.recorded import bearer, complaint_day, tags_of
from domain.requests import CooperationRequest
from given import (
    EVERY_EVENT,
    TODAY,
    A,
    Adopted,
    B,
    Drawn,
    Judged,
    Stated,
    access,
    accessed,
    adopted,
    asks_licence,
    complained,
    confirmed,
    d,
    exposed,
    filed,
    given,
    inspected,
    licensed,
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

PREPARED = (
    *(registered(), licensed(licenceNo="L-0"), licensed(), filed(), accessed(), inspected(inspectionId="I-1")),
    *(ordered(inspectionId="I-1"), exposed(), punished(), listed(), complained(complaintId="C-1", uscc=A)),
)
AFTER = [
    "licenceRenewed",
    "licenceRevoked",
    "licenceCancelled",
    "numberFilingAmended",
    "numberWithdrawn",
    "accessRestricted",
    "accessTerminated",
    "rectificationConfirmed",
    "exposureRetracted",
    "penaltyPublicised",
    "penaltyPerformed",
    "penaltyAnnulled",
    "listEntryRemoved",
    "enterpriseRenamed",
    "siteInspected",
    "licenceRefused",
    "interviewHeld",
    "selfReportFiled",
    "annualReportDemanded",
    "annualReportFiled",
    "complaintResolved",
]


@pytest.mark.parametrize("name", AFTER)
def test_a_fact_about_an_enterprise_bears_its_code(name: str) -> None:
    assert given(*PREPARED).add(EVERY_EVENT[name]).uscc == A


def test_the_first_facts_about_an_enterprise_bear_its_code() -> None:
    assert {recorded.uscc for recorded in given(*PREPARED).history} == {A}


def test_a_decision_bears_the_code_of_its_request_registered_or_not() -> None:
    for request in (asks_licence(uscc=B), CooperationRequest(uscc=B, carrier="CHINA_TELECOM")):
        recorded = given(Judged("D-1", request, TODAY)).history[0]
        assert recorded.uscc == B
        assert set(recorded.tags) == {"decision:D-1", f"decisions:{B}"}


def test_versions_draws_and_erasures_bear_no_code() -> None:
    book = given(registered(), Adopted("2020.1"), adopted(), Drawn("R-1", (A,), TODAY))
    assert [recorded.uscc for recorded in book.history] == [A, None, None, None]
    assert bearer(tags_of(SubjectErased(subject="s-1", requested_by="x", ground="y"))) is None


def test_a_void_bears_the_code_of_what_it_voids() -> None:
    book = given(registered(), complained(uscc=B), complained(complaintId="C-2", displayedNumber="x"), adopted())
    book.add(resolved())
    assert [book.add(voided(position)).uscc for position in (2, 3, 4, 5, 1)] == [B, None, None, B, A]


def test_a_resolution_bears_its_complaints_code_whoever_has_the_number_by_then() -> None:
    book = given(
        registered(), registered(uscc=B), filed(), complained(), withdrawn("2019-01-01"), filed("2019-06-01", uscc=B)
    )
    assert book.add(resolved()).uscc == A


def test_an_id_that_looks_like_a_tag_gives_no_code() -> None:
    forged = f"enterprise:{B}"
    book = given(registered(), ordered(orderId=forged), complained(complaintId=forged, displayedNumber="x"))
    assert [recorded.uscc for recorded in book.history] == [A, A, None]
    assert book.enterprise(B).size == 0
    assert bearer((forged.replace("enterprise", "order:enterprise"),)) is None


def test_ids_are_found_by_a_tag_of_their_kind() -> None:
    tagged = {
        "licence:L-1": licensed(),
        "access:A-1": accessed(),
        "order:O-1": ordered(),
        "exposure:X-1": exposed(),
        "entry:E-1": listed(),
        "inspection:I-1": inspected(),
        "number:95012": filed(),
        "penalty:CA-11:文": punished(documentNo="文"),
    }
    for tag, stated in tagged.items():
        assert set(given(registered()).add(stated).tags) == {f"enterprise:{A}", tag}


def test_what_follows_is_found_by_the_code_and_not_by_every_id_it_names() -> None:
    book = given(registered(), inspected(), ordered(inspectionId="I-1"), exposed(), punished(documentNo="文"), listed())
    book.add(accessed())
    for stated, tag in (
        (confirmed(), "order:O-1"),
        (retracted(), "exposure:X-1"),
        (unlisted(), "entry:E-1"),
        (penalty("Publicised", documentNo="文"), "penalty:CA-11:文"),
        (access("Restricted"), "access:A-1"),
    ):
        assert set(book.add(stated).tags) == {f"enterprise:{A}", tag}
    assert book.facts("inspection:I-1").size == 1


def test_tags_of_one_event_are_all_different_and_name_its_kind() -> None:
    for recorded in given(*PREPARED, voided(4), voided(11)).history:
        assert len(recorded.tags) == len(set(recorded.tags))
        assert all(tag.partition(":")[1:] != ("", "") for tag in recorded.tags)


def test_complaints_have_a_tag_for_each_day_of_receipt() -> None:
    assert complaint_day(A, d("2020-06-18")) == f"complaints:{A}:2020-06-18"
    book = given(complained("2020-06-18", uscc=A), complained("2020-06-19", uscc=A, complaintId="C-2"))
    book.add(resolved("2020-07-01"))
    book.add(voided(3))
    day = book.facts(complaint_day(A, d("2020-06-18")))
    assert [fact.position for fact in day.all()] == [1, 3, 4]
    assert day.standing(EVENTS["ComplaintResolved"]) == []
    assert len(day.standing(EventVoided)) == 1


def test_personal_data_is_in_no_tag() -> None:
    stated = Stated("complaintReceived", {**EVERY_EVENT["complaintReceived"].fields, "summary": "13800001111"})
    for fact in (stated, registered(legalRepresentative="张三")):
        assert not any("13800001111" in tag or "张三" in tag for tag in given().add(fact).tags)
