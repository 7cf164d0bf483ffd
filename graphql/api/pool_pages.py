"""The pool of a draw: as the log gives it at the draw's (D, P), and as it would be now, counted (rulebook §9)."""

from collections import Counter
from typing import Final

import strawberry

from api import arguments
from api.context import Info
from api.errors import ApiError, stale
from api.scalars import USCC
from domain import draws as rules
from domain.draws import DrawRequest, parse_draw
from domain.events import InspectionDrawn
from domain.text import Text
from domain.vocabulary import CreditStatus
from ledger.draw_evidence import members_of
from projections.pools import Pools, PoolStands

ENTERPRISES: Final = 1_000
"""Enterprises that a page looks at."""


@strawberry.type
class PoolMember:
    uscc: USCC
    status: CreditStatus
    tickets: int


@strawberry.type(description="next: the code to go on after; null at the end.")
class PoolPage:
    members: list[PoolMember]
    next: USCC | None


@strawberry.type(description="How many enterprises of a province and a status a pool has.")
class PoolShare:
    province: str
    status: CreditStatus
    enterprises: int


def page(info: Info, event: InspectionDrawn, after: str | None) -> PoolPage:
    begin = arguments.uscc(after) if after is not None else ""
    request, _ = parse_draw(event.request)
    assert request, "what was recorded could be asked"
    usccs = info.context.reads.enterprises_after(begin, ENTERPRISES, event.known_at)
    version = rules.version_on(event.as_of)
    members = members_of(info.context.ledger.streams, event, request, usccs) if usccs else ()
    return PoolPage(
        members=[
            PoolMember(uscc=USCC(each.uscc), status=each.status, tickets=rules.tickets(each, version))
            for each in members
        ],
        next=USCC(usccs[-1]) if len(usccs) == ENTERPRISES else None,
    )


def shares(
    info: Info, authority: str, provinces: list[str] | None, statuses: list[CreditStatus] | None
) -> list[PoolShare]:
    """The pool that a draw would have now, by province and status. Raises ApiError where none can be asked so."""
    request, refusals = parse_draw(
        {
            "drawId": "count",
            "authority": authority,
            "count": 1,
            "inspectors": ["count"],
            "perInspection": 1,
            "provinces": provinces,
            "statuses": [status.value for status in statuses] if statuses else None,
        }
    )
    if request is None:
        raise ApiError(refusals[0].code.value, refusals[0].text, refusals[0].path)
    return _counted(info, request)


def _counted(info: Info, request: DrawRequest) -> list[PoolShare]:
    try:
        pool = Pools(info.context.runner).pool(request, info.context.today)
    except PoolStands as standing:
        raise stale(standing.parked) from None
    if pool is None:
        raise ApiError(
            "NOT_YET_KNOWN", Text("抽取范围暂时无法统计；请稍后再试", "The pool cannot be told yet; try again")
        )
    provinces = info.context.reads.provinces([member.uscc for member in pool.members], info.context.today)
    counted = Counter((provinces.get(member.uscc, ""), member.status) for member in pool.members)
    return [
        PoolShare(province=province, status=status, enterprises=number)
        for (province, status), number in sorted(counted.items())
    ]
