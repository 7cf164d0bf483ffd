"""Tables to take away, as CSV that spreadsheets open: asked for page by page, so that no length is too long."""

import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from io import StringIO
from typing import Any, Final

from starlette.responses import StreamingResponse

from api.console.rendering import HEADERS
from api.console.visits import Visit, text_of
from api.console.words import label, say

PAGE: Final = 100
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the begin of a formula."""

Page = Callable[[str | None], Awaitable[dict[str, Any]]]
"""A connection after a cursor."""


async def history(visit: Visit) -> StreamingResponse:
    """The events of an enterprise as they are looked at: filtered, as of a date, as known at a position."""
    asked, uscc = visit.request.query_params, visit.request.path_params["uscc"]
    area, known = text_of(asked, "area"), text_of(asked, "knownAt")
    ends = [day for day in (text_of(asked, "asOf"), text_of(asked, "to")) if day]
    wanted = {
        "uscc": uscc,
        "areas": [area] if area else None,
        "from": text_of(asked, "from"),
        "to": min(ends, default=None),
        "knownAt": int(known) if known and known.isdecimal() else None,
        "first": PAGE,
    }

    async def page(after: str | None) -> dict[str, Any]:
        data = await visit.ask("enterpriseHistory", **wanted, after=after)
        found: dict[str, Any] = (data["enterprise"] or {"history": _NONE})["history"]
        return found

    columns = ("position", "effective", "event", "area", "recorded", "recorded by")

    def row(node: dict[str, Any]) -> Iterable[Any]:
        named = label(node["type"], visit.language), label(node["area"], visit.language)
        return node["position"], node["effectiveOn"], *named, node["recordedAt"], node["recordedBy"]

    return await _download(visit, f"{uscc}.csv", columns, page, row)


async def published(visit: Visit) -> StreamingResponse:
    """The entries of the published lists that are active on a day."""
    asked = visit.request.query_params
    wanted = {"list": text_of(asked, "list"), "activeOn": text_of(asked, "on"), "first": PAGE}

    async def page(after: str | None) -> dict[str, Any]:
        found: dict[str, Any] = (await visit.ask("listEntries", **wanted, after=after))["listEntries"]
        return found

    columns = ("name", "code", "lists.list", "lists.ground", "lists.authority", "lists.from")

    def row(node: dict[str, Any]) -> Iterable[Any]:
        named = (label(node[term], visit.language) for term in ("list", "ground", "authority"))
        return node["name"], node["uscc"], *named, node["from"]

    return await _download(visit, "lists.csv", columns, page, row)


async def _download(
    visit: Visit, name: str, columns: Sequence[str], page: Page, row: Callable[[dict[str, Any]], Iterable[Any]]
) -> StreamingResponse:
    # The first page is asked for before anything is sent: a refusal is a page of its own.
    first = await page(None)
    heading = [say(column, visit.language) for column in columns]
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(heading, first, page, row), 200, headers, "text/csv; charset=utf-8")


async def _lines(
    heading: Sequence[str], found: dict[str, Any], page: Page, row: Callable[[dict[str, Any]], Iterable[Any]]
) -> AsyncIterator[str]:
    # By this mark spreadsheets know that it is UTF-8.
    yield "\ufeff" + _written([heading])
    while True:
        yield _written(row(edge["node"]) for edge in found["edges"])
        if not found["pageInfo"]["hasNextPage"]:
            return
        found = await page(found["pageInfo"]["endCursor"])


def _written(rows: Iterable[Iterable[Any]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    """A value as text that no spreadsheet runs."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


_NONE: Final[dict[str, Any]] = {"edges": [], "pageInfo": {"hasNextPage": False}}
