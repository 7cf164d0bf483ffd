"""Asking a gate: a short form, the answer at large, and its recording."""

from typing import Any, Final
from uuid import uuid4

import msgspec
from starlette.responses import RedirectResponse, Response

from api.console import forms
from api.console.asking import NotAnswered
from api.console.rendering import page
from api.console.visits import Visit, text_of
from domain.callers import Role
from domain.matrix import GATES, Reach
from domain.requests import REQUESTS
from domain.text import Text

MISSING: Final = Text("请完整填写表单。", "Fill in the form completely.")


async def ask_gate(visit: Visit) -> Response:
    """The form of a gate; with what was filled in, and its answer, by POST."""
    if visit.request.method == "POST":
        return await _answered(visit)
    asked = visit.request.query_params
    open_ = _open_to(visit)
    if not open_:
        raise NotAnswered("FORBIDDEN", "")
    gate = asked.get("gate", "")
    gate = gate if gate in open_ else open_[-1]
    known = {"uscc": text_of(asked, "uscc"), "carrier": visit.caller.carrier}
    return _form(visit, gate, {**known, "number": text_of(asked, "number")})


def _open_to(visit: Visit) -> list[str]:
    """The gates that the visitor may ask, by their fields of GateRequest."""
    return [name for name, cls in REQUESTS.items() if visit.caller.reach(GATES[cls.gate].previews) is not Reach.NONE]


def _may_record(visit: Visit, gate: str) -> bool:
    return visit.caller.reach(GATES[REQUESTS[gate].gate].decides) is not Reach.NONE


async def _answered(visit: Visit) -> Response:
    form = await visit.form()
    gate = str(form.get("gate"))
    if gate not in _open_to(visit):
        raise NotAnswered("FORBIDDEN", "")
    values = forms.filled(REQUESTS[gate], form)
    request = {gate: forms.sent(REQUESTS[gate], values)}
    try:
        if "record" in form:
            return await _recorded(visit, gate, values, request, str(form.get("once", "")))
        data = await visit.ask("previewGate", request=request)
    except NotAnswered as refused:
        if refused.code not in ("INVALID", "BAD_VARIABLES", "NOT_FOUND", "FORBIDDEN"):
            raise
        said = visit.said(MISSING) if refused.code == "BAD_VARIABLES" else refused.message
        return _form(visit, gate, values, errors={"": [said]})
    return _form(visit, gate, values, answer=data["previewGate"])


async def _recorded(visit: Visit, gate: str, values: dict[str, Any], request: dict[str, Any], once: str) -> Response:
    sent = {"idempotencyKey": f"console-{once}", "request": request}
    data = await visit.ask("decideGate", input=sent)
    made = data["decideGate"]
    if made["decision"]:
        return RedirectResponse(f"/decisions/{made['decision']['id']}", 303)
    errors: dict[str, list[str]] = {}
    for error in made["errors"]:
        errors.setdefault(error["path"].partition(f"{gate}.")[2], []).append(error["message"])
    return _form(visit, gate, values, errors=errors)


def _form(
    visit: Visit,
    gate: str,
    values: dict[str, Any],
    answer: dict[str, Any] | None = None,
    errors: dict[str, list[str]] | None = None,
) -> Response:
    cls: type[msgspec.Struct] = REQUESTS[gate]
    inputs = forms.inputs(cls, visit.language, values)
    at_fields, elsewhere = forms.placed(inputs, errors)
    return page(
        visit,
        "gate.html",
        422 if errors else 200,
        gate=gate,
        gates=_open_to(visit),
        inputs=inputs,
        answer=answer,
        errors=at_fields,
        unplaced=elsewhere,
        may_record=_may_record(visit, gate),
        once=uuid4().hex,
        fixed={"carrier"} if visit.caller.role is Role.CARRIER else set(),
    )
