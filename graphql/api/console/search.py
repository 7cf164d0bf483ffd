"""The first page: finding an enterprise, as one types."""

from starlette.responses import RedirectResponse, Response

from api.console.rendering import page
from api.console.visits import Visit, text_of
from domain.vocabulary import CreditStatus


async def home(visit: Visit) -> Response:
    if not visit.may("Query.enterprises"):
        return RedirectResponse("/lists", 303)
    asked = visit.request.query_params
    wanted, status = text_of(asked, "q"), text_of(asked, "status")
    after = text_of(asked, "after")
    data = await visit.ask("search", search=wanted, status=status, after=after)
    shown = {"q": wanted or "", "chosen": status or "", "found": data["enterprises"], "after": after}
    return page(visit, "found.html" if visit.is_part else "search.html", statuses=list(CreditStatus), **shown)
