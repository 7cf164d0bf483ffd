"""What an event says in an object-centric event log (OCEL 2.0): pure, one event at a time.

Readings that OCEL leaves to whoever exports:

- *Time.* An event happens on its legal date, at 00:00 Asia/Shanghai, plus its position in microseconds: so events sort as
  the rules read them, by (effectiveOn, position), and no two have the same time. When it was recorded is an attribute.
- *Voided events never were* (§1): they are left out, and what voided them stays.
- *Objects* are named `TYPE:ID`. What does not change of one has the time 1970-01-01, which OCEL takes for “always”; what
  changes has the time of the event that set it. Objects of which the log tells no beginning have their id alone.
- Legal dates are text, since they are no instants; lists are text with commas; yuan are numbers.
- *No personal field* is in it, nor who the inspectors of a draw are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from domain.events import (
    AccessGranted,
    AccessRestored,
    AccessRestricted,
    AccessTerminated,
    ComplaintReceived,
    ComplaintResolved,
    EnterpriseRegistered,
    Event,
    EventVoided,
    ExposurePublished,
    ExposureRetracted,
    GateDecided,
    InspectionDrawn,
    InspectionHeld,
    LicenceAnnulled,
    LicenceCancelled,
    LicenceGranted,
    LicenceRevoked,
    ListEntryMade,
    ListEntryRemoved,
    NumberFiled,
    NumberWithdrawn,
    PenaltyAnnulled,
    PenaltyEvent,
    PenaltyImposed,
    PenaltyPerformed,
    PenaltyPublicised,
    RectificationConfirmed,
    RectificationOrdered,
    RulebookAdopted,
)
from domain.identifiers import instant_text
from domain.recorded import Recorded
from domain.shape import fields_of
from ledger.sealing import personal_names

SHANGHAI: Final = timezone(timedelta(hours=8))
ALWAYS: Final = "1970-01-01T00:00:00.000000Z"
"""The time of what an object has from its beginning to its end (OCEL 2.0 §4)."""
FIRST_DAY: Final = date(1970, 1, 1)
"""Of that time: what was so before is so from it on."""

STRING, TIME, INTEGER, FLOAT, BOOLEAN = "string", "time", "integer", "float", "boolean"


class Attribute(NamedTuple):
    """An attribute's name and its OCEL type."""

    name: str
    type: str = STRING


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type of object: what its ids begin with, what never changes of one, and what does.

    `born`: the event that states what never changes; `key`: the attributes that its id says, in the id's order.
    """

    name: str
    key: tuple[Attribute, ...]
    fixed: tuple[Attribute, ...] = ()
    dated: tuple[Attribute, ...] = ()
    born: type[Event] | None = None
    own: str = ""
    """The qualifier of the event's own object."""

    def id(self, *values: str) -> str:
        return ":".join((self.own, *values))

    @property
    def columns(self) -> tuple[Attribute, ...]:
        return (*self.key, *self.fixed, *self.dated)


def _texts(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name) for name in names)


STATUS: Final = Attribute("status")
ENTERPRISE: Final = ObjectType(
    "Enterprise", _texts("uscc"), _texts("province"), _texts("name", "creditStatus"), EnterpriseRegistered, "enterprise"
)
LICENCE: Final = ObjectType(
    "Licence",
    _texts("licenceNo"),
    _texts("authority", "business", "route", "provinces", "validFrom"),
    (Attribute("validTo"), STATUS),
    LicenceGranted,
    "licence",
)
NUMBER: Final = ObjectType(
    "Number",
    _texts("number"),
    (),
    (
        *_texts("uscc", "carriers", "use", "directions"),
        Attribute("outboundUndertaking", BOOLEAN),
        STATUS,
    ),
    NumberFiled,
    "number",
)
ACCESS: Final = ObjectType(
    "Access",
    _texts("accessId"),
    _texts("carrier", "number", "directions", "contractNo"),
    (STATUS,),
    AccessGranted,
    "access",
)
COMPLAINT: Final = ObjectType(
    "Complaint",
    _texts("complaintId"),
    (*_texts("channel", "displayedNumber", "category"), Attribute("calledAt", TIME)),
    (STATUS,),
    ComplaintReceived,
    "complaint",
)
ORDER: Final = ObjectType(
    "RectificationOrder",
    _texts("orderId"),
    _texts("authority", "demands", "dueOn"),
    (STATUS,),
    RectificationOrdered,
    "order",
)
EXPOSURE: Final = ObjectType(
    "Exposure",
    _texts("exposureId"),
    _texts("authority", "channel", "url", "becauseOf"),
    (STATUS,),
    ExposurePublished,
    "exposure",
)
ENTRY: Final = ObjectType(
    "ListEntry", _texts("entryId"), _texts("list", "authority", "ground"), (STATUS,), ListEntryMade, "entry"
)
PENALTY: Final = ObjectType(
    "Penalty",
    _texts("authority", "documentNo"),
    (
        *_texts("kinds", "violation", "basis", "becauseOf"),
        Attribute("fine", FLOAT),
        Attribute("confiscated", FLOAT),
    ),
    (STATUS,),
    PenaltyImposed,
    "penalty",
)
CASE: Final = ObjectType("Case", _texts("authority", "caseId"), own="case")
INSPECTION: Final = ObjectType(
    "Inspection",
    _texts("inspectionId"),
    _texts("authority", "manner", "violations"),
    (),
    InspectionHeld,
    "inspection",
)
DECISION: Final = ObjectType(
    "Decision",
    _texts("decisionId"),
    (*_texts("gate", "outcome", "rulebook", "asOf"), Attribute("knownAt", INTEGER)),
    (),
    GateDecided,
    "decision",
)
RULEBOOK: Final = ObjectType(
    "Rulebook", _texts("version"), _texts("inForceFrom", "sha256"), (), RulebookAdopted, "rulebook"
)
DRAW: Final = ObjectType(
    "Draw",
    _texts("drawId"),
    (*_texts("authority", "asOf"), Attribute("poolSize", INTEGER)),
    (),
    InspectionDrawn,
    "draw",
)
OBJECT_TYPES: Final = (
    ENTERPRISE, LICENCE, NUMBER, ACCESS, COMPLAINT, CASE, PENALTY, ENTRY, DECISION, ORDER, EXPOSURE, INSPECTION, DRAW, RULEBOOK,
)  # fmt: skip

STATUSES: Final[dict[type[Event], str]] = {
    LicenceGranted: "GRANTED",
    LicenceRevoked: "REVOKED",
    LicenceAnnulled: "ANNULLED",
    LicenceCancelled: "CANCELLED",
    NumberFiled: "FILED",
    NumberWithdrawn: "WITHDRAWN",
    AccessGranted: "GRANTED",
    AccessRestricted: "RESTRICTED",
    AccessRestored: "GRANTED",
    AccessTerminated: "TERMINATED",
    ComplaintReceived: "RECEIVED",
    RectificationOrdered: "OPEN",
    RectificationConfirmed: "CONFIRMED",
    ExposurePublished: "PUBLISHED",
    ExposureRetracted: "RETRACTED",
    PenaltyImposed: "IMPOSED",
    PenaltyPublicised: "PUBLICISED",
    PenaltyPerformed: "PERFORMED",
    PenaltyAnnulled: "ANNULLED",
    ListEntryMade: "ACTIVE",
    ListEntryRemoved: "REMOVED",
}
"""What an event makes of its own object: the last that happened to it. A complaint's is its outcome."""


class Reference(NamedTuple):
    """How fields of an event name an object, and in which role where it is not the event's own."""

    fields: tuple[str, ...]
    type: ObjectType
    role: str = ""


_REFERENCES: Final = (
    Reference(("access_id",), ACCESS),
    Reference(("licence_no",), LICENCE),
    Reference(("number",), NUMBER, "number used"),
    Reference(("complaint_id",), COMPLAINT),
    Reference(("order_id",), ORDER),
    Reference(("exposure_id",), EXPOSURE),
    Reference(("entry_id",), ENTRY),
    Reference(("authority", "case_id"), CASE),
    Reference(("authority", "document_no"), PENALTY),
    Reference(("inspection_id",), INSPECTION, "inspection before"),
    Reference(("decision_id",), DECISION, "decision before"),
    Reference(("draw_id",), DRAW, "draw before"),
    Reference(("version",), RULEBOOK),
    Reference(("rulebook",), RULEBOOK, "rulebook applied"),
)
"""The first that an event has names its own object; where it has none, that is the enterprise."""

LINKS: Final[dict[tuple[ObjectType, ObjectType], str]] = {
    (LICENCE, ENTERPRISE): "licence of",
    (LICENCE, DECISION): "granted on",
    (NUMBER, ENTERPRISE): "number of",
    (NUMBER, DECISION): "filed on",
    (ACCESS, ENTERPRISE): "access of",
    (ACCESS, NUMBER): "access to number",
    (ACCESS, DECISION): "granted on",
    (COMPLAINT, ENTERPRISE): "complaint about",
    (COMPLAINT, NUMBER): "call from number",
    (CASE, ENTERPRISE): "case of",
    (CASE, INSPECTION): "follows",
    (PENALTY, ENTERPRISE): "penalty of",
    (PENALTY, INSPECTION): "follows",
    (ENTRY, ENTERPRISE): "entry of",
    (DECISION, ENTERPRISE): "decision about",
    (DECISION, NUMBER): "decision on number",
    (DECISION, RULEBOOK): "decided under",
    (ORDER, ENTERPRISE): "order to",
    (ORDER, INSPECTION): "follows",
    (EXPOSURE, ENTERPRISE): "exposure of",
    (EXPOSURE, INSPECTION): "follows",
    (INSPECTION, ENTERPRISE): "inspection of",
    (INSPECTION, DRAW): "chosen by",
}
"""How an event's own object is related to the others that the event names."""
RESTS_ON: Final = "rests on"
"""From a list entry to the objects of its basis."""
BASIS: Final = "basis"
"""The role of those objects in the event that makes the entry."""
DRAWN: Final = "drawn"


class Named(NamedTuple):
    """An object in its role in an event."""

    type: ObjectType
    key: tuple[str, ...]
    role: str
    id: str

    @classmethod
    def of(cls, type_: ObjectType, key: tuple[str, ...], role: str) -> "Named":
        return cls(type_, key, role, type_.id(*key))


class Change(NamedTuple):
    """A value that an object's attribute has from a time on."""

    object: Named
    attribute: str
    value: Any


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the log."""

    id: str
    type: str
    time: str
    attributes: dict[str, Any]
    objects: list[Named]
    """The event's own object first."""
    fixed: dict[str, Any] = field(default_factory=dict)
    """What never changes of its own object, where the event is that object's beginning."""
    changes: list[Change] = field(default_factory=list)
    basis: tuple[int, ...] = ()
    """Positions of the events that it rests on."""

    def links(self) -> Iterator[tuple[str, str, str]]:
        """Source, target and qualifier of what the event says of its own object and others."""
        own = self.objects[0] if self.objects else None
        for other in self.objects[1:]:
            if own and (qualifier := LINKS.get((own.type, other.type))):
                yield own.id, other.id, qualifier


class Field(NamedTuple):
    """A field of an event as an attribute: its name in the event, its name and type in the log, and how it is written."""

    name: str
    attribute: Attribute
    write: Callable[[Any], Any]


COMMON: Final = (
    Attribute("position", INTEGER),
    Attribute("eventId"),
    Attribute("effectiveOn"),
    Attribute("recordedAt", TIME),
    Attribute("recordedBy"),
    Attribute("historical", BOOLEAN),
)
"""What every event has."""
_RENAMED: Final[dict[tuple[type[Event], str], str]] = {
    (EventVoided, "position"): "voidedPosition",
    (EventVoided, "type"): "voidedType",
}
_ASKED: Final = ("carrier", "number")
"""What of a gate's request is an attribute of its decision."""


def time_of(effective_on: date, position: int = 0) -> str:
    """00:00 Asia/Shanghai of a legal date, and the microseconds of a position after it, in UTC."""
    midnight = datetime(effective_on.year, effective_on.month, effective_on.day, tzinfo=SHANGHAI)
    return instant_text(midnight.astimezone(UTC) + timedelta(microseconds=position))


def event_id(position: int) -> str:
    return f"event:{position}"


@cache
def attributes_of(cls: type[Event]) -> tuple[Attribute, ...]:
    """The attributes of an event type, those that all have first."""
    own = [each.attribute for each in _fields(cls)]
    if cls is GateDecided:
        own += [Attribute("rules"), *map(Attribute, _ASKED)]
    return (*COMMON, *own)


def told(recorded: Recorded, number: str | None = None) -> Told:
    """What an event says. `number`: that by whose filing a complaint without a name belongs to its enterprise."""
    event = recorded.event
    objects = list(_named(recorded, number))
    stated = {each.attribute.name: each.write(getattr(event, each.name)) for each in _fields(type(event))}
    attributes = {**_common(recorded), **stated, **_further(event)}
    own = objects[0] if objects else None
    return Told(
        event_id(recorded.position),
        recorded.type,
        time_of(recorded.effective_on, recorded.position),
        attributes,
        objects,
        _fixed(own, event, attributes) if own else {},
        list(_changes(own, event, attributes)) if own else [],
        event.basis if isinstance(event, ListEntryMade) else (),
    )


def _common(recorded: Recorded) -> dict[str, Any]:
    return {
        "position": recorded.position,
        "eventId": recorded.id,
        "effectiveOn": recorded.effective_on.isoformat(),
        "recordedAt": instant_text(recorded.recorded_at),
        "recordedBy": recorded.recorded_by,
        "historical": recorded.historical,
    }


def _further(event: Event) -> dict[str, Any]:
    if not isinstance(event, GateDecided):
        return {}
    asked = {name: event.request.get(name) for name in _ASKED}
    return {"rules": ",".join(fired.rule for fired in event.reasons), **asked}


def _named(recorded: Recorded, number: str | None) -> Iterator[Named]:
    event = recorded.event
    own = _own(event)
    if own:
        yield Named.of(own.type, _key(own, event), own.type.own)
    if recorded.uscc:
        yield Named.of(ENTERPRISE, (recorded.uscc,), ENTERPRISE.own)
    for other in _references(type(event)):
        if other is not own and all(key := _key(other, event)):
            yield Named.of(other.type, key, other.role)
    if isinstance(event, GateDecided):
        number = event.request.get("number")
    if number:
        yield Named.of(NUMBER, (number,), "number used")
    if isinstance(event, InspectionDrawn):
        for one in event.drawn:
            yield Named.of(ENTERPRISE, (one.uscc,), DRAWN)


def _own(event: Event) -> Reference | None:
    return next(iter(_references(type(event))), None)


def _key(reference: Reference, event: Event) -> tuple[str, ...]:
    return tuple(getattr(event, name) for name in reference.fields)


@cache
def _references(cls: type[Event]) -> tuple[Reference, ...]:
    names = {info.name for info in msgspec.structs.fields(cls)}
    return tuple(
        reference
        for reference in _REFERENCES
        if names.issuperset(reference.fields) and (reference.type is not PENALTY or issubclass(cls, PenaltyEvent))
    )


def _fixed(own: Named, event: Event, attributes: dict[str, Any]) -> dict[str, Any]:
    if own.type.born is not type(event):
        return {}
    return {each.name: attributes.get(each.name) for each in own.type.fixed}


def _changes(own: Named, event: Event, attributes: dict[str, Any]) -> Iterator[Change]:
    for each in own.type.dated:
        value = _status(event) if each is STATUS else attributes.get(each.name)
        if value is not None and not (each.name == "uscc" and not isinstance(event, NumberFiled)):
            yield Change(own, each.name, value)


def _status(event: Event) -> str | None:
    return event.outcome.value if isinstance(event, ComplaintResolved) else STATUSES.get(type(event))


@cache
def _fields(cls: type[Event]) -> tuple[Field, ...]:
    hints = get_type_hints(cls)
    scalars = {each.name: each.scalar for each in fields_of(cls)}
    hidden = personal_names(cls)
    found = []
    for info in msgspec.structs.fields(cls):
        plan = None if info.name in hidden else _plan(hints[info.name], scalars.get(info.name, ""))
        if plan:
            name = _RENAMED.get((cls, info.name), info.encode_name)
            found.append(Field(info.name, Attribute(name, plan[0]), plan[1]))
    return tuple(found)


def _plan(hint: Any, scalar: str) -> tuple[str, Callable[[Any], Any]] | None:
    """OCEL type and writer of a field; None for what is no plain value."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] if NoneType in get_args(hint) else [hint]
    kind = kinds[0]
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return (STRING, _joined) if issubclass(inner, str | int) else None
    if scalar == "Yuan":
        return FLOAT, lambda value: None if value is None else float(value)
    if scalar == "DateTime":
        return TIME, _as_it_is
    if isinstance(kind, type) and issubclass(kind, Enum):
        return STRING, lambda value: None if value is None else value.value
    return {
        bool: (BOOLEAN, _as_it_is),
        int: (INTEGER, _as_it_is),
        str: (STRING, _as_it_is),
        date: (STRING, lambda value: None if value is None else value.isoformat()),
    }.get(kind)


def _as_it_is(value: Any) -> Any:
    return value


def _joined(values: Iterable[Any] | None) -> str | None:
    return None if values is None else ",".join(str(getattr(value, "value", value)) for value in values)
