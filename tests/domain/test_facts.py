"""The bitemporal fold: what is visible at (D, P), whatever the order of dates (§1)."""

from datetime import timedelta
from itertools import permutations

from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.commands import Known
from domain.events import (
    EVENTS,
    EnterpriseRegistered,
    EnterpriseRenamed,
    Event,
    EventVoided,
    InterviewHeld,
    SiteInspected,
)
from domain.facts import HEAD, Fact, Facts, Moment, fold
from domain.recorded import Recorded
from given import (
    A,
    access_granted,
    accessed,
    complained,
    d,
    filed,
    given,
    interviewed,
    listed,
    registered,
    renamed,
    resolved,
    site_inspected,
    voided,
)

DAY = d("2020-01-01")
KINDS = {"renamed": renamed, "interviewed": interviewed, "siteInspected": site_inspected}


def voids(history: list[Recorded]) -> dict[int, int]:
    """Which position was voided by which."""
    return {one.event.position: one.position for one in history if isinstance(one.event, EventVoided)}


def seen(history: list[Recorded], cls: type[Event], at: Moment) -> list[int]:
    """§1 read literally over the whole history: the visible events of a type, by (effectiveOn, position)."""
    voided_by = voids(history)
    visible = [
        one
        for one in history
        if one.effective_on <= at.on
        and one.position <= at.known_at
        and not voided_by.get(one.position, HEAD + 1) <= at.known_at
        and type(one.event) is cls
    ]
    return [one.position for one in sorted(visible, key=lambda one: (one.effective_on, one.position))]


def positions(facts: list[Fact[Event]]) -> list[int]:
    return [fact.position for fact in facts]


def agrees_everywhere(history: list[Recorded]) -> None:
    facts = fold(history)
    days = {one.effective_on for one in history}
    dates = {day + timedelta(days=n) for day in days for n in (-1, 0, 1)}
    for on in dates:
        for known_at in (*range(len(history) + 2), HEAD):
            for cls in {type(one.event) for one in history}:
                at = Moment(on, known_at)
                assert positions(facts.visible(cls, at)) == seen(history, cls, at)


# ── visible ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_is_visible_from_its_date_and_its_position_on() -> None:
    facts = given(registered("2020-01-02"), renamed("2020-01-02")).enterprise()
    assert positions(facts.visible(EnterpriseRenamed, Moment(d("2020-01-01")))) == []
    assert positions(facts.visible(EnterpriseRenamed, Moment(d("2020-01-02")))) == [2]
    assert positions(facts.visible(EnterpriseRenamed, Moment(d("2020-01-02"), 1))) == []
    assert positions(facts.visible(EnterpriseRenamed, Moment(d("2020-01-02"), 2))) == [2]


def test_every_order_of_dates_is_read_alike() -> None:
    for dates in permutations(["2020-01-01", "2020-01-02", "2020-01-02", "2021-05-05"]):
        agrees_everywhere(given(registered(), *map(interviewed, dates)).history)


@for_all(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 5)),
            st.tuples(st.integers(1, 12), st.integers(0, 5)),
        ),
        max_size=12,
    )
)
def test_the_fold_says_what_a_reading_of_the_whole_history_says(steps: list[tuple[str | int, int]]) -> None:
    book = given(registered("2019-12-01"))
    for what, days in steps:
        on = (DAY + timedelta(days=days)).isoformat()
        if isinstance(what, str):
            fact = KINDS[what](on)
            verdict = book.when(*fact)
        else:
            verdict = book.when(*voided(what, on))
        if not verdict.refusals:
            verdict.then_recorded()
    agrees_everywhere(book.history)


def test_later_means_greater_by_date_and_then_by_position() -> None:
    facts = given(
        registered(),
        interviewed("2020-03-01"),
        interviewed("2020-01-01"),
        interviewed("2020-03-01"),
        interviewed("2020-02-01"),
    ).enterprise()
    assert positions(facts.visible(InterviewHeld, Moment(d("2021-01-01")))) == [3, 5, 2, 4]
    latest = facts.latest(Moment(d("2021-01-01")), InterviewHeld)
    assert latest is not None
    assert latest.position == 4


def test_the_latest_of_several_types_is_the_last_of_all() -> None:
    facts = given(registered(), renamed("2020-01-02"), interviewed("2020-01-01")).enterprise()
    at = Moment(d("2020-12-31"))
    types: tuple[type[Event], ...] = (EnterpriseRegistered, EnterpriseRenamed, InterviewHeld)
    latest = facts.latest(at, *types)
    assert latest is not None
    assert latest.position == 2
    assert facts.latest(at, SiteInspected) is None
    assert facts.latest(Moment(d("2016-01-01")), *types) is None


# ── voids ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_void_takes_out_exactly_its_event() -> None:
    for taken in (2, 3, 4, 5):
        same_day = [
            interviewed("2020-01-01"),
            interviewed("2020-01-01"),
            renamed("2020-01-01"),
            interviewed("2019-01-01"),
        ]
        facts = given(registered(), *same_day, voided(taken)).enterprise()
        at = Moment(d("2026-12-31"))
        left = positions([*facts.visible(InterviewHeld, at), *facts.visible(EnterpriseRenamed, at)])
        assert sorted(left) == [position for position in (2, 3, 4, 5) if position != taken]


def test_a_void_acts_from_its_own_position_on_and_for_every_date() -> None:
    facts = given(registered("2020-01-01"), renamed("2020-01-01"), voided(2, "2027-01-01"), interviewed()).enterprise()
    for on in ("2020-01-01", "2026-12-31", "2027-01-01", "2030-01-01"):
        assert positions(facts.visible(EnterpriseRenamed, Moment(d(on), 2))) == [2]
        assert positions(facts.visible(EnterpriseRenamed, Moment(d(on), 3))) == []
        assert positions(facts.visible(EnterpriseRenamed, Moment(d(on)))) == []


def test_a_voided_event_was_ever_there_but_does_not_stand() -> None:
    facts = given(registered(), renamed(), renamed(), voided(2)).enterprise()
    assert positions(facts.ever(EnterpriseRenamed)) == [2, 3]
    assert positions(facts.standing(EnterpriseRenamed)) == [3]
    voided_fact = facts.at_position(2)
    assert voided_fact is not None
    assert voided_fact.voided_by == 4
    assert facts.at_position(9) is None


def test_a_void_folds_where_its_event_does_not() -> None:
    """A tag may have the void's own tag only, and never its event."""
    [*_, void] = given(registered(), renamed(), voided(2)).history
    facts = fold([void])
    assert positions(facts.ever(EventVoided)) == [3]
    assert facts.at_position(2) is None


def test_a_void_of_a_future_event_takes_it_out_before_its_date_comes() -> None:
    facts = given(registered(), renamed("2027-01-01"), voided(2)).enterprise()
    assert facts.visible(EnterpriseRenamed, Moment(d("2028-01-01"))) == []
    assert positions(facts.visible(EnterpriseRenamed, Moment(d("2028-01-01"), 2))) == [2]


# ── the state itself ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fact_keeps_what_the_ledger_said_of_it() -> None:
    [fact] = given(registered("2017-01-01")).enterprise().ever(EnterpriseRegistered)
    assert (fact.effective_on, fact.position, fact.uscc) == (d("2017-01-01"), 1, A)
    assert (fact.historical, fact.voided_by) == (False, None)
    assert type(fact.event) is EVENTS["EnterpriseRegistered"]


def test_a_fold_knows_its_size_its_last_position_and_its_order() -> None:
    facts = given(registered(), interviewed("2019-01-01"), interviewed("2018-01-01"), voided(2)).enterprise()
    assert (facts.size, facts.position) == (4, 4)
    assert [fact.position for fact in facts.all()] == [1, 2, 3, 4]
    assert (Facts().size, Facts().position, list(Facts().all())) == (0, 0, [])


def test_what_is_folded_into_a_copy_does_not_touch_the_original() -> None:
    book = given(registered(), renamed("2020-01-01"))
    original = book.enterprise()
    before, copied = list(original.all()), original.copy()
    book.add(interviewed("2019-01-01"))
    book.add(voided(2))
    for recorded in book.history[2:]:
        copied.evolve(recorded)
    assert list(original.all()) == before
    assert (original.size, original.position) == (2, 2)
    assert original.at_position(2) == before[1]
    assert list(copied.all()) == list(book.enterprise().all())
    before_in_copy = list(copied.all())
    original.evolve(given(registered(), renamed(), site_inspected()).history[2])
    assert list(copied.all()) == before_in_copy


def test_what_a_request_adds_to_the_known_does_not_touch_the_folds_that_it_was_given() -> None:
    book = given(registered())
    fold_before = book.enterprise()
    known = Known(1, {f"enterprise:{A}": fold_before})
    for recorded in given(registered(), renamed(), interviewed()).history[1:]:
        assert known.next_position == recorded.position
        known.evolve(recorded)
    assert fold_before.size == 1
    assert known.streams[f"enterprise:{A}"].size == 3
    assert known.events.keys() == {2, 3}


def test_a_decision_reads_the_tags_that_it_needs_and_no_more() -> None:
    book = given(registered(), complained())
    for fact, tags in (
        (renamed(), {f"enterprise:{A}"}),
        (filed(number="950123"), {f"enterprise:{A}", "number:950123"}),
        (resolved(), {"complaint:C-1"}),
        (complained(complaintId="C-2", displayedNumber="9501234"), {"complaint:C-2", "number:950123", "number:95012"}),
        (complained(complaintId="C-2", uscc=A), {"complaint:C-2"}),
        (voided(2), {"void:2"}),
        (listed(basis=[1, 2]), {f"enterprise:{A}", "entry:E-1", "void:1", "void:2"}),
        (accessed(), {f"enterprise:{A}", "access:A-1"}),
    ):
        known = book.when(*fact).known
        assert known is not None
        assert set(known.streams) == tags


def test_a_live_fact_reads_its_decision_and_what_the_rules_of_its_gate_read() -> None:
    known = given(registered()).when(*access_granted("2026-06-01", decisionId="D-1")).known
    assert known is not None
    days = {f"complaints:{A}:{d('2026-06-01') - timedelta(days=n)}" for n in range(30)}
    assert set(known.streams) == {f"enterprise:{A}", "access:A-1", "decision:D-1", "number:95012", *days}
