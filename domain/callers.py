"""Who asks, and what they may record or decide, by the rows of `domain.matrix` (rulebook §3 “Who records”)."""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.commands import Code, Command, Refusal, refusal
from domain.events import AccessChange, AccessGranted, Event
from domain.matrix import ERASES_PERSONAL, EVENTS, GATES, READS_PERSONAL, Reach, Row
from domain.requests import AccessRequest, CooperationRequest, Request


class Role(StrEnum):
    REGULATOR = "regulator"
    CARRIER = "carrier"
    AUDITOR = "auditor"
    INTAKE = "intake"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key. `holder` is the key's id: idempotency keys are its own; `public` without a key."""

    role: Role = Role.PUBLIC
    holder: str = "public"
    authority: str | None = None
    carrier: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def signature(self) -> str:
        """What the ledger writes as recordedBy: role, whom the key speaks for, and which key."""
        return ":".join(part for part in (self.role, self.authority or self.carrier, self.holder) if part)

    @property
    def sees_personal(self) -> bool:
        return READS_PERSONAL in self.scopes

    @property
    def erases_personal(self) -> bool:
        return ERASES_PERSONAL in self.scopes

    @property
    def speaks_for_all(self) -> bool:
        """Whether it is a regulator that may act in any authority's name."""
        return self.role is Role.REGULATOR and self.authority in (None, "MIIT")

    def speaks_for(self, authority: str) -> bool:
        """Whether it is a regulator that may act in an authority's name."""
        return self.speaks_for_all or (self.role is Role.REGULATOR and self.authority == authority)

    def reach(self, row: Row) -> Reach:
        """How far this caller reaches by a row of the matrix."""
        return row.reach(self.role, self.scopes)


def may_record_type(caller: Caller, cls: type[Event]) -> Refusal | None:
    """Refuses what the role may never record, before anything of the fact is looked at."""
    if caller.reach(EVENTS[cls.__name__].records) is not Reach.NONE:
        return None
    return refusal(
        Code.FORBIDDEN,
        "",
        f"角色 {caller.role} 不能记录 {cls.__name__}；请使用有权限的密钥",
        f"The role {caller.role} may not record {cls.__name__}; use a key that may",
    )


def may_record(caller: Caller, command: Command) -> Refusal | None:
    """Refuses facts of another authority or carrier, and historical facts of anybody but a regulator."""
    event = command.event
    if caller.role is Role.REGULATOR:
        named = getattr(event, "authority", None)
        if named is None or caller.speaks_for(named):
            return None
        return refusal(
            Code.FORBIDDEN,
            "authority",
            f"该密钥代表 {caller.authority}，不能以 {named} 的名义记录",
            f"This key speaks for {caller.authority} and may not record for {named}",
        )
    if caller.role is Role.CARRIER and isinstance(event, (AccessGranted, AccessChange)):
        if event.carrier != caller.carrier:
            return _another_carrier(caller, "carrier", event.carrier)
        if command.historical:
            return refusal(
                Code.FORBIDDEN,
                "historical",
                "历史事实只能由电信管理机构记录",
                "Historical facts are recorded by a regulator only",
            )
    return None


def may_decide(caller: Caller, request: Request) -> Refusal | None:
    """A regulator decides all gates, a carrier ACCESS and COOPERATION under its own code."""
    return _may_ask(caller, request, GATES[request.gate].decides)


def may_preview(caller: Caller, request: Request) -> Refusal | None:
    """Who may decide a gate may preview it; an auditor sees everything and records nothing."""
    return _may_ask(caller, request, GATES[request.gate].previews)


def _may_ask(caller: Caller, request: Request, row: Row) -> Refusal | None:
    reach = caller.reach(row)
    if reach is Reach.ALL:
        return None
    if reach is Reach.OWN and isinstance(request, (AccessRequest, CooperationRequest)):
        return None if request.carrier == caller.carrier else _another_carrier(caller, "carrier", request.carrier)
    return refusal(
        Code.FORBIDDEN,
        "",
        f"角色 {caller.role} 不能询问 {request.gate} 关口",
        f"The role {caller.role} may not ask the gate {request.gate}",
    )


def _another_carrier(caller: Caller, path: str, named: str) -> Refusal:
    return refusal(
        Code.FORBIDDEN,
        path,
        f"该密钥代表 {caller.carrier}，不能以 {named} 的名义行事",
        f"This key speaks for {caller.carrier} and may not act for {named}",
    )
