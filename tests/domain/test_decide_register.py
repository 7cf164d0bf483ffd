"""Refusals and acceptances of licences, numbers and accesses (§3)."""

import pytest

from given import (
    A,
    B,
    access,
    accessed,
    amended,
    ended,
    filed,
    given,
    licence_refused,
    licensed,
    registered,
    renewed,
    site_inspected,
    voided,
    withdrawn,
)

ENDINGS = ("Revoked", "Annulled", "Cancelled")
LICENSED = (registered(), licensed(validTo="2020-12-31"))
FILED = (registered(), registered(uscc=B), filed())
ACCESSED = (registered(), registered(uscc=B), accessed())


# ── licences ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_licence_bears_its_tags() -> None:
    given(registered()).when(*licensed()).then_tags(f"enterprise:{A}", "licence:L-1")
    given(*LICENSED).when(*renewed()).then_tags(f"enterprise:{A}", "licence:L-1")
    given(*LICENSED).when(*ended("Revoked")).then_tags(f"enterprise:{A}", "licence:L-1")
    given(registered()).when(*site_inspected()).then_tags(f"enterprise:{A}")
    given(registered()).when(*licence_refused()).then_tags(f"enterprise:{A}")


def test_a_renewal_is_of_a_licence_of_this_enterprise() -> None:
    book = given(*LICENSED, registered(uscc=B))
    book.when(*renewed(licenceNo="L-2")).then_refused("NOT_FOUND licenceNo")
    book.when(*renewed(uscc=B)).then_refused("NOT_FOUND licenceNo")
    book.when(*renewed("2017-12-31")).then_refused("NOT_FOUND licenceNo")
    book.when(*renewed("2018-01-01")).then_recorded()


@pytest.mark.parametrize("valid_to", ["2020-12-31", "2020-12-30", "1950-01-01"])
def test_a_renewal_sets_a_later_end(valid_to: str) -> None:
    given(*LICENSED).when(*renewed(validTo=valid_to)).then_refused("WRONG_STATE validTo")
    given(*LICENSED).when(*renewed(validTo="2021-01-01")).then_recorded()


def test_a_renewal_is_measured_against_what_was_set_last_on_its_own_day() -> None:
    book = given(*LICENSED, renewed("2020-06-01", validTo="2025-12-31"))
    book.when(*renewed("2020-06-01", validTo="2025-12-31")).then_refused("WRONG_STATE validTo")
    book.when(*renewed("2020-06-01", validTo="2026-01-01")).then_recorded()
    late = given(*LICENSED, renewed("2020-06-01", validTo="2025-12-31"))
    late.when(*renewed("2020-05-31", validTo="2021-01-01")).then_recorded()


def test_what_was_set_last_is_the_last_by_date_and_not_the_greatest() -> None:
    late = given(*LICENSED, renewed("2020-06-01", validTo="2025-12-31"), renewed("2020-05-01", validTo="2028-12-31"))
    late.when(*renewed("2020-06-01", validTo="2026-01-01")).then_recorded()


def test_an_expired_licence_may_be_renewed() -> None:
    given(*LICENSED).when(*renewed("2023-01-01", validTo="2026-01-01")).then_recorded()


@pytest.mark.parametrize("by", ENDINGS)
def test_an_ended_licence_is_not_renewed(by: str) -> None:
    book = given(*LICENSED, ended(by, "2019-06-01"))
    book.when(*renewed("2019-06-01")).then_refused("WRONG_STATE licenceNo")
    book.when(*renewed("2019-05-31")).then_recorded()


AFTER = {"Revoked": ("Cancelled",), "Annulled": ("Cancelled",), "Cancelled": ()}


@pytest.mark.parametrize("second", ENDINGS)
@pytest.mark.parametrize("first", ENDINGS)
def test_only_a_cancellation_follows_another_ending(first: str, second: str) -> None:
    book = given(*LICENSED, ended(first, "2019-06-01"))
    if second in AFTER[first]:
        book.when(*ended(second, "2019-06-01")).then_recorded()
        book.when(*ended("Cancelled", "2019-06-01")).then_refused("WRONG_STATE licenceNo")
    else:
        book.when(*ended(second, "2019-06-01")).then_refused("WRONG_STATE licenceNo")
    given(*LICENSED, ended(first, "2019-06-01")).when(*ended(second, "2019-05-31")).then_recorded()


@pytest.mark.parametrize("by", ENDINGS)
def test_an_ending_is_of_a_licence_of_this_enterprise(by: str) -> None:
    book = given(*LICENSED, registered(uscc=B))
    book.when(*ended(by, licenceNo="L-2")).then_refused("NOT_FOUND licenceNo")
    book.when(*ended(by, uscc=B)).then_refused("NOT_FOUND licenceNo")
    book.when(*ended(by, "2017-12-31")).then_refused("NOT_FOUND licenceNo")
    book.when(*ended(by, "2018-01-01", authority="CA-31")).then_recorded()


def test_an_ending_of_one_licence_leaves_the_others() -> None:
    book = given(*LICENSED, licensed(licenceNo="L-2"), ended("Revoked", "2019-06-01"))
    book.when(*renewed(licenceNo="L-2")).then_recorded()


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_filing_bears_its_tags() -> None:
    given(registered()).when(*filed()).then_tags(f"enterprise:{A}", "number:95012")
    given(*FILED).when(*amended(use="热线")).then_tags(f"enterprise:{A}", "number:95012")
    given(*FILED).when(*withdrawn()).then_tags(f"enterprise:{A}", "number:95012")


@pytest.mark.parametrize("uscc", [A, B])
def test_a_number_that_is_filed_now_is_not_filed_again_by_any_enterprise(uscc: str) -> None:
    book = given(*FILED)
    [refusal] = book.when(*filed("2018-02-01", uscc=uscc)).then_refused("ALREADY_EXISTS number")
    assert "3" in refusal.text.en
    book.when(*filed("2018-01-31", uscc=uscc)).then_recorded()


@pytest.mark.parametrize("uscc", [A, B])
def test_a_number_is_filed_again_from_the_day_of_its_withdrawal(uscc: str) -> None:
    book = given(*FILED, withdrawn("2020-01-01"))
    book.when(*filed("2019-12-31", uscc=uscc)).then_refused("ALREADY_EXISTS number")
    book.when(*filed("2020-01-01", uscc=uscc)).then_recorded()
    book.when(*filed("2020-01-02", uscc=A)).then_refused("ALREADY_EXISTS number")


def test_a_number_is_filed_again_after_the_void_of_its_filing_and_filed_still_after_that_of_its_withdrawal() -> None:
    given(*FILED, voided(3)).when(*filed(uscc=B)).then_recorded()
    given(*FILED, withdrawn("2020-01-01"), voided(4)).when(*filed("2021-01-01")).then_refused("ALREADY_EXISTS number")


@pytest.mark.parametrize("fact", [amended(use="热线"), withdrawn()])
def test_only_the_enterprise_whose_number_is_filed_now_changes_it(fact: tuple[str, dict[str, object]]) -> None:
    name, fields = fact
    book = given(*FILED)
    book.when(name, {**fields, "uscc": B}).then_refused("NOT_FOUND number")
    book.when(name, {**fields, "number": "95013"}).then_refused("NOT_FOUND number")
    book.when(name, {**fields, "effectiveOn": "2018-01-31"}).then_refused("NOT_FOUND number")
    book.when(name, {**fields, "effectiveOn": "2018-02-01"}).then_recorded()


@pytest.mark.parametrize("fact", [amended("2020-01-01", use="热线"), withdrawn("2020-01-01")])
def test_a_withdrawn_number_is_not_changed(fact: tuple[str, dict[str, object]]) -> None:
    given(*FILED, withdrawn("2020-01-01")).when(*fact).then_refused("NOT_FOUND number")
    refiled = given(*FILED, withdrawn("2019-01-01"), filed("2019-06-01", uscc=B))
    refiled.when(*fact).then_refused("NOT_FOUND number")
    refiled.when(fact[0], {**fact[1], "uscc": B}).then_recorded()


def test_numbers_are_told_apart_whole() -> None:
    given(*FILED).when(*filed(number="950120")).then_recorded()


# ── accesses ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_access_bears_its_tags() -> None:
    given(registered()).when(*accessed()).then_tags(f"enterprise:{A}", "access:A-1")
    given(*ACCESSED).when(*access("Restricted")).then_tags(f"enterprise:{A}", "access:A-1")


STATES: dict[str, list[str]] = {
    "GRANTED": [],
    "RESTRICTED": ["Restricted"],
    "RESTORED": ["Restricted", "Restored"],
    "TERMINATED": ["Terminated"],
    "TERMINATED_WHILE_RESTRICTED": ["Restricted", "Terminated"],
}
LEAVES = {
    "GRANTED": {"Restricted", "Terminated"},
    "RESTRICTED": {"Restored", "Terminated"},
    "RESTORED": {"Restricted", "Terminated"},
    "TERMINATED": set[str](),
    "TERMINATED_WHILE_RESTRICTED": set[str](),
}


@pytest.mark.parametrize("change", ["Restricted", "Restored", "Terminated"])
@pytest.mark.parametrize("state", STATES)
def test_an_access_changes_only_from_a_state_that_the_change_leaves(state: str, change: str) -> None:
    verdict = given(*ACCESSED, *(access(one, "2020-01-01") for one in STATES[state])).when(*access(change))
    if change in LEAVES[state]:
        verdict.then_recorded()
    else:
        verdict.then_refused("WRONG_STATE accessId")


@pytest.mark.parametrize("change", ["Restricted", "Restored", "Terminated"])
def test_a_change_names_an_access_of_this_enterprise_and_its_carrier(change: str) -> None:
    before = [access("Restricted", "2018-03-01")] if change == "Restored" else []
    book = given(*ACCESSED, *before)
    book.when(*access(change, carrier="CHINA_MOBILE")).then_refused("NOT_FOUND accessId")
    book.when(*access(change, uscc=B)).then_refused("NOT_FOUND accessId")
    book.when(*access(change, accessId="A-2")).then_refused("NOT_FOUND accessId")
    book.when(*access(change, "2018-02-28")).then_refused("NOT_FOUND accessId")
    book.when(*access(change, "2018-03-01")).then_recorded()


def test_the_state_is_the_one_on_the_day_of_the_change() -> None:
    book = given(*ACCESSED, access("Terminated", "2022-01-01"))
    book.when(*access("Restricted", "2021-12-31")).then_recorded()
    book.when(*access("Restored", "2022-01-01")).then_refused("WRONG_STATE accessId")
    book.when(*access("Restored", "2021-12-31")).then_recorded()
