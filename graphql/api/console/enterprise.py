"""An enterprise: its standing and why, a picture of its life, its history; all as of a date and as known at a position."""

from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from api.console.asking import NotAnswered
from api.console.rendering import page
from api.console.visits import Visit, text_of
from api.console.words import label
from domain.vocabulary import Area


class Part(NamedTuple):
    """Which part of a history is looked at."""

    area: str | None = None
    begins: str | None = None
    to: str | None = None
    after: str | None = None


WHOLE: Final = Part()
AREAS: Final = tuple(area for area in Area if area is not Area.LEDGER)


async def file(visit: Visit) -> Response:
    at = _moment(visit)
    if known_on := text_of(visit.request.query_params, "knownOn"):
        at["knownAt"] = (await visit.ask("headOn", date=known_on))["ledger"]["headOn"]
    uscc, inside = visit.request.path_params["uscc"], visit.may("Enterprise.history")
    data = await visit.ask("enterprisePage", uscc=uscc, inside=inside, **at)
    found = data["enterprise"]
    if found is None:
        raise NotAnswered("NOT_FOUND", "")
    history = await _history(visit, uscc, at) if inside else None
    life = _life(visit, found) if inside else None
    return page(
        visit,
        "enterprise.html",
        found=found,
        head=data["ledger"]["head"],
        history=history,
        life=life,
        areas=AREAS,
        part=WHOLE,
        as_of=found["credit"]["asOf"],
        known_at=found["credit"]["knownAt"],
        then=at != NOW,
        begins=_begin_of(found),
        today=visit.today.isoformat(),
    )


async def history(visit: Visit) -> Response:
    """The table of events alone: another area or another page."""
    at, uscc = _moment(visit), visit.request.path_params["uscc"]
    asked = visit.request.query_params
    if not visit.is_part:
        return RedirectResponse(f"/enterprises/{quote(uscc)}", 303)
    part = Part(*(text_of(asked, name) for name in ("area", "from", "to", "after")))
    found = await _history(visit, uscc, at, part)
    known = "" if at["knownAt"] is None else at["knownAt"]
    return page(
        visit,
        "history.html",
        found={"uscc": uscc},
        history=found,
        areas=AREAS,
        part=part,
        as_of=at["asOf"] or "",
        known_at=known,
    )


async def event(visit: Visit) -> Response:
    data = await visit.ask("event", position=visit.request.path_params["position"])
    found = data["ledger"]["event"]
    if found is None:
        raise NotAnswered("NOT_FOUND", "")
    return page(visit, "event.html", found=found)


NOW: Final = {"asOf": None, "knownAt": None}


def _moment(visit: Visit) -> dict[str, Any]:
    """What the page is as of and known at, as it is asked for; None for now."""
    asked = visit.request.query_params
    known = text_of(asked, "knownAt")
    return {"asOf": text_of(asked, "asOf"), "knownAt": int(known) if known and known.isdecimal() else None}


async def _history(visit: Visit, uscc: str, at: dict[str, Any], part: Part = WHOLE) -> dict[str, Any]:
    ends = [day for day in (at["asOf"], part.to) if day]
    data = await visit.ask(
        "enterpriseHistory",
        uscc=uscc,
        areas=[part.area] if part.area else None,
        to=min(ends, default=None),
        knownAt=at["knownAt"],
        after=part.after,
        **{"from": part.begins},
    )
    if data["enterprise"] is None:
        raise NotAnswered("NOT_FOUND", "")
    found: dict[str, Any] = data["enterprise"]["history"]
    return found


def _begin_of(found: dict[str, Any]) -> str:
    """The first day that the enterprise is known on, for the slider of dates."""
    days: list[str] = [span["from"] for span in found["credit"]["timeline"] if span["from"]]
    return min(days, default=str(found["credit"]["asOf"]))


def _life(visit: Visit, found: dict[str, Any]) -> dict[str, Any]:
    """What the picture shows, in the visitor's words; the page's tables say the same."""

    def named(term: str) -> str:
        return label(term, visit.language)

    spans = [
        {"from": span["from"], "status": span["status"], "label": named(span["status"])}
        for span in found["credit"]["timeline"]
    ]
    months = [
        {**month, "label": named(month["type"]), "lane": named(month["area"])}
        for month in found["activity"]
        if month["type"] != "ComplaintReceived"
    ]
    complaints = [
        {"month": month["month"], "events": month["events"]}
        for month in found["activity"]
        if month["type"] == "ComplaintReceived"
    ]
    lanes = [named(area) for area in AREAS if any(month["area"] == area for month in found["activity"])]
    drawn = {
        "spans": spans,
        "months": months,
        "complaints": complaints,
        "lanes": lanes,
        "until": found["credit"]["asOf"],
    }
    return {**drawn, "json": msgspec.json.encode(drawn).decode()}
