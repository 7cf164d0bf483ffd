"""Facts as bytes, for snapshots: MessagePack of every fact, under a version that follows from what an event is.

Personal fields are left out: no rule reads them, and what is erased from the log must not live on in a snapshot.
"""

from datetime import date
from functools import cache
from hashlib import sha256
from typing import Final, get_type_hints

import msgspec
from msgspec.structs import replace

from domain.events import EVENTS, Event
from domain.facts import Fact, Facts
from domain.shape import fields_of

FORMAT: Final = 1
"""To be raised when facts are folded or written in another way, so that every snapshot is folded anew."""


class _Kept(msgspec.Struct, array_like=True):
    type: str
    effective_on: date
    position: int
    uscc: str | None
    historical: bool
    voided_by: int | None
    event: msgspec.Raw


class _Snapshot(msgspec.Struct, array_like=True):
    position: int
    facts: list[_Kept]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Snapshot)
_EVENTS: Final = {name: msgspec.msgpack.Decoder(cls) for name, cls in EVENTS.items()}


def facts_version() -> str:
    """A hash of the format and of every event's fields: a snapshot under another one is not read."""
    shapes = [
        f"{name}:{get_type_hints(cls, include_extras=False)}:{sorted(_personal(cls))}" for name, cls in EVENTS.items()
    ]
    return sha256("\n".join([str(FORMAT), *shapes]).encode()).hexdigest()


def dumped(facts: Facts) -> bytes:
    """Every fact, its personal fields left out."""
    kept = [
        _Kept(
            type=type(fact.event).__name__,
            effective_on=fact.effective_on,
            position=fact.position,
            uscc=fact.uscc,
            historical=fact.historical,
            voided_by=fact.voided_by,
            event=msgspec.Raw(_ENCODER.encode(_impersonal(fact.event))),
        )
        for fact in facts.all()
    ]
    return _ENCODER.encode(_Snapshot(facts.position, kept))


def _impersonal(event: Event) -> Event:
    personal = _personal(type(event))
    return replace(event, **personal) if personal else event


@cache
def _personal(cls: type[Event]) -> dict[str, None]:
    return {field.name: None for field in fields_of(cls) if field.personal}


def loaded(data: bytes) -> Facts:
    """The facts that `dumped` wrote under the same version; None stands for what was personal."""
    snapshot = _DECODER.decode(data)
    facts = Facts()
    for kept in snapshot.facts:
        event: Event = _EVENTS[kept.type].decode(kept.event)
        facts.add(Fact(kept.effective_on, kept.position, event, kept.uscc, kept.historical, kept.voided_by))
    facts.position = snapshot.position
    return facts
