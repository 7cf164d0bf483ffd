from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.facts import HEAD
from domain.obligations import Obligation, Step, duties
from domain.rulebook import RULEBOOK, Parameters, Rulebook
from domain.vocabulary import ObligationState
from given import (
    A,
    d,
    exposed,
    inspected,
    interviewed,
    listed,
    ordered,
    penalty,
    punished,
    unlisted,
    voided,
)
from owing import MET, MET_LATE, OPEN, OVERDUE, enterprise, owed, said, second, state

# OBL-LIST


def test_a_penalty_is_to_be_followed_by_a_list_entry_in_30_days() -> None:
    book = enterprise(punished("2021-03-01"))
    assert owed(book, "LIST", "2021-03-01") == [
        Obligation("OBL-LIST", A, "CA-11", date(2021, 3, 31), ObligationState.OPEN, None, 2)
    ]
    assert owed(book, "LIST", "2021-02-28") == []


def test_the_due_day_is_in_time_and_the_day_after_is_not() -> None:
    book = enterprise(punished("2021-03-01"))
    assert (state(book, "LIST", "2021-03-31"), state(book, "LIST", "2021-04-01")) == (OPEN, OVERDUE)


@pytest.mark.parametrize(
    ("kinds", "rows"), [(["OTHER"], 0), (["OTHER", "WARNING"], 1), (["OTHER", "OTHER"], 0), (["CRITICISM"], 1)]
)
def test_a_penalty_of_kind_other_alone_calls_for_no_entry(kinds: list[str], rows: int) -> None:
    book = enterprise(punished("2021-03-01", kinds=kinds))
    assert len(owed(book, "LIST", "2021-03-02")) == rows
    assert len(owed(book, "PUBLICITY", "2021-03-02")) == 1


@pytest.mark.parametrize(("on", "expected"), [("2021-03-31", MET), ("2021-04-01", MET_LATE)])
def test_an_entry_that_names_the_penalty_meets_it_in_time_or_late(on: str, expected: str) -> None:
    book = enterprise(punished("2021-03-01"), listed(on, basis=[1, 2]))
    assert said(owed(book, "LIST", "2022-01-01")) == [f"2021-03-31 {expected} {on}"]


def test_an_entry_meets_nothing_before_its_own_day() -> None:
    book = enterprise(punished("2021-03-01"), listed("2021-04-10", basis=[2]))
    assert (state(book, "LIST", "2021-03-20"), state(book, "LIST", "2021-04-09")) == (OPEN, OVERDUE)


def test_an_entry_on_another_basis_meets_nothing() -> None:
    book = enterprise(punished("2021-03-01"), listed("2021-03-02", basis=[1]))
    assert state(book, "LIST", "2021-03-03") == OPEN


def test_the_entry_that_was_removed_still_has_met_it() -> None:
    book = enterprise(punished("2021-03-01"), listed("2021-03-02", basis=[2]), unlisted("2021-03-05"))
    assert said(owed(book, "LIST", "2021-03-06")) == ["2021-03-31 MET 2021-03-02"]


def test_a_second_entry_on_the_penalty_changes_nothing_unless_it_is_dated_first() -> None:
    later = enterprise(
        punished("2021-03-01"), listed("2021-04-10", basis=[2]), listed("2021-04-20", basis=[2], entryId="E-2")
    )
    assert said(owed(later, "LIST", "2021-05-01")) == ["2021-03-31 MET_LATE 2021-04-10"]
    late_filed = enterprise(
        punished("2021-03-01"), listed("2021-04-10", basis=[2]), listed("2021-03-20", basis=[2], entryId="E-2")
    )
    assert said(owed(late_filed, "LIST", "2021-05-01")) == ["2021-03-31 MET 2021-03-20"]
    assert said(owed(late_filed, "LIST", "2021-05-01", known_at=3)) == ["2021-03-31 MET_LATE 2021-04-10"]


def test_annulment_ends_the_rows_of_a_penalty_from_its_day_on_met_ones_too() -> None:
    book = enterprise(
        punished("2021-03-01"),
        penalty("Publicised", "2021-03-02"),
        listed("2021-03-02", basis=[2]),
        penalty("Annulled", "2021-06-01"),
    )
    for rule in ("LIST", "PUBLICITY"):
        assert state(book, rule, "2021-05-31") == MET
        assert state(book, rule, "2021-06-01") is None
        assert state(book, rule, "2021-06-01", known_at=4) == MET


def test_a_penalty_that_was_annulled_on_its_own_day_was_never_owed_for() -> None:
    book = enterprise(punished("2021-03-01"), penalty("Annulled", "2021-03-01"))
    assert [duty.rule for duty in duties(book.enterprise(), A, HEAD)] == []
    assert state(book, "LIST", "2021-03-01", known_at=2) == OPEN


def test_the_annulment_of_the_same_number_by_another_authority_ends_nothing() -> None:
    book = enterprise(
        punished("2021-03-01"),
        punished("2021-03-01", authority="MIIT", kinds=["OTHER"]),
        penalty("Annulled", "2021-03-05", authority="MIIT"),
    )
    assert state(book, "LIST", "2021-03-06") == OPEN
    assert [row.owed_by for row in owed(book, "PUBLICITY", "2021-03-06")] == ["CA-11"]


def test_to_those_who_know_the_void_a_penalty_was_never_owed_for() -> None:
    book = enterprise(punished("2021-03-01"), voided(2))
    assert state(book, "LIST", "2021-03-02") is None
    assert state(book, "LIST", "2021-03-02", known_at=2) == OPEN


def test_a_voided_annulment_brings_the_rows_back() -> None:
    book = enterprise(punished("2021-03-01"), penalty("Annulled", "2021-03-05"), voided(3))
    assert state(book, "LIST", "2021-03-06", known_at=3) is None
    assert state(book, "LIST", "2021-03-06") == OPEN


# OBL-PUBLICITY


def test_a_penalty_is_publicised_in_7_working_days_with_make_up_days() -> None:
    # 2024-02: worked 5, 6, 7, 8, 9, then Sunday 18 and Monday 19.
    book = enterprise(punished("2024-02-04"))
    assert said(owed(book, "PUBLICITY", "2024-02-04")) == ["2024-02-19 OPEN"]
    assert (state(book, "PUBLICITY", "2024-02-19"), state(book, "PUBLICITY", "2024-02-20")) == (OPEN, OVERDUE)


def test_the_saturday_of_14_february_2026_is_one_of_the_seven() -> None:
    # 2026-02: 12, 13, Saturday 14, 24, 25, 26, 27.
    book = enterprise(punished("2026-02-11"))
    assert said(owed(book, "PUBLICITY", "2026-02-11")) == ["2026-02-27 OPEN"]


def test_a_due_day_in_a_year_without_a_calendar_counts_mondays_to_fridays() -> None:
    # Worked 2026-12-31, then 2027-01-04 to 08 and 11, since 1 January rests.
    book = enterprise(punished("2026-12-30"))
    assert said(owed(book, "PUBLICITY", "2026-12-30")) == ["2027-01-11 OPEN"]


@pytest.mark.parametrize(("on", "expected"), [("2024-02-19", MET), ("2024-02-20", MET_LATE)])
def test_publicising_meets_it_in_time_or_late(on: str, expected: str) -> None:
    book = enterprise(punished("2024-02-04"), penalty("Publicised", on))
    assert said(owed(book, "PUBLICITY", "2024-03-01")) == [f"2024-02-19 {expected} {on}"]


def test_of_two_publicisings_the_first_by_date_counts() -> None:
    book = enterprise(punished("2024-02-04"), penalty("Publicised", "2024-03-10"), penalty("Publicised", "2024-02-19"))
    assert said(owed(book, "PUBLICITY", "2024-04-01")) == ["2024-02-19 MET 2024-02-19"]
    assert said(owed(book, "PUBLICITY", "2024-04-01", known_at=3)) == ["2024-02-19 MET_LATE 2024-03-10"]


# OBL-WITHDRAW


def test_an_entry_on_an_annulled_penalty_alone_is_withdrawn_in_3_working_days() -> None:
    book = enterprise(
        punished("2023-11-01"), listed("2023-11-02", basis=[2], authority="MIIT"), penalty("Annulled", "2024-02-08")
    )
    # Worked: 9, Sunday 18, Monday 19 February 2024. The authority is the annulment's.
    assert owed(book, "WITHDRAW", "2024-02-08") == [
        Obligation("OBL-WITHDRAW", A, "CA-11", date(2024, 2, 19), ObligationState.OPEN, None, 4)
    ]
    assert owed(book, "WITHDRAW", "2024-02-07") == []
    assert state(book, "WITHDRAW", "2024-02-20") == OVERDUE


@pytest.mark.parametrize(("on", "expected"), [("2024-02-19", MET), ("2024-02-20", MET_LATE)])
def test_removal_of_the_entry_meets_it(on: str, expected: str) -> None:
    book = enterprise(
        punished("2023-11-01"), listed("2023-11-02", basis=[2]), penalty("Annulled", "2024-02-08"), unlisted(on)
    )
    assert said(owed(book, "WITHDRAW", "2024-03-01")) == [f"2024-02-19 {expected} {on}"]


def test_there_is_one_row_for_each_entry() -> None:
    book = enterprise(
        punished("2023-11-01"),
        listed("2023-11-02", basis=[2]),
        listed("2023-11-03", basis=[2], entryId="E-2", list="DISHONESTY"),
        penalty("Annulled", "2024-02-08"),
        unlisted("2024-02-09", entryId="E-2"),
    )
    assert sorted(said(owed(book, "WITHDRAW", "2024-02-09"))) == ["2024-02-19 MET 2024-02-09", "2024-02-19 OPEN"]
    rows = [duty for duty in duties(book.enterprise(), A, HEAD) if duty.rule == "OBL-WITHDRAW"]
    assert [(duty.arises_from, duty.about) for duty in rows] == [(5, 3), (5, 4)]


@pytest.mark.parametrize(("basis", "rows"), [([2, 1], 0), ([1], 0), ([], 0), ([2, 2], 1)])
def test_an_entry_that_rests_on_more_or_on_something_else_stays(basis: list[int], rows: int) -> None:
    book = enterprise(punished("2023-11-01"), listed("2023-11-02", basis=basis), penalty("Annulled", "2024-02-08"))
    assert len(owed(book, "WITHDRAW", "2024-02-09")) == rows


def test_an_entry_removed_before_the_annulment_is_not_withdrawn() -> None:
    book = enterprise(
        punished("2023-11-01"),
        listed("2023-11-02", basis=[2]),
        unlisted("2024-02-08"),
        penalty("Annulled", "2024-02-08"),
    )
    assert owed(book, "WITHDRAW", "2024-02-09") == []


def test_a_removal_of_the_same_day_after_the_annulment_meets_it() -> None:
    book = enterprise(
        punished("2023-11-01"),
        listed("2023-11-02", basis=[2]),
        penalty("Annulled", "2024-02-08"),
        unlisted("2024-02-08"),
    )
    assert said(owed(book, "WITHDRAW", "2024-02-08")) == ["2024-02-19 MET 2024-02-08"]


def test_a_removal_filed_late_with_an_earlier_date_takes_the_row_away() -> None:
    book = enterprise(
        punished("2023-11-01"),
        listed("2023-11-02", basis=[2]),
        penalty("Annulled", "2024-02-08"),
        unlisted("2024-02-07"),
    )
    assert state(book, "WITHDRAW", "2024-02-09") is None
    assert state(book, "WITHDRAW", "2024-02-09", known_at=4) == OPEN


def test_an_entry_made_after_the_annulment_is_not_withdrawn() -> None:
    book = enterprise(punished("2023-11-01"), penalty("Annulled", "2024-02-08"), listed("2024-02-08", basis=[2]))
    assert owed(book, "WITHDRAW", "2024-02-09") == []


def test_an_entry_filed_late_with_a_date_before_the_annulment_is_withdrawn() -> None:
    book = enterprise(punished("2023-11-01"), penalty("Annulled", "2024-02-08"), listed("2024-02-07", basis=[2]))
    assert said(owed(book, "WITHDRAW", "2024-02-09")) == ["2024-02-19 OPEN"]
    assert owed(book, "WITHDRAW", "2024-02-09", known_at=3) == []


def test_of_two_annulments_the_first_by_date_counts() -> None:
    book = enterprise(
        punished("2023-11-01"),
        listed("2023-11-02", basis=[2]),
        penalty("Annulled", "2024-02-08"),
        penalty("Annulled", "2024-01-15"),
    )
    assert [(row.arises_from, row.due_on) for row in owed(book, "WITHDRAW", "2024-03-01")] == [(5, d("2024-01-18"))]
    assert [row.arises_from for row in owed(book, "WITHDRAW", "2024-03-01", known_at=4)] == [4]


def test_a_voided_penalty_was_never_annulled() -> None:
    book = enterprise(
        punished("2023-11-01"), listed("2023-11-02", basis=[2]), penalty("Annulled", "2024-02-08"), voided(2)
    )
    assert state(book, "WITHDRAW", "2024-02-09") is None
    assert state(book, "WITHDRAW", "2024-02-09", known_at=4) == OPEN


# OBL-REVIEW


@pytest.mark.parametrize(("on_list", "due"), [("ADVERSE", "2023-01-10"), ("DISHONESTY", "2025-01-09")])
def test_an_entry_is_reviewed_after_the_period_of_its_list(on_list: str, due: str) -> None:
    book = enterprise(listed("2022-01-10", list=on_list, authority="MIIT"))
    assert owed(book, "REVIEW", "2022-01-10") == [
        Obligation("OBL-REVIEW", A, "MIIT", d(due), ObligationState.OPEN, None, 2)
    ]
    assert state(book, "REVIEW", due) == OPEN
    assert owed(book, "REVIEW", "2022-01-09") == []


def test_a_review_is_overdue_the_day_after_and_the_entry_stays() -> None:
    book = enterprise(listed("2022-01-10"))
    assert (state(book, "REVIEW", "2023-01-11"), state(book, "REVIEW", "2030-01-01")) == (OVERDUE, OVERDUE)


@pytest.mark.parametrize(("on", "expected"), [("2023-01-10", MET), ("2023-01-11", MET_LATE)])
def test_removal_meets_the_review(on: str, expected: str) -> None:
    book = enterprise(listed("2022-01-10"), unlisted(on))
    assert said(owed(book, "REVIEW", "2024-01-01")) == [f"2023-01-10 {expected} {on}"]
    assert state(book, "REVIEW", "2022-12-31") == OPEN


def test_of_two_removals_the_first_by_date_counts() -> None:
    book = enterprise(listed("2022-01-10"), unlisted("2023-03-01"), unlisted("2023-01-05"))
    assert said(owed(book, "REVIEW", "2024-01-01")) == ["2023-01-10 MET 2023-01-05"]


def test_every_later_penalty_restarts_the_period_from_its_own_day_on() -> None:
    book = enterprise(listed("2022-01-10"), punished("2022-06-01", kinds=["OTHER"]), punished("2022-09-01", **second()))
    due = [said(owed(book, "REVIEW", on)) for on in ("2022-05-31", "2022-06-01", "2022-08-31", "2022-09-01")]
    assert due == [["2023-01-10 OPEN"], ["2023-06-01 OPEN"], ["2023-06-01 OPEN"], ["2023-09-01 OPEN"]]


def test_a_penalty_dated_before_the_entry_restarts_nothing_even_when_filed_after_it() -> None:
    before = enterprise(punished("2022-01-09"), listed("2022-01-10"))
    assert said(owed(before, "REVIEW", "2022-02-01")) == ["2023-01-10 OPEN"]
    filed_late = enterprise(listed("2022-01-10"), punished("2022-01-09"))
    assert said(owed(filed_late, "REVIEW", "2022-02-01")) == ["2023-01-10 OPEN"]


def test_an_annulled_penalty_no_longer_restarts_the_period() -> None:
    book = enterprise(
        listed("2022-01-10"),
        punished("2022-06-01"),
        punished("2022-09-01", **second()),
        penalty("Annulled", "2022-10-01", **second()),
        penalty("Annulled", "2022-11-01"),
    )
    due = [said(owed(book, "REVIEW", on)) for on in ("2022-09-30", "2022-10-01", "2022-10-31", "2022-11-01")]
    assert due == [["2023-09-01 OPEN"], ["2023-06-01 OPEN"], ["2023-06-01 OPEN"], ["2023-01-10 OPEN"]]


def test_an_earlier_penalty_annulled_first_comes_back_no_more() -> None:
    book = enterprise(
        listed("2022-01-10"),
        punished("2022-06-01"),
        punished("2022-09-01", **second()),
        penalty("Annulled", "2022-10-01"),
        penalty("Annulled", "2022-11-01", **second()),
    )
    due = [said(owed(book, "REVIEW", on)) for on in ("2022-10-01", "2022-11-01")]
    assert due == [["2023-09-01 OPEN"], ["2023-01-10 OPEN"]]


def test_a_penalty_after_the_removal_restarts_nothing() -> None:
    book = enterprise(
        listed("2022-01-10"),
        punished("2022-06-01"),
        unlisted("2022-12-01"),
        punished("2022-12-01", **second()),
        punished("2023-01-01", documentNo="3"),
    )
    assert said(owed(book, "REVIEW", "2024-01-01")) == ["2023-06-01 MET 2022-12-01"]


def test_a_penalty_of_the_removals_day_recorded_before_it_restarts_the_period() -> None:
    book = enterprise(listed("2022-01-10"), punished("2023-01-20"), unlisted("2023-01-20"))
    assert said(owed(book, "REVIEW", "2023-01-19")) == ["2023-01-10 OVERDUE"]
    assert said(owed(book, "REVIEW", "2023-01-20")) == ["2024-01-20 MET 2023-01-20"]


def test_an_annulment_after_the_removal_can_make_it_late() -> None:
    book = enterprise(
        listed("2022-01-10"),
        punished("2022-06-01"),
        unlisted("2023-02-01"),
        penalty("Annulled", "2023-05-01"),
    )
    assert said(owed(book, "REVIEW", "2023-04-30")) == ["2023-06-01 MET 2023-02-01"]
    assert said(owed(book, "REVIEW", "2023-05-01")) == ["2023-01-10 MET_LATE 2023-02-01"]


def test_a_late_penalty_restarts_only_for_those_who_know_it() -> None:
    book = enterprise(listed("2022-01-10"), unlisted("2023-01-20"), punished("2022-06-01"), voided(4))
    assert said(owed(book, "REVIEW", "2024-01-01", known_at=3)) == ["2023-01-10 MET_LATE 2023-01-20"]
    assert said(owed(book, "REVIEW", "2024-01-01", known_at=4)) == ["2023-06-01 MET 2023-01-20"]
    assert said(owed(book, "REVIEW", "2024-01-01")) == ["2023-01-10 MET_LATE 2023-01-20"]


def test_each_entry_has_a_review_of_its_own_and_one_listed_again_begins_anew() -> None:
    book = enterprise(
        listed("2022-01-10"),
        unlisted("2022-03-01"),
        punished("2022-04-01"),
        listed("2022-05-01", entryId="E-2"),
        punished("2022-06-01", **second()),
    )
    rows = owed(book, "REVIEW", "2022-07-01")
    assert [(row.arises_from, row.due_on.isoformat(), row.state) for row in rows] == [
        (2, "2023-01-10", MET),
        (5, "2023-06-01", OPEN),
    ]


def test_a_voided_entry_has_no_review() -> None:
    assert owed(enterprise(listed("2022-01-10"), voided(2)), "REVIEW", "2022-02-01") == []


def with_periods(adverse: int, dishonesty: int) -> Rulebook:
    """The rulebook and one more version, in force from 2027-01-01, with other review periods."""
    last = RULEBOOK.versions[-1]
    parameters: Parameters = replace(last.parameters, adverse_review_days=adverse, dishonesty_review_days=dishonesty)
    return RULEBOOK.with_version(replace(last, version="2027.1", in_force_from=date(2027, 1, 1), parameters=parameters))


def test_the_period_is_that_of_the_version_in_force_on_d() -> None:
    book, rulebook = enterprise(listed("2026-05-01")), with_periods(100, 1095)
    assert said(owed(book, "REVIEW", "2026-12-31", rulebook=rulebook)) == ["2027-05-01 OPEN"]
    assert said(owed(book, "REVIEW", "2027-01-01", rulebook=rulebook)) == ["2026-08-09 OVERDUE"]
    dishonesty = enterprise(listed("2026-05-01", list="DISHONESTY"))
    assert said(owed(dishonesty, "REVIEW", "2027-01-01", rulebook=rulebook)) == ["2029-04-30 OPEN"]


def test_a_version_that_changes_the_period_is_a_step_of_the_duty_and_one_that_does_not_is_none() -> None:
    facts = enterprise(listed("2019-05-01")).enterprise()
    assert duties(facts, A, HEAD)[0].steps == (Step(d("2019-05-01"), d("2020-04-30")),)
    assert duties(facts, A, HEAD, with_periods(100, 1))[0].steps == (
        Step(d("2019-05-01"), d("2020-04-30")),
        Step(d("2027-01-01"), d("2019-08-09")),
    )


# OBL-FOLLOW


def test_violations_found_are_followed_up_in_90_days() -> None:
    book = enterprise(inspected("2022-01-01"))
    assert owed(book, "FOLLOW", "2022-01-01") == [
        Obligation("OBL-FOLLOW", A, "CA-11", date(2022, 4, 1), ObligationState.OPEN, None, 2)
    ]
    assert (state(book, "FOLLOW", "2022-04-01"), state(book, "FOLLOW", "2022-04-02")) == (OPEN, OVERDUE)


def test_an_inspection_without_violations_calls_for_nothing() -> None:
    assert owed(enterprise(inspected("2022-01-01", violations=[])), "FOLLOW", "2022-02-01") == []


@pytest.mark.parametrize("follow_up", [ordered, interviewed, exposed, punished])
@pytest.mark.parametrize(("on", "expected"), [("2022-04-01", MET), ("2022-04-02", MET_LATE)])
def test_what_names_the_inspection_meets_it(follow_up: Any, on: str, expected: str) -> None:
    book = enterprise(inspected("2022-01-01"), follow_up(on, inspectionId="I-1"))
    assert said(owed(book, "FOLLOW", "2022-05-01")) == [f"2022-04-01 {expected} {on}"]
    unnamed = enterprise(inspected("2022-01-01"), follow_up(on))
    assert state(unnamed, "FOLLOW", "2022-05-01") == OVERDUE


def test_the_first_follow_up_of_any_type_counts() -> None:
    book = enterprise(
        inspected("2022-01-01"),
        punished("2022-05-01", inspectionId="I-1"),
        interviewed("2022-03-01", inspectionId="I-1"),
    )
    assert said(owed(book, "FOLLOW", "2022-06-01")) == ["2022-04-01 MET 2022-03-01"]


def test_a_follow_up_that_was_annulled_later_has_met_it_and_one_that_was_voided_has_not() -> None:
    book = enterprise(
        inspected("2022-01-01"), punished("2022-02-01", inspectionId="I-1"), penalty("Annulled", "2022-03-01")
    )
    assert said(owed(book, "FOLLOW", "2022-06-01")) == ["2022-04-01 MET 2022-02-01"]
    book.add(voided(3))
    assert state(book, "FOLLOW", "2022-06-01") == OVERDUE
