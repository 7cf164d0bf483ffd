"""Recording: a form for each event, made from its definition; what the rulebook refuses is said at the field."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from starlette.responses import RedirectResponse, Response

from api.console import forms
from api.console.asking import NotAnswered
from api.console.field_words import FIELDS
from api.console.forms import Input
from api.console.rendering import page
from api.console.visits import Visit, text_of
from api.console.words import named
from domain.callers import Role
from domain.events import RECORDABLE, Event
from domain.matrix import EVENTS, Reach
from domain.vocabulary import Area

EFFECTIVE_ON: Final = "effectiveOn"
HISTORICAL: Final = "historical"


async def choose(visit: Visit) -> Response:
    """The events that the visitor may record, by area."""
    open_ = _open_to(visit)
    if not open_:
        raise NotAnswered("FORBIDDEN", "")
    uscc = text_of(visit.request.query_params, "uscc")
    areas = {area: [(name, cls.__name__) for name, cls in open_.items() if cls.area is area] for area in Area}
    return page(visit, "record_choice.html", areas={area: found for area, found in areas.items() if found}, uscc=uscc)


async def record(visit: Visit) -> Response:
    """The form of one event; by POST it is recorded, or comes back with what is wrong."""
    name = visit.request.path_params["name"]
    cls = _open_to(visit).get(name)
    if cls is None:
        raise NotAnswered("FORBIDDEN" if name in RECORDABLE else "NOT_FOUND", "")
    if visit.request.method != "POST":
        return _form(visit, name, cls, _known(visit, cls))
    form = await visit.form()
    values: dict[str, Any] = forms.filled(cls, form)
    values[EFFECTIVE_ON], values[HISTORICAL] = text_of(form, EFFECTIVE_ON), HISTORICAL in form
    fact = forms.sent(cls, values)
    if values[EFFECTIVE_ON]:
        fact[EFFECTIVE_ON] = values[EFFECTIVE_ON]
    if cls.gated and values[HISTORICAL]:
        fact[HISTORICAL] = True
    try:
        data = await visit.ask(
            "record", input={"idempotencyKey": f"console-{form.get('once', '')}", "facts": [{name: fact}]}
        )
    except NotAnswered as refused:
        # A field that must be there was left empty, or holds what its scalar cannot be.
        if refused.code != "BAD_VARIABLES":
            raise
        return _form(visit, name, cls, values, forms.missing(cls, visit.language, values) or {"": [refused.message]})
    made = data["record"]
    if made["events"]:
        return RedirectResponse(f"/events/{made['events'][0]['position']}", 303)
    errors: dict[str, list[str]] = {}
    for error in made["errors"]:
        errors.setdefault(_field_of(error["path"], name), []).append(error["message"])
    return _form(visit, name, cls, values, errors)


def _open_to(visit: Visit) -> dict[str, type[Event]]:
    return {
        name: cls
        for name, cls in RECORDABLE.items()
        if visit.caller.reach(EVENTS[cls.__name__].records) is not Reach.NONE
    }


def _known(visit: Visit, cls: type[Event]) -> dict[str, Any]:
    """What is filled in from the address, and from who asks."""
    asked, caller = visit.request.query_params, visit.caller
    found: dict[str, Any] = {
        field.path: asked[field.path] for field in forms.inputs(cls, "zh", {}) if field.path in asked
    }
    if caller.role is Role.REGULATOR and caller.authority:
        found.setdefault("authority", caller.authority)
    if caller.carrier:
        found.setdefault("carrier", caller.carrier)
    return found


def _field_of(path: str, name: str) -> str:
    """The field of the form that a refusal is about: “facts.0.NAME.FIELD.2” is about FIELD."""
    field = path.partition(f".{name}.")[2]
    stem, _, last = field.rpartition(".")
    return stem if last.isdigit() else field


def _form(
    visit: Visit,
    name: str,
    cls: type[Event],
    values: Mapping[str, Any],
    errors: Mapping[str, list[str]] | None = None,
) -> Response:
    inputs = [*forms.inputs(cls, visit.language, values), *_besides(visit, cls, values)]
    at_fields, elsewhere = forms.placed(inputs, errors)
    return page(
        visit,
        "record.html",
        422 if errors else 200,
        name=name,
        event=cls.__name__,
        inputs=inputs,
        errors=at_fields,
        unplaced=elsewhere,
        once=uuid4().hex,
    )


def _besides(visit: Visit, cls: type[Event], values: Mapping[str, Any]) -> list[Input]:
    """What every fact may state beside its own fields."""

    def one(name: str, widget: str) -> Input:
        words = named(FIELDS, name, visit.language)
        return Input(name, words, forms.help_of(name, visit.language), widget, (), False, False, values.get(name) or "")

    return [one(EFFECTIVE_ON, "date"), *([one(HISTORICAL, "check")] if cls.gated else [])]
