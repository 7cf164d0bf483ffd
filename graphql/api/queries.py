"""Query: the register and the ledger."""

from typing import Final

import strawberry

from api import (
    arguments,
    draw_types,
    enterprises,
    gate_types,
    noted,
    pool_pages,
    rulebook_types,
    standing_types,
    supervision_types,
)
from api.connections import Connection
from api.context import Info
from api.credit_types import CreditChange, CreditReport, change_of, report, reports
from api.draw_types import Draw
from api.enterprises import MOST_NODES, Enterprise, Node
from api.errors import invalid
from api.fields import field
from api.gate_types import Decision, GateAnswer
from api.inputs import GateRequest
from api.ledger_type import Ledger
from api.noted import FromDate, Read
from api.permissions import reach
from api.pool_pages import PoolShare
from api.rulebook_types import Rulebook
from api.scalars import USCC, Date, Position
from api.standing_types import ApiKey
from api.supervision_types import Finding, ListEntry, Obligation, Penalty
from domain.facts import Moment
from domain.identifiers import PROVINCES
from domain.matrix import Reach
from domain.rulebook import RULEBOOK
from domain.vocabulary import CreditList, CreditStatus, Gate, ObligationState, Outcome
from ledger.read_log import ReadFilter
from projections.reads import DecisionFilter, Search

MOST_SEARCH: Final = 200
MOST_FEED: Final = 1_000


@strawberry.type
class Query:
    @strawberry.field
    def node(self, info: Info, id: strawberry.ID) -> Node | None:
        kind, _, rest = str(id).partition("-")
        if kind == "draw":
            return draw_types.find(info, rest)
        if kind == "enterprise":
            return enterprises.named(info, arguments.uscc(rest), info.context.today, None)
        return gate_types.find(info, str(id)) if kind == "decision" else None

    @field(
        "As of a date and as known at a position, by default today and at the head; so are its fields where they say nothing else."
    )
    def enterprise(
        self, info: Info, uscc: USCC, as_of: Date | None = None, known_at: Position | None = None
    ) -> Enterprise | None:
        code = arguments.uscc(uscc)
        return enterprises.named(info, code, arguments.as_of(info, as_of), arguments.known_at(info, known_at))

    @field("Case-insensitive; matches code, name (any part) and filed numbers.")
    def enterprises(
        self,
        info: Info,
        search: str | None = None,
        status: CreditStatus | None = None,
        province: str | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[Enterprise]:
        size = arguments.page_size(first, MOST_NODES, 20)
        asked = _search(info, search, status, province)
        place = arguments.decode_uscc(after)
        info.context.settle("register")
        reads = info.context.reads
        usccs = reads.search(asked, size + 1, place)
        found = {str(node.uscc): node for node in enterprises.listed(info, usccs)}
        return Connection[Enterprise].of_keys(usccs, found, size, after, lambda: reads.search_count(asked))

    @strawberry.field
    def credit_status(
        self, info: Info, uscc: USCC, as_of: Date | None = None, known_at: Position | None = None
    ) -> CreditReport:
        on, code, asked = arguments.as_of(info, as_of), arguments.uscc(uscc), arguments.known_at(info, known_at)
        info.context.require_current(code)
        head, folds = info.context.folds([f"enterprise:{code}"])
        return report(code, folds[f"enterprise:{code}"], Moment(on, head if asked is None else asked))

    @field("Up to 1,000 codes; one report per code, in the order asked.")
    def credit_statuses(
        self, info: Info, usccs: list[USCC], as_of: Date | None = None, known_at: Position | None = None
    ) -> list[CreditReport]:
        if len(usccs) > 1_000:
            raise invalid("usccs", f"最多 1000 个代码，收到 {len(usccs)} 个", f"at most 1,000 codes; got {len(usccs)}")
        on, codes = arguments.as_of(info, as_of), [arguments.uscc(uscc) for uscc in usccs]
        at = Moment(on, arguments.settled_at(info, known_at, "credit_changes"))
        info.context.require_current(*codes)
        return reports(info, codes, at)

    @field(
        "Every change of a credit timeline after a position, oldest first: what a carrier needs to keep a copy in step."
    )
    def credit_changes(
        self,
        info: Info,
        after: Position = Position(0),  # noqa: B008  # a NewType call is the value itself
        first: int | None = 500,
    ) -> list[CreditChange]:
        size, place = arguments.page_size(first, MOST_FEED, 500), arguments.position(after, "after")
        info.context.settle("credit_changes")
        return [change_of(each) for each in info.context.reads.credit_changes(place, size)]

    @field("Asks a gate without recording a decision.")
    def preview_gate(
        self,
        info: Info,
        request: GateRequest,
        as_of: Date | None = None,
        known_at: Position | None = None,
        rulebook: str | None = None,
    ) -> GateAnswer:
        return gate_types.preview(info, request, as_of, known_at, rulebook)

    @strawberry.field
    def decision(self, info: Info, id: strawberry.ID) -> Decision | None:
        return gate_types.find(info, str(id))

    @field("changed: only those that would come out differently today, as known at the head.")
    def decisions(
        self,
        info: Info,
        uscc: USCC | None = None,
        gate: Gate | None = None,
        outcome: Outcome | None = None,
        changed: bool | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[Decision]:
        asked = DecisionFilter(_code(uscc), gate.value if gate else None, outcome.value if outcome else None)
        return gate_types.decisions(info, asked, changed, first, after)

    @field("The published lists (public). activeOn defaults to today; removedOn and name are as known.")
    def list_entries(
        self,
        info: Info,
        list: CreditList | None = None,
        active_on: Date | None = None,
        known_at: Position | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[ListEntry]:
        at = Moment(arguments.as_of(info, active_on, "activeOn"), arguments.settled_at(info, known_at, "supervision"))
        return supervision_types.list_entries(info, list, at, first, after)

    @field("Standing publicised penalties while their publicity lasts (public).")
    def penalties(
        self,
        info: Info,
        uscc: USCC | None = None,
        active_on: Date | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Penalty]:
        at = Moment(
            arguments.as_of(info, active_on, "activeOn"), arguments.settled_at(info, None, "supervision", "history")
        )
        return supervision_types.penalties(info, _current(info, uscc), at, first, after)

    @strawberry.field
    def obligations(
        self,
        info: Info,
        uscc: USCC | None = None,
        state: ObligationState | None = None,
        as_of: Date | None = None,
        known_at: Position | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Obligation]:
        at = Moment(arguments.as_of(info, as_of), arguments.settled_at(info, known_at, "supervision"))
        return supervision_types.obligations_at(info, _current(info, uscc), state, at, first, after)

    @strawberry.field
    def findings(
        self,
        info: Info,
        uscc: USCC | None = None,
        rule: str | None = None,
        as_of: Date | None = None,
        known_at: Position | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Finding]:
        at = Moment(arguments.as_of(info, as_of), arguments.settled_at(info, known_at, "supervision"))
        return supervision_types.findings_at(info, _current(info, uscc), rule, at, first, after)

    @field("The read log, newest first: who was shown an enterprise's history or a personal field (auditors).")
    def reads(
        self,
        info: Info,
        uscc: USCC | None = None,
        begins: FromDate = None,
        to: Date | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Read]:
        return noted.reads(info, ReadFilter(_code(uscc), *arguments.period(begins, to)), first, after)

    @field("Null where it is not there, or not yet public and the caller is neither an auditor nor its authority.")
    def draw(self, info: Info, draw_id: str) -> Draw | None:
        return draw_types.find(info, draw_id)

    @field("The draws that the caller may see, newest first.")
    def draws(self, info: Info, first: int | None = 20, after: str | None = None) -> Connection[Draw]:
        return draw_types.draws(info, first, after)

    @field("The pool that a draw would have now, counted by province and status.")
    def draw_pool(
        self,
        info: Info,
        authority: str,
        provinces: list[str] | None = None,
        statuses: list[CreditStatus] | None = None,
    ) -> list[PoolShare]:
        return pool_pages.shares(info, authority, provinces, statuses)

    @strawberry.field
    def rulebooks(self) -> list[Rulebook]:
        return [rulebook_types.shown(version) for version in RULEBOOK.versions]

    @field("Who holds a key, in the order in which they were made.")
    def keys(self, info: Info) -> list[ApiKey]:
        return standing_types.keys(info)

    @strawberry.field
    def ledger(self) -> Ledger:
        return Ledger()


def _code(uscc: USCC | None) -> str | None:
    return None if uscc is None else arguments.uscc(uscc)


def _current(info: Info, uscc: USCC | None) -> str | None:
    """The code that is asked for, if one is. Raises ApiError STALE where it stands still."""
    code = _code(uscc)
    if code:
        info.context.require_current(code)
    return code


def _search(info: Info, search: str | None, status: CreditStatus | None, province: str | None) -> Search:
    arguments.text(search, "search", MOST_SEARCH)
    if province is not None and province not in PROVINCES:
        legal = ", ".join(PROVINCES)
        raise invalid("province", f"应为 {legal} 之一", f"this is one of {legal}")
    # A carrier may not learn from a search which numbers others have filed (§8).
    by_number = reach(info.context.caller, "Enterprise.numbers") is Reach.ALL
    return Search(info.context.today, search, province, status.value if status else None, by_number)
