from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.facts import HEAD, Moment
from domain.publicity import (
    ListEntry,
    PublicPenalty,
    Showing,
    exhibits,
    known_name,
    list_entries,
    listings,
    public_penalties,
)
from domain.rulebook import RULEBOOK
from domain.vocabulary import CreditList, ListGround, PenaltyKind
from given import A, Book, Stated, d, given, listed, penalty, punished, registered, renamed, unlisted, voided


def shown_entries(book: Book, on: str, known_at: int = HEAD) -> list[str]:
    return [entry.entry_id for entry in list_entries(book.enterprise(), Moment(d(on), known_at))]


def shown_penalties(book: Book, on: str, known_at: int = HEAD) -> list[tuple[int, str | None]]:
    """Each public penalty's position and the day its publicity ends."""
    found = public_penalties(book.enterprise(), Moment(d(on), known_at))
    return [(one.position, one.public_until.isoformat() if one.public_until else None) for one in found]


def publicised(imposed_on: str, on: str, *facts: Stated, **fields: Any) -> Book:
    """A penalty at position 2, publicised at position 3; the facts begin at 4."""
    return given(registered(), punished(imposed_on, **fields), penalty("Publicised", on), *facts)


# List entries


def test_an_entry_is_shown_with_all_that_is_known_of_it() -> None:
    book = given(registered(), listed("2022-01-10", authority="MIIT", list="DISHONESTY", ground="FALSE_MATERIAL"))
    assert list_entries(book.enterprise(), Moment(d("2022-01-10"))) == [
        ListEntry(
            entry_id="E-1",
            list=CreditList.DISHONESTY,
            uscc=A,
            name="甲呼叫中心",
            authority="MIIT",
            ground=ListGround.FALSE_MATERIAL,
            begins=date(2022, 1, 10),
            removed_on=None,
            position=2,
        )
    ]


def test_an_entry_is_active_from_its_day_on_until_the_day_of_its_removal() -> None:
    book = given(registered(), listed("2022-01-10"), unlisted("2023-01-10"))
    days = ("2022-01-09", "2022-01-10", "2023-01-09", "2023-01-10")
    assert [shown_entries(book, day) for day in days] == [[], ["E-1"], ["E-1"], []]


def test_a_removal_to_come_shows_on_an_entry_still_active_once_it_is_known() -> None:
    book = given(registered(), listed("2022-01-10"), unlisted("2023-05-01"), unlisted("2023-04-01"))
    removed = [
        list_entries(book.enterprise(), Moment(d("2022-06-01"), known_at))[0].removed_on for known_at in (2, 3, 4)
    ]
    assert removed == [None, date(2023, 5, 1), date(2023, 4, 1)]


def test_an_entry_removed_on_the_day_it_was_made_is_never_active() -> None:
    book = given(registered(), listed("2022-01-10"), unlisted("2022-01-10"))
    assert shown_entries(book, "2022-01-10") == []


def test_a_voided_removal_never_was_and_a_voided_entry_neither() -> None:
    removal = given(registered(), listed("2022-01-10"), unlisted("2023-01-10"), voided(3))
    assert [shown_entries(removal, "2023-02-01", known_at) for known_at in (3, 4)] == [[], ["E-1"]]
    entry = given(registered(), listed("2022-01-10"), voided(2))
    assert [shown_entries(entry, "2023-02-01", known_at) for known_at in (1, 2, 3)] == [[], ["E-1"], []]


def test_entries_come_in_legal_order_and_one_listed_again_is_another_entry() -> None:
    book = given(
        registered(),
        listed("2022-03-01", entryId="E-2"),
        listed("2022-01-10"),
        unlisted("2022-02-01"),
        listed("2022-02-01", entryId="E-3"),
    )
    assert shown_entries(book, "2022-03-02") == ["E-3", "E-2"]
    assert [entry.entry_id for entry in listings(book.enterprise(), HEAD)] == ["E-1", "E-3", "E-2"]


def test_the_name_is_the_last_by_date_that_is_known_whatever_that_date() -> None:
    book = given(registered(), listed("2022-01-10"), renamed("2027-01-01", name="丙"), renamed("2023-01-01", name="乙"))
    names = [list_entries(book.enterprise(), Moment(d("2022-06-01"), known_at))[0].name for known_at in (2, 3, 4)]
    assert names == ["甲呼叫中心", "丙", "丙"]


def test_a_voided_name_is_forgotten() -> None:
    book = given(registered(), renamed("2023-01-01", name="乙"), voided(2))
    assert [known_name(book.enterprise(), known_at, A) for known_at in (2, 3)] == ["乙", "甲呼叫中心"]


def test_the_entries_of_an_enterprise_whose_registration_is_voided_stay_under_its_code() -> None:
    book = given(registered(), listed("2022-01-10"), voided(1))
    assert [entry.name for entry in list_entries(book.enterprise(), Moment(d("2022-06-01")))] == [A]


# Penalties


def test_a_publicised_penalty_is_shown_with_what_was_decided() -> None:
    fields = {"kinds": ["FINE", "WARNING"], "fine": "2000", "basis": "办法", "violation": "外呼"}
    book = publicised("2021-03-01", "2021-03-05", renamed("2022-01-01", name="乙"), **fields)
    assert public_penalties(book.enterprise(), Moment(d("2021-06-01"))) == [
        PublicPenalty(
            document_no="京通罚〔2020〕1号",
            authority="CA-11",
            uscc=A,
            name="乙",
            kinds=(PenaltyKind.FINE, PenaltyKind.WARNING),
            fine="2000.00",
            confiscated=None,
            violation="外呼",
            basis="办法",
            decided_on=date(2021, 3, 1),
            public_until=None,
            position=2,
        )
    ]


def test_a_penalty_is_public_from_the_day_it_is_publicised() -> None:
    book = publicised("2021-03-01", "2021-03-05")
    assert [shown_penalties(book, day) for day in ("2021-03-01", "2021-03-04")] == [[], []]
    assert shown_penalties(book, "2021-03-05") == [(2, None)]
    assert shown_penalties(given(registered(), punished("2021-03-01")), "2021-06-01") == []


def test_of_two_publicisings_the_first_by_date_opens_it() -> None:
    book = publicised("2021-03-01", "2021-05-05", penalty("Publicised", "2021-04-01"))
    assert [shown_penalties(book, "2021-04-01", known_at) for known_at in (3, 4)] == [[], [(2, None)]]


def test_annulment_ends_publicity_on_its_day() -> None:
    book = publicised("2021-03-01", "2021-03-05", penalty("Annulled", "2021-06-01"))
    assert [len(shown_penalties(book, day)) for day in ("2021-05-31", "2021-06-01")] == [1, 0]
    assert len(shown_penalties(book, "2021-06-01", known_at=3)) == 1


@pytest.mark.parametrize("position", [2, 3])
def test_to_those_who_know_the_void_the_penalty_or_its_publicising_never_was(position: int) -> None:
    book = publicised("2021-03-01", "2021-03-05", voided(position))
    assert [len(shown_penalties(book, "2021-06-01", known_at)) for known_at in (3, 4)] == [1, 0]


def test_before_2026_4_publicity_does_not_end_by_itself() -> None:
    book = publicised("2018-03-01", "2018-03-05")
    assert [shown_penalties(book, day) for day in ("2026-03-31", "2026-04-01")] == [[(2, None)], []]


@pytest.mark.parametrize(
    ("kinds", "last"),
    [
        (["WARNING"], "2026-06-30"),
        (["CRITICISM"], "2026-06-30"),
        (["WARNING", "CRITICISM"], "2026-06-30"),
        (["FINE"], "2027-04-01"),
        (["OTHER"], "2027-04-01"),
        (["WARNING", "ACTIVITY_RESTRICTED"], "2027-04-01"),
        (["LICENCE_REVOKED"], "2029-03-31"),
        (["WARNING", "FINE", "BARRED"], "2029-03-31"),
    ],
)
def test_from_2026_4_on_publicity_lasts_the_days_of_the_longest_kind_from_the_publicising(
    kinds: list[str], last: str
) -> None:
    fine = {"fine": "1"} if "FINE" in kinds else {}
    book = publicised("2026-03-31", "2026-04-02", kinds=kinds, **fine)
    after = date.fromordinal(d(last).toordinal() + 1).isoformat()
    assert [shown_penalties(book, day) for day in ("2026-04-02", last, after)] == [[(2, last)], [(2, last)], []]


def test_a_penalty_decided_earlier_is_told_its_end_from_2026_4_on() -> None:
    book = publicised("2025-06-01", "2025-06-05", kinds=["OTHER"])
    days = ("2026-03-31", "2026-04-01", "2026-06-04", "2026-06-05")
    assert [shown_penalties(book, day) for day in days] == [[(2, None)], [(2, "2026-06-04")], [(2, "2026-06-04")], []]
    assert exhibits(book.enterprise(), HEAD)[0].showings == (
        Showing(d("2025-06-05"), d("2026-04-01"), None),
        Showing(d("2026-04-01"), d("2026-06-05"), d("2026-06-04")),
    )


def test_a_penalty_publicised_late_is_public_for_all_its_days() -> None:
    book = publicised("2026-01-02", "2026-04-02", kinds=["WARNING"])
    assert exhibits(book.enterprise(), HEAD)[0].showings == (
        Showing(d("2026-04-02"), d("2026-07-01"), d("2026-06-30")),
    )


def test_versions_that_say_the_same_make_one_showing() -> None:
    book = publicised("2018-01-02", "2018-01-03", penalty("Annulled", "2021-01-01"))
    assert exhibits(book.enterprise(), HEAD)[0].showings == (Showing(d("2018-01-03"), d("2021-01-01"), None),)


def test_without_a_version_that_ends_it_publicity_has_no_end() -> None:
    rulebook = replace(RULEBOOK, versions=RULEBOOK.versions[:-1])
    facts = publicised("2018-01-02", "2018-01-03").enterprise()
    assert exhibits(facts, HEAD, rulebook)[0].showings == (Showing(d("2018-01-03"), None, None),)
    assert len(public_penalties(facts, Moment(d("2099-01-01")), rulebook)) == 1


def test_numbers_are_those_of_one_authority() -> None:
    book = given(
        registered(),
        punished("2021-03-01"),
        punished("2021-03-01", authority="MIIT"),
        penalty("Publicised", "2021-03-02", authority="MIIT"),
        penalty("Annulled", "2021-03-03"),
    )
    assert shown_penalties(book, "2021-04-01") == [(3, None)]


def test_penalties_come_in_legal_order_under_the_code_where_no_name_is_left() -> None:
    other = {"documentNo": "京通罚〔2020〕2号"}
    book = publicised(
        "2021-03-01",
        "2021-03-05",
        punished("2020-03-01", **other),
        penalty("Publicised", "2020-03-02", **other),
        voided(1),
    )
    found = public_penalties(book.enterprise(), Moment(d("2021-04-01")))
    assert [(one.position, one.name) for one in found] == [(4, A), (2, A)]
