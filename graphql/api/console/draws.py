"""Random draws: what a pool would be, the draw itself, its result, and all that a browser needs to check it by itself."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.console import forms
from api.console.asking import NotAnswered
from api.console.rendering import HEADERS, page
from api.console.visits import Visit, text_of
from domain.draws import DrawRequest
from domain.vocabulary import CreditStatus


async def listed(visit: Visit) -> Response:
    """The draws that the visitor sees, and for regulators the form of a new one; by POST it is counted or drawn."""
    values: Mapping[str, Any] = {"authority": visit.caller.authority, "perInspection": 2}
    if visit.request.method != "POST":
        return await _shown(visit, values)
    if not visit.may("Mutation.drawInspection"):
        raise NotAnswered("FORBIDDEN", "")
    form = await visit.form()
    values = forms.filled(DrawRequest, form)
    asked = forms.sent(DrawRequest, values)
    if "draw" not in form:
        return await _counted(visit, values, asked)
    try:
        data = await visit.ask("drawInspection", input={"idempotencyKey": f"console-{form.get('once', '')}", **asked})
    except NotAnswered as refused:
        if refused.code != "BAD_VARIABLES":
            raise
        return await _shown(visit, values, errors=forms.missing(DrawRequest, visit.language, values))
    made = data["drawInspection"]
    if made["draw"]:
        return RedirectResponse(f"/draws/{made['draw']['drawId']}", 303)
    errors: dict[str, list[str]] = {}
    for error in made["errors"]:
        errors.setdefault(error["path"].partition(".")[0], []).append(error["message"])
    return await _shown(visit, values, errors=errors)


async def _counted(visit: Visit, values: Mapping[str, Any], asked: dict[str, Any]) -> Response:
    """The dry run: how large the pool is, by province and status."""
    narrowed = {name: asked.get(name) or None for name in ("provinces", "statuses")}
    if not narrowed["provinces"] and str(asked.get("authority", "")).startswith("CA-"):
        narrowed["provinces"] = [asked["authority"][3:]]
    try:
        data = await visit.ask("drawPool", authority=asked.get("authority"), **narrowed)
    except NotAnswered as refused:
        if refused.code not in ("BAD_VARIABLES", "INVALID"):
            raise
        return await _shown(visit, values, errors=forms.missing(DrawRequest, visit.language, values))
    shares = data["drawPool"]
    table: dict[str, dict[str, int]] = {}
    for share in shares:
        table.setdefault(share["province"], {})[share["status"]] = share["enterprises"]
    return await _shown(visit, values, pool=table, size=sum(share["enterprises"] for share in shares))


async def _shown(
    visit: Visit,
    values: Mapping[str, Any],
    errors: Mapping[str, list[str]] | None = None,
    pool: Mapping[str, Mapping[str, int]] | None = None,
    size: int = 0,
) -> Response:
    after = text_of(visit.request.query_params, "after")
    data = await visit.ask("draws", after=after)
    may_draw = visit.may("Mutation.drawInspection")
    inputs = forms.inputs(DrawRequest, visit.language, values) if may_draw else []
    at_fields, elsewhere = forms.placed(inputs, errors)
    return page(
        visit,
        "draws.html",
        422 if errors else 200,
        found=data["draws"],
        after=after,
        may_draw=may_draw,
        inputs=inputs,
        errors=at_fields,
        unplaced=elsewhere,
        pool=pool,
        size=size,
        statuses=[status.value for status in CreditStatus if status is not CreditStatus.UNKNOWN],
        once=uuid4().hex,
    )


async def one(visit: Visit) -> Response:
    draw_id, inside = visit.request.path_params["id"], visit.may("Draw.followUp")
    data = await visit.ask("draw", drawId=draw_id, inside=inside)
    found = data["draw"]
    if found is None:
        raise NotAnswered("NOT_FOUND", "")
    proof = await visit.ask("drawProof", position=found["position"])
    receipt = proof["ledger"]["receipt"]
    return page(visit, "draw.html", found=found, receipt_json=msgspec.json.encode(receipt).decode())


async def members(visit: Visit) -> Response:
    """A page of the pool, as JSON, for the check in the browser."""
    after = text_of(visit.request.query_params, "after")
    data = await visit.ask("drawMembers", drawId=visit.request.path_params["id"], after=after)
    if data["draw"] is None:
        raise NotAnswered("NOT_FOUND", "")
    return JSONResponse(data["draw"]["pool"], headers=dict(HEADERS))
