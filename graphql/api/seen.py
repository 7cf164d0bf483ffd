"""Which single event a caller may see (rulebook §8): its receipt gives the entry, which is the event itself."""

from api.context import Info
from api.permissions import is_insider
from domain.callers import Caller, Role
from domain.events import AccessGranted, Event, GateDecided, NumberFiled
from domain.facts import Moment
from domain.matrix import EVENTS, PUBLISHED, Reach
from projections.decisions import asking_carrier
from projections.reads import Known


def may_see_event(info: Info, position: int) -> bool:
    """Whether the caller sees this event somewhere today; one that is not there is not seen either.

    Everyone sees the entries that are active on a published list and the penalties that are public. A carrier also sees
    the decisions that it asked for, the filings that name it and its own accesses.
    """
    if is_insider(info.context.caller):
        return True
    at = Moment(info.context.today, info.context.settle("history", "supervision"))
    known = next(iter(info.context.reads.at([position])), None)
    # Looked at whatever is there, so that the time that it takes does not tell what is there.
    published = info.context.supervision.is_published(at, _uscc(known), position)
    return known is not None and _sees(info.context.caller, known.recorded.event, published)


def _uscc(known: Known | None) -> str:
    return (known.recorded.uscc if known else None) or ""


def _sees(caller: Caller, event: Event, published: bool) -> bool:
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
