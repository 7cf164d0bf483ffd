"""Which events a caller sees, and which draws (rulebook §8), with what the read models know of publicity."""

from datetime import date

from domain.callers import Caller, Role
from domain.events import AccessGranted, Event, GateDecided, InspectionDrawn, NumberFiled
from domain.facts import Moment
from domain.matrix import EVENTS, FIELDS, PUBLISHED, Reach
from domain.recorded import Recorded
from ledger.migrations import Pool
from projections.decisions import asking_carrier
from projections.reads import DrawsSeen, Reads
from projections.supervision_reads import SupervisionReads


def draws_seen(caller: Caller, today: date) -> DrawsSeen:
    """Auditors see every draw, regulators those of their authority (MIIT all), everyone those that are public."""
    everything = caller.role is Role.AUDITOR or caller.speaks_for_all
    return DrawsSeen(today, everything, caller.authority if caller.role is Role.REGULATOR else None)


def is_own(caller: Caller, event: Event, published: bool) -> bool:
    """Whether one who does not see every event sees this one, which is published or not.

    A carrier also sees the decisions that it asked for, the filings that name it and its own accesses.
    """
    row = EVENTS[type(event).__name__].sees
    if caller.reach(row) is not Reach.OWN:
        return False
    return published if row == PUBLISHED else caller.role is Role.CARRIER and _names(event, caller.carrier)


def _names(event: Event, carrier: str | None) -> bool:
    match event:
        case GateDecided():
            return asking_carrier(event.requested_by) == carrier
        case NumberFiled():
            return carrier in event.carriers
        case AccessGranted():
            return event.carrier == carrier
        case _:
            return False


class Sight:
    """Looks at events for callers, one at a time. Raises psycopg.Error where the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._reads, self._supervision = Reads(pool), SupervisionReads(pool)

    def sees(self, caller: Caller, recorded: Recorded, at: Moment) -> bool:
        """Whether the caller sees this event on D, by what the read models know at P."""
        event = recorded.event
        if isinstance(event, InspectionDrawn):
            draws = draws_seen(caller, at.on)
            return draws.everything or recorded.position in self._reads.draws_seen(draws, [recorded.position])
        if caller.reach(FIELDS["Ledger.events"]) is Reach.ALL:
            return True
        published = EVENTS[recorded.type].sees == PUBLISHED and self._supervision.is_published(
            at, recorded.uscc or "", recorded.position
        )
        return is_own(caller, event, published)
