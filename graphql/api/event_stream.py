"""GraphQL over server-sent events: graphql-sse's distinct connections mode. One request, one operation, one stream.

Each result is an event `next`, whose id is its position: a client that comes again with Last-Event-ID goes on after it.
The event `complete` ends a stream that has ended; one that ends without it was cut off, and the client goes on.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.context import Place
from api.errors import AWAY, INTERNAL, UNAVAILABLE
from api.streams import STOPPING, Cut, Refused, Session, Streams
from domain.text import Language, Text

MEDIA: Final = "text/event-stream"
KEEP_ALIVE_SECONDS: Final = 12.0
"""After so long without an event a comment is sent, so that nobody between takes the connection for dead."""
LAST_SECONDS: Final = 5.0
COMPLETE: Final = b"event: complete\ndata:\n\n"

log = structlog.get_logger(__name__)


def last_event(request: Request) -> int:
    """The position that a client which comes again had; 0 for none."""
    sent = request.headers.get("last-event-id", "")
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) <= 15 else 0


class EventStream(Response):
    """The answer: `results` as events, until they end, the client goes or the session is cut off."""

    media_type = MEDIA

    def __init__(
        self,
        results: AsyncGenerator[dict[str, Any], None],
        place: Place,
        session: Session,
        streams: Streams,
        language: Language,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(
            {"cache-control": "no-store", "x-accel-buffering": "no", "vary": "Accept, Accept-Language, Authorization"}
        )
        self._results = results
        self._place = place
        self._session = session
        self._streams = streams
        self._language = language
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with self._streams.connected(self._session) as session:
            pump, gone = asyncio.create_task(self._pump(send)), asyncio.create_task(_gone(receive))
            try:
                done: set[Any] = set()
                while not done:
                    waited: set[asyncio.Future[Any]] = {pump, gone, session.ending}
                    done, _ = await asyncio.wait(
                        waited, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not done and session.sending_since is None:
                        await self._send(send, b":\n\n")
            finally:
                pump.cancel()
                gone.cancel()
                await asyncio.gather(pump, gone, return_exceptions=True)
        if gone.cancelled():
            await self._finish(send, session.ending.result() if session.ending.done() else None)

    async def _pump(self, send: Send) -> None:
        try:
            async with aclosing(self._results) as results:
                async for body in results:
                    await self._send(send, _next(body, self._place.under_way))
                    self._place.delivered = self._place.under_way
            return
        except Refused as refused:
            errors = refused.errors
        except AWAY:
            errors = [_said("UNAVAILABLE", UNAVAILABLE, self._language)]
        except Exception as fault:
            log.error("unexpected", fault=type(fault).__name__, exc_info=fault)
            errors = [_said("INTERNAL", INTERNAL, self._language)]
        await self._send(send, _next({"errors": errors}, 0))

    async def _finish(self, send: Send, cut: Cut | None) -> None:
        """The last words. A client that does not take them is left to the system."""
        last = COMPLETE
        if cut is not None and cut.close_code == STOPPING:
            # Without an event `complete` the client comes again, after its last event's id.
            last = b""
        elif cut is not None:
            error = _said(cut.code, cut.text, self._language)
            if cut.resume_after is not None:
                error["extensions"]["resumeAfter"] = cut.resume_after
            last = _next({"errors": [error]}, 0) + COMPLETE
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _send(self, send: Send, event: bytes) -> None:
        async with self._lock:
            with self._session.sending():
                await send({"type": "http.response.body", "body": event, "more_body": True})


async def _gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


def _next(body: dict[str, Any], position: int) -> bytes:
    place = b"id: %d\n" % position if position else b""
    return b"event: next\n" + place + b"data: " + msgspec.json.encode(body) + b"\n\n"


def _said(code: str, text: Text, language: Language) -> dict[str, Any]:
    return {"message": text.said_in(language), "extensions": {"code": code}}
