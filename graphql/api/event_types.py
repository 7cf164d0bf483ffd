"""GraphQL types of events, one for each class of `domain.events`, made from the same annotations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import GenericAlias
from typing import Any, Final

import msgspec
import strawberry

from api.context import Info
from api.fields import field
from api.noted import note
from api.scalars import BY_NAME, JSON, USCC, Date, DateTime, Position
from api.vocabulary import ENUMS
from domain.events import EVENTS, Event
from domain.recorded import Recorded
from domain.shape import Field, fields_of
from domain.vocabulary import Area
from ledger.entry import data_of
from ledger.ledger import Recording
from ledger.merkle import leaf_hash
from projections.reads import Known

MASK: Final = "***"
"""What stands for a personal field that the reader may not see."""

OWN_NAMES: Final = {"position": "voided_position", "type": "voided_type"}
"""Fields of EventVoided whose names the interface uses for the event itself."""


@strawberry.interface(name="LedgerEvent", description="What every event of the ledger has.")
class LedgerEvent:
    known: strawberry.Private[Known]

    @property
    def recorded(self) -> Recorded:
        return self.known.recorded

    @strawberry.field
    def position(self) -> Position:
        return Position(self.recorded.position)

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(self.recorded.id)

    @strawberry.field
    def type(self) -> str:
        return self.recorded.type

    @strawberry.field
    def area(self) -> Area:
        return type(self.recorded.event).area

    @strawberry.field
    def uscc(self) -> USCC | None:
        return USCC(self.recorded.uscc) if self.recorded.uscc else None

    @strawberry.field
    def effective_on(self) -> Date:
        return Date(self.recorded.effective_on)

    @strawberry.field
    def recorded_at(self) -> DateTime:
        return DateTime(self.recorded.recorded_at)

    @strawberry.field
    def recorded_by(self) -> str:
        return self.recorded.recorded_by

    @strawberry.field
    def historical(self) -> bool:
        return self.recorded.historical

    @field("The event's fields; personal ones masked unless the reader may see them.")
    def data(self, info: Info) -> JSON:
        event, sees = self.recorded.event, info.context.caller.sees_personal
        shown = shown_data(event, sees)
        if sees:
            for name in sorted(personal_fields(event) & {name for name, value in shown.items() if value is not None}):
                note_personal(info, self.recorded, name)
        return JSON(shown)

    @strawberry.field
    def voided_by(self) -> Position | None:
        return Position(self.known.voided_by) if self.known.voided_by else None

    @field("SHA-256(0x00 ‖ entry), lower-case hex (RFC 9162).")
    def leaf_hash(self) -> str:
        return leaf_hash(self.known.entry).hex()


def note_personal(info: Info, recorded: Recorded, name: str) -> None:
    note(info, f"{recorded.type}.{name}", [recorded.uscc])


def personal_fields(event: Event) -> set[str]:
    return {field.sent_as for field in fields_of(type(event)) if field.personal}


def shown_data(event: Event, sees_personal: bool) -> dict[str, Any]:
    """An event's fields by their contract names, personal ones masked unless the reader may see them."""
    data = data_of(event)
    hidden = set() if sees_personal else personal_fields(event)
    return {name: MASK if name in hidden else value for name, value in data.items()}


def _resolver(name: str, sent_as: str, personal: bool) -> Callable[..., Any]:
    if personal:

        def masked(self: LedgerEvent, info: Info) -> Any:
            value = getattr(self.recorded.event, name)
            if value is None:
                return None
            if not info.context.caller.sees_personal:
                return MASK
            note_personal(info, self.recorded, sent_as)
            return value

        return masked

    def plain(self: LedgerEvent) -> Any:
        value = getattr(self.recorded.event, name)
        return list(value) if isinstance(value, tuple) else value

    return plain


def graphql_type(field: Field) -> Any:
    """The GraphQL type of a field, without whether it may be null."""
    inner: Any = ENUMS[field.vocabulary.__name__] if field.vocabulary else BY_NAME.get(field.scalar, JSON)
    return GenericAlias(list, (inner,)) if field.many else inner


def _structs(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _field(cls: type[Event], field: Field) -> tuple[str, Any]:
    type_ = graphql_type(field)
    required = field.required or field.default is not None
    resolver = _resolver(field.name, field.sent_as, field.personal)
    if field.scalar == "JSON" or field.nested:
        inner = resolver
        resolver, type_ = (lambda self: _structs(inner(self))), JSON
    resolver.__annotations__["return"] = type_ if required else type_ | None
    name = OWN_NAMES.get(field.name, field.name) if "position" in cls.__struct_fields__ else field.name
    resolver.__name__ = name
    return name, strawberry.field(resolver=resolver)


def _type(cls: type[Event]) -> Any:
    """The GraphQL type of an event class; `uscc` of the interface serves for the event's own."""
    added = [_added(cls, name) for name in sorted(cls.added_by_ledger)]
    fields = [*fields_of(cls), *added]
    members = dict(_field(cls, field) for field in fields if field.name != "uscc")
    members["__annotations__"] = {}
    members["__doc__"] = cls.__doc__
    made = type(cls.__name__, (LedgerEvent,), members)
    return strawberry.type(made, name=cls.__name__, description=(cls.__doc__ or "").strip().split("\n")[0])


def _added(cls: type[Event], name: str) -> Field:
    return Field(name, name, lambda value: value, "String", None, None, False, 0, True, None, False)


EVENT_TYPES: Final[dict[str, Any]] = {name: _type(cls) for name, cls in EVENTS.items()}
"""By the name the event is recorded under."""


def event_of(known: Known) -> Any:
    """The GraphQL object of a recorded event, its personal fields as they are kept: sealed."""
    return EVENT_TYPES[known.recorded.type](known=known)


def events_of(info: Info, known: Sequence[Known]) -> list[Any]:
    return [event_of(each) for each in readable(info, known)]


def recorded_events(info: Info, made: Recording) -> list[Any]:
    """The recorded events. What was recorded just now is voided by nothing; what was before may have been since."""
    if made.replayed:
        info.context.settle("history")
        return events_of(info, info.context.reads.at([event.position for event in made.events]))
    known = zip(made.events, made.entries, strict=True)
    return events_of(info, [Known(recorded, entry, None) for recorded, entry in known])


def readable(info: Info, known: Sequence[Known]) -> list[Known]:
    """The events with their personal fields opened, all by one look-up, where the reader may see them."""
    if not info.context.caller.sees_personal:
        return list(known)
    opened = info.context.sealer.open([each.recorded for each in known])
    return [
        replace(each, recorded=msgspec.structs.replace(each.recorded, event=event))
        for each, event in zip(known, opened, strict=True)
    ]
