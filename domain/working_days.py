"""Working days of mainland China: Monday to Friday without public holidays, and the make-up days before and after them.

The State Council's yearly notices are taken from the package `chinese_calendar`. A year that it does not have is counted
Monday to Friday except 1 January (rulebook §6).
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache

import chinese_calendar  # type: ignore[import-untyped]  # the package ships no types


def working_day_after(day: date, count: int) -> date:
    """The `count`-th working day after a day; the day itself is not counted.

    Raises ValueError if count is below 1, or if the day sought lies beyond the year 9999.
    """
    if count < 1:
        raise ValueError(f"count: got {count}; must be at least 1: the first working day after {day} is 1")
    year = day.year
    wanted = bisect_right(_working_days(year), day) + count - 1
    while wanted >= len(_working_days(year)):
        wanted -= len(_working_days(year))
        year += 1
    return _working_days(year)[wanted]


@cache
def _working_days(year: int) -> tuple[date, ...]:
    first = date(year, 1, 1)
    days = [first + timedelta(days=n) for n in range(365)]
    # The last day of the year is added by itself, since in 9999 there is no day after it.
    days += [date(year, 12, 31)] if days[-1] < date(year, 12, 31) else []
    try:
        return tuple(day for day in days if chinese_calendar.is_workday(day))
    except NotImplementedError:
        return tuple(day for day in days if day.weekday() < 5 and day != first)
