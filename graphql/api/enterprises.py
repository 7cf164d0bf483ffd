"""An enterprise: its register, its history, its complaints."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Final, Self

import strawberry

from api import arguments, supervision_types
from api.connections import Connection, encode_cursor
from api.context import Info
from api.credit_types import CreditReport, report
from api.event_types import LedgerEvent, event_of, readable
from api.fields import field
from api.noted import FromDate, note
from api.pages import Page
from api.permissions import own_only
from api.scalars import USCC, Date, Position, ServiceNumber
from api.supervision_types import Finding, Obligation
from domain import register
from domain.facts import Facts, Moment
from domain.register import AccessState
from domain.vocabulary import Area, Directions, LicenceRoute, ObligationState
from ledger.entry import UnreadableEntry
from projections.reads import Known, Slice

MOST_NODES: Final = 100
ENFORCEMENT: Final = Slice(areas=(Area.INTERVIEW, Area.EXPOSURE, Area.PENALTY, Area.LIST), types=("InspectionHeld",))
"""Inspection, interview, rectification, exposure, penalty and list (§8)."""


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class Licence:
    held: strawberry.Private[register.Licence]
    on: strawberry.Private[date]

    @strawberry.field
    def licence_no(self) -> str:
        return self.held.granted.event.licence_no

    @strawberry.field
    def valid_from(self) -> Date:
        return Date(self.held.granted.event.valid_from)

    @strawberry.field
    def valid_to(self) -> Date:
        return Date(self.held.valid_to)

    @strawberry.field
    def in_force(self, as_of: Date | None = None) -> bool:
        return self.held.is_in_force(arguments.day(as_of, "asOf") or self.on)

    @strawberry.field
    def ended_by(self) -> str | None:
        return self.held.ended_by

    @strawberry.field
    def route(self) -> LicenceRoute:
        return self.held.granted.event.route

    @strawberry.field
    def authority(self) -> str:
        return self.held.granted.event.authority

    @strawberry.field
    def position(self) -> Position:
        return Position(self.held.granted.position)


@strawberry.type
class NumberFiling:
    number: ServiceNumber
    carriers: list[str]
    use: str
    directions: Directions
    filed_on: Date
    withdrawn_on: Date | None
    position: Position


@strawberry.type
class Access:
    access_id: strawberry.ID
    carrier: str
    number: ServiceNumber
    directions: Directions
    state: str
    granted_on: Date
    position: Position


@strawberry.type
class ComplaintCount:
    date: Date
    received: int
    substantiated: int


@strawberry.type(
    description="How many events of a type took effect in a month; month: its first day; position: of the latest of them."
)
class Activity:
    month: Date
    area: Area
    type: str
    events: int
    position: Position


@strawberry.type
class Enterprise(Node):
    uscc: USCC
    name: str
    province: str
    facts: strawberry.Private[Facts]
    at: strawberry.Private[Moment]
    page: strawberry.Private[Page]

    @classmethod
    def of(cls, uscc: str, facts: Facts, at: Moment, page: Page) -> Self | None:
        """The enterprise, or None when no registration of it is visible."""
        name, province = register.name(facts, at), register.province(facts, at)
        if name is None or province is None:
            return None
        return cls(
            id=strawberry.ID(f"enterprise-{uscc}"),
            uscc=USCC(uscc),
            name=name,
            province=province,
            facts=facts,
            at=at,
            page=page,
        )

    @strawberry.field
    def credit(self, info: Info, as_of: Date | None = None, known_at: Position | None = None) -> CreditReport:
        on = self.at.on if as_of is None else arguments.as_of(info, as_of)
        known = arguments.known_at(info, known_at)
        info.context.require_current(self.uscc)
        if known is not None and known > self.at.known_at:
            tag = f"enterprise:{self.uscc}"
            return report(self.uscc, info.context.folds([tag])[1][tag], Moment(on, known))
        return report(self.uscc, self.facts, Moment(on, self.at.known_at if known is None else known))

    @strawberry.field
    def licences(self, info: Info) -> list[Licence]:
        return [Licence(held=held, on=self.at.on) for held in register.licences(self.facts, self.at)]

    @strawberry.field
    def numbers(self, info: Info) -> list[NumberFiling]:
        carrier, own = info.context.caller.carrier, own_only(info, "Enterprise.numbers")
        return [
            NumberFiling(
                number=ServiceNumber(filing.filed.event.number),
                carriers=list(filing.carriers),
                use=filing.use,
                directions=filing.directions,
                filed_on=Date(filing.filed.effective_on),
                withdrawn_on=Date(withdrawn_on) if withdrawn_on else None,
                position=Position(filing.filed.position),
            )
            for filing, withdrawn_on in register.filings(self.facts, self.at)
            if not own or carrier in filing.carriers
        ]

    @strawberry.field
    def accesses(self, info: Info) -> list[Access]:
        carrier, own = info.context.caller.carrier, own_only(info, "Enterprise.accesses")
        return [
            _access(held, held.state)
            for held in register.accesses(self.facts, self.at)
            if not own or carrier == held.granted.event.carrier
        ]

    @field("Newest first, by (effectiveOn, position).")
    def history(
        self,
        info: Info,
        areas: list[Area] | None = None,
        begins: FromDate = None,
        to: Date | None = None,
        first: int | None = 50,
        after: str | None = None,
        known_at: Position | None = None,
    ) -> Connection[LedgerEvent]:
        known = arguments.known_at(info, known_at)
        asked = Slice(tuple(areas) if areas is not None else None, (), *arguments.period(begins, to), known)
        return self._events(info, "Enterprise.history", asked, first, after)

    @field("Inspection, interview, rectification, exposure, penalty and list, newest first.")
    def enforcement_history(
        self,
        info: Info,
        begins: FromDate = None,
        to: Date | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[LedgerEvent]:
        begins_on, ends_on = arguments.period(begins, to)
        asked = ENFORCEMENT._replace(begins=begins_on, ends=ends_on)
        return self._events(info, "Enterprise.enforcementHistory", asked, first, after)

    @strawberry.field
    def complaint_counts(
        self, info: Info, begins: Annotated[Date, strawberry.argument(name="from")], to: Date
    ) -> list[ComplaintCount]:
        begins_on, ends_on = arguments.period(begins, to)
        assert begins_on and ends_on
        info.context.settle("complaints")
        info.context.require_current(self.uscc)
        reads, today = info.context.reads, info.context.today
        key = "complaints", begins_on, ends_on
        days = self.page.load(self.uscc, key, lambda usccs: reads.complaint_counts(usccs, begins_on, ends_on, today))
        return [ComplaintCount(date=Date(d.on), received=d.received, substantiated=d.substantiated) for d in days]

    @field(
        "By month and type, oldest first: what took effect up to a date and was recorded, and not voided, up to a position."
    )
    def activity(self, info: Info, as_of: Date | None = None, known_at: Position | None = None) -> list[Activity]:
        on = self.at.on if as_of is None else arguments.as_of(info, as_of)
        known = arguments.settled_at(info, known_at, "history")
        info.context.require_current(self.uscc)
        reads = info.context.reads
        found = self.page.load(self.uscc, ("activity", on, known), lambda usccs: reads.activity(usccs, on, known))
        return [
            Activity(
                month=Date(each.month),
                area=Area(each.area),
                type=each.type,
                events=each.events,
                position=Position(each.position),
            )
            for each in found
        ]

    @strawberry.field
    def obligations(
        self,
        info: Info,
        state: ObligationState | None = None,
        as_of: Date | None = None,
        known_at: Position | None = None,
    ) -> list[Obligation]:
        at = self._supervised(info, as_of, known_at)
        info.context.require_current(self.uscc)
        key = "obligations", state, at
        return self.page.load(self.uscc, key, lambda usccs: supervision_types.obligations_of(info, usccs, state, at))

    @strawberry.field
    def findings(self, info: Info, as_of: Date | None = None, known_at: Position | None = None) -> list[Finding]:
        at = self._supervised(info, as_of, known_at)
        info.context.require_current(self.uscc)
        return self.page.load(self.uscc, ("findings", at), lambda usccs: supervision_types.findings_of(info, usccs, at))

    def _supervised(self, info: Info, as_of: Date | None, known_at: Position | None) -> Moment:
        on = self.at.on if as_of is None else arguments.as_of(info, as_of)
        return Moment(on, arguments.settled_at(info, known_at, "supervision"))

    def _events(
        self, info: Info, named: str, asked: Slice, first: int | None, after: str | None
    ) -> Connection[LedgerEvent]:
        size, place = arguments.page_size(first, MOST_NODES, 50), arguments.decode_place(after)
        info.context.settle("history")
        info.context.require_current(self.uscc)
        reads, page, uscc = info.context.reads, self.page, self.uscc
        note(info, named, [uscc])
        found = page.load(
            uscc, (asked, size, after), lambda usccs: _readable(info, reads.history(usccs, asked, size + 1, place))
        )
        return connection_of(
            found, size, after, lambda: page.load(uscc, asked, lambda usccs: reads.history_count(usccs, asked))
        )


def _readable(info: Info, found: Mapping[str, list[Known]]) -> dict[str, list[Known]]:
    """The events of a whole page of enterprises as the reader may see them."""
    opened = iter(readable(info, [known for events in found.values() for known in events]))
    return {uscc: [next(opened) for _ in events] for uscc, events in found.items()}


def connection_of(
    found: Sequence[Known], first: int, after: str | None, count: Callable[[], int]
) -> Connection[LedgerEvent]:
    return Connection[LedgerEvent].of([event_of(known) for known in found], _cursor, first, after, count)


def _cursor(event: LedgerEvent) -> str:
    return encode_cursor(event.recorded.effective_on, event.recorded.position)


def _access(held: register.Access, state: AccessState) -> Access:
    event = held.granted.event
    return Access(
        access_id=strawberry.ID(event.access_id),
        carrier=event.carrier,
        number=ServiceNumber(event.number),
        directions=event.directions,
        state=state,
        granted_on=Date(held.granted.effective_on),
        position=Position(held.granted.position),
    )


def named(info: Info, uscc: str, on: date, known_at: int | None) -> Enterprise | None:
    """The enterprise of a code that was asked for, as of a date and as known at a position or at the head.

    Raises ApiError STALE where it stands still.
    """
    info.context.require_current(uscc)
    found = load(info, [uscc], on, known_at)
    return found[0] if found else None


def listed(info: Info, usccs: Sequence[str]) -> list[Enterprise]:
    """The enterprises of a list; those that stand still because an entry cannot be read are left out."""
    try:
        return load(info, usccs)
    except UnreadableEntry:
        standing = {parked.uscc for parked in info.context.parked}
        return load(info, [uscc for uscc in usccs if uscc not in standing])


def load(info: Info, usccs: Sequence[str], on: date | None = None, known_at: int | None = None) -> list[Enterprise]:
    """The enterprises of these codes, by default at (today, head), in order; those without a visible registration are
    left out."""
    head, folds = info.context.folds([f"enterprise:{uscc}" for uscc in usccs])
    at, page = Moment(on or info.context.today, head if known_at is None else known_at), Page(usccs)
    made = (Enterprise.of(uscc, folds[f"enterprise:{uscc}"], at, page) for uscc in usccs)
    return [enterprise for enterprise in made if enterprise]
