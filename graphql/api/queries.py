"""Query: the register and the ledger."""

from typing import Any

import strawberry

from api import arguments, enterprises
from api.connections import Connection
from api.context import Info
from api.credit_types import CreditReport, report
from api.enterprises import MOST_NODES, Enterprise, Node
from api.errors import invalid
from api.fields import field
from api.ledger_type import Ledger
from api.permissions import check
from api.scalars import USCC, Date, Position
from domain.callers import Role
from domain.identifiers import PROVINCES
from domain.vocabulary import CreditStatus
from projections.reads import Search

MOST_SEARCH = 200


@strawberry.type
class Query:
    @strawberry.field
    def node(self, info: Info, id: strawberry.ID) -> Node | None:
        check(info, "Query.node")
        kind, _, rest = str(id).partition("-")
        if kind == "enterprise":
            found = enterprises.load(info, [arguments.uscc(rest)])
            return found[0] if found else None
        return None

    @strawberry.field
    def enterprise(self, info: Info, uscc: USCC) -> Enterprise | None:
        check(info, "Query.enterprise")
        found = enterprises.load(info, [arguments.uscc(uscc)])
        return found[0] if found else None

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
        check(info, "Query.enterprises")
        size = arguments.page_size(first, MOST_NODES, 20)
        asked = _search(info, search, status, province)
        place = arguments.decode_cursor(after, 1)[0] if after is not None else ""
        info.context.settle()
        reads = info.context.reads
        usccs = reads.search(asked, size + 1, place)
        found = enterprises.load(info, usccs)
        return Connection[Enterprise].of(found, _cursor, size, after, lambda: reads.search_count(asked))

    @strawberry.field
    def credit_status(
        self, info: Info, uscc: USCC, as_of: Date | None = None, known_at: Position | None = None
    ) -> CreditReport:
        check(info, "Query.creditStatus")
        return _reports(info, [uscc], as_of, known_at)[0]

    @field("Up to 1,000 codes; one report per code, in the order asked.")
    def credit_statuses(
        self, info: Info, usccs: list[USCC], as_of: Date | None = None, known_at: Position | None = None
    ) -> list[CreditReport]:
        check(info, "Query.creditStatuses")
        if len(usccs) > 1_000:
            raise invalid("usccs", f"最多 1000 个代码，收到 {len(usccs)} 个", f"at most 1,000 codes; got {len(usccs)}")
        return _reports(info, usccs, as_of, known_at)

    @strawberry.field
    def ledger(self) -> Ledger:
        return Ledger()


def _reports(info: Info, usccs: list[USCC], as_of: object, known_at: object) -> list[CreditReport]:
    on = arguments.as_of(info, as_of)
    codes = [arguments.uscc(uscc) for uscc in usccs]
    head, folds = info.context.ledger.streams.read([f"enterprise:{code}" for code in codes])
    known = arguments.known_at(info, known_at, head)
    return [report(code, folds[f"enterprise:{code}"], on, known) for code in codes]


def _search(info: Info, search: str | None, status: CreditStatus | None, province: str | None) -> Search:
    if search is not None and len(search) > MOST_SEARCH:
        raise invalid("search", f"最多 {MOST_SEARCH} 个字符", f"at most {MOST_SEARCH} characters; got {len(search)}")
    if province is not None and province not in PROVINCES:
        legal = ", ".join(PROVINCES)
        raise invalid("province", f"应为 {legal} 之一", f"this is one of {legal}")
    # A carrier may not learn from a search which numbers others have filed (§8).
    by_number = info.context.caller.role is not Role.CARRIER
    return Search(info.context.today, search, province, status.value if status else None, by_number)


def _cursor(enterprise: Any) -> str:
    return arguments.encode_cursor(enterprise.uscc)
