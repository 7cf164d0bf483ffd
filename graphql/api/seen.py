"""Which events a caller may see (rulebook §8): a receipt gives the entry, which is the event itself."""

from collections.abc import Sequence

from api.context import Info
from api.permissions import is_insider
from domain.events import InspectionDrawn
from domain.facts import Moment
from projections.reads import DrawsSeen, Known
from projections.sight import draws_seen, is_own


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
    return drawn or (known is not None and is_own(caller, known.recorded.event, published))


def _uscc(known: Known | None) -> str:
    return (known.recorded.uscc if known else None) or ""


def draws_seen_by(info: Info) -> DrawsSeen:
    return draws_seen(info.context.caller, info.context.today)


def without_unseen(info: Info, found: Sequence[Known]) -> list[Known]:
    """The events without the draws that the caller may not see yet; at most one look-up."""
    seen = draws_seen_by(info)
    draws = [each.position for each in found if isinstance(each.recorded.event, InspectionDrawn)]
    if seen.everything or not draws:
        return list(found)
    shown = info.context.reads.draws_seen(seen, draws)
    return [each for each in found if each.position in shown or each.position not in draws]
