"""What a request states: its body or address, its key, and the refusals of those that are none."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from api.media import PLAIN_JSON
from domain.callers import Caller
from domain.text import Text


class Sent(msgspec.Struct, rename="camel"):
    """A GraphQL request as it is sent: by its text, or by the name of a trusted document."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None

    @property
    def has_document(self) -> bool:
        return self.query is not None or self.document_id is not None or "persistedQuery" in (self.extensions or {})


class Params(msgspec.Struct, rename="camel"):
    """What is to be executed."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


class BadRequest(Exception):
    """A request that is not executed: its status, code and why, and after how many seconds it may come again."""

    def __init__(self, status: int, code: str, text: Text, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.text = text
        self.retry_after = retry_after


async def body_of(request: Request, most: int, media: str = PLAIN_JSON) -> bytes:
    """The body of a request that is of a media type, JSON by default, and has at most so many bytes.

    Nothing else is taken: pages of other origins can send forms and plain text unasked, but no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != media:
        raise BadRequest(415, "BAD_MEDIA_TYPE", Text(f"请求体须为 {media}", f"The body of a request is {media}"))
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise _too_large(most)
    except ClientDisconnect:
        # Nobody hears it. Nothing is wrong with the server, so nothing is logged: whoever likes could fill the log.
        raise no_request() from None
    return bytes(body)


def _too_large(most: int) -> BadRequest:
    return BadRequest(
        413,
        "TOO_LARGE",
        Text(f"请求体最多 {most} 字节；请分批发送", f"A request has at most {most} bytes; send it in parts"),
    )


def decoded(body: bytes) -> Sent:
    """The request that a body holds. Raises BadRequest."""
    try:
        return msgspec.json.decode(body, type=Sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_request() from None


def from_url(request: Request) -> Sent:
    """The request that an address holds. Raises BadRequest."""
    asked = request.query_params
    return Sent(
        asked.get("query"),
        asked.get("documentId") or None,
        asked.get("operationName") or None,
        _object_in(asked.get("variables")),
        _object_in(asked.get("extensions")),
    )


def _object_in(text: str | None) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_request() from None


NO_REQUEST: Final = Text(
    "请求应为 JSON 对象，含文本 query（或 documentId），可含 operationName 与对象 variables",
    "A request is a JSON object with the text query (or a documentId) and, if wanted, operationName and the object "
    "variables",
)


def no_request() -> BadRequest:
    return BadRequest(400, "BAD_REQUEST", NO_REQUEST)


def caller_in(request: Request, caller_of: Callable[[str], Caller | None]) -> Caller:
    """Who asks: the holder of the bearer key, or the public without one. A wrong key is 401, never the public."""
    return caller_of_header(request.headers.get("authorization"), caller_of)[0]


def caller_of_header(sent: str | None, caller_of: Callable[[str], Caller | None]) -> tuple[Caller, str | None]:
    """Who asks, by the value of `Authorization`, and the key by which it is known."""
    if sent is None:
        return Caller(), None
    scheme, _, key = sent.partition(" ")
    caller = caller_of(key.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise BadRequest(
            401,
            "UNAUTHENTICATED",
            Text(
                "密钥或令牌无效、已过期或已撤销；请以 Authorization: Bearer KEY 发送有效的一个",
                "The key or token is not valid, has expired or was revoked; send a valid one as Authorization: Bearer KEY",
            ),
        )
    return caller, key.strip()
