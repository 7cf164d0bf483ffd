"""What is owed (rulebook §6): every row of the table, its due day, and whether it is open, met or overdue.

What a row says changes with D on a few days only: the day on which it arises, is met, is counted anew, or ends. So all
of an enterprise's rows as known at P are computed once, as `Duty`: a step function of D that can be kept and read for
any D. Each type of event is read once and looked up by what its readers ask for; only OBL-REVIEW costs more, in
proportion to the penalties that fall within an entry's time on the list.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple, TypeVar

import msgspec

from domain.events import (
    AnnualReportDemanded,
    AnnualReportFiled,
    Event,
    ExposurePublished,
    InspectionHeld,
    InterviewHeld,
    LicenceAnnulled,
    LicenceCancelled,
    LicenceEnding,
    LicenceGranted,
    LicenceRenewed,
    LicenceRevoked,
    ListEntryMade,
    ListEntryRemoved,
    PenaltyAnnulled,
    PenaltyEvent,
    PenaltyImposed,
    PenaltyPublicised,
    RectificationConfirmed,
    RectificationOrdered,
    SelfReportFiled,
)
from domain.facts import Fact, Facts, Moment
from domain.register import Entry, entries, in_order, licences_in_force, orders
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import CreditList, ObligationState, PenaltyKind
from domain.working_days import working_day_after

E = TypeVar("E", bound=Event)
K = TypeVar("K")

LIST: Final = "OBL-LIST"
PUBLICITY: Final = "OBL-PUBLICITY"
WITHDRAW: Final = "OBL-WITHDRAW"
REVIEW: Final = "OBL-REVIEW"
RECTIFY: Final = "OBL-RECTIFY"
REPORT: Final = "OBL-REPORT"
FOLLOW: Final = "OBL-FOLLOW"
SELF: Final = "OBL-SELF"
RENEW: Final = "OBL-RENEW"


class Obligation(msgspec.Struct, frozen=True):
    """One row at (D, P); `met_on` is the legal date of what met it, `arises_from` a position."""

    rule: str
    uscc: str
    owed_by: str
    due_on: date
    state: ObligationState
    met_on: date | None
    arises_from: int


class Step(NamedTuple):
    """What a row says from a legal date until its next step begins; `due_on` None: the row is gone."""

    begins: date
    due_on: date | None
    met_on: date | None = None


class Duty(msgspec.Struct, frozen=True):
    """A row for every D, as known at one P.

    `steps` ascend and are at least one; before the first there is no row. `about` tells the rows of one event apart: for
    OBL-WITHDRAW it is the position of the entry, else `arises_from`. So (rule, arises_from, about) is unique.
    """

    rule: str
    uscc: str
    owed_by: str
    arises_from: int
    about: int
    steps: tuple[Step, ...]

    def on(self, day: date) -> Obligation | None:
        """The row on a legal date, or None where there is none."""
        place = bisect_right(self.steps, day, key=lambda step: step.begins)
        step = self.steps[place - 1] if place else None
        if step is None or step.due_on is None:
            return None
        state = state_on(day, step.due_on, step.met_on)
        return Obligation(self.rule, self.uscc, self.owed_by, step.due_on, state, step.met_on, self.arises_from)


def state_on(day: date, due_on: date, met_on: date | None) -> ObligationState:
    """The state of a row on a legal date; the due day itself is in time."""
    if met_on is not None:
        return ObligationState.MET if met_on <= due_on else ObligationState.MET_LATE
    return ObligationState.OVERDUE if day > due_on else ObligationState.OPEN


def obligations(facts: Facts, uscc: str, at: Moment, rulebook: Rulebook = RULEBOOK) -> list[Obligation]:
    """The rows of an enterprise at (D, P), ordered by (due_on, rule, arises_from).

    `facts` is the fold of the tag `enterprise:USCC`.
    """
    rows = [row for duty in duties(facts, uscc, at.known_at, rulebook) if (row := duty.on(at.on))]
    return sorted(rows, key=lambda row: (row.due_on, row.rule, row.arises_from))


def duties(
    facts: Facts, uscc: str, known_at: int, rulebook: Rulebook = RULEBOOK, parts: "Iterable[Part] | None" = None
) -> list[Duty]:
    """Every row (of these parts) that there is on some D, as known at P, ordered by (arises_from, rule, about).

    `facts` is the fold of the tag `enterprise:USCC`. Registrations are not read: the rows of a voided one stay.
    """
    known = _Known(facts, uscc, Moment(date.max, known_at), rulebook)
    asked = PARTS if parts is None else parts
    found = [duty for part in asked if facts.ever(part.reads[0]) for duty in part.rows(known) if duty.steps]
    return sorted(found, key=lambda duty: (duty.arises_from, duty.rule, duty.about))


class _Known(msgspec.Struct, frozen=True):
    """What is known of an enterprise at P, of all dates.

    What comes first by (effectiveOn, position) among all dates comes first on every D on which it is visible, and nothing
    of the kind is visible before it. So “the first” is looked for once, whatever D will be.
    """

    facts: Facts
    uscc: str
    at: Moment
    rulebook: Rulebook

    def of(self, cls: type[E]) -> list[Fact[E]]:
        return self.facts.visible(cls, self.at)

    def due_on(self, rule: str, start: date) -> date:
        """The due day by the rule's term, counted from a day."""
        term = self.rulebook.rule(rule).term
        if term is None:
            raise LookupError(f"rule {rule}: has no term; give it one in the rulebook, its due day is counted in days")
        return working_day_after(start, term.days) if term.working else start + timedelta(days=term.days)

    def duty(self, rule: str, owed_by: str, fact: Fact[Event], steps: list[Step], about: int | None = None) -> Duty:
        return Duty(rule, self.uscc, owed_by, fact.position, about or fact.position, tuple(steps))


def _first_by(facts: Iterable[Fact[E]], key: Callable[[E], K]) -> dict[K, Fact[E]]:
    """The first fact of each key; facts come in legal order."""
    first: dict[K, Fact[E]] = {}
    for fact in facts:
        first.setdefault(key(fact.event), fact)
    return first


def _penalty(event: PenaltyEvent) -> tuple[str, str]:
    return event.authority, event.document_no


def _steps(dues: list[Step], met: Fact[Event] | None = None, ended: Fact[Event] | None = None) -> list[Step]:
    """The due days of a row, with what meets it and what ends it, each from the day on which it is visible."""
    return _until(_met(dues, met.effective_on), ended) if met else _until(dues, ended)


def _met(steps: list[Step], met_on: date) -> list[Step]:
    begins = max(steps[0].begins, met_on)
    place = bisect_right(steps, begins, key=lambda step: step.begins) - 1
    turning = steps[place]._replace(begins=begins)
    before = steps[: place + 1] if steps[place].begins < begins else steps[:place]
    return [*before, *(step._replace(met_on=met_on) for step in (turning, *steps[place + 1 :]))]


def _until(steps: list[Step], ended: Fact[Event] | None) -> list[Step]:
    if ended is None:
        return steps
    kept = [step for step in steps if step.begins < ended.effective_on]
    return [*kept, Step(ended.effective_on, None)] if kept else []


def _of_penalties(known: _Known) -> Iterator[Duty]:
    """OBL-LIST and OBL-PUBLICITY."""
    annulled = _first_by(known.of(PenaltyAnnulled), _penalty)
    publicised = _first_by(known.of(PenaltyPublicised), _penalty)
    listed: dict[int, Fact[Event]] = {}
    for entry in entries(known.facts, known.at):
        for position in entry.made.event.basis:
            listed.setdefault(position, entry.made)
    for penalty in known.of(PenaltyImposed):
        begins, event = penalty.effective_on, penalty.event
        ended = annulled.get(_penalty(event))
        due = [Step(begins, known.due_on(PUBLICITY, begins))]
        steps = _steps(due, publicised.get(_penalty(event)), ended)
        yield known.duty(PUBLICITY, event.authority, penalty, steps)
        if set(event.kinds) != {PenaltyKind.OTHER}:
            due = [Step(begins, known.due_on(LIST, begins))]
            yield known.duty(LIST, event.authority, penalty, _steps(due, listed.get(penalty.position), ended))


def _of_annulments(known: _Known) -> Iterator[Duty]:
    """OBL-WITHDRAW. Of two annulments of a penalty the first counts, and a voided penalty was never annulled."""
    imposed = _first_by(known.of(PenaltyImposed), _penalty)
    resting = defaultdict(list)
    for entry in entries(known.facts, known.at):
        if len(basis := set(entry.made.event.basis)) == 1:
            resting[basis.pop()].append(entry)
    for key, annulment in _first_by(known.of(PenaltyAnnulled), _penalty).items():
        penalty = imposed.get(key)
        for entry in resting[penalty.position] if penalty else ():
            if _is_active_before(entry, annulment):
                due = [Step(annulment.effective_on, known.due_on(WITHDRAW, annulment.effective_on))]
                steps = _steps(due, entry.removed)
                yield known.duty(WITHDRAW, annulment.event.authority, annulment, steps, entry.made.position)


def _is_active_before(entry: Entry, fact: Fact[Event]) -> bool:
    return _place(entry.made) < _place(fact) and (entry.removed is None or _place(fact) < _place(entry.removed))


def _place(fact: Fact[Event]) -> tuple[date, int]:
    return fact.effective_on, fact.position


def _of_entries(known: _Known) -> Iterator[Duty]:
    """OBL-REVIEW: the period of the list, under the version in force on D, from the last standing penalty on."""
    annulled = {key: fact.effective_on for key, fact in _first_by(known.of(PenaltyAnnulled), _penalty).items()}
    penalties = known.of(PenaltyImposed)
    periods = {on_list: _periods(on_list, known.rulebook) for on_list in CreditList}
    for entry in entries(known.facts, known.at):
        first = bisect_right(penalties, _place(entry.made), key=_place)
        end = bisect_left(penalties, _place(entry.removed), key=_place) if entry.removed else len(penalties)
        starts = _starts(entry.made.effective_on, penalties[first:end], annulled)
        steps = _steps(_reviews(starts, periods[entry.made.event.list]), entry.removed)
        yield known.duty(REVIEW, entry.made.event.authority, entry.made, steps)


def _periods(on_list: CreditList, rulebook: Rulebook) -> list[tuple[date, int]]:
    """The review period in days, each from the date of the version that brought it; the first from the beginning."""
    days = [
        parameters.dishonesty_review_days if on_list is CreditList.DISHONESTY else parameters.adverse_review_days
        for parameters in (version.parameters for version in rulebook.versions)
    ]
    later = [version.in_force_from for version in rulebook.versions[1:]]
    return list(zip([date.min, *later], days, strict=True))


def _starts(
    listed_on: date, penalties: list[Fact[PenaltyImposed]], annulled: dict[tuple[str, str], date]
) -> list[tuple[date, date]]:
    """From which D on the period counts from which day: the last penalty that stands, or else the entry.

    `penalties` are those between the entry and its removal. One stack holds what was imposed; what is annulled leaves
    it when nothing later lies on it, for until then it would not count anyway.
    """
    ends = [annulled[key] for penalty in penalties if (key := _penalty(penalty.event)) in annulled]
    found, imposed, taken = [], list[Fact[PenaltyImposed]](), 0
    for day in sorted({listed_on, *(penalty.effective_on for penalty in penalties), *ends}):
        while taken < len(penalties) and penalties[taken].effective_on <= day:
            imposed.append(penalties[taken])
            taken += 1
        while imposed and annulled.get(_penalty(imposed[-1].event), date.max) <= day:
            imposed.pop()
        found.append((day, imposed[-1].effective_on if imposed else listed_on))
    return found


def _reviews(starts: list[tuple[date, date]], periods: list[tuple[date, int]]) -> list[Step]:
    """The due days of a review: a step wherever the start or the period changes it."""
    begins = starts[0][0]
    days = {day for day, _ in starts} | {day for day, _ in periods if day > begins}
    steps: list[Step] = []
    for day in sorted(days):
        due_on = _on(starts, day) + timedelta(days=_on(periods, day))
        if not steps or steps[-1].due_on != due_on:
            steps.append(Step(day, due_on))
    return steps


def _on(values: list[tuple[date, K]], day: date) -> K:
    """The value that holds on a day, of values that each hold from a date on."""
    return values[bisect_right(values, day, key=lambda value: value[0]) - 1][1]


def _of_orders(known: _Known) -> Iterator[Duty]:
    """OBL-RECTIFY."""
    for order in orders(known.facts, known.at):
        due = [Step(order.ordered.effective_on, order.ordered.event.due_on)]
        yield known.duty(RECTIFY, known.uscc, order.ordered, _steps(due, order.confirmed))


def _of_reports(known: _Known) -> Iterator[Duty]:
    """OBL-REPORT."""
    filed = _first_by(known.of(AnnualReportFiled), lambda event: event.year)
    for demand in known.of(AnnualReportDemanded):
        due = [Step(demand.effective_on, demand.event.due_on)]
        yield known.duty(REPORT, known.uscc, demand, _steps(due, filed.get(demand.event.year)))


def _of_inspections(known: _Known) -> Iterator[Duty]:
    """OBL-FOLLOW: what follows counts though it be annulled or retracted later."""
    following: list[Fact[RectificationOrdered | InterviewHeld | ExposurePublished | PenaltyImposed]] = [
        *known.of(RectificationOrdered),
        *known.of(InterviewHeld),
        *known.of(ExposurePublished),
        *known.of(PenaltyImposed),
    ]
    followed = _first_by(in_order(following), lambda event: event.inspection_id)
    for held in known.of(InspectionHeld):
        if held.event.violations:
            due = [Step(held.effective_on, known.due_on(FOLLOW, held.effective_on))]
            steps = _steps(due, followed.get(held.event.inspection_id))
            yield known.duty(FOLLOW, held.event.authority, held, steps)


def _of_campaign(known: _Known) -> Iterator[Duty]:
    """OBL-SELF: begins with the first version that has the rule; the campaign bears the year of its due day."""
    rule, rulebook = known.rulebook.rule(SELF), known.rulebook
    begins = rulebook.begins(rule)
    held = licences_in_force(known.facts, Moment(begins, known.at.known_at))
    if rule.due_on is None:
        raise LookupError(f"rule {SELF}: has no due day; give it one in the rulebook")
    if held:
        filed = _first_by(known.of(SelfReportFiled), lambda event: event.campaign)
        steps = _steps([Step(begins, rule.due_on)], filed.get(rule.due_on.year))
        yield known.duty(SELF, known.uscc, held[0].granted, steps)


def _of_licences(known: _Known) -> Iterator[Duty]:
    """OBL-RENEW: a term is met by the term after it or by the first cancellation, and after that there is none."""
    ends: list[Fact[LicenceEnding]] = [*known.of(LicenceRevoked), *known.of(LicenceAnnulled)]
    ended = _first_by(in_order(ends), lambda event: event.licence_no)
    cancelled = _first_by(known.of(LicenceCancelled), lambda event: event.licence_no)
    renewals = defaultdict(list)
    for renewal in known.of(LicenceRenewed):
        last = cancelled.get(renewal.event.licence_no)
        if last is None or _place(renewal) < _place(last):
            renewals[renewal.event.licence_no].append(renewal)
    for granted in known.of(LicenceGranted):
        no = granted.event.licence_no
        terms: list[Fact[LicenceGranted | LicenceRenewed]] = [granted, *renewals[no]]
        for term, met in zip(terms, [*terms[1:], cancelled.get(no)], strict=True):
            due = [Step(term.effective_on, known.due_on(RENEW, term.event.valid_to))]
            yield known.duty(RENEW, known.uscc, term, _steps(due, met, ended.get(no)))


class Part(NamedTuple):
    """Rows of the table that are made together: their rules, and the events that they are made from.

    The first of the types is the one that they arise from.
    """

    rules: frozenset[str]
    reads: tuple[type[Event], ...]
    rows: Callable[[_Known], Iterator[Duty]]


_LICENCE: Final = (LicenceGranted, LicenceRenewed, LicenceRevoked, LicenceAnnulled, LicenceCancelled)
_ENTRY: Final = (ListEntryMade, ListEntryRemoved)

PARTS: Final = (
    Part(frozenset({LIST, PUBLICITY}), (PenaltyImposed, PenaltyPublicised, PenaltyAnnulled, *_ENTRY), _of_penalties),
    Part(frozenset({WITHDRAW}), (PenaltyAnnulled, PenaltyImposed, *_ENTRY), _of_annulments),
    Part(frozenset({REVIEW}), (*_ENTRY, PenaltyImposed, PenaltyAnnulled), _of_entries),
    Part(frozenset({RECTIFY}), (RectificationOrdered, RectificationConfirmed), _of_orders),
    Part(frozenset({REPORT}), (AnnualReportDemanded, AnnualReportFiled), _of_reports),
    Part(
        frozenset({FOLLOW}),
        (InspectionHeld, RectificationOrdered, InterviewHeld, ExposurePublished, PenaltyImposed),
        _of_inspections,
    ),
    Part(frozenset({SELF}), (*_LICENCE, SelfReportFiled), _of_campaign),
    Part(frozenset({RENEW}), _LICENCE, _of_licences),
)

READ: Final[tuple[type[Event], ...]] = tuple(dict.fromkeys(cls for part in PARTS for cls in part.reads))
"""The events that the rows are made from; no other can change them."""

BY_TYPE: Final[Mapping[str, tuple[Part, ...]]] = {
    cls.__name__: tuple(part for part in PARTS if cls in part.reads) for cls in READ
}
"""The parts that an event of a type, or its void, can change."""
