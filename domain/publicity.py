"""What the public is shown (rulebook §8): active list entries, and standing publicised penalties while they are public.

Both are step functions of D that change with P: `listings` and `exhibits` give them for every D as known at P, to be
kept and read by date; `list_entries` and `public_penalties` read them on one date.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from domain.events import (
    EnterpriseRegistered,
    EnterpriseRenamed,
    PenaltyAnnulled,
    PenaltyEvent,
    PenaltyImposed,
    PenaltyPublicised,
)
from domain.facts import Fact, Facts, Moment
from domain.register import entries, in_order, penalty_key
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import CreditList, ListGround, PenaltyKind


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entry as known at P: active from `begins` on, until `removed_on`; that day it is active no more."""

    entry_id: str
    list: CreditList
    uscc: str
    name: str
    authority: str
    ground: ListGround
    begins: date
    removed_on: date | None
    position: int

    def is_active(self, on: date) -> bool:
        return self.begins <= on and (self.removed_on is None or on < self.removed_on)


def list_entries(facts: Facts, at: Moment) -> list[ListEntry]:
    """The entries active on D as known at P, in legal order; `facts` is the fold of the tag `enterprise:USCC`.

    `name` and `removed_on` are as known at P, whatever their date: a removal to come shows on an entry still active.
    """
    return [entry for entry in listings(facts, at.known_at) if entry.is_active(at.on)]


def listings(facts: Facts, known_at: int) -> list[ListEntry]:
    """Every entry as known at P, in legal order, those removed too."""
    made = entries(facts, Moment(date.max, known_at))
    name = known_name(facts, known_at, made[0].made.event.uscc) if made else ""
    return [
        ListEntry(
            entry_id=entry.made.event.entry_id,
            list=entry.made.event.list,
            uscc=entry.made.event.uscc,
            name=name,
            authority=entry.made.event.authority,
            ground=entry.made.event.ground,
            begins=entry.made.effective_on,
            removed_on=entry.removed.effective_on if entry.removed else None,
            position=entry.made.position,
        )
        for entry in made
    ]


def known_name(facts: Facts, known_at: int, uscc: str) -> str:
    """The last name by (effectiveOn, position) known at P, of any date.

    An enterprise whose registration was voided stays on its lists: with no name left it is called by its code.
    """
    at = Moment(date.max, known_at)
    named: list[Fact[EnterpriseRegistered | EnterpriseRenamed]] = [
        *facts.visible(EnterpriseRegistered, at),
        *facts.visible(EnterpriseRenamed, at),
    ]
    return in_order(named)[-1].event.name if named else uscc


class Showing(NamedTuple):
    """When a penalty is public: from `begins` to before `ends` (None: without end).

    `public_until` is what is said of it meanwhile: the last day on which it is public by the rules then in force; None
    while they know no end.
    """

    begins: date
    ends: date | None
    public_until: date | None


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A penalty that is public on some D, as known at P; `showings` ascend and do not overlap."""

    imposed: Fact[PenaltyImposed]
    name: str
    showings: tuple[Showing, ...]


@dataclass(frozen=True, slots=True)
class PublicPenalty:
    """A penalty that is public at (D, P)."""

    document_no: str
    authority: str
    uscc: str
    name: str
    kinds: tuple[PenaltyKind, ...]
    fine: str | None
    confiscated: str | None
    violation: str
    basis: str
    decided_on: date
    public_until: date | None
    position: int


def public_penalties(facts: Facts, at: Moment, rulebook: Rulebook = RULEBOOK) -> list[PublicPenalty]:
    """The standing publicised penalties whose publicity lasts at (D, P), in legal order.

    `facts` is the fold of the tag `enterprise:USCC`.
    """
    return [
        shown_penalty(exhibit, showing)
        for exhibit in exhibits(facts, at.known_at, rulebook)
        for showing in exhibit.showings
        if showing.begins <= at.on and (showing.ends is None or at.on < showing.ends)
    ]


def shown_penalty(exhibit: Exhibit, showing: Showing) -> PublicPenalty:
    """What the public is told of a penalty during one of its showings."""
    event = exhibit.imposed.event
    return PublicPenalty(
        document_no=event.document_no,
        authority=event.authority,
        uscc=event.uscc,
        name=exhibit.name,
        kinds=event.kinds,
        fine=event.fine,
        confiscated=event.confiscated,
        violation=event.violation,
        basis=event.basis,
        decided_on=exhibit.imposed.effective_on,
        public_until=showing.public_until,
        position=exhibit.imposed.position,
    )


def exhibits(facts: Facts, known_at: int, rulebook: Rulebook = RULEBOOK) -> list[Exhibit]:
    """Every penalty that is public on some D, as known at P, in legal order."""
    at = Moment(date.max, known_at)
    publicised = _first_dates(facts.visible(PenaltyPublicised, at))
    annulled = _first_dates(facts.visible(PenaltyAnnulled, at))
    found = []
    for imposed in facts.visible(PenaltyImposed, at):
        key = imposed.event.authority, imposed.event.document_no
        if key in publicised:
            found.append((imposed, _showings(imposed, publicised[key], annulled.get(key), rulebook)))
    name = known_name(facts, known_at, found[0][0].event.uscc) if found else ""
    return [Exhibit(imposed, name, showings) for imposed, showings in found if showings]


def _first_dates(facts: Iterable[Fact[PenaltyEvent]]) -> dict[tuple[str, str], date]:
    first: dict[tuple[str, str], date] = {}
    for fact in facts:
        first.setdefault(penalty_key(fact.event), fact.effective_on)
    return first


def _showings(
    imposed: Fact[PenaltyImposed], publicised_on: date, annulled_on: date | None, rulebook: Rulebook
) -> tuple[Showing, ...]:
    """The showings under each version in turn.

    A publicity of n days begins with the publicising and is counted as §1 counts “the n days to D”: D is among them
    while 0 ≤ D − publicised < n, so the last public day is publicised + n − 1. The rulebook names no other beginning;
    counting from the decision, as some authorities do, would let a late publicising pass unseen.
    """
    found = []
    versions = rulebook.versions
    for place, version in enumerate(versions):
        governs_from = version.in_force_from if place else date.min
        governs_to = versions[place + 1].in_force_from if place + 1 < len(versions) else None
        days = version.parameters.publicity_days_of(imposed.event.kinds)
        lapses = None if days is None else publicised_on + timedelta(days=days)
        begins = max(imposed.effective_on, publicised_on, governs_from)
        ends = min((day for day in (governs_to, lapses, annulled_on) if day), default=None)
        if ends is None or begins < ends:
            found.append(Showing(begins, ends, lapses - timedelta(days=1) if lapses else None))
    return _joined(found)


def _joined(showings: list[Showing]) -> tuple[Showing, ...]:
    """Showings that follow each other and say the same become one."""
    joined: list[Showing] = []
    for showing in showings:
        last = joined[-1] if joined else None
        if last and last.ends == showing.begins and last.public_until == showing.public_until:
            joined[-1] = last._replace(ends=showing.ends)
        else:
            joined.append(showing)
    return tuple(joined)
