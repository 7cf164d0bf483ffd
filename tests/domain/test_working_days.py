from datetime import date, timedelta

import pytest

from domain.working_days import working_day_after


def days_after(day: date, count: int) -> list[str]:
    return [working_day_after(day, n).isoformat() for n in range(1, count + 1)]


def test_a_weekend_is_no_working_time() -> None:
    assert days_after(date(2026, 3, 5), 3) == ["2026-03-06", "2026-03-09", "2026-03-10"]


def test_the_day_itself_is_not_counted() -> None:
    assert working_day_after(date(2026, 3, 9), 1) == date(2026, 3, 10)


def test_a_count_from_a_day_of_rest_begins_with_the_next_working_day() -> None:
    assert working_day_after(date(2026, 3, 7), 1) == date(2026, 3, 9)


def test_the_spring_festival_of_2024_rests_from_the_10th_to_the_17th_and_makes_up_on_two_sundays() -> None:
    assert days_after(date(2024, 2, 2), 8) == [
        "2024-02-04",
        "2024-02-05",
        "2024-02-06",
        "2024-02-07",
        "2024-02-08",
        "2024-02-09",
        "2024-02-18",
        "2024-02-19",
    ]


def test_saturday_14_february_2026_is_worked_before_the_festival_and_saturday_the_28th_after_it() -> None:
    assert days_after(date(2026, 2, 12), 7) == [
        "2026-02-13",
        "2026-02-14",
        "2026-02-24",
        "2026-02-25",
        "2026-02-26",
        "2026-02-27",
        "2026-02-28",
    ]


def test_the_longer_holiday_of_2020_counts_as_it_was_extended() -> None:
    assert working_day_after(date(2020, 1, 23), 1) == date(2020, 2, 3)


def test_a_count_runs_on_into_the_next_year() -> None:
    assert days_after(date(2025, 12, 30), 4) == ["2025-12-31", "2026-01-04", "2026-01-05", "2026-01-06"]


def test_a_year_without_a_calendar_works_monday_to_friday_but_for_new_year() -> None:
    # 1 January 2027 is a Friday, 6 February 2027 (New Year by the lunar calendar) a Saturday.
    assert days_after(date(2026, 12, 30), 4) == ["2026-12-31", "2027-01-04", "2027-01-05", "2027-01-06"]
    assert days_after(date(2027, 2, 4), 3) == ["2027-02-05", "2027-02-08", "2027-02-09"]
    assert working_day_after(date(2027, 9, 30), 1) == date(2027, 10, 1)


def test_a_year_before_the_first_calendar_is_counted_the_same_way() -> None:
    assert days_after(date(1999, 12, 30), 2) == ["1999-12-31", "2000-01-03"]
    assert working_day_after(date(2003, 10, 3), 1) == date(2003, 10, 6)


def test_a_leap_day_is_a_day() -> None:
    assert working_day_after(date(2028, 2, 28), 1) == date(2028, 2, 29)


def test_every_count_is_the_first_working_day_after_the_one_before_it() -> None:
    start = date(2023, 9, 1)
    for offset in range(0, 1200, 37):
        day = start + timedelta(days=offset)
        for count in range(2, 40, 6):
            assert working_day_after(day, count) == working_day_after(working_day_after(day, count - 1), 1)


def test_a_long_count_passes_whole_years() -> None:
    # 2027 has 261 Mondays to Fridays, 1 January among them: 260 working days.
    assert working_day_after(date(2026, 12, 31), 260) == date(2027, 12, 31)
    assert working_day_after(date(2026, 12, 31), 261) == date(2028, 1, 3)


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"got {count}; must be at least 1"):
        working_day_after(date(2026, 3, 9), count)


def test_there_is_no_working_day_after_the_last_of_9999() -> None:
    assert working_day_after(date(9999, 12, 30), 1) == date(9999, 12, 31)
    with pytest.raises(ValueError, match="year"):
        working_day_after(date(9999, 12, 31), 1)
