"""Live facts need their decision (rulebook §5, “Live and historical facts”)."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from domain import gates
from domain.commands import Code, Command, Known, Refusal, refusal
from domain.events import AccessGranted, Event, GateDecided, LicenceGranted, NumberFiled
from domain.facts import Fact, Facts, Moment
from domain.gates import Answer, Case
from domain.requests import ALL_CHECKED, BY_GATE, AccessRequest, LicenceRequest, NumberFilingRequest, Request
from domain.rulebook import RULEBOOK, Rulebook, Version
from domain.vocabulary import BusinessForm, Gate, Outcome

GATED: Final[tuple[type[LicenceGranted | NumberFiled | AccessGranted], ...]] = (
    LicenceGranted,
    NumberFiled,
    AccessGranted,
)
MOST_DAYS: Final = 30
"""How old a decision may be on the day the fact takes effect."""


def request_of(event: Event) -> Request:
    """The gate asked with what the event states (§7): all five checked, undertaking filed, no marketing."""
    match event:
        case LicenceGranted():
            return LicenceRequest(
                uscc=event.uscc,
                form=BusinessForm.CALL_CENTRE,
                route=event.route,
                marketing_outbound=False,
                undertaking_filed=True,
            )
        case NumberFiled():
            return NumberFilingRequest(
                uscc=event.uscc,
                number=event.number,
                carriers=event.carriers,
                directions=event.directions,
                outbound_undertaking=event.outbound_undertaking,
            )
        case AccessGranted():
            return AccessRequest(
                uscc=event.uscc,
                carrier=event.carrier,
                number=event.number,
                directions=event.directions,
                checked=ALL_CHECKED,
            )
    raise TypeError(f"{type(event).__name__} is asked of no gate")


def decided_request(decision: GateDecided) -> Request:
    """The request that a recorded decision answered."""
    return msgspec.convert(decision.request, BY_GATE[Gate(decision.gate)])


def ask(
    request: Request,
    at: Moment,
    streams: Mapping[str, Facts],
    rulebook: Rulebook = RULEBOOK,
    version: Version | None = None,
) -> Answer:
    """Decides a request from the folds of the tags that `gates.reads` names, under a version or the one in force on D."""
    version = version or rulebook.in_force_on(at.on)
    enterprise, numbers, days = gates.reads(request, at, version, rulebook)
    number = streams[numbers[0]] if numbers else Facts()
    complaints = Facts.merged(streams[day] for day in days)
    return gates.decide(
        Case(request, at, streams[enterprise], number, complaints, version.parameters), version, rulebook
    )


def tags_read(
    request: Request, at: Moment, rulebook: Rulebook = RULEBOOK, version: Version | None = None
) -> frozenset[str]:
    """Every tag whose events the decision of a request reads."""
    enterprise, numbers, days = gates.reads(request, at, version or rulebook.in_force_on(at.on), rulebook)
    return frozenset((enterprise, *numbers, *days))


def decision_of(command: Command, streams: Mapping[str, Facts]) -> Fact[GateDecided] | None:
    """The decision that a live fact names, from the fold of its tag.

    “Such” means the same uscc, and a decision that is not yet effective is “no such” (§3).
    """
    decision_id = getattr(command.event, "decision_id", None)
    decided = (
        streams[f"decision:{decision_id}"].visible(GateDecided, Moment(command.effective_on)) if decision_id else []
    )
    return next((fact for fact in decided if fact.uscc == getattr(command.event, "uscc", None)), None)


def live_refusals(command: Command, known: Known, rulebook: Rulebook) -> Iterator[Refusal]:
    """Every reason why a live fact has no decision that carries it."""
    event = command.event
    assert isinstance(event, GATED)
    if event.decision_id is None:
        yield refusal(
            Code.DECISION_REQUIRED,
            "decisionId",
            "须先经 decideGate 取得决定，并在此给出其编号；记录既往事实请用 historical: true",
            "A live fact needs the id of its gate decision (decideGate); facts of the past are sent with historical: true",
        )
        return
    found = decision_of(command, known.streams)
    if found is None:
        yield refusal(
            Code.NOT_FOUND,
            "decisionId",
            f"{command.effective_on} 时该企业没有决定 {event.decision_id}",
            f"This enterprise has no decision {event.decision_id} on {command.effective_on}",
        )
        return
    yield from _unfit(command, known.streams[f"decision:{event.decision_id}"], found)
    yield from _refused(command, known, found, rulebook)


def _unfit(command: Command, stream: Facts, found: Fact[GateDecided]) -> Iterator[Refusal]:
    event, decision = command.event, found.event
    assert isinstance(event, GATED)
    if not _matches(event, decision):
        yield _wrong(
            f"决定 {decision.decision_id}（{decision.gate}）与该事实所述不一致；请按事实重新询问",
            f"Decision {decision.decision_id} ({decision.gate}) does not match what the fact states; ask the gate anew",
        )
    if (command.effective_on - found.effective_on).days > MOST_DAYS:
        yield _wrong(
            f"决定日期 {found.effective_on} 早于生效日期 {command.effective_on} 超过 {MOST_DAYS} 天；请重新询问",
            f"The decision of {found.effective_on} is more than {MOST_DAYS} days before {command.effective_on}; ask anew",
        )
    if used := [fact for cls in GATED for fact in stream.ever(cls)]:
        yield _wrong(
            f"决定 {decision.decision_id} 已被位置 {used[0].position} 的事实使用",
            f"Decision {decision.decision_id} was used by the fact at position {used[0].position}",
        )
    if decision.outcome == Outcome.REVIEW and event.justification is None:
        yield refusal(
            Code.DECISION_REQUIRED,
            "justification",
            "该决定为审慎（REVIEW），须书面说明理由",
            "The decision is REVIEW: a written justification is needed",
        )


def _wrong(zh: str, en: str) -> Refusal:
    return refusal(Code.WRONG_STATE, "decisionId", zh, en)


def _matches(event: LicenceGranted | NumberFiled | AccessGranted, decision: GateDecided) -> bool:
    asked = decided_request(decision)
    match event, asked:
        case LicenceGranted(), LicenceRequest():
            return event.route is asked.route
        case NumberFiled(), NumberFilingRequest():
            return (event.number, frozenset(event.carriers), event.directions, event.outbound_undertaking) == (
                asked.number,
                frozenset(asked.carriers),
                asked.directions,
                asked.outbound_undertaking,
            )
        case AccessGranted(), AccessRequest():
            return (event.carrier, event.number, event.directions) == (asked.carrier, asked.number, asked.directions)
    return False


def _refused(command: Command, known: Known, found: Fact[GateDecided], rulebook: Rulebook) -> Iterator[Refusal]:
    """The decision's request, asked again at (effectiveOn, head), is refused, or was in the decision itself."""
    decision = found.event
    again = ask(decided_request(decision), Moment(command.effective_on), known.streams, rulebook)
    refused = Outcome.REFUSE in (again.outcome, decision.outcome)
    if refused:
        reasons = again.reasons if again.outcome is Outcome.REFUSE else decision.reasons
        rules = ", ".join(reason.rule for reason in reasons)
        yield refusal(
            Code.GATE_REFUSED,
            "decisionId",
            f"规则不允许（{rules}）；请按各规则的补救办法处理后重新询问",
            f"The rules refuse ({rules}); remedy what they name and ask the gate anew",
            reasons,
        )
