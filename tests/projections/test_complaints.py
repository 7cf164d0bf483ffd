"""Complaint counts (§8) against a count that reads every event: by day, as of any day, whatever the order of dates."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random

import pytest

from domain.events import ComplaintReceived, ComplaintResolved, EventVoided
from domain.recorded import Recorded
from domain.vocabulary import ComplaintOutcome
from given import B, Stated, complained, filed, registered, resolved, voided, withdrawn
from projections.complaints import Day, Settled, shares
from projections.reads import Reads
from running import ADOPTED, System, code

USCCS = (code(1), code(2), code(3))
NUMBERS = ("95012", "950123", "96345")
Counts = dict[tuple[str, date], tuple[int, int]]


def naive(log: Iterable[Recorded], today: date) -> Counts:
    """Received and substantiated by enterprise and day of receipt: the definition, read from the events alone."""
    log = list(log)
    void = {one.event.position for one in log if isinstance(one.event, EventVoided)}
    visible = [one for one in log if one.position not in void and one.effective_on <= today]
    last: dict[str, ComplaintOutcome] = {}
    for one in sorted(visible, key=lambda one: (one.effective_on, one.position)):
        if isinstance(one.event, ComplaintResolved):
            last[one.event.complaint_id] = one.event.outcome
    received: Counter[tuple[str, date]] = Counter()
    substantiated: Counter[tuple[str, date]] = Counter()
    for one in visible:
        if isinstance(one.event, ComplaintReceived) and one.uscc:
            day = one.uscc, one.effective_on
            received[day] += 1
            substantiated[day] += last.get(one.event.complaint_id) is ComplaintOutcome.SUBSTANTIATED
    return {day: (count, substantiated[day]) for day, count in received.items()}


def counted(system: System, today: date) -> Counts:
    """What the read model answers for all days."""
    found = Reads(system.pool).complaint_counts((*USCCS, B), date(1949, 1, 1), date.max, today)
    return {(uscc, day.on): (day.received, day.substantiated) for uscc, days in found.items() for day in days}


def day(n: int) -> str:
    return str(date(2020, 1, 1) + timedelta(days=n))


def facts(system: System, random: Random, number: int) -> list[Stated]:
    """A fact about some complaint, or a void of any event."""
    what = random.randrange(10)
    on = (
        str(system.ledger.today + timedelta(days=random.randrange(366)))
        if random.randrange(4) == 0
        else day(random.randrange(5))
    )
    if what < 4:
        shown, belongs = random.choice((*NUMBERS, "9501234", "1")), random.choice((None, None, *USCCS))
        return [complained(on, complaintId=f"C-{number}", displayedNumber=shown, uscc=belongs)]
    if what < 9:
        outcome = random.choice(list(ComplaintOutcome))
        return [resolved(on, complaintId=f"C-{random.randrange(number + 1)}", outcome=outcome.value)]
    return [voided(random.randrange(ADOPTED + 8, system.head + 1), on)]


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_those_of_the_events_whatever_happened(system: System, seed: int) -> None:
    random = Random(seed)  # a history for a test
    system.record(*(registered(uscc=uscc) for uscc in USCCS))
    system.record(*(filed(uscc=uscc, number=number) for uscc, number in zip(USCCS, NUMBERS, strict=True)))
    system.record(withdrawn("2020-01-02", uscc=USCCS[1], number=NUMBERS[1]))
    recorded = 0
    for number in range(250):
        made = system.ledger.record(system.callers["miit"], f"c-{number}", facts(system, random, number))
        recorded += len(made.events)
        if number % 50 == 49:
            system.settle()
            log = system.log()
            for days in (-2_345, -2_340, 0, 30, 100, 200, 366):
                today = system.ledger.today + timedelta(days=days)
                assert counted(system, today) == naive(log, today), (seed, number, today)
    assert recorded > 100
    assert len(naive(system.log(), date.max)) > 20


def outcomes(*turns: tuple[int, str]) -> list[Stated]:
    """Resolutions of the complaint C-1 on days of January 2020."""
    return [resolved(day(n), outcome=outcome) for n, outcome in turns]


@pytest.mark.parametrize(
    ("turns", "substantiated"),
    [
        ([(2, "SUBSTANTIATED")], 1),
        ([(2, "UNSUBSTANTIATED")], 0),
        ([(2, "SUBSTANTIATED"), (3, "WITHDRAWN")], 0),
        ([(3, "WITHDRAWN"), (2, "SUBSTANTIATED")], 0),
        ([(2, "UNSUBSTANTIATED"), (3, "SUBSTANTIATED")], 1),
        ([(2, "SUBSTANTIATED"), (2, "WITHDRAWN")], 0),
        ([(2, "WITHDRAWN"), (2, "SUBSTANTIATED")], 1),
        ([(2, "SUBSTANTIATED"), (3, "SUBSTANTIATED")], 1),
        ([(2, "SUBSTANTIATED"), (3, "WITHDRAWN"), (4, "SUBSTANTIATED")], 1),
    ],
)
def test_the_last_resolution_by_date_then_position_counts(
    system: System, turns: list[tuple[int, str]], substantiated: int
) -> None:
    system.known(registered(uscc=B), complained(day(1), uscc=B), *outcomes(*turns))
    assert counted(system, system.ledger.today) == {(B, date(2020, 1, 2)): (1, substantiated)}


def test_a_void_takes_a_complaint_or_a_resolution_out_of_the_counts(system: System) -> None:
    received, last = date(2020, 1, 2), ADOPTED + 5
    system.known(registered(uscc=B), complained(day(1), uscc=B), complained(day(1), uscc=B, complaintId="C-2"))
    system.known(resolved(day(2)), resolved(day(3), outcome="WITHDRAWN"))
    today = system.ledger.today
    assert counted(system, today) == {(B, received): (2, 0)}
    system.known(voided(last))
    assert counted(system, today) == {(B, received): (2, 1)}
    system.known(voided(ADOPTED + 2))
    assert counted(system, today) == {(B, received): (1, 0)}
    system.known(voided(ADOPTED + 3))
    assert counted(system, today) == {}
    with system.pool.connection() as database:
        assert database.execute("SELECT * FROM complaint_days").fetchall() == []


def test_what_takes_effect_in_the_future_counts_from_then_on(system: System) -> None:
    today = system.ledger.today
    later, last = today + timedelta(days=10), today + timedelta(days=20)
    system.known(registered(uscc=B), complained(str(later), uscc=B), resolved(str(last)))
    assert counted(system, today) == {}
    assert counted(system, later - timedelta(days=1)) == {}
    assert counted(system, later) == {(B, later): (1, 0)}
    assert counted(system, last - timedelta(days=1)) == {(B, later): (1, 0)}
    assert counted(system, last) == {(B, later): (1, 1)}


def test_a_complaint_stays_with_the_enterprise_that_had_its_number_on_the_day_of_the_call(system: System) -> None:
    first, second, _ = USCCS
    system.known(
        registered(uscc=first),
        registered(uscc=second),
        filed(uscc=first),
        withdrawn("2020-02-01", uscc=first),
        filed("2020-02-01", uscc=second),
        complained(day(1), calledAt="2020-01-31T15:59:59Z"),
        complained(day(1), complaintId="C-2", calledAt="2020-01-31T16:00:00Z"),
        complained(day(1), complaintId="C-3", displayedNumber="96345"),
        resolved(day(2), complaintId="C-2"),
    )
    system.known(voided(ADOPTED + 3))
    assert counted(system, system.ledger.today) == {
        (first, date(2020, 1, 2)): (1, 0),
        (second, date(2020, 1, 2)): (1, 1),
    }


def test_a_complaint_adds_a_change_for_each_turn_of_its_resolution() -> None:
    received = Day(B, date(2020, 1, 2), date(2020, 1, 2))
    turns = [Settled(date(2020, 1, n), n, substantiated) for n, substantiated in ((3, True), (4, True), (5, False))]
    assert shares(received, turns) == {
        received: (1, 0),
        received._replace(visible_from=date(2020, 1, 3)): (0, 1),
        received._replace(visible_from=date(2020, 1, 5)): (0, -1),
    }


def test_turns_of_one_day_are_one_change() -> None:
    received = Day(B, date(2020, 1, 2), date(2020, 1, 2))
    assert shares(received, [Settled(date(2020, 1, 2), 7, True)]) == {received: (1, 1)}
    same_day = [Settled(date(2020, 1, 3), 7, True), Settled(date(2020, 1, 3), 8, False)]
    assert {change for day_, change in shares(received, same_day).items() if day_ != received} <= {(0, 0)}
