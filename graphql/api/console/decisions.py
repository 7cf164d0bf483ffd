"""Decisions: what was asked and known, which rules fired, what a replay says, and the proof, for the file."""

from typing import Any

import msgspec
import segno
from starlette.responses import Response

from api.console.asking import NotAnswered
from api.console.rendering import page
from api.console.visits import Visit, text_of
from domain.vocabulary import Gate, Outcome


async def listed(visit: Visit) -> Response:
    asked = visit.request.query_params
    wanted = {name: text_of(asked, name) for name in ("uscc", "gate", "outcome")}
    after, changed = text_of(asked, "after"), "changed" in asked
    data = await visit.ask("decisions", **wanted, changed=changed or None, after=after)
    return page(
        visit,
        "decisions.html",
        found=data["decisions"],
        wanted={name: value or "" for name, value in wanted.items()},
        changed=changed,
        after=after,
        gates=list(Gate),
        outcomes=list(Outcome),
    )


async def one(visit: Visit) -> Response:
    rulebook = text_of(visit.request.query_params, "rulebook")
    data = await visit.ask("gateDecision", id=visit.request.path_params["id"], rulebook=rulebook)
    found = data["decision"]
    if found is None:
        raise NotAnswered("NOT_FOUND", "")
    ((_, request),) = found["request"].items() if len(found["request"]) == 1 else [("", found["request"])]
    return page(
        visit,
        "decision.html",
        found=found,
        request=request,
        rulebooks=data["rulebooks"],
        rulebook=rulebook or found["rulebook"]["version"],
        receipt_json=msgspec.json.encode(found["receipt"]).decode() if found["receipt"] else None,
        code=_code(found) if found["receipt"] else None,
    )


def _code(found: dict[str, Any]) -> str:
    """A QR code, as a data address, of what finds the decision's proof again: enough to compare with any copy of the log."""
    receipt = found["receipt"]
    said = {
        "decision": found["id"],
        "position": receipt["position"],
        "leafHash": receipt["leafHash"],
        "size": receipt["checkpoint"]["size"],
        "rootHash": receipt["checkpoint"]["rootHash"],
    }
    made = segno.make(msgspec.json.encode(said).decode(), error="m", micro=False)
    return str(made.svg_data_uri(scale=3, border=4))
