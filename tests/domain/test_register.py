"""What the register says of an enterprise at (D, P): the last paragraphs of §3, and §8."""

from collections.abc import Sequence

from domain.facts import Moment
from domain.register import (
    accesses,
    active_entries,
    entries,
    filing,
    filings,
    is_registered,
    licence,
    licences,
    licences_in_force,
    name,
    orders,
    province,
    standing_exposures,
    standing_interviews,
    standing_penalties,
)
from domain.vocabulary import CreditList
from given import (
    B,
    Book,
    access,
    accessed,
    amended,
    confirmed,
    d,
    ended,
    exposed,
    filed,
    given,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    renewed,
    retracted,
    unlisted,
    voided,
    withdrawn,
)

BOTH = (registered(), registered(uscc=B))


def at(on: str, known_at: int | None = None) -> Moment:
    return Moment(d(on)) if known_at is None else Moment(d(on), known_at)


# ── registration and name ────────────────────────────────────────────────────────────────────────────────────────


def test_an_enterprise_is_registered_from_the_date_of_its_registration_on() -> None:
    facts = given(registered("2020-01-02")).enterprise()
    assert [is_registered(facts, at(on)) for on in ("2020-01-01", "2020-01-02", "2030-01-01")] == [False, True, True]
    assert not is_registered(facts, at("2020-01-02", 0))
    assert not is_registered(Book().enterprise(), at("2020-01-02"))


def test_the_name_is_that_of_the_last_registration_or_renaming_by_date() -> None:
    facts = given(
        registered("2018-01-01", name="甲"), renamed("2020-01-01", name="丙"), renamed("2019-01-01", name="乙")
    ).enterprise()
    said = [name(facts, at(on)) for on in ("2017-12-31", "2018-01-01", "2019-01-01", "2020-01-01")]
    assert said == [None, "甲", "乙", "丙"]
    assert name(facts, at("2020-01-01", 1)) == "甲"


def test_without_a_visible_registration_there_is_no_name_and_no_province() -> None:
    facts = given(registered("2018-01-01"), renamed("2019-01-01"), voided(1)).enterprise()
    assert name(facts, at("2020-01-01")) is None
    assert province(facts, at("2020-01-01")) is None
    assert name(facts, at("2020-01-01", 2)) == "乙呼叫中心"


def test_the_province_is_that_of_the_last_visible_registration() -> None:
    facts = given(registered("2018-01-01"), voided(1), registered("2017-06-01", province="31")).enterprise()
    assert [province(facts, at("2020-01-01", known)) for known in (1, 2, 3)] == ["11", None, "31"]
    assert name(facts, at("2017-06-01")) == "甲呼叫中心"


# ── licences ─────────────────────────────────────────────────────────────────────────────────────────────────────


def in_force(book: Book, on: str, known_at: int | None = None) -> list[str]:
    held = licences_in_force(book.enterprise(), at(on, known_at))
    return [one.granted.event.licence_no for one in held]


def test_a_licence_is_in_force_from_the_first_to_the_last_day_of_its_term() -> None:
    book = given(registered(), licensed("2018-01-01", validFrom="2018-02-01", validTo="2018-12-31"))
    days = ("2018-01-31", "2018-02-01", "2018-12-31", "2019-01-01")
    assert [in_force(book, on) for on in days] == [[], ["L-1"], ["L-1"], []]


def test_a_grant_is_not_in_force_before_it_takes_effect_whatever_its_term() -> None:
    book = given(registered(), licensed("2018-06-01", validFrom="2018-01-01"))
    assert in_force(book, "2018-05-31") == []
    assert in_force(book, "2018-06-01") == ["L-1"]


def test_a_renewal_extends_the_term_from_its_own_date_on() -> None:
    book = given(registered(), licensed(validTo="2020-12-31"), renewed("2021-06-01", validTo="2022-12-31"))
    days = ("2020-12-31", "2021-05-31", "2021-06-01", "2022-12-31", "2023-01-01")
    assert [bool(in_force(book, on)) for on in days] == [True, False, True, True, False]
    assert in_force(book, "2021-06-01", 2) == []


def test_the_last_renewal_by_date_sets_the_term() -> None:
    late = [renewed("2020-06-01", validTo="2024-12-31"), renewed("2020-05-01", validTo="2029-12-31")]
    book = given(registered(), licensed(validTo="2020-12-31"), *late)
    held = licence(book.enterprise(), at("2026-01-01"), "L-1")
    assert held is not None
    assert held.valid_to == d("2024-12-31")
    assert [one.position for one in held.renewals] == [4, 3]
    assert in_force(book, "2026-01-01") == []
    assert in_force(book, "2020-05-15") == ["L-1"]


def test_a_voided_renewal_gives_the_earlier_term_back() -> None:
    book = given(registered(), licensed(validTo="2020-12-31"), renewed("2020-01-01", validTo="2030-12-31"), voided(3))
    assert in_force(book, "2021-01-01") == []
    assert in_force(book, "2021-01-01", 3) == ["L-1"]


def test_an_ended_licence_is_not_in_force_from_the_date_of_its_ending_on() -> None:
    for by in ("Revoked", "Annulled", "Cancelled"):
        book = given(registered(), licensed(), ended(by, "2020-01-02"))
        assert in_force(book, "2020-01-01") == ["L-1"]
        assert in_force(book, "2020-01-02") == []
        assert in_force(book, "2020-01-02", 2) == ["L-1"]


def test_ended_by_is_the_first_ending_by_date() -> None:
    late = [ended("Cancelled", "2021-01-01"), ended("Revoked", "2020-01-01")]
    facts = given(registered(), licensed(), *late).enterprise()
    said = [one.ended_by for on in ("2019-12-31", "2020-06-01", "2021-01-01") for one in licences(facts, at(on))]
    assert said == [None, "LicenceRevoked", "LicenceRevoked"]
    assert [one.ended_by for one in licences(facts, at("2021-01-01", 3))] == ["LicenceCancelled"]


def test_a_voided_grant_is_no_licence_even_with_renewals() -> None:
    facts = given(registered(), licensed(), renewed("2020-01-01"), voided(2)).enterprise()
    assert licences(facts, at("2021-01-01")) == []
    assert licence(facts, at("2021-01-01"), "L-1") is None


def test_each_licence_has_its_own_renewals_and_endings() -> None:
    book = given(
        registered(), licensed(), licensed("2017-06-01", licenceNo="L-2"), renewed("2019-01-01", licenceNo="L-2")
    )
    book.add(ended("Revoked", "2020-01-01"))
    found = licences(book.enterprise(), at("2021-01-01"))
    assert [(one.granted.event.licence_no, len(one.renewals), one.ended_by) for one in found] == [
        ("L-2", 1, None),
        ("L-1", 0, "LicenceRevoked"),
    ]
    assert in_force(book, "2021-01-01") == ["L-2"]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_is_filed_from_its_filing_until_its_withdrawal() -> None:
    number = given(registered(), filed("2018-02-01"), withdrawn("2020-01-02")).number()
    held = [filing(number, at(on)) for on in ("2018-01-31", "2018-02-01", "2020-01-01", "2020-01-02")]
    assert [one is not None for one in held] == [False, True, True, False]
    assert filing(number, at("2020-01-02", 2)) is not None


def test_each_given_field_of_an_amendment_replaces_what_was_filed() -> None:
    number = given(
        registered(),
        filed("2018-02-01"),
        amended("2019-01-01", carriers=["CHINA_UNICOM"]),
        amended("2020-01-01", use="热线", directions="INBOUND_AND_OUTBOUND"),
        amended("2018-06-01", carriers=["CHINA_BROADNET"], directions="INBOUND"),
    ).number()

    def terms(on: str) -> tuple[Sequence[str], str, str]:
        held = filing(number, at(on))
        assert held is not None
        return held.carriers, held.use, str(held.directions)

    assert terms("2018-02-01") == (("CHINA_TELECOM", "CHINA_MOBILE"), "客服", "INBOUND")
    assert terms("2018-06-01") == (("CHINA_BROADNET",), "客服", "INBOUND")
    assert terms("2019-01-01") == (("CHINA_UNICOM",), "客服", "INBOUND")
    assert terms("2020-01-01") == (("CHINA_UNICOM",), "热线", "INBOUND_AND_OUTBOUND")


def test_a_term_rests_on_the_filing_and_the_amendments_of_its_field() -> None:
    number = given(
        registered(),
        filed("2018-02-01"),
        amended("2020-01-01", carriers=["CHINA_UNICOM"]),
        amended("2019-01-01", directions="INBOUND"),
        amended("2018-06-01", carriers=["CHINA_BROADNET"]),
        amended("2019-01-01", use="热线"),
    ).number()
    held = filing(number, at("2026-01-01"))
    assert held is not None
    assert held.positions("carriers") == (2, 3, 5)
    assert held.positions("directions") == (2, 4)
    earlier = filing(number, at("2018-12-31"))
    assert earlier is not None
    assert earlier.positions("carriers") == (2, 5)


def test_a_number_filed_again_has_the_new_terms_alone() -> None:
    book = given(
        *BOTH,
        filed("2018-02-01"),
        amended("2018-06-01", use="热线"),
        withdrawn("2019-01-01"),
        filed("2019-06-01", uscc=B),
    )
    held = filing(book.number(), at("2020-01-01"))
    assert held is not None
    assert (held.uscc, held.use, held.amendments) == (B, "客服", ())
    before = filing(book.number(), at("2018-12-31"))
    assert before is not None
    assert before.use == "热线"


def test_an_amendment_of_the_former_holder_does_not_touch_the_new_filing() -> None:
    """A late filing of B comes between A's filing and A's amendment."""
    book = given(*BOTH, filed("2018-02-01"), amended("2020-06-01", use="热线"), withdrawn("2019-01-01"))
    book.add(filed("2019-06-01", uscc=B))
    held = filing(book.number(), at("2021-01-01"))
    assert held is not None
    assert (held.uscc, held.use) == (B, "客服")


def test_an_enterprise_shows_all_its_filings_with_their_terms_as_last_set_and_the_day_of_withdrawal() -> None:
    book = given(
        *BOTH,
        filed("2018-02-01"),
        amended("2018-06-01", use="热线"),
        filed("2018-03-01", number="95013"),
        withdrawn("2019-01-01"),
        filed("2019-06-01", uscc=B),
        withdrawn("2020-01-01", uscc=B),
        filed("2020-06-01"),
    )
    shown = [(one.filed.position, one.use, ended) for one, ended in filings(book.enterprise(), at("2026-01-01"))]
    assert shown == [(3, "热线", d("2019-01-01")), (5, "客服", None), (9, "客服", None)]
    before = [(one.filed.position, ended) for one, ended in filings(book.enterprise(), at("2018-12-31"))]
    assert before == [(3, None), (5, None)]
    of_b = [(one.filed.position, ended) for one, ended in filings(book.enterprise(B), at("2026-01-01"))]
    assert of_b == [(7, d("2020-01-01"))]


def test_an_ended_filing_keeps_the_terms_of_before_its_end() -> None:
    again = [withdrawn("2019-01-01"), filed("2019-06-01"), amended("2020-01-01", use="热线")]
    book = given(registered(), filed("2018-02-01"), *again)
    shown = [(one.filed.position, one.use) for one, _ in filings(book.enterprise(), at("2026-01-01"))]
    assert shown == [(2, "客服"), (4, "热线")]


def test_a_voided_withdrawal_leaves_the_number_filed() -> None:
    book = given(registered(), filed(), withdrawn("2019-01-01"), voided(3))
    assert filing(book.number(), at("2020-01-01")) is not None
    assert filing(book.number(), at("2020-01-01", 3)) is None
    assert [ended for _, ended in filings(book.enterprise(), at("2020-01-01"))] == [None]


# ── accesses ─────────────────────────────────────────────────────────────────────────────────────────────────────


def states(book: Book, on: str, known_at: int | None = None) -> list[tuple[str, str]]:
    found = accesses(book.enterprise(), at(on, known_at))
    return [(one.granted.event.access_id, one.state) for one in found]


def test_an_access_is_in_the_state_of_its_last_event_by_date() -> None:
    book = given(
        registered(),
        accessed("2018-03-01"),
        access("Restricted", "2019-01-01"),
        access("Restored", "2020-01-01"),
        access("Terminated", "2021-01-01"),
    )
    days = ("2018-02-28", "2018-03-01", "2019-01-01", "2020-01-01", "2021-01-01")
    assert [[state for _, state in states(book, on)] for on in days] == [
        [],
        ["GRANTED"],
        ["RESTRICTED"],
        ["GRANTED"],
        ["TERMINATED"],
    ]
    assert states(book, "2021-01-01", 3) == [("A-1", "RESTRICTED")]


def test_a_late_event_of_an_earlier_date_does_not_change_the_state_of_today() -> None:
    book = given(registered(), accessed(), access("Terminated", "2021-01-01"), access("Restricted", "2020-01-01"))
    assert states(book, "2022-01-01") == [("A-1", "TERMINATED")]
    assert states(book, "2020-06-01") == [("A-1", "RESTRICTED")]


def test_without_its_grant_there_is_no_access() -> None:
    book = given(registered(), accessed(), access("Restricted", "2020-01-01"), voided(2))
    assert states(book, "2021-01-01") == []
    assert states(book, "2021-01-01", 3) == [("A-1", "RESTRICTED")]


def test_each_access_has_a_state_of_its_own() -> None:
    book = given(registered(), accessed(), accessed(accessId="A-2"), access("Restricted", "2020-01-01", accessId="A-2"))
    assert states(book, "2021-01-01") == [("A-1", "GRANTED"), ("A-2", "RESTRICTED")]


# ── orders, entries, and what stands ─────────────────────────────────────────────────────────────────────────────


def test_an_order_is_open_until_its_confirmation_and_overdue_after_its_due_date() -> None:
    facts = given(registered(), ordered("2020-01-01", dueOn="2020-03-01"), confirmed("2020-06-01")).enterprise()
    days = ("2020-01-01", "2020-03-01", "2020-03-02", "2020-05-31", "2020-06-01")
    read = [(one.is_open(), one.is_overdue(d(on))) for on in days for one in orders(facts, at(on))]
    assert read == [(True, False), (True, False), (True, True), (True, True), (False, False)]
    assert [one.is_open() for one in orders(facts, at("2020-06-01", 2))] == [True]
    assert orders(facts, at("2019-12-31")) == []


def test_the_first_confirmation_by_date_is_the_one_that_counts() -> None:
    late = [confirmed("2020-06-01"), confirmed("2020-03-01")]
    facts = given(registered(), ordered("2020-01-01"), *late).enterprise()
    [order] = orders(facts, at("2021-01-01"))
    assert order.confirmed is not None
    assert order.confirmed.position == 4


def test_an_entry_is_active_until_its_first_removal_by_date() -> None:
    late = [unlisted("2021-01-01"), unlisted("2020-06-01")]
    facts = given(registered(), listed("2020-01-01"), *late).enterprise()
    days = ("2020-01-01", "2020-05-31", "2020-06-01", "2021-01-01")
    assert [[one.is_active() for one in entries(facts, at(on))] for on in days] == [[True], [True], [False], [False]]
    [entry] = entries(facts, at("2026-01-01"))
    assert entry.removed is not None
    assert entry.removed.position == 4
    assert [one.is_active() for one in entries(facts, at("2020-12-31", 3))] == [True]


def test_active_entries_are_told_apart_by_their_list() -> None:
    facts = given(
        registered(),
        listed("2020-01-01"),
        listed("2020-02-01", entryId="E-2", list="DISHONESTY"),
        unlisted("2021-01-01"),
    ).enterprise()
    for on, adverse, dishonest in (("2020-01-15", [2], []), ("2020-06-01", [2], [3]), ("2021-01-01", [], [3])):
        found = [active_entries(facts, at(on), each) for each in (CreditList.ADVERSE, CreditList.DISHONESTY)]
        assert [[one.made.position for one in each] for each in found] == [adverse, dishonest]


def test_no_entry_and_no_order_ends_by_time_alone() -> None:
    facts = given(registered(), listed("2018-01-01"), ordered("2018-01-01", dueOn="2018-02-01")).enterprise()
    assert entries(facts, at("2099-01-01"))[0].is_active()
    assert orders(facts, at("2099-01-01"))[0].is_open()


def test_penalties_stand_until_they_are_annulled_and_exposures_until_they_are_retracted() -> None:
    facts = given(
        registered(),
        punished("2020-01-01"),
        penalty("Annulled", "2020-06-01"),
        exposed("2020-01-01"),
        retracted("2020-06-01"),
        interviewed("2020-01-01"),
    ).enterprise()

    def stand(moment: Moment) -> list[list[int]]:
        read = standing_penalties(facts, moment), standing_exposures(facts, moment), standing_interviews(facts, moment)
        return [[fact.position for fact in found] for found in read]

    assert stand(at("2019-12-31")) == [[], [], []]
    assert stand(at("2020-05-31")) == [[2], [4], [6]]
    assert stand(at("2020-06-01")) == [[], [], [6]]
    assert stand(at("2020-06-01", 4)) == [[], [4], []]


def test_a_penalty_is_annulled_by_its_own_authority_and_number_only() -> None:
    facts = given(
        registered(),
        punished("2020-01-01", documentNo="1"),
        punished("2020-01-01", documentNo="1", authority="MIIT"),
        penalty("Annulled", "2020-02-01", documentNo="1", authority="MIIT"),
    ).enterprise()
    assert [fact.position for fact in standing_penalties(facts, at("2021-01-01"))] == [2]
