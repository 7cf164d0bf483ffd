"""Shape: whether what was sent has the fields and values that its class asks for, before any state is looked at.

One plan a class, made from its annotations: the same annotations that GraphQL inputs and import columns come from.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from domain.identifiers import Malformed, flag, malformed
from domain.kinds import FLAG, AtLeastOne, Kind
from domain.text import Text, shown

S = TypeVar("S", bound=msgspec.Struct)
MOST_ELEMENTS: Final = 1_000
"""The longest list that a field may hold."""


PERSONAL: Final = Text(
    "应为 1 至 2000 个字符的文本（个人信息，不予回显）",
    "This is text of 1 to 2,000 characters (personal data, not repeated)",
)


class Flaw(NamedTuple):
    """What is wrong at one place: `path` in the input's own names, “carriers.0”."""

    path: str
    text: Text


class Field(NamedTuple):
    """One field of an input: its names, how one value of it is checked, and what may be left out."""

    name: str
    sent_as: str
    check: Callable[[object], Any]
    scalar: str
    vocabulary: type[Enum] | None
    nested: type[msgspec.Struct] | None
    many: bool
    at_least: int
    required: bool
    default: Any
    personal: bool


@cache
def fields_of(cls: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The plan of what a client states of a class, in the order of its fields. Raises TypeError for an annotation that has no meaning here."""
    hints = get_type_hints(cls, include_extras=True)
    described = {field.name: field for field in msgspec.structs.fields(cls)}
    added = getattr(cls, "added_by_ledger", ())
    return tuple(_field(info, hints[name]) for name, info in described.items() if name not in added)


def _field(info: msgspec.structs.FieldInfo, hint: Any) -> Field:
    optional = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
    inner = next(arg for arg in get_args(hint) if arg is not NoneType) if optional else hint
    at_least = 0
    if get_origin(inner) is Annotated and any(isinstance(extra, AtLeastOne) for extra in inner.__metadata__):
        at_least, inner = 1, get_args(inner)[0]
    many = get_origin(inner) is tuple
    kind, vocabulary, nested = _value(get_args(inner)[0] if many else inner)
    return Field(
        info.name, info.encode_name, kind.check, kind.scalar, vocabulary, nested, many, at_least,
        info.required, None if info.required else info.default, kind.personal,
    )  # fmt: skip


def _value(hint: Any) -> tuple[Kind, type[Enum] | None, type[msgspec.Struct] | None]:
    if get_origin(hint) is Annotated:
        return next(extra for extra in hint.__metadata__ if isinstance(extra, Kind)), None, None
    if hint is bool:
        return FLAG, None, None
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Kind(hint.__name__, _one_of(hint)), hint, None
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return Kind(hint.__name__, lambda value: value), None, hint
    return Kind("JSON", lambda value: value), None, None


def _one_of(vocabulary: type[Enum]) -> Callable[[object], Enum]:
    values = {member.value: member for member in vocabulary}
    legal = ", ".join(values)

    def check(value: object) -> Enum:
        found = values.get(value) if isinstance(value, str) else None
        if found is None:
            raise malformed(f"应为 {legal} 之一，收到 {shown(value)}", f"This is one of {legal}; got {shown(value)}")
        return found

    return check


def parse(cls: type[S], sent: object) -> tuple[S | None, list[Flaw]]:
    """The object of `cls` that was sent, or every flaw of it."""
    values, flaws = fields_sent(cls, sent)
    return (None, flaws) if flaws else (cls(**values), [])


def fields_sent(
    cls: type[msgspec.Struct], sent: object, besides: Sequence[str] = ()
) -> tuple[dict[str, Any], list[Flaw]]:
    """What was sent of each field, None where it is malformed, and every flaw. `besides`: names the caller reads itself."""
    if not isinstance(sent, Mapping):
        return {}, [Flaw("", Text(f"应为对象，收到 {shown(sent)}", f"This is an object; got {shown(sent)}"))]
    flaws = _unknown(cls, sent, besides)
    values: dict[str, Any] = {}
    for field in fields_of(cls):
        value = sent.get(field.sent_as)
        if value is None:
            if field.required:
                flaws.append(Flaw(field.sent_as, Text("缺少该字段", "This field is missing")))
        elif field.many or field.nested:
            _take(field, value, values, flaws)
        else:
            values[field.name] = _checked(field, field.sent_as, value, flaws)
    return values, flaws


def _unknown(cls: type[msgspec.Struct], sent: Mapping[str, object], besides: Sequence[str]) -> list[Flaw]:
    known = _sent_names(cls)
    if sent.keys() <= known.keys():
        return []
    unknown = [key for key in sent if key not in known and key not in besides]
    if not unknown:
        return []
    legal = [*known, *besides]
    named = "、".join(legal), ", ".join(legal)
    return [
        Flaw(str(key), Text(f"没有这个字段；可用字段：{named[0]}", f"There is no such field; there are {named[1]}"))
        for key in unknown
    ]


@cache
def _sent_names(cls: type[msgspec.Struct]) -> dict[str, None]:
    return dict.fromkeys(field.sent_as for field in fields_of(cls))


def _take(field: Field, value: object, values: dict[str, Any], flaws: list[Flaw]) -> None:
    if field.many:
        _take_list(field, value, values, flaws)
    elif field.nested:
        nested, inner = parse(field.nested, value)
        flaws += [Flaw(f"{field.sent_as}.{flaw.path}".rstrip("."), flaw.text) for flaw in inner]
        values[field.name] = nested


def _take_list(field: Field, value: object, values: dict[str, Any], flaws: list[Flaw]) -> None:
    if not isinstance(value, (list, tuple)):
        flaws.append(Flaw(field.sent_as, Text(f"应为列表，收到 {shown(value)}", f"This is a list; got {shown(value)}")))
    elif not field.at_least <= len(value) <= MOST_ELEMENTS:
        legal = f"{field.at_least} 至 {MOST_ELEMENTS}", f"{field.at_least} to {MOST_ELEMENTS}"
        flaws.append(
            Flaw(
                field.sent_as,
                Text(f"应有 {legal[0]} 项，收到 {len(value)} 项", f"This has {legal[1]} elements; got {len(value)}"),
            )
        )
    else:
        values[field.name] = tuple(_checked(field, f"{field.sent_as}.{i}", one, flaws) for i, one in enumerate(value))


def _checked(field: Field, path: str, value: object, flaws: list[Flaw]) -> Any:
    try:
        return field.check(value)
    except Malformed as wrong:
        flaws.append(Flaw(path, PERSONAL if field.personal else wrong.text))
        return None


def optional_flag(sent: Mapping[str, object], name: str, flaws: list[Flaw]) -> bool:
    """A yes/no beside an event's own fields; left out, it is no."""
    value = sent.get(name)
    if value is None:
        return False
    try:
        return flag(value)
    except Malformed as wrong:
        flaws.append(Flaw(name, wrong.text))
        return False
