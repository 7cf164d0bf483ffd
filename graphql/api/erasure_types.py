"""Mutations on data subjects: erasing one, and the legal hold that keeps it. For regulators with `personal:erase`."""

import strawberry

from api.context import Info
from api.event_types import LedgerEvent, recorded_events
from api.reasons import RecordError, record_errors
from api.scalars import USCC
from domain.commands import Refusal
from ledger.erasure import Named, Subject


@strawberry.input(description="A data subject, named in one of these ways.")
class SubjectInput:
    subject: str | None = None
    complainant_phone: str | None = None
    complaint_id: str | None = None
    legal_representative_of: USCC | None = None

    @property
    def named(self) -> Named:
        return Named(self.subject, self.complainant_phone, self.complaint_id, self.legal_representative_of)


@strawberry.input(description="ground: why, in words that do not say who; it stays in the ledger.")
class EraseSubjectInput:
    idempotency_key: str
    subject: SubjectInput
    ground: str


@strawberry.input
class HoldSubjectInput:
    subject: SubjectInput
    reason: str


@strawberry.type(description="event: the SubjectErased; null when it was refused.")
class EraseSubjectPayload:
    event: LedgerEvent | None
    replayed: bool
    errors: list[RecordError]


@strawberry.type(description="subject: its random id; events: how many hold its data; hold: why it is kept, if it is.")
class SubjectPayload:
    subject: strawberry.ID | None
    events: int
    hold: str | None
    errors: list[RecordError]


def erase(info: Info, input: EraseSubjectInput) -> EraseSubjectPayload:
    context = info.context
    made = context.erasure.erase(context.caller, input.idempotency_key, input.subject.named, input.ground)
    context.wake_for(made)
    return EraseSubjectPayload(
        event=next(iter(recorded_events(info, made)), None),
        replayed=made.replayed,
        errors=record_errors(made.refusals, info),
    )


def hold(info: Info, input: HoldSubjectInput) -> SubjectPayload:
    return _shown(info, info.context.erasure.hold(input.subject.named, input.reason))


def release(info: Info, subject: SubjectInput) -> SubjectPayload:
    return _shown(info, info.context.erasure.release(subject.named))


def _shown(info: Info, done: Subject | list[Refusal]) -> SubjectPayload:
    if isinstance(done, Subject):
        return SubjectPayload(subject=strawberry.ID(done.id), events=done.events, hold=done.hold, errors=[])
    return SubjectPayload(subject=None, events=0, hold=None, errors=record_errors(done, info))
