"""The random draw 双随机 (rulebook §9): what is asked, who is drawn, who inspects, when it is public, what followed.

Who has the request, the root, the pool and the version of the rulebook gets the same draw; nothing else goes into it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from heapq import nsmallest
from typing import Annotated, Final, NamedTuple

import msgspec

from domain.callers import Caller
from domain.commands import Code, Refusal, refusal
from domain.credit import READ
from domain.events import (
    DrawnEnterprise,
    Event,
    EventVoided,
    InspectionDrawn,
    InspectionHeld,
    LicenceGranted,
    LicenceRenewed,
)
from domain.facts import Fact, Facts, Moment
from domain.identifiers import malformed
from domain.kinds import AtLeastOne, Authority, Identifier, Kind, Name, Province
from domain.matrix import FIELDS, Reach
from domain.obligations import FOLLOW, Obligation, obligations
from domain.register import ENDINGS
from domain.rulebook import RULEBOOK, Version
from domain.shape import parse
from domain.text import shown
from domain.vocabulary import CreditStatus

LICENCE_EVENTS: Final[tuple[type[Event], ...]] = (LicenceGranted, LicenceRenewed, *ENDINGS)
POOL_EVENTS: Final[tuple[type[Event], ...]] = (*READ, *LICENCE_EVENTS, EventVoided)
"""The events that a pool rests on; no other can change who is in it or with which status."""
PUBLIC_AFTER: Final = timedelta(days=180)
"""After which a draw is public though not every inspection of it is held (a requirement; the rulebook has no day)."""


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise malformed(f"应为不小于 1 的整数，收到 {shown(value)}", f"This is a number from 1 on; got {shown(value)}")
    return value


Count = Annotated[int, Kind("Int", _count)]


class DrawRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked of a draw. No provinces, or no statuses: it is not narrowed by them."""

    draw_id: Identifier
    authority: Authority
    count: Count
    provinces: tuple[Province, ...] = ()
    statuses: tuple[CreditStatus, ...] = ()
    inspectors: Annotated[tuple[Name, ...], AtLeastOne()]
    per_inspection: Count = 2

    @property
    def narrowed_to(self) -> tuple[str, ...]:
        """The provinces that the pool is narrowed to: a provincial authority draws in its own; none for nationwide."""
        return self.provinces or (() if self.authority == "MIIT" else (self.authority[3:],))


def parse_draw(sent: object) -> tuple[DrawRequest | None, list[Refusal]]:
    """The request that was sent, or every refusal of what it says by itself (INVALID), with paths inside it."""
    request, flaws = parse(DrawRequest, sent)
    if request is None:
        return None, [Refusal(Code.INVALID, flaw.path, flaw.text) for flaw in flaws]
    refusals = list(_inspectors(request))
    return (None, refusals) if refusals else (request, [])


def _inspectors(request: DrawRequest) -> Iterable[Refusal]:
    named = request.inspectors
    for place, inspector in enumerate(named):
        if inspector in named[:place]:
            yield refusal(
                Code.INVALID,
                f"inspectors.{place}",
                f"检查人员 {shown(inspector)} 已在第 {named.index(inspector) + 1} 位列出；每人只列一次",
                f"The inspector {shown(inspector)} is number {named.index(inspector) + 1} of the list already; name each once",
            )
    if len(named) < request.per_inspection:
        yield refusal(
            Code.INVALID,
            "inspectors",
            f"每次检查 {request.per_inspection} 人，名单只有 {len(named)} 人；请增加名单或减少 perInspection",
            f"perInspection is {request.per_inspection} and {len(named)} inspectors are named; name more, or ask for fewer",
        )


def may_draw(caller: Caller, request: DrawRequest) -> list[Refusal]:
    """Only regulators draw, in the name of their authority, and a provincial authority in its province only."""
    if caller.reach(FIELDS["Mutation.drawInspection"]) is Reach.NONE:
        return [
            refusal(
                Code.FORBIDDEN,
                "",
                f"角色 {caller.role} 不能抽取检查对象；请使用电信管理机构的密钥",
                f"The role {caller.role} may not draw inspections; use a key of a regulator",
            )
        ]
    if not caller.speaks_for(request.authority):
        return [
            refusal(
                Code.FORBIDDEN,
                "authority",
                f"该密钥代表 {caller.authority}，不能以 {request.authority} 的名义抽取",
                f"This key speaks for {caller.authority} and may not draw for {request.authority}",
            )
        ]
    if request.authority == "MIIT":
        return []
    return [
        refusal(
            Code.FORBIDDEN,
            f"provinces.{place}",
            f"{request.authority} 只能在本省抽取，收到 {province}",
            f"{request.authority} draws in its own province only; got {province}",
        )
        for place, province in enumerate(request.provinces)
        if request.authority != f"CA-{province}"
    ]


class Member(NamedTuple):
    """One enterprise of a pool, with its status at (D, P)."""

    uscc: str
    status: CreditStatus


def tickets(member: Member, version: Version) -> int:
    """How many tickets an enterprise has by its status, under the version in force on D (`drawTickets`)."""
    return version.parameters.draw_tickets[member.status.value]


def least_key(root: str, draw_id: str, uscc: str, count: int) -> str:
    """The enterprise's key: the least of those of its tickets 0 to count − 1."""
    own = sha256(f"{root}\n{draw_id}\n{uscc}\n".encode())
    keys = []
    for ticket in range(count):
        one = own.copy()
        one.update(b"%d" % ticket)
        keys.append(one.hexdigest())
    return min(keys)


def drawn(request: DrawRequest, root: str, pool: Iterable[Member], version: Version) -> tuple[DrawnEnterprise, ...]:
    """The enterprises with the least keys in that order, each with who inspects it. `root`: lower-case hex."""
    keyed = (
        (least_key(root, request.draw_id, member.uscc, count), member, count)
        for member in pool
        for count in (tickets(member, version),)
    )
    return tuple(
        DrawnEnterprise(
            uscc=member.uscc,
            status=member.status.value,
            tickets=count,
            key=key,
            inspectors=inspectors(request, root, member.uscc),
        )
        for key, member, count in nsmallest(request.count, keyed)
    )


def inspectors(request: DrawRequest, root: str, uscc: str) -> tuple[str, ...]:
    """Who inspects a drawn enterprise: those of the named list with the least keys, in that order."""
    own = sha256(f"{root}\n{request.draw_id}\n{uscc}\n".encode())

    def key(inspector: str) -> bytes:
        one = own.copy()
        one.update(inspector.encode())
        return one.digest()

    return tuple(nsmallest(request.per_inspection, request.inspectors, key))


def pool_line(member: Member, version: Version) -> dict[str, object]:
    """What the canonical line of a pool's member states; the pool's root is the RFC 9162 root over these lines.

    §9 names the request, D, P, the root, the pool's size and the result as what the event holds. The pool's root is held
    besides them: without it nobody could check an export of the pool, line by line, against what was drawn from.
    """
    return {"status": member.status.value, "tickets": tickets(member, version), "uscc": member.uscc}


def refuse_empty() -> Refusal:
    return refusal(
        Code.INVALID,
        "",
        "没有符合条件的企业：应已登记、持有有效许可，且属于所选地区和信用状态；请放宽条件",
        "The pool is empty: no enterprise is registered, holds a licence in force, and is of these provinces and statuses; "
        "ask for more of them",
    )


def refuse_used(draw_id: str, position: int) -> Refusal:
    return refusal(
        Code.ALREADY_EXISTS,
        "drawId",
        f"抽取编号 {draw_id} 已用于位置 {position}；请换一个编号",
        f"The drawId {draw_id} was used at position {position}; give another one",
    )


def draw_of(draw: Facts) -> Fact[InspectionDrawn] | None:
    """The draw in the fold of its tag `draw:ID`."""
    return next(iter(draw.ever(InspectionDrawn)), None)


def public_from(draw: Facts, known_at: int) -> date | None:
    """The legal date from which a draw is public: its last inspection is held, or 180 days have passed.

    `draw` is the fold of the tag `draw:ID`: the draw and the inspections that name it. None where there is no draw.
    """
    made = draw_of(draw)
    if made is None:
        return None
    held = inspections(draw, Moment(date.max, known_at))
    latest = made.event.as_of + PUBLIC_AFTER
    if any(each.uscc not in held for each in made.event.drawn):
        return latest
    return min(latest, max(facts[0].effective_on for facts in held.values()))


def inspections(draw: Facts, at: Moment) -> dict[str, list[Fact[InspectionHeld]]]:
    """The visible inspections that name a draw, by enterprise, earliest first."""
    found: dict[str, list[Fact[InspectionHeld]]] = {}
    for fact in draw.visible(InspectionHeld, at):
        found.setdefault(fact.event.uscc, []).append(fact)
    return found


@dataclass(frozen=True, slots=True)
class Inspection:
    """An inspection that a draw led to; `follow_up` is its OBL-FOLLOW, None where it found no violations."""

    held: Fact[InspectionHeld]
    follow_up: Obligation | None


def followed(draw: Facts, enterprises: Mapping[str, Facts], at: Moment) -> dict[str, list[Inspection]]:
    """For each enterprise that was inspected, its inspections at (D, P). `enterprises` has the folds of all of these."""
    found = {}
    for uscc, held in inspections(draw, at).items():
        owed = {row.arises_from: row for row in obligations(enterprises[uscc], uscc, at) if row.rule == FOLLOW}
        found[uscc] = [Inspection(fact, owed.get(fact.position)) for fact in held]
    return found


def version_on(as_of: date) -> Version:
    return RULEBOOK.in_force_on(as_of)
