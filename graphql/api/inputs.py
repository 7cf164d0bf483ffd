"""Inputs of mutations and gates, made from the same annotations as the events.

Resolvers receive them as they were sent (mappings by the schema's names), because `domain.shape` checks them: once,
in one place, whether they came by GraphQL or from a file.
"""

from typing import Annotated, Any, Final

import msgspec
import strawberry
from strawberry.types.base import get_object_definition

from api.event_types import graphql_type
from api.scalars import Date
from domain.events import RECORDABLE, Event
from domain.requests import REQUESTS, Checked, Request
from domain.shape import Field, fields_of
from domain.vocabulary import CreditStatus


def as_sent(cls: type) -> type:
    """Makes an input reach its resolver as the mapping that was sent."""
    definition = get_object_definition(cls, strict=True)
    definition.from_input = lambda _cls, value, _context: value
    return cls


def _member(field: Field, nested: dict[type[msgspec.Struct], Any]) -> tuple[Any, Any]:
    type_ = nested[field.nested] if field.nested else graphql_type(field)
    if field.required:
        return type_, strawberry.field(name=field.sent_as)
    if field.default is None or field.many:
        return type_ | None, strawberry.field(name=field.sent_as, default=None)
    return type_, strawberry.field(name=field.sent_as, default=field.default)


def _input(name: str, cls: type[msgspec.Struct], nested: dict[type[msgspec.Struct], Any], extra: dict[str, Any]) -> Any:
    members: dict[str, Any] = {"__annotations__": {}}
    planned = [(field, *_member(field, nested)) for field in fields_of(cls)]
    # Dataclasses want fields without a default first.
    for field, annotation, member in sorted(planned, key=lambda each: not each[0].required):
        members["__annotations__"][field.name] = annotation
        members[field.name] = member
    for extra_name, (annotation, member) in extra.items():
        members["__annotations__"][extra_name] = annotation
        members[extra_name] = member
    made = strawberry.input(type(name, (), members), name=name, description=(cls.__doc__ or "").strip().split("\n")[0])
    return as_sent(made)


def _event_input(cls: type[Event]) -> Any:
    extra: dict[str, Any] = {"effective_on": (Date | None, strawberry.field(default=None))}
    if cls.gated:
        extra["historical"] = (bool | None, strawberry.field(default=False))
    return _input(f"{cls.__name__}Input", cls, {}, extra)


def _maybe(type_: Any) -> Any:
    # strawberry.Maybe is an alias to type checkers and a generic class at run time.
    maybe: Any = strawberry.Maybe
    return maybe[type_]


def _one_of(name: str, description: str, members: dict[str, Any]) -> Any:
    body: dict[str, Any] = {"__annotations__": {}}
    for sent_as, type_ in members.items():
        body["__annotations__"][f"of_{sent_as}"] = _maybe(type_)
        body[f"of_{sent_as}"] = strawberry.field(name=sent_as)
    return as_sent(strawberry.input(type(name, (), body), name=name, description=description, one_of=True))


FactInput: Final = _one_of(
    "FactInput",
    "One event that a client may record: exactly one field.",
    {name: _event_input(cls) for name, cls in RECORDABLE.items()},
)
_CHECKED: Final = _input("CheckedInput", Checked, {}, {})
_REQUEST_NAMES: Final[dict[type[Request], str]] = {cls: cls.__name__ for cls in REQUESTS.values()}
GateRequest: Final = _one_of(
    "GateRequest",
    "What is asked of a gate: exactly one field.",
    {name: _input(_REQUEST_NAMES[cls], cls, {Checked: _CHECKED}, {}) for name, cls in REQUESTS.items()},
)


@as_sent
@strawberry.input
class RecordInput:
    idempotency_key: str
    facts: list[FactInput]  # type: ignore[valid-type]  # made above, from the events


@as_sent
@strawberry.input
class DecideGateInput:
    idempotency_key: str
    request: GateRequest  # type: ignore[valid-type]
    as_of: Annotated[Date | None, strawberry.argument(name="asOf")] = None


@as_sent
@strawberry.input
class DrawInspectionInput:
    idempotency_key: str
    draw_id: str
    authority: str
    count: int
    provinces: list[str] | None = None
    statuses: list[CreditStatus] | None = None
    inspectors: list[str]
    per_inspection: int = 2
