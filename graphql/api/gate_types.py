"""Gates: what a request would be answered, what was decided, and deciding it again (rulebook §5)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import strawberry

from api import arguments, evidence, rulebook_types
from api.connections import Connection, encode_cursor
from api.context import Info
from api.enterprises import Node
from api.errors import ApiError
from api.event_types import LedgerEvent, events_of
from api.evidence import Receipt
from api.fields import field
from api.noted import note
from api.permissions import own_only
from api.reasons import Reason, reasons
from api.rulebook_types import Rulebook
from api.scalars import JSON, USCC, Date, DateTime, Position
from domain.callers import may_preview
from domain.events import FiredRule, GateDecided
from domain.facts import Moment
from domain.gates import Answer
from domain.identifiers import Malformed
from domain.live import ask, decided_request, tags_read
from domain.recorded import Recorded
from domain.requests import Request, parse_request
from domain.rulebook import RULEBOOK, Version
from domain.text import Text
from domain.vocabulary import Gate, Outcome
from ledger.replay import recorded_decision, replay
from projections.decisions import asking_carrier
from projections.reads import DecisionFilter, Known

MOST_DECISIONS: Final = 100
SCANNED: Final = 200
"""Decisions that are asked again at a time while those that changed are looked for."""


@strawberry.type
class Answered:
    """What an answer and a replay say alike: an outcome, and which rules fired under which version."""

    outcome: Outcome
    known_at: Position
    version: strawberry.Private[Version]
    fired: strawberry.Private[Sequence[FiredRule]]

    @strawberry.field
    def reasons(self, info: Info) -> list[Reason]:
        return reasons(self.fired, info)

    @strawberry.field
    def rulebook(self) -> Rulebook:
        return rulebook_types.shown(self.version)


@strawberry.type
class GateAnswer(Answered):
    gate: Gate
    uscc: USCC
    as_of: Date


@strawberry.type
class Replay(Answered):
    matches: bool
    events_read: int


@strawberry.type
class Decision(Node):
    recorded: strawberry.Private[Recorded]
    event: strawberry.Private[GateDecided]
    siblings: strawberry.Private[tuple[int, ...]] = ()
    """The positions of the page that it is of, for which a look-up is made once."""

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        assert isinstance(recorded.event, GateDecided)
        return cls(id=strawberry.ID(recorded.event.decision_id), recorded=recorded, event=recorded.event)

    @strawberry.field
    def gate(self) -> Gate:
        return self.event.gate

    @strawberry.field
    def uscc(self) -> USCC:
        return USCC(self.event.uscc)

    @strawberry.field
    def outcome(self) -> Outcome:
        return self.event.outcome

    @strawberry.field
    def reasons(self, info: Info) -> list[Reason]:
        return reasons(self.event.reasons, info)

    @strawberry.field
    def request(self) -> JSON:
        return JSON(self.event.request)

    @strawberry.field
    def rulebook(self) -> Rulebook:
        return rulebook_types.shown(self._version())

    @strawberry.field
    def as_of(self) -> Date:
        return Date(self.event.as_of)

    @field("The last position that the decision knew.")
    def known_at(self) -> Position:
        return Position(self.event.known_at)

    @strawberry.field
    def requested_by(self) -> str:
        return self.event.requested_by

    @strawberry.field
    def recorded_at(self) -> DateTime:
        return DateTime(self.recorded.recorded_at)

    @strawberry.field
    def position(self) -> Position:
        return Position(self.recorded.position)

    @field("The events that the fired rules rest on.")
    def basis(self, info: Info) -> list[LedgerEvent]:
        positions = sorted({position for reason in self.event.reasons for position in reason.positions})
        if own_only(info, "Decision.basis"):
            return []
        info.context.settle("history")
        found = info.context.reads.at(positions)
        note(info, "Decision.basis", (each.recorded.uscc for each in found if each.recorded.uscc))
        return events_of(info, found)

    @field("Decides again from the events alone: same date, same knowledge, under the recorded rulebook or another.")
    def replay(self, info: Info, rulebook: str | None = None, known_at: Position | None = None) -> Replay:
        version = rulebook_types.named(rulebook) or self._version()
        event, asked = self.event, arguments.known_at(info, known_at)
        known = event.known_at if asked is None else asked
        (made,) = replay(info.context.ledger.streams, [self.recorded], version, known)
        return Replay(
            outcome=made.again.outcome,
            matches=made.matches,
            known_at=Position(known),
            events_read=made.events_read,
            version=version,
            fired=made.again.reasons,
        )

    @field("The same request asked today, as known at the head.")
    def now(self, info: Info) -> GateAnswer:
        return answers(info, [decided_request(self.event)])[0]

    @strawberry.field
    def receipt(self, info: Info) -> Receipt | None:
        return evidence.receipt(info, self.recorded.position)

    @field(
        "The decision as a credential to be carried away and verified without the ledger: a compact SD-JWT VC. The same "
        "decision gives the same one until the key is rotated; null while no checkpoint holds it."
    )
    def credential(self, info: Info) -> str | None:
        note(info, "Decision.credential", [self.event.uscc])
        context, position = info.context, self.recorded.position
        page = self.siblings or (position,)
        made: dict[int, str] = context.once(("credentials", page), lambda: context.issuer.credentials(page))
        return made.get(position)

    def _version(self) -> Version:
        version = RULEBOOK.named(self.event.rulebook)
        assert version, "a recorded decision names a version that this program knows"
        return version


def has_changed(answer: GateAnswer, event: GateDecided) -> bool:
    """Another outcome or another set of rule ids (§8)."""
    rules = {reason.rule for reason in answer.fired}, {reason.rule for reason in event.reasons}
    return answer.outcome is not event.outcome or rules[0] != rules[1]


def answers(info: Info, requests: Sequence[Request]) -> list[GateAnswer]:
    """What each request is answered today, as known at the head, from one look-up."""
    at = Moment(info.context.today)
    tags = {tag for request in requests for tag in tags_read(request, at)}
    head, streams = info.context.folds(tags)
    version = RULEBOOK.in_force_on(at.on)
    return [_answer(request, Moment(at.on, head), ask(request, at, streams), version) for request in requests]


def _answer(request: Request, at: Moment, found: Answer, version: Version) -> GateAnswer:
    return GateAnswer(
        gate=request.gate,
        uscc=USCC(request.uscc),
        outcome=found.outcome,
        as_of=Date(at.on),
        known_at=Position(at.known_at),
        version=version,
        fired=found.reasons,
    )


def preview(info: Info, sent: object, as_of: object, known_at: object, rulebook: str | None) -> GateAnswer:
    """Asks a gate at any (D, P) under any version, and records nothing."""
    request, flaws = parse_request(sent)
    if request is None:
        path = f"request.{flaws[0].path}".rstrip(".")
        raise Malformed(Text(f"{path}：{flaws[0].text.zh}", f"{path}: {flaws[0].text.en}"))
    if refused := may_preview(info.context.caller, request):
        raise ApiError("FORBIDDEN", refused.text)
    info.context.require_current(request.uscc)
    on, version = arguments.as_of(info, as_of), rulebook_types.named(rulebook)
    version = version or RULEBOOK.in_force_on(on)
    known = arguments.known_at(info, known_at)
    head, streams = info.context.folds(tags_read(request, Moment(on), RULEBOOK, version))
    at = Moment(on, head if known is None else known)
    return _answer(request, at, ask(request, at, streams, RULEBOOK, version), version)


def find(info: Info, decision_id: str) -> Decision | None:
    """The decision of that id, unless the caller is a carrier that did not ask for it."""
    # No id holds a control character, and none is looked up: the database cannot hold them either.
    recorded = recorded_decision(info.context.ledger.recorder, decision_id) if decision_id.isprintable() else None
    if recorded is None or not _may_see(info, recorded.event):
        return None
    return Decision.of(recorded)


def _may_see(info: Info, event: Any) -> bool:
    own = own_only(info, "Query.decision")
    return not own or asking_carrier(event.requested_by) == info.context.caller.carrier


def decisions(
    info: Info, asked: DecisionFilter, changed: bool | None, first: int | None, after: str | None
) -> Connection[Decision]:
    """Recorded decisions, newest first; a carrier sees its own."""
    size, before = arguments.page_size(first, MOST_DECISIONS, 20), arguments.decode_position(after)
    asked = asked._replace(carrier=info.context.caller.carrier) if own_only(info, "Query.decisions") else asked
    info.context.settle("decisions")
    if asked.uscc:
        info.context.require_current(asked.uscc)
    reads = info.context.reads
    if changed is None:
        found = _as_page([Decision.of(known.recorded) for known in reads.decisions(asked, size + 1, before)])
        return Connection[Decision].of(found, _cursor, size, after, lambda: reads.decision_count(asked))
    scanned = _as_page(_scan(info, asked, changed, size + 1, before))
    return Connection[Decision].of(scanned, _cursor, size, after, lambda: len(_scan(info, asked, changed, None, None)))


def _as_page(found: list[Decision]) -> list[Decision]:
    siblings = tuple(decision.recorded.position for decision in found)
    for decision in found:
        decision.siblings = siblings
    return found


def _scan(info: Info, asked: DecisionFilter, changed: bool, limit: int | None, before: int | None) -> list[Decision]:
    """Asks decisions again, newest first, until so many are found that did (or did not) change."""
    found: list[Decision] = []
    while page := info.context.reads.decisions(asked, SCANNED, before):
        found += _changed(info, page, changed)
        before = page[-1].recorded.position
        if len(page) < SCANNED or (limit is not None and len(found) >= limit):
            break
    return found[:limit]


def _changed(info: Info, page: Sequence[Known], changed: bool) -> Iterable[Decision]:
    made = [Decision.of(known.recorded) for known in page]
    now = answers(info, [decided_request(decision.event) for decision in made])
    return [each for each, answer in zip(made, now, strict=True) if has_changed(answer, each.event) is changed]


def _cursor(decision: Decision) -> str:
    return encode_cursor(decision.recorded.position)
