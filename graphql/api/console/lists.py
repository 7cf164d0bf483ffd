"""The published lists, for everybody."""

from starlette.responses import Response

from api.console.rendering import page
from api.console.visits import Visit, text_of
from domain.vocabulary import CreditList


async def published(visit: Visit) -> Response:
    asked = visit.request.query_params
    on, which, after = text_of(asked, "on"), text_of(asked, "list"), text_of(asked, "after")
    data = await visit.ask("listEntries", list=which, activeOn=on, after=after)
    return page(
        visit,
        "lists.html",
        found=data["listEntries"],
        on=on or "",
        which=which or "",
        after=after,
        lists=list(CreditList),
    )
