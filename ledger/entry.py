"""The entry: the bytes that are stored, hashed and proved.

RFC 8785 canonical JSON of position, id, type, effectiveOn, recordedAt, recordedBy, historical, tags and data. A draft is
an entry that has no place and time yet; it gets both under the head lock, where `seal` forms the bytes. A type whose
stored form has changed since its first has its `version` in the entry too; without it, it is 1.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from secrets import token_hex
from typing import Any, Final

import msgspec
from eventsourcing.dcb.api import DCBEvent, DCBSequencedEvent

from domain.events import EVENTS, Event
from domain.identifiers import instant_text
from domain.recorded import Recorded
from ledger.upcasters import UnknownVersion, upcast


@dataclass
class Draft(DCBEvent):
    """An event on its way into the log. `entry` holds the sealed bytes once it is in."""

    id: str = ""
    effective_on: date = date.min
    recorded_by: str = ""
    historical: bool = False
    version: int = 1
    entry: bytes = field(default=b"", compare=False)


class _Entry(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    data: msgspec.Raw
    effective_on: date
    historical: bool
    id: str
    position: int
    recorded_at: str
    recorded_by: str
    tags: tuple[str, ...]
    type: str
    version: int = 1


_VARIANTS: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_ENTRY_ENCODER: Final = msgspec.json.Encoder()
"""Of an entry, whose fields are declared in their order and whose data are canonical already."""
_DECODER: Final = msgspec.json.Decoder(_Entry)
_EVENT_DECODERS: Final = {name: msgspec.json.Decoder(cls) for name, cls in EVENTS.items()}


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON of objects with ASCII names, arrays, text, integers below 2**53, true, false and null."""
    return _ENCODER.encode(value)


def data_of(stated: msgspec.Struct) -> dict[str, Any]:
    """The fields of an event or a request by their contract names, without those that were not given."""
    made: dict[str, Any] = msgspec.to_builtins(_given(stated))
    return made


def _given(stated: msgspec.Struct) -> dict[str, Any]:
    """The same with the values as the struct has them: to encode them, an import needs no copies."""
    names = _names(type(stated))
    return {sent_as: value for name, sent_as in names if (value := getattr(stated, name)) is not None}


@cache
def _names(cls: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """The fields of a class by their own names and by those of the contract."""
    return tuple((field.name, field.encode_name) for field in msgspec.structs.fields(cls))


def new_id() -> str:
    """A random id: nobody guesses an entry from its hash."""
    # As uuid4 makes it, without the object between: an import makes many.
    digits = token_hex(16)
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def draft(
    event: Event,
    tags: tuple[str, ...],
    effective_on: date,
    recorded_by: str,
    historical: bool = False,
    id_: str | None = None,
) -> Draft:
    return Draft(
        type=type(event).__name__,
        data=canonical(_given(event)),
        tags=list(tags),
        id=id_ or new_id(),
        effective_on=effective_on,
        recorded_by=recorded_by,
        historical=historical,
        version=type(event).schema_version,
    )


def seal(event: DCBEvent, position: int, recorded_at: datetime) -> bytes:
    """The entry of a draft that was given its place and time. Called by the recorder under the head lock."""
    assert isinstance(event, Draft)
    event.entry = _ENTRY_ENCODER.encode(
        _Entry(
            data=msgspec.Raw(event.data),
            effective_on=event.effective_on,
            historical=event.historical,
            id=event.id,
            position=position,
            recorded_at=instant_text(recorded_at),
            recorded_by=event.recorded_by,
            tags=tuple(event.tags),
            type=event.type,
            version=event.version,
        )
    )
    return event.entry


def opened(entry: bytes) -> Recorded:
    """The recorded event that an entry states, of whatever version it was written in.

    Raises msgspec.DecodeError for bytes that are no entry, and UnknownVersion for one of a later program.
    """
    read = _DECODER.decode(entry)
    return Recorded(
        position=read.position,
        id=read.id,
        type=read.type,
        effective_on=read.effective_on,
        recorded_at=datetime.fromisoformat(read.recorded_at),
        recorded_by=read.recorded_by,
        historical=read.historical,
        tags=read.tags,
        event=_event(read),
    )


class UnreadableEntry(Exception):
    """An entry of the log that this program cannot read: where it is, and what kind of fault that was."""

    def __init__(self, position: int, fault: str) -> None:
        super().__init__(f"the entry at position {position} cannot be read ({fault})")
        self.position = position
        self.fault = fault


def read_entry(found: DCBSequencedEvent) -> Recorded:
    """The recorded event of an entry of the log. Raises UnreadableEntry."""
    return entry_at(found.position, found.event.data)


def entry_at(position: int, entry: bytes) -> Recorded:
    """The recorded event of an entry that is at a position of the log. Raises UnreadableEntry."""
    try:
        return opened(entry)
    except (msgspec.MsgspecError, UnknownVersion, KeyError, ValueError, TypeError) as fault:
        raise UnreadableEntry(position, type(fault).__name__) from None


def _event(read: _Entry) -> Event:
    cls = EVENTS.get(read.type)
    if cls is not None and read.version == cls.schema_version:
        return _EVENT_DECODERS[read.type].decode(read.data)
    data = upcast(read.type, read.version, msgspec.json.decode(read.data))
    return msgspec.convert(data, EVENTS[read.type])
