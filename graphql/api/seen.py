"""Which events a caller may see (rulebook §8): a receipt gives the entry, which is the event itself."""

from collections.abc import Sequence

from api.context import Info
from api.permissions import INSIDERS
from domain.callers import Caller, Role
from domain.events import AccessGranted, Event, GateDecided, InspectionDrawn, ListEntryMade, NumberFiled, PenaltyImposed
from domain.facts import Moment
from projections.decisions import asking_carrier
from projections.reads import DrawsSeen, Known


def may_see_event(info: Info, position: int) -> bool:
    """Whether the caller sees this event somewhere today; one that is not there is not seen either.

    Everyone sees the entries that are active on a published list and the penalties that are public. A carrier also sees
    the decisions that it asked for, the filings that name it and its own accesses. Draws are seen as `draws` shows them.
    """
    if draws_seen_by(info).everything:
        return True
    found = info.context.reads.at([position])
    if info.context.caller.role in INSIDERS or any(isinstance(each.recorded.event, InspectionDrawn) for each in found):
        info.context.settle("draws")
        # That nothing is there is said where it is looked for.
        return not found or bool(without_unseen(info, found))
    at = Moment(info.context.today, info.context.settle("history", "supervision"))
    return any(_sees(info, at, position, each.recorded.event) for each in found)


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


def draws_seen_by(info: Info) -> DrawsSeen:
    """Auditors see every draw, regulators those of their authority (MIIT all), everyone those that are public."""
    caller: Caller = info.context.caller
    regulator = caller.role is Role.REGULATOR
    everything = caller.role is Role.AUDITOR or (regulator and caller.authority in (None, "MIIT"))
    return DrawsSeen(info.context.today, everything, caller.authority if regulator else None)


def without_unseen(info: Info, found: Sequence[Known]) -> list[Known]:
    """The events without the draws that the caller may not see yet; at most one look-up."""
    seen = draws_seen_by(info)
    draws = [each.position for each in found if isinstance(each.recorded.event, InspectionDrawn)]
    if seen.everything or not draws:
        return list(found)
    shown = info.context.reads.draws_seen(seen, draws)
    return [each for each in found if each.position in shown or each.position not in draws]


def _is_carrier(info: Info, carrier: str | None) -> bool:
    return info.context.caller.role is Role.CARRIER and info.context.caller.carrier == carrier
