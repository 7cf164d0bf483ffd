"""What the register says of an enterprise: name, licences, numbers, accesses, orders, entries (rulebook §3, last part).

Every function takes facts and a moment (D, P) and reads visible events only.
"""

from collections.abc import Iterable
from datetime import date
from typing import Literal, TypeVar, cast

import msgspec

from domain.events import (
    AccessChange,
    AccessGranted,
    AccessRestored,
    AccessRestricted,
    AccessTerminated,
    EnterpriseRegistered,
    EnterpriseRenamed,
    Event,
    ExposurePublished,
    ExposureRetracted,
    InterviewHeld,
    LicenceAnnulled,
    LicenceCancelled,
    LicenceEnding,
    LicenceGranted,
    LicenceRenewed,
    LicenceRevoked,
    ListEntryMade,
    ListEntryRemoved,
    NumberFiled,
    NumberFilingAmended,
    NumberWithdrawn,
    PenaltyAnnulled,
    PenaltyEvent,
    PenaltyImposed,
    RectificationConfirmed,
    RectificationOrdered,
)
from domain.facts import Fact, Facts, Moment
from domain.vocabulary import CreditList, Directions

ENDINGS: tuple[type[LicenceEnding], ...] = (LicenceRevoked, LicenceAnnulled, LicenceCancelled)
AccessState = Literal["GRANTED", "RESTRICTED", "TERMINATED"]
_STATES: dict[type[AccessChange], AccessState] = {
    AccessRestricted: "RESTRICTED",
    AccessRestored: "GRANTED",
    AccessTerminated: "TERMINATED",
}
ACCESS_EVENTS: tuple[type[Event], ...] = (AccessGranted, *_STATES)
E = TypeVar("E", bound=Event)


def in_order(facts: Iterable[Fact[E]]) -> list[Fact[E]]:
    """Facts of several types in their legal order."""
    return sorted(facts, key=lambda fact: (fact.effective_on, fact.position))


def is_registered(facts: Facts, at: Moment) -> bool:
    return bool(facts.visible(EnterpriseRegistered, at))


def name(facts: Facts, at: Moment) -> str | None:
    """The name by the last visible Registered or Renamed (§8); None when no registration is visible."""
    if not is_registered(facts, at):
        return None
    named: list[Fact[EnterpriseRegistered | EnterpriseRenamed]] = [
        *facts.visible(EnterpriseRegistered, at),
        *facts.visible(EnterpriseRenamed, at),
    ]
    return in_order(named)[-1].event.name


def province(facts: Facts, at: Moment) -> str | None:
    registered = facts.visible(EnterpriseRegistered, at)
    return registered[-1].event.province if registered else None


class Licence(msgspec.Struct, frozen=True):
    """A licence with its terms as last set; `ended_by` is the first visible ending (§8)."""

    granted: Fact[LicenceGranted]
    renewals: tuple[Fact[LicenceRenewed], ...]
    endings: tuple[Fact[LicenceEnding], ...]

    @property
    def valid_to(self) -> date:
        return self.renewals[-1].event.valid_to if self.renewals else self.granted.event.valid_to

    @property
    def ended_by(self) -> str | None:
        return type(self.endings[0].event).__name__ if self.endings else None

    def is_in_force(self, on: date) -> bool:
        return not self.endings and self.granted.event.valid_from <= on <= self.valid_to

    def was_in_force(self, on: date) -> bool:
        """The same of a licence as it is known of all dates: what takes effect after a day is left out."""
        if self.granted.effective_on > on or any(ending.effective_on <= on for ending in self.endings):
            return False
        renewed = [renewal for renewal in self.renewals if renewal.effective_on <= on]
        valid_to = renewed[-1].event.valid_to if renewed else self.granted.event.valid_to
        return self.granted.event.valid_from <= on <= valid_to


def licences(facts: Facts, at: Moment) -> list[Licence]:
    """Every licence whose grant is visible, ended ones too, in the order of grant."""
    return _licences(facts, at, facts.visible(LicenceGranted, at))


def licence(facts: Facts, at: Moment, licence_no: str) -> Licence | None:
    granted = [fact for fact in facts.visible(LicenceGranted, at) if fact.event.licence_no == licence_no]
    return _licences(facts, at, granted[-1:])[0] if granted else None


def _licences(facts: Facts, at: Moment, grants: list[Fact[LicenceGranted]]) -> list[Licence]:
    if not grants:
        return []
    renewals = facts.visible(LicenceRenewed, at)
    endings = in_order([fact for cls in ENDINGS for fact in facts.visible(cls, at)])
    if not renewals and not endings:
        return [Licence(granted, (), ()) for granted in grants]
    return [
        Licence(
            granted,
            tuple(fact for fact in renewals if fact.event.licence_no == granted.event.licence_no),
            tuple(fact for fact in endings if fact.event.licence_no == granted.event.licence_no),
        )
        for granted in grants
    ]


def licences_in_force(facts: Facts, at: Moment) -> list[Licence]:
    """The licences in force on D as known at P."""
    return [held for held in licences(facts, at) if held.is_in_force(at.on)]


class Filing(msgspec.Struct, frozen=True):
    """A number's filing with its visible later amendments by the same enterprise, in order."""

    filed: Fact[NumberFiled]
    amendments: tuple[Fact[NumberFilingAmended], ...]

    @property
    def uscc(self) -> str:
        return self.filed.event.uscc

    @property
    def carriers(self) -> tuple[str, ...]:
        return next((c for f in reversed(self.amendments) if (c := f.event.carriers)), self.filed.event.carriers)

    @property
    def use(self) -> str:
        return next((u for f in reversed(self.amendments) if (u := f.event.use)), self.filed.event.use)

    @property
    def directions(self) -> Directions:
        return next((d for f in reversed(self.amendments) if (d := f.event.directions)), self.filed.event.directions)

    def positions(self, field: Literal["carriers", "directions"]) -> tuple[int, ...]:
        """The filing and its visible amendments of one field: what NUM-2 and NUM-3 rest on, ascending."""
        amended = [fact.position for fact in self.amendments if getattr(fact.event, field) is not None]
        return tuple(sorted([self.filed.position, *amended]))


def filing(number: Facts, at: Moment) -> Filing | None:
    """The filing of a number now, by whichever enterprise; `number` is the fold of the number's own tag."""
    last = number.latest(at, NumberFiled, NumberWithdrawn)
    if last is None or not isinstance(last.event, NumberFiled):
        return None
    return _with_amendments(number, at, cast(Fact[NumberFiled], last), None)


def _with_amendments(facts: Facts, at: Moment, filed: Fact[NumberFiled], ended: Fact[Event] | None) -> Filing:
    begins, ends = (filed.effective_on, filed.position), (ended.effective_on, ended.position) if ended else None
    amendments = [
        fact
        for fact in facts.visible(NumberFilingAmended, at)
        if fact.event.uscc == filed.event.uscc
        and fact.event.number == filed.event.number
        and (fact.effective_on, fact.position) > begins
        and (ends is None or (fact.effective_on, fact.position) < ends)
    ]
    return Filing(filed, tuple(amendments))


def filings(facts: Facts, at: Moment) -> list[tuple[Filing, date | None]]:
    """An enterprise's filings, ended ones too, each with the date it was withdrawn on, in the order of filing.

    §8 says “with their terms as last set”: for a filing that was followed by a withdrawal or by another filing of the
    same number, what counts is what was set before that.
    """
    found = []
    marks: list[Fact[NumberFiled | NumberWithdrawn]] = [
        *facts.visible(NumberFiled, at),
        *facts.visible(NumberWithdrawn, at),
    ]
    for filed in facts.visible(NumberFiled, at):
        later = [m for m in in_order(marks) if m.event.number == filed.event.number and m[:2] > filed[:2]]
        withdrawn = next((m.effective_on for m in later if isinstance(m.event, NumberWithdrawn)), None)
        found.append((_with_amendments(facts, at, filed, later[0] if later else None), withdrawn))
    return found


class Access(msgspec.Struct, frozen=True):
    granted: Fact[AccessGranted]
    state: AccessState


def accesses(facts: Facts, at: Moment) -> list[Access]:
    """Every access whose grant is visible, with its state by the last visible access event."""
    last: dict[str, Fact[AccessChange]] = {}
    for change in in_order(fact for cls in _STATES for fact in facts.visible(cls, at)):
        last[change.event.access_id] = change
    found = []
    for granted in facts.visible(AccessGranted, at):
        latest = last.get(granted.event.access_id)
        changed = latest is not None and latest[:2] > granted[:2]
        found.append(Access(granted, _STATES[type(latest.event)] if latest and changed else "GRANTED"))
    return found


class Order(msgspec.Struct, frozen=True):
    ordered: Fact[RectificationOrdered]
    confirmed: Fact[RectificationConfirmed] | None

    def is_open(self) -> bool:
        return self.confirmed is None

    def is_overdue(self, on: date) -> bool:
        return self.confirmed is None and on > self.ordered.event.due_on


def orders(facts: Facts, at: Moment) -> list[Order]:
    confirmed: dict[str, Fact[RectificationConfirmed]] = {}
    for confirmation in facts.visible(RectificationConfirmed, at):
        confirmed.setdefault(confirmation.event.order_id, confirmation)
    return [Order(o, confirmed.get(o.event.order_id)) for o in facts.visible(RectificationOrdered, at)]


class Entry(msgspec.Struct, frozen=True):
    made: Fact[ListEntryMade]
    removed: Fact[ListEntryRemoved] | None
    """The first visible removal by (effective_on, position)."""

    def is_active(self) -> bool:
        return self.removed is None


def entries(facts: Facts, at: Moment) -> list[Entry]:
    removed: dict[str, Fact[ListEntryRemoved]] = {}
    for removal in facts.visible(ListEntryRemoved, at):
        removed.setdefault(removal.event.entry_id, removal)
    return [Entry(made, removed.get(made.event.entry_id)) for made in facts.visible(ListEntryMade, at)]


def active_entries(facts: Facts, at: Moment, on_list: CreditList) -> list[Entry]:
    return [entry for entry in entries(facts, at) if entry.is_active() and entry.made.event.list is on_list]


def penalty_key(event: PenaltyEvent) -> tuple[str, str]:
    return event.authority, event.document_no


def standing_penalties(facts: Facts, at: Moment) -> list[Fact[PenaltyImposed]]:
    annulled = {penalty_key(fact.event) for fact in facts.visible(PenaltyAnnulled, at)}
    return [fact for fact in facts.visible(PenaltyImposed, at) if penalty_key(fact.event) not in annulled]


def standing_exposures(facts: Facts, at: Moment) -> list[Fact[ExposurePublished]]:
    retracted = {fact.event.exposure_id for fact in facts.visible(ExposureRetracted, at)}
    return [fact for fact in facts.visible(ExposurePublished, at) if fact.event.exposure_id not in retracted]


def standing_interviews(facts: Facts, at: Moment) -> list[Fact[InterviewHeld]]:
    """Nothing but a void takes an interview back."""
    return facts.visible(InterviewHeld, at)
