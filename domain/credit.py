"""Credit status (rulebook §4): what an enterprise's standing is at (D, P), why, and over all dates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from domain.events import (
    EnterpriseRegistered,
    Event,
    ExposurePublished,
    ExposureRetracted,
    InterviewHeld,
    ListEntryMade,
    ListEntryRemoved,
    PenaltyAnnulled,
    PenaltyImposed,
    RectificationConfirmed,
    RectificationOrdered,
)
from domain.facts import Fact, Facts, Moment
from domain.register import (
    active_entries,
    entries,
    is_registered,
    orders,
    penalty_key,
    standing_exposures,
    standing_interviews,
    standing_penalties,
)
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import Cause, CreditList, CreditStatus

READ: Final[tuple[type[Event], ...]] = (
    EnterpriseRegistered,
    InterviewHeld,
    ExposurePublished,
    ExposureRetracted,
    PenaltyImposed,
    PenaltyAnnulled,
    ListEntryMade,
    ListEntryRemoved,
    RectificationOrdered,
    RectificationConfirmed,
)
"""The events that a status is made from; no other can change it."""


class Reason(NamedTuple):
    """A rule of §4 that the status rests on, with the positions of its events, ascending."""

    rule: str
    positions: tuple[int, ...]


class Span(NamedTuple):
    """A status from a date (None: from the beginning) until the next span begins."""

    begins: date | None
    status: CreditStatus


@dataclass(frozen=True, slots=True)
class Credit:
    status: CreditStatus
    reasons: tuple[Reason, ...] = ()


def is_in_days_to(on: date, days: int, effective_on: date) -> bool:
    """“In the n days to D” (§1)."""
    return 0 <= (on - effective_on).days < days


def signals(facts: Facts, at: Moment, signal_days: int) -> tuple[int, ...]:
    """Positions of the standing interviews, exposures and penalties for harassing calls in the days to D."""
    standing: list[Fact[InterviewHeld | ExposurePublished | PenaltyImposed]] = [
        *standing_interviews(facts, at),
        *standing_exposures(facts, at),
        *standing_penalties(facts, at),
    ]
    return tuple(
        sorted(
            fact.position
            for fact in standing
            if fact.event.because_of is Cause.HARASSING_CALLS and is_in_days_to(at.on, signal_days, fact.effective_on)
        )
    )


def credit(facts: Facts, at: Moment, rulebook: Rulebook = RULEBOOK) -> Credit:
    """The first status of §4 that applies, with the reasons of that status only."""
    if not is_registered(facts, at):
        return Credit(CreditStatus.UNKNOWN)
    for on_list, status, rule in (
        (CreditList.DISHONESTY, CreditStatus.DISHONEST, "CST-1"),
        (CreditList.ADVERSE, CreditStatus.ADVERSE, "CST-2"),
    ):
        if active := active_entries(facts, at, on_list):
            return Credit(status, (Reason(rule, _positions(entry.made.position for entry in active)),))
    reasons = (
        Reason("CST-3", signals(facts, at, rulebook.in_force_on(at.on).parameters.signal_days)),
        Reason("CST-4", _positions(o.ordered.position for o in orders(facts, at) if o.is_overdue(at.on))),
    )
    fired = tuple(reason for reason in reasons if reason.positions)
    return Credit(CreditStatus.WATCH if fired else CreditStatus.GOOD, fired)


def _positions(found: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(found))


def timeline(facts: Facts, known_at: int, rulebook: Rulebook = RULEBOOK) -> tuple[Span, ...]:
    """The status over all dates as known at P: begins with UNKNOWN from None, neighbours differ.

    One sweep over the days on which something begins or ends to weigh, so its cost is that of sorting them.
    """
    changes: list[tuple[date, int, int]] = []
    for status, begins, ends in _weights(facts, Moment(date.max, known_at), rulebook):
        if ends is None or begins < ends:
            changes.append((begins, status, 1))
            if ends is not None:
                changes.append((ends, status, -1))
    changes.sort()
    weight = [0] * len(_ORDER)
    spans = [Span(None, CreditStatus.UNKNOWN)]
    for place, (day, status, change) in enumerate(changes, 1):
        weight[status] += change
        if place == len(changes) or changes[place][0] != day:
            heaviest = _heaviest(weight)
            if heaviest is not spans[-1].status:
                spans.append(Span(day, heaviest))
    return tuple(spans)


_ORDER: Final = (CreditStatus.DISHONEST, CreditStatus.ADVERSE, CreditStatus.WATCH, CreditStatus.GOOD)
"""The first of them that applies is the status (§4), where GOOD stands for being registered."""
_DISHONEST, _ADVERSE, _WATCH, _GOOD = range(len(_ORDER))


def _heaviest(weight: list[int]) -> CreditStatus:
    if not weight[_GOOD]:
        return CreditStatus.UNKNOWN
    return next(status for status, number in zip(_ORDER, weight, strict=True) if number)


def _weights(facts: Facts, at: Moment, rulebook: Rulebook) -> Iterator[tuple[int, date, date | None]]:
    """What bears on the status, by its place in the order, each with the day it begins and the day it has ended (None: it lasts)."""
    for registered in facts.visible(EnterpriseRegistered, at):
        yield _GOOD, registered.effective_on, None
    for entry in entries(facts, at):
        listed = _DISHONEST if entry.made.event.list is CreditList.DISHONESTY else _ADVERSE
        yield listed, entry.made.effective_on, entry.removed.effective_on if entry.removed else None
    for order in orders(facts, at):
        if order.ordered.event.due_on < date.max:
            overdue = max(order.ordered.effective_on, order.ordered.event.due_on + timedelta(days=1))
            yield _WATCH, overdue, order.confirmed.effective_on if order.confirmed else None
    # Those of one day weigh no more than one: an enterprise that is called in again and again has many.
    for begins, taken_back in set(_signals_ever(facts, at)):
        for lasts_from, lasts_to in _windows(begins, rulebook):
            ends = lasts_to if taken_back is None else min(lasts_to, taken_back)
            yield _WATCH, lasts_from, ends


def _signals_ever(facts: Facts, at: Moment) -> Iterator[tuple[date, date | None]]:
    """Every signal of whatever date, with the day from which it no longer stands."""
    annulled: dict[tuple[str, str], date] = {}
    for annulment in facts.visible(PenaltyAnnulled, at):
        annulled.setdefault(penalty_key(annulment.event), annulment.effective_on)
    retracted: dict[str, date] = {}
    for retraction in facts.visible(ExposureRetracted, at):
        retracted.setdefault(retraction.event.exposure_id, retraction.effective_on)
    harassing = Cause.HARASSING_CALLS
    for interview in facts.visible(InterviewHeld, at):
        if interview.event.because_of is harassing:
            yield interview.effective_on, None
    for exposure in facts.visible(ExposurePublished, at):
        if exposure.event.because_of is harassing:
            yield exposure.effective_on, retracted.get(exposure.event.exposure_id)
    for penalty in facts.visible(PenaltyImposed, at):
        if penalty.event.because_of is harassing:
            yield penalty.effective_on, annulled.get(penalty_key(penalty.event))


def _windows(begins: date, rulebook: Rulebook) -> Iterator[tuple[date, date]]:
    """When a signal counts: the days of each version that lie in that version's signalDays after it."""
    versions = rulebook.versions
    for place, version in enumerate(versions):
        governs_from = version.in_force_from if place else date.min
        governs_to = versions[place + 1].in_force_from if place + 1 < len(versions) else date.max
        lapses = begins + timedelta(days=version.parameters.signal_days)
        yield max(begins, governs_from), min(lapses, governs_to)


def status_at(spans: tuple[Span, ...], on: date) -> CreditStatus:
    """The status that a timeline gives for a date."""
    return next(span.status for span in reversed(spans) if span.begins is None or span.begins <= on)
