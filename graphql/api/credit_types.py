"""Credit reports (rulebook §4) as GraphQL types."""

from datetime import date

import strawberry

from api.context import Info
from api.reasons import Reason, reasons
from api.scalars import USCC, Date, Position
from domain import credit
from domain.facts import Facts, Moment
from domain.vocabulary import CreditStatus


@strawberry.type(description="from: null before the first event; each span lasts until the next one begins.")
class CreditSpan:
    begins: Date | None = strawberry.field(name="from")
    status: CreditStatus


@strawberry.type
class CreditReport:
    uscc: USCC
    as_of: Date
    known_at: Position
    facts: strawberry.Private[Facts]
    found: strawberry.Private[credit.Credit]

    @strawberry.field
    def status(self) -> CreditStatus:
        return self.found.status

    @strawberry.field
    def reasons(self, info: Info) -> list[Reason]:
        return reasons(self.found.reasons, info)

    @strawberry.field
    def timeline(self) -> list[CreditSpan]:
        return spans(credit.timeline(self.facts, self.known_at))


@strawberry.type
class CreditChange:
    uscc: USCC
    position: Position
    timeline: list[CreditSpan]


def spans(timeline: tuple[credit.Span, ...]) -> list[CreditSpan]:
    return [CreditSpan(begins=Date(span.begins) if span.begins else None, status=span.status) for span in timeline]


def report(uscc: str, facts: Facts, on: date, known_at: int) -> CreditReport:
    found = credit.credit(facts, Moment(on, known_at))
    return CreditReport(uscc=USCC(uscc), as_of=Date(on), known_at=Position(known_at), facts=facts, found=found)
