"""The first page: finding an enterprise, as one types."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from api.console.asking import NotAnswered
from api.console.rendering import page
from api.console.visits import Visit, text_of
from domain.vocabulary import CreditStatus


async def home(visit: Visit) -> Response:
    if not visit.may("Query.enterprises"):
        return RedirectResponse("/lists", 303)
    asked = visit.request.query_params
    wanted, status = text_of(asked, "q"), text_of(asked, "status")
    after = text_of(asked, "after")
    found = await _found(visit, {"search": wanted, "status": status, "after": after})
    return page(
        visit,
        "found.html" if visit.is_part else "search.html",
        statuses=list(CreditStatus),
        q=wanted or "",
        chosen=status or "",
        found=found,
        after=after,
    )


async def _found(visit: Visit, wanted: dict[str, Any]) -> dict[str, Any]:
    """The enterprises with their statuses; `STALE` is that of one which stands still, and it hides no other."""
    try:
        found: dict[str, Any] = (await visit.ask("search", **wanted))["enterprises"]
    except NotAnswered as refused:
        if refused.code != "STALE":
            raise
        return await _found_beside_stale(visit, wanted)
    return found


async def _found_beside_stale(visit: Visit, wanted: dict[str, Any]) -> dict[str, Any]:
    data = await visit.ask("searchNames", **wanted)
    found: dict[str, Any] = data["enterprises"]
    standing = {each["uscc"] for each in (data["stale"] or {"first": ()})["first"]}
    nodes = [edge["node"] for edge in found["edges"]]
    others = [node["uscc"] for node in nodes if node["uscc"] not in standing]
    reports = (await visit.ask("creditStatuses", usccs=others))["creditStatuses"] if others else []
    statuses = {report["uscc"]: report["status"] for report in reports}
    for node in nodes:
        node["credit"] = {"status": statuses.get(node["uscc"], "STALE")}
    return found
