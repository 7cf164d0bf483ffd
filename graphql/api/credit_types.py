"""Credit reports (rulebook §4) as GraphQL types."""

from collections.abc import Callable, Sequence
from functools import partial

import strawberry

from api.context import Info
from api.pages import Page
from api.reasons import Reason, reasons
from api.scalars import USCC, Date, Position
from domain import credit
from domain.facts import Facts, Moment
from domain.vocabulary import CreditStatus
from projections.credit import Timeline
from projections.reads import CreditChange as Changed


@strawberry.type(description="from: null before the first event; each span lasts until the next one begins.")
class CreditSpan:
    begins: Date | None = strawberry.field(name="from")
    status: CreditStatus


@strawberry.type
class CreditReport:
    uscc: USCC
    status: CreditStatus
    as_of: Date
    known_at: Position
    spans: strawberry.Private[Callable[[], Timeline]]
    grounds: strawberry.Private[Callable[[], Sequence[credit.Reason]]]

    @strawberry.field
    def reasons(self, info: Info) -> list[Reason]:
        return reasons(self.grounds(), info)

    @strawberry.field
    def timeline(self) -> list[CreditSpan]:
        return spans(self.spans())


@strawberry.type
class CreditChange:
    uscc: USCC
    position: Position
    timeline: list[CreditSpan]


def change_of(change: Changed) -> CreditChange:
    return CreditChange(uscc=USCC(change.uscc), position=Position(change.position), timeline=spans(change.timeline))


def spans(timeline: Timeline) -> list[CreditSpan]:
    return [CreditSpan(begins=Date(span.begins) if span.begins else None, status=span.status) for span in timeline]


def report(uscc: str, facts: Facts, at: Moment) -> CreditReport:
    """The report of one enterprise, from its facts."""
    found = credit.credit(facts, at)
    return CreditReport(
        uscc=USCC(uscc),
        status=found.status,
        as_of=Date(at.on),
        known_at=Position(at.known_at),
        spans=lambda: credit.timeline(facts, at.known_at),
        grounds=lambda: found.reasons,
    )


def reports(info: Info, usccs: Sequence[str], at: Moment) -> list[CreditReport]:
    """The reports of many enterprises, from the timelines that are kept; facts are folded where reasons are asked for."""
    timelines = info.context.reads.timelines(usccs, at.known_at)
    page = Page(list(dict.fromkeys(usccs)))

    def grounds(uscc: str) -> Sequence[credit.Reason]:
        return page.load(uscc, "facts", lambda codes: _folds(info, codes, at))

    return [
        CreditReport(
            uscc=USCC(uscc),
            status=credit.status_at(timelines[uscc], at.on),
            as_of=Date(at.on),
            known_at=Position(at.known_at),
            spans=partial(timelines.__getitem__, uscc),
            grounds=partial(grounds, uscc),
        )
        for uscc in usccs
    ]


def _folds(info: Info, usccs: Sequence[str], at: Moment) -> dict[str, Sequence[credit.Reason]]:
    folds = info.context.folds([f"enterprise:{uscc}" for uscc in usccs])[1]
    return {uscc: credit.credit(folds[f"enterprise:{uscc}"], at).reasons for uscc in usccs}
