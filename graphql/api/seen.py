"""Which events a caller may see (rulebook §8): a receipt gives the entry, which is the event itself."""

from collections.abc import Sequence

from api.context import Info
from api.permissions import is_insider
from domain.callers import Caller, Role
from domain.events import AccessGranted, Event, GateDecided, InspectionDrawn, NumberFiled
from domain.facts import Moment
from domain.matrix import EVENTS, PUBLISHED, Reach
from projections.decisions import asking_carrier
from projections.reads import DrawsSeen, Known


def may_see_event(info: Info, position: int) -> bool:
    """Whether the caller sees this event somewhere today; one that is not there is not seen either.

    Everyone sees the entries that are active on a published list and the penalties that are public. A carrier also sees
    the decisions that it asked for, the filings that name it and its own accesses. Draws are seen as `draws` shows them.
    """
    caller, draws = info.context.caller, draws_seen_by(info)
    if draws.everything:
        return True
    if is_insider(caller):
        info.context.settle("draws")
        found = info.context.reads.at([position])
        # That nothing is there is said where it is looked for.
        return not found or bool(without_unseen(info, found))
    at = Moment(info.context.today, info.context.settle("history", "supervision", "draws"))
    known = next(iter(info.context.reads.at([position])), None)
    # Looked at whatever is there, so that the time that it takes does not tell what is there.
    published = info.context.supervision.is_published(at, _uscc(known), position)
    drawn = position in info.context.reads.draws_seen(draws, [position])
    return drawn or (known is not None and _sees(caller, known.recorded.event, published))


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


def draws_seen_by(info: Info) -> DrawsSeen:
    """Auditors see every draw, regulators those of their authority (MIIT all), everyone those that are public."""
    caller: Caller = info.context.caller
    everything = caller.role is Role.AUDITOR or caller.speaks_for_all
    return DrawsSeen(info.context.today, everything, caller.authority if caller.role is Role.REGULATOR else None)


def without_unseen(info: Info, found: Sequence[Known]) -> list[Known]:
    """The events without the draws that the caller may not see yet; at most one look-up."""
    seen = draws_seen_by(info)
    draws = [each.position for each in found if isinstance(each.recorded.event, InspectionDrawn)]
    if seen.everything or not draws:
        return list(found)
    shown = info.context.reads.draws_seen(seen, draws)
    return [each for each in found if each.position in shown or each.position not in draws]
