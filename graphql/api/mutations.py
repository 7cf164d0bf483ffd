"""Mutation: recording facts. What is refused is said in `errors`, and then nothing was appended."""

from typing import Any

import strawberry

from api import draw_types, erasure_types, evidence
from api.context import Info
from api.draw_types import DrawInspectionPayload
from api.erasure_types import EraseSubjectInput, EraseSubjectPayload, HoldSubjectInput, SubjectInput, SubjectPayload
from api.event_types import LedgerEvent, recorded_events
from api.evidence import Receipt
from api.fields import field, mutation
from api.gate_types import Decision
from api.inputs import DecideGateInput, DrawInspectionInput, RecordInput
from api.reasons import RecordError, record_errors
from api.scalars import Position
from ledger.ledger import Recording


@strawberry.type
class RecordPayload:
    events: list[LedgerEvent]
    head: Position
    replayed: bool
    errors: list[RecordError]
    made: strawberry.Private[Recording]

    @field("The receipts of the events, in their order, under one checkpoint that holds them all.")
    def receipts(self, info: Info) -> list[Receipt] | None:
        return evidence.receipts_of(info, self.made)


@strawberry.type
class DecideGatePayload:
    decision: Decision | None
    replayed: bool
    errors: list[RecordError]


@strawberry.type
class Mutation:
    @mutation(
        "Appends facts: all of them in one atomic step, or none. The same idempotencyKey with the same "
        "input returns the first answer and appends nothing; with another input it is an error."
    )
    def record(self, info: Info, input: RecordInput) -> RecordPayload:
        sent: Any = input
        context = info.context
        facts = [next(iter(fact.items())) for fact in sent["facts"]]
        made = context.ledger.record(context.caller, sent["idempotencyKey"], facts)
        context.wake_for(made)
        return RecordPayload(
            events=recorded_events(info, made),
            head=Position(made.head),
            replayed=made.replayed,
            errors=record_errors(made.refusals, info),
            made=made,
        )

    @mutation("Decides a gate and records the decision in one atomic step.")
    def decide_gate(self, info: Info, input: DecideGateInput) -> DecideGatePayload:
        sent: Any = input
        context = info.context
        made = context.ledger.decide_gate(context.caller, sent["idempotencyKey"], sent["request"], sent.get("asOf"))
        context.wake_for(made)
        return DecideGatePayload(
            decision=Decision.of(made.events[0]) if made.events else None,
            replayed=made.replayed,
            errors=record_errors(made.refusals, info),
        )

    @mutation("Draws enterprises and inspectors at random, checkably (rulebook §9), and records the draw.")
    def draw_inspection(self, info: Info, input: DrawInspectionInput) -> DrawInspectionPayload:
        return draw_types.draw_inspection(info, input)

    @mutation(
        "Destroys the key of a data subject: its personal fields become unreadable for good, and no proof changes."
    )
    def erase_subject(self, info: Info, input: EraseSubjectInput) -> EraseSubjectPayload:
        return erasure_types.erase(info, input)

    @mutation("Puts a data subject under a legal hold: it is not erased until the hold is released.")
    def hold_subject(self, info: Info, input: HoldSubjectInput) -> SubjectPayload:
        return erasure_types.hold(info, input)

    @mutation("Releases a data subject from its legal hold.")
    def release_subject(self, info: Info, subject: SubjectInput) -> SubjectPayload:
        return erasure_types.release(info, subject)
