"""Forms made from the definitions: a field of a request or an event becomes what a person fills in, and back.

What was filled in is sent as it stands; whether it is right is decided where it always is (`domain.shape`, `domain.decide`),
and each refusal comes back to its field by its path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from re import compile as pattern
from typing import Any, Final

import msgspec

from api.console.field_words import FIELDS, HELP
from api.console.visits import Form, text_of
from api.console.words import label, named, say
from domain.identifiers import PROVINCES
from domain.shape import Field, fields_of
from domain.text import Language

_SEPARATORS: Final = pattern(r"[\s,，、;；]+")
_LONG: Final = frozenset(
    ("reason", "reasons", "justification", "topics", "demands", "violation", "basis", "note", "summary")
)
"""Texts that take more than a line."""
_WIDGETS: Final[Mapping[str, str]] = {
    "Date": "date",
    "DateTime": "datetime-local",
    "Position": "number",
    "Int": "number",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to fill in. `path` is its name in the form and where its refusals are found."""

    path: str
    label: str
    help: str
    widget: str
    options: Sequence[tuple[str, str]]
    required: bool
    many: bool
    value: Any


def inputs(cls: type[msgspec.Struct], language: Language, filled: Mapping[str, Any], prefix: str = "") -> list[Input]:
    """What a person fills in for a class; `filled` are values by their paths."""
    found: list[Input] = []
    for field in fields_of(cls):
        path = f"{prefix}{field.sent_as}"
        if field.nested:
            found += inputs(field.nested, language, filled, f"{path}.")
        else:
            found.append(_input(field, path, language, filled.get(path)))
    return found


def _input(field: Field, path: str, language: Language, value: Any) -> Input:
    options = _options(field, language)
    widget = _widget(field, options)
    return Input(
        path,
        named(FIELDS, path, language),
        help_of("positions" if field.many and field.scalar == "Position" else field.sent_as, language),
        widget,
        options,
        field.required and widget not in ("check", "checks"),
        field.many,
        _shown(field, value),
    )


def help_of(name: str, language: Language) -> str:
    return named(HELP, name, language) if name in HELP else ""


def _shown(field: Field, value: Any) -> Any:
    if value is None:
        value = field.default
    if field.many:
        given = list(value or ())
        return given if field.vocabulary or field.sent_as == "provinces" else " ".join(map(str, given))
    return "" if value is None else value


def _options(field: Field, language: Language) -> list[tuple[str, str]]:
    if field.vocabulary:
        return [(member.value, label(member.value, language)) for member in field.vocabulary]
    if field.sent_as in ("province", "provinces"):
        return [(code, label(code, language)) for code in PROVINCES]
    if field.sent_as == "authority":
        return [(code, label(code, language)) for code in ("MIIT", *(f"CA-{code}" for code in PROVINCES))]
    return []


def _widget(field: Field, options: Sequence[object]) -> str:
    if options:
        return "checks" if field.many else "select"
    if field.scalar == "Boolean":
        return "check" if field.required or field.default is not None else "yesno"
    if field.sent_as in _LONG:
        return "textarea"
    return "text" if field.many else _WIDGETS.get(field.scalar, "text")


def placed(inputs: Sequence[Input], errors: Mapping[str, list[str]] | None) -> tuple[dict[str, list[str]], list[str]]:
    """What is said at the fields of a form, and what is about none of them."""
    paths = {each.path for each in inputs}
    found = errors or {}
    at_fields = {path: said for path, said in found.items() if path in paths}
    return at_fields, [each for path, said in found.items() if path not in paths for each in said]


def missing(cls: type[msgspec.Struct], language: Language, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is to be said at the fields that must be filled in and are not."""
    needed = [
        each.path for each in inputs(cls, language, values) if each.required and values.get(each.path) in (None, [])
    ]
    return {path: [say("record.missing", language)] for path in needed}


def filled(cls: type[msgspec.Struct], form: Form, prefix: str = "") -> dict[str, Any]:
    """What was filled in, by paths, as the form shows it again."""
    found: dict[str, Any] = {}
    for field in fields_of(cls):
        path = f"{prefix}{field.sent_as}"
        if field.nested:
            found |= filled(field.nested, form, f"{path}.")
        else:
            found[path] = _taken(field, path, form)
    return found


def sent(cls: type[msgspec.Struct], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same as a client would send it; what was left empty is left out."""
    made: dict[str, Any] = {}
    for field in fields_of(cls):
        path = f"{prefix}{field.sent_as}"
        value = sent(field.nested, values, f"{path}.") if field.nested else values.get(path)
        if value is not None:
            made[field.sent_as] = value
    return made


def _taken(field: Field, path: str, form: Form) -> Any:
    if field.many:
        return _many(field, [str(each) for each in form.getlist(path)])
    value = text_of(form, path)
    if field.scalar == "Boolean":
        if field.required or field.default is not None:
            return value is not None
        return None if value is None else value == "yes"
    if value is None:
        return None
    if field.scalar in ("Position", "Int"):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else value
    # What a person enters is the time of their clock.
    return f"{value}:00+08:00" if field.scalar == "DateTime" and len(value) == len("2026-01-01T08:00") else value


def _many(field: Field, given: Sequence[str]) -> list[Any]:
    whole = [part for each in given for part in _SEPARATORS.split(each.strip()) if part]
    if field.scalar == "Position":
        return [int(part.lstrip("#")) if part.lstrip("#").isdecimal() else part for part in whole]
    return whole
