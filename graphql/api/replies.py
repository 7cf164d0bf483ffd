"""Replies: an answer's status, headers and bytes.

What is asked by GET may be kept by the client, or by whoever is between for a caller without a key, and is asked for
again each time: the entity tag names the position that the answer knows, and 304 says that it is still the same.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from api.answers import AtHead
from api.errors import INTERNAL
from api.media import HEADERS, NO_SNIFFING, PLAIN_JSON, VARY, encoded, language_of, media_for
from api.observing import asked_of
from api.received import BadRequest
from domain.text import Language, Text

ALLOWED: Final = "POST"
log = structlog.get_logger(__name__)


def media_of(request: Request) -> str:
    return media_for(request.headers.get("accept", ""))


def respond(
    request: Request, status: int, body: dict[str, Any], media: str, retry_after: int | None = None
) -> Response:
    """A reply that nobody keeps."""
    asked_of(request.scope).codes = [error["extensions"]["code"] for error in body.get("errors", ())]
    headers = dict(HEADERS)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status in (429, 503):
        headers["retry-after"] = str(retry_after or 1)
    if status == 405:
        headers["allow"] = ALLOWED
    return _sent(request, status, _bytes(body), media, headers)


def revalidated(request: Request, body: dict[str, Any], media: str, position: int) -> Response:
    """A reply of 200 to a GET, which may be kept and asked for again; 304 where the client has it."""
    content = _bytes(body)
    tag = f'W/"{position}-{sha256(media.encode() + content).hexdigest()[:20]}"'
    shared = "private" if "authorization" in request.headers else "public"
    headers = {"vary": VARY, "cache-control": f"{shared}, no-cache", "etag": tag, **NO_SNIFFING}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return _sent(request, 200, content, media, headers)


def refused(request: Request, bad: BadRequest, language: Language, media: str) -> Response:
    return respond(request, bad.status, failure(bad.code, bad.text, language), media, bad.retry_after)


def failure(code: str, text: Text, language: Language) -> dict[str, Any]:
    return {"errors": [{"message": text.said_in(language), "extensions": {"code": code}}]}


def unexpected(request: Request, fault: Exception) -> Response:
    """The last resort of the application: what nobody foresaw, said without its text."""
    log.error("unexpected", fault=type(fault).__name__, exc_info=fault)
    language = language_of(request.headers.get("accept-language", ""))
    return respond(request, 500, failure("INTERNAL", INTERNAL, language), PLAIN_JSON)


def _sent(request: Request, status: int, content: bytes, media: str, headers: dict[str, str]) -> Response:
    content, how = encoded(content, request.headers.get("accept-encoding", ""))
    return Response(content, status, headers | how, f"{media}; charset=utf-8")


def _has(none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names a tag, compared weakly."""
    named = {each.strip().removeprefix("W/") for each in none_match.split(",")}
    return "*" in named or tag.removeprefix("W/") in named


def _bytes(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body, enc_hook=_plain)


def _plain(value: object) -> int:
    if isinstance(value, AtHead):
        return int(value)
    raise TypeError(f"an answer holds JSON's values; got a {type(value).__name__}")
