"""The register's rows: names, provinces, status and filed numbers by the dates on which they hold."""

from datetime import date
from typing import Any

import pytest

from given import A, B, exposed, filed, listed, registered, renamed, unlisted, voided, withdrawn
from projections.register import grams
from running import ADOPTED, System

EVER = date.max


def d(text: str) -> date:
    return date.fromisoformat(text)


def select(system: System, statement: str, uscc: str = A) -> list[tuple[Any, ...]]:
    with system.pool.connection() as database:
        return database.execute(statement.encode(), [uscc]).fetchall()


def names(system: System, uscc: str = A) -> list[tuple[Any, ...]]:
    return select(
        system, "SELECT valid_from, valid_to, name, province FROM register WHERE uscc = %s ORDER BY valid_from", uscc
    )


def filings(system: System, uscc: str = A) -> list[tuple[Any, ...]]:
    return select(
        system, "SELECT number, valid_from, valid_to FROM filed_numbers WHERE uscc = %s ORDER BY valid_from", uscc
    )


def statuses(system: System, uscc: str = A) -> list[tuple[Any, ...]]:
    return select(
        system, "SELECT valid_from, valid_to, status FROM credit_spans WHERE uscc = %s ORDER BY valid_from", uscc
    )


def test_a_name_holds_until_the_next_one(system: System) -> None:
    system.known(registered("2017-01-01"), renamed("2027-01-01", name="丁"), renamed("2019-01-01"))
    assert names(system) == [
        (d("2017-01-01"), d("2019-01-01"), "甲呼叫中心", "11"),
        (d("2019-01-01"), d("2027-01-01"), "乙呼叫中心", "11"),
        (d("2027-01-01"), EVER, "丁", "11"),
    ]


def test_the_last_of_two_names_of_a_day_holds(system: System) -> None:
    system.known(registered("2017-01-01"), renamed("2017-01-01"), renamed("2018-01-01", name="丙"))
    system.known(renamed("2018-01-01", name="丁"))
    assert names(system) == [
        (d("2017-01-01"), d("2018-01-01"), "乙呼叫中心", "11"),
        (d("2018-01-01"), EVER, "丁", "11"),
    ]


def test_the_same_name_again_is_no_new_row(system: System) -> None:
    system.known(registered("2017-01-01"), renamed("2018-01-01", name="甲呼叫中心"))
    assert names(system) == [(d("2017-01-01"), EVER, "甲呼叫中心", "11")]


def test_a_voided_renaming_never_was(system: System) -> None:
    system.known(registered("2017-01-01"), renamed("2018-01-01"), renamed("2019-01-01", name="丙"))
    system.known(voided(ADOPTED + 2))
    assert names(system) == [
        (d("2017-01-01"), d("2019-01-01"), "甲呼叫中心", "11"),
        (d("2019-01-01"), EVER, "丙", "11"),
    ]


def test_a_voided_registration_leaves_no_row_until_another_is_made(system: System) -> None:
    system.known(registered("2017-01-01"), renamed("2018-01-01"), filed(), voided(ADOPTED + 1))
    assert (names(system), statuses(system)) == ([], [])
    system.known(registered("2019-01-01", province="31", name="新"))
    assert names(system) == [(d("2019-01-01"), EVER, "新", "31")]
    assert statuses(system) == [(d("2019-01-01"), EVER, "GOOD")]


def test_a_registration_of_the_future_is_kept_from_its_day_on(system: System) -> None:
    system.known(registered("2026-12-01"))
    assert names(system) == [(d("2026-12-01"), EVER, "甲呼叫中心", "11")]


def test_a_number_is_held_from_its_filing_to_its_withdrawal(system: System) -> None:
    system.known(registered(), registered(uscc=B), filed("2018-02-01"), filed("2018-03-01", number="96345"))
    system.known(withdrawn("2020-01-01"), filed("2021-01-01", uscc=B), filed("2026-12-01", number="95013"))
    assert filings(system) == [
        ("95012", d("2018-02-01"), d("2020-01-01")),
        ("96345", d("2018-03-01"), EVER),
        ("95013", d("2026-12-01"), EVER),
    ]
    assert filings(system, B) == [("95012", d("2021-01-01"), EVER)]


def test_a_number_that_was_withdrawn_on_the_day_it_was_filed_was_never_held(system: System) -> None:
    system.known(registered(), filed("2018-02-01"), withdrawn("2018-02-01"))
    assert filings(system) == []


def test_voids_of_filings_and_withdrawals_are_as_if_they_never_were(system: System) -> None:
    system.known(registered(), filed("2018-02-01"), withdrawn("2020-01-01"), voided(ADOPTED + 3))
    assert filings(system) == [("95012", d("2018-02-01"), EVER)]
    system.known(voided(ADOPTED + 2))
    assert filings(system) == []


def test_a_status_holds_by_dates(system: System) -> None:
    system.known(registered("2017-01-01"), exposed("2020-01-01"), listed("2020-06-01"), unlisted("2020-09-01"))
    assert statuses(system) == [
        (d("2017-01-01"), d("2020-01-01"), "GOOD"),
        (d("2020-01-01"), d("2020-06-01"), "WATCH"),
        (d("2020-06-01"), d("2020-09-01"), "ADVERSE"),
        (d("2020-09-01"), d("2020-12-31"), "WATCH"),
        (d("2020-12-31"), EVER, "GOOD"),
    ]


def test_what_does_not_change_a_row_leaves_it_alone(system: System) -> None:
    system.known(registered())
    versions = "SELECT xmin::text FROM register WHERE uscc = %s"
    before = select(system, versions)
    system.known(filed(), exposed())
    assert select(system, versions) == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        (" ", set()),
        ("云", {"云"}),
        ("云呼", {"云", "呼", "云呼"}),
        ("Ab", {"a", "b", "ab"}),
        ("a b", {"a", "b", "ab"}),
        ("a-b", {"a", "-", "b", "a-", "-b"}),
    ],
)
def test_a_text_is_found_by_its_characters_and_their_pairs(text: str, expected: set[str]) -> None:
    assert set(grams(text)) == expected


@pytest.mark.parametrize("part", ["北", "北京", "京云呼", "e c", "call 中", "(bei", "acme call", ") 100%", "公司"])
def test_the_grams_of_any_part_are_among_those_of_the_whole(part: str) -> None:
    whole = "北京云呼 Acme Call 中心 (Beijing) 100% 公司"
    assert part in whole.lower()
    assert set(grams(part)) <= set(grams(whole))
