"""What the rules forbade and happened all the same (rulebook §7).

Every function is given the folds of the tags that it reads, which the function beside it names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import msgspec

from domain import gates, live
from domain.complaints import attribution, candidates, complaints
from domain.events import AccessGranted, ComplaintReceived, Event, LicenceGranted, NumberFiled
from domain.facts import Fact, Facts, Moment
from domain.gates import Answer
from domain.register import accesses, in_order
from domain.requests import Request
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import ComplaintCategory, Directions, Outcome

GATE: Final = "FND-GATE"
OUTBOUND: Final = "FND-OUT"
LIVE: Final = "FND-LIVE"
CALLING: Final = {ComplaintCategory.MARKETING, ComplaintCategory.NO_CONSENT}
"""The complaints that show that a number was used to call out."""

Gated = LicenceGranted | NumberFiled | AccessGranted


class Ground(NamedTuple):
    """A rule that a finding rests on; the outcome is None for FND-OUT, which is asked at no gate; positions ascend."""

    rule: str
    outcome: Outcome | None
    positions: tuple[int, ...]


class Finding(msgspec.Struct, frozen=True):
    """A fact that the rules forbade: its position and legal date, and every rule that fired."""

    rule: str
    uscc: str
    position: int
    effective_on: date
    reasons: tuple[Ground, ...]


def reads_of_gate_findings(facts: Facts, rulebook: Rulebook = RULEBOOK) -> frozenset[str]:
    """The tags that `gate_findings` reads, for every moment; `facts` is the fold of the enterprise's own tag."""
    return frozenset(tag for fact in _historical(facts.ever) for tag in reads_of_gate_finding(fact, rulebook))


def reads_of_gate_finding(fact: Fact[Gated], rulebook: Rulebook = RULEBOOK) -> frozenset[str]:
    """The tags that `gate_finding` reads of one historical fact."""
    return _reads(live.request_of(fact.event), _asked_at(fact), rulebook)


def gate_findings(
    facts: Facts, streams: Mapping[str, Facts], at: Moment, rulebook: Rulebook = RULEBOOK
) -> list[Finding]:
    """FND-GATE at (D, P), in legal order: one for each visible historical fact that its gate would have refused."""
    visible = in_order(_historical(lambda cls: facts.visible(cls, at)))
    return [found for fact in visible if (found := gate_finding(fact, streams, rulebook))]


def gate_finding(fact: Fact[Gated], streams: Mapping[str, Facts], rulebook: Rulebook = RULEBOOK) -> Finding | None:
    """FND-GATE of one historical fact, whether visible or not.

    It is asked on the fact's own date as known before its own position, so it never changes: only whether the fact is
    visible does.
    """
    answer = _ask(live.request_of(fact.event), _asked_at(fact), streams, rulebook)
    return _found(GATE, fact, answer)


def _historical(of: Callable[[type[Gated]], Sequence[Fact[Gated]]]) -> Iterator[Fact[Gated]]:
    return (fact for cls in live.GATED for fact in of(cls) if fact.historical)


def _asked_at(fact: Fact[Event]) -> Moment:
    return Moment(fact.effective_on, fact.position - 1)


def reads_of_live_findings(facts: Facts, at: Moment, rulebook: Rulebook = RULEBOOK) -> frozenset[str]:
    """The tags that `live_findings` reads at (D, P); `facts` is the fold of the enterprise's own tag."""
    return frozenset(
        tag for granted in _live(facts, at) for tag in _reads(live.request_of(granted.event), at, rulebook)
    )


def live_findings(
    facts: Facts, streams: Mapping[str, Facts], at: Moment, rulebook: Rulebook = RULEBOOK
) -> list[Finding]:
    """FND-LIVE at (D, P), in legal order: the accesses GRANTED that would be refused there and then."""
    answers: dict[Request, Answer] = {}
    found = []
    for granted in _live(facts, at):
        request = live.request_of(granted.event)
        if request not in answers:
            answers[request] = _ask(request, at, streams, rulebook)
        found.append(_found(LIVE, granted, answers[request]))
    return [finding for finding in found if finding]


def _live(facts: Facts, at: Moment) -> Iterable[Fact[AccessGranted]]:
    return (access.granted for access in accesses(facts, at) if access.state == "GRANTED")


def _reads(request: Request, at: Moment, rulebook: Rulebook) -> frozenset[str]:
    enterprise, numbers, days = gates.reads(request, at, rulebook.in_force_on(at.on), rulebook)
    return frozenset((enterprise, *numbers, *days))


def _ask(request: Request, at: Moment, streams: Mapping[str, Facts], rulebook: Rulebook) -> Answer:
    return live.ask(request, at, streams, rulebook)


def _found(rule: str, fact: Fact[Gated], answer: Answer) -> Finding | None:
    if answer.outcome is not Outcome.REFUSE:
        return None
    grounds = tuple(Ground(fired.rule, fired.outcome, fired.positions) for fired in answer.reasons)
    return Finding(rule, fact.event.uscc, fact.position, fact.effective_on, grounds)


def reads_of_outbound_finding(event: ComplaintReceived) -> tuple[str, ...]:
    """The tags, longest number first, whose folds `outbound_finding` is given beside the complaint's own.

    Empty where there is nothing to find: the complaint names its enterprise, is of another category, or shows no number.
    """
    return candidates(event) if event.category in CALLING else ()


def outbound_finding(complaint: Facts, numbers: Sequence[Facts], at: Moment) -> Finding | None:
    """FND-OUT of one complaint at (D, P), or None.

    `complaint` is the fold of the tag `complaint:ID`, `numbers` those of `reads_of_outbound_finding`, in that order.
    """
    found = next(complaints(complaint, at), None)
    if found is None or found.resolved is None or not found.is_substantiated():
        return None
    received, event = found.received, found.received.event
    if event.uscc is not None or event.category not in CALLING:
        return None
    belongs = attribution(event, numbers, received.position - 1)
    if belongs is None or belongs.filing is None or belongs.filing.directions is not Directions.INBOUND:
        return None
    positions = (received.position, found.resolved.position, *belongs.filing.positions("directions"))
    ground = Ground(OUTBOUND, None, tuple(sorted(positions)))
    return Finding(OUTBOUND, belongs.uscc, received.position, received.effective_on, (ground,))
