"""Routes beside GraphQL: their work is done in a worker thread, and what they refuse is said in one plain sentence."""

from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.errors import AWAY, UNAVAILABLE
from api.media import language_of
from api.received import BadRequest
from api.replies import unexpected

PLAIN: Final = "text/plain; charset=utf-8"


def answering(work: Callable[[Request], Response]) -> Callable[[Request], object]:
    """A route's function: the work in a worker thread, and what it refuses in plain words."""

    async def answer(request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        try:
            return await run_in_threadpool(work, request)
        except BadRequest as bad:
            return _refused(bad.status, bad.text.said_in(language))
        except AWAY:
            return _refused(503, UNAVAILABLE.said_in(language))
        except Exception as fault:
            return unexpected(request, fault)

    return answer


def given(content: bytes, media: str, cache: str, **headers: str) -> Response:
    """An answer that may be kept as `cache` says."""
    return Response(content, 200, {"cache-control": cache, **headers}, media)


def _refused(status: int, words: str) -> Response:
    headers = {"cache-control": "no-store", "vary": "Accept-Language, Authorization"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status == 503:
        headers["retry-after"] = "1"
    return Response(f"{words}\n", status, headers, PLAIN)
