"""How the ledger stands: how far each read model is, how many events come, and who holds a key."""

from datetime import datetime, time, timedelta
from typing import Final, Self

import strawberry

from api import arguments
from api.context import Info
from api.errors import invalid
from api.scalars import DateTime, Position
from domain.identifiers import SHANGHAI
from ledger.keys import KeyInfo

MOST_HOURS: Final = 366 * 24


@strawberry.type(description="A read model: the position that it has reached, and how many events it is behind.")
class ReadModel:
    name: str
    position: Position
    lag: int
    stopped: bool


@strawberry.type(description="A key as lists show it, without its secret; revoked and expired ones too.")
class ApiKey:
    key_id: str
    role: str
    name: str
    carrier: str | None
    authority: str | None
    scopes: list[str]
    created_at: DateTime
    revoked_at: DateTime | None
    expires_at: DateTime | None
    last_used_at: DateTime | None

    @classmethod
    def of(cls, info: KeyInfo) -> Self:
        return cls(
            key_id=info.id,
            role=info.role.value,
            name=info.name,
            carrier=info.carrier,
            authority=info.authority,
            scopes=list(info.scopes),
            created_at=DateTime(info.created_at),
            revoked_at=_instant(info.revoked_at),
            expires_at=_instant(info.expires_at),
            last_used_at=_instant(info.last_used_at),
        )


def _instant(at: datetime | None) -> DateTime | None:
    return DateTime(at) if at else None


def read_models(info: Info) -> list[ReadModel]:
    head = info.context.once("head", info.context.ledger.recorder.head)
    reached = {each.name: each for each in info.context.runner.parking.reached()}
    return [
        ReadModel(
            name=name,
            position=Position(reached[name].position if name in reached else 0),
            lag=max(0, head - reached[name].position) if name in reached else head,
            stopped=name in reached and reached[name].stopped is not None,
        )
        for name in sorted(info.context.runner.versions)
    ]


def recorded_lately(info: Info, hours: int) -> int:
    """How many events were recorded in the last hours, at most a year."""
    if not 1 <= hours <= MOST_HOURS:
        raise invalid("hours", f"应为 1 至 {MOST_HOURS}，收到 {hours}", f"this is 1 to {MOST_HOURS}; got {hours}")
    head = info.context.once("head", info.context.ledger.recorder.head)
    return head - info.context.reads.last_before(info.context.now - timedelta(hours=hours), head)


def head_on(info: Info, on: object) -> int:
    """The last position that was recorded by the end of a legal date."""
    day = arguments.day(on, "date")
    assert day, "the schema demands it"
    head = info.context.once("head", info.context.ledger.recorder.head)
    return info.context.reads.last_before(datetime.combine(day + timedelta(days=1), time(), SHANGHAI), head)


def keys(info: Info) -> list[ApiKey]:
    return [ApiKey.of(each) for each in info.context.list_keys()]
