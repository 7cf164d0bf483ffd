"""Which single event a caller may see (rulebook §8): its receipt gives the entry, which is the event itself."""

from api.context import Info
from api.permissions import INSIDERS
from domain.callers import Role
from domain.events import AccessGranted, Event, GateDecided, ListEntryMade, NumberFiled, PenaltyImposed
from domain.facts import Moment
from projections.decisions import asking_carrier


def may_see_event(info: Info, position: int) -> bool:
    """Whether the caller sees this event somewhere today; one that is not there is not seen either.

    Everyone sees the entries that are active on a published list and the penalties that are public. A carrier also sees
    the decisions that it asked for, the filings that name it and its own accesses.
    """
    if info.context.caller.role in INSIDERS:
        return True
    at = Moment(info.context.today, info.context.settle("history", "supervision"))
    return any(_sees(info, at, position, each.recorded.event) for each in info.context.reads.at([position]))


def _sees(info: Info, at: Moment, position: int, event: Event) -> bool:
    match event:
        case ListEntryMade() | PenaltyImposed():
            return info.context.supervision.is_published(at, event.uscc, position)
        case GateDecided():
            return _is_carrier(info, asking_carrier(event.requested_by))
        case NumberFiled():
            return any(_is_carrier(info, carrier) for carrier in event.carriers)
        case AccessGranted():
            return _is_carrier(info, event.carrier)
        case _:
            return False


def _is_carrier(info: Info, carrier: str | None) -> bool:
    return info.context.caller.role is Role.CARRIER and info.context.caller.carrier == carrier
