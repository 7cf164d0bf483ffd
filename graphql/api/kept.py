"""The hot path: a request whose answer is kept is answered before anything else looks at it.

What is not answered here goes on as it came, so all else, errors too, is said in one place.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from time import perf_counter
from typing import Final, Protocol, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import LARGEST_REQUEST, Answers
from api.media import GRAPHQL_JSON, HEADERS, PLAIN_JSON, SMALLEST_GZIP, encoded, language_of, media_for
from api.newest import Newest
from api.observing import Watch, began_at
from api.rates import Rates
from domain.callers import Caller
from domain.text import Language

_KINDS: Final = {media: f"{media}; charset=utf-8".encode() for media in (PLAIN_JSON, GRAPHQL_JSON)}
_HEADERS: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


_Kept: TypeAlias = tuple[bytes, list[tuple[bytes, bytes]], str, Caller]
"""An answer's bytes and headers, the trusted document that it is of, and who asked."""


class Remembering(Protocol):
    def remembered(self, key: str) -> Caller | None:
        """Who holds a key, from memory and without waiting; None as well for a key that has to be looked up."""
        ...


def circumstances(caller: Caller, language: Language, media: str, today: date) -> Hashable:
    """What the answer to a request depends on besides its bytes and the ledger."""
    return caller.role, caller.authority, caller.carrier, caller.scopes, language, media, today


@dataclass(slots=True)
class KeptAnswers:
    """ASGI middleware that answers POSTs to /graphql from what is kept, where that is true at the newest."""

    app: ASGIApp
    answers: Answers
    newest: Newest
    keys: Remembering
    rates: Rates
    rate: int
    """Requests a second of one key; what goes beyond is refused by the endpoint."""
    today: Callable[[], date]
    watch: Watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/graphql" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        message = await receive()
        kept = await self._kept(scope, message)
        if kept is None:
            began_at(scope, began)
            await self.app(scope, _again(message, receive), send)
            return
        content, headers, operation, caller = kept
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        self.watch.answered_from_kept(scope, operation, caller, perf_counter() - began)

    async def _kept(self, scope: Scope, message: Message) -> _Kept | None:
        """The answer that is kept for this request and true at the newest."""
        sent = message.get("body", b"")
        if message.get("more_body") or not 0 < len(sent) <= LARGEST_REQUEST:
            return None
        # Of headers that come twice the first counts, as it does for the endpoint.
        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        scheme, _, shown = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        caller = self.keys.remembered(shown.strip()) if scheme.lower() == "bearer" else None
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if caller is None or kind != PLAIN_JSON.encode():
            return None
        language = language_of(headers.get(b"accept-language", b"").decode("latin-1"))
        media = media_for(headers.get(b"accept", b"").decode("latin-1"))
        key = sent, circumstances(caller, language, media, self.today())
        if key not in self.answers or not await self.newest.look():
            return None
        content = self.answers.still(key)
        if content is None or self.rates.take(caller.holder, self.rate):
            return None
        dressed = _dressed(content, media, headers.get(b"accept-encoding", b"").decode("latin-1"))
        return *dressed, self.answers.operation(key), caller


def _dressed(content: bytes, media: str, accepted: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The bytes to send and their headers, as the endpoint has them."""
    headers = [*_HEADERS]
    if len(content) >= SMALLEST_GZIP:
        content, how = encoded(content, accepted)
        headers += [(name.encode(), value.encode()) for name, value in how.items()]
    return content, [*headers, (b"content-length", str(len(content)).encode()), (b"content-type", _KINDS[media])]


def _again(message: Message, receive: Receive) -> Receive:
    """A way to receive that gives a message which was received already once more."""
    rest = [message]

    async def received() -> Message:
        return rest.pop() if rest else await receive()

    return received
