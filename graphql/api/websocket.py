"""GraphQL over WebSocket: the sub-protocol graphql-transport-ws, as its PROTOCOL.md has it.

The library's own handler runs resolvers on the event loop, where ours would stand in everyone's way, closes the socket
for a document that does not parse, and knows of no slow client; so the protocol is here. Close codes: 4400 a message that
is none, 4401 not acknowledged, or a key that is not valid (any more), 4406 another sub-protocol, 4408 no connection_init in
time, 4409 an id in use, 4429 a second connection_init, 4503 too slow, 1012 the server stops, 1013 too many connections.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated, Any, Final

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.context import Place
from api.errors import AWAY, INTERNAL, UNAVAILABLE
from api.http import GraphQLEndpoint
from api.media import language_of
from api.received import BadRequest, Sent, caller_of_header
from api.replies import failure
from api.streams import Refused, Session, Streams, too_many
from domain.callers import Caller
from domain.text import Language

PROTOCOL: Final = "graphql-transport-ws"
LONGEST_REASON: Final = 123
"""Bytes that a close frame's reason may have (RFC 6455)."""
CLOSE_SECONDS: Final = 5.0
"""So long a client that takes nothing has to take why it is cut off."""
Payload = dict[str, Any]

log = structlog.get_logger(__name__)


class ConnectionInit(msgspec.Struct, tag="connection_init", tag_field="type"):
    payload: Payload | None = None


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    payload: Payload | None = None


class Pong(msgspec.Struct, tag="pong", tag_field="type"):
    payload: Payload | None = None


class Subscribe(msgspec.Struct, tag="subscribe", tag_field="type"):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    payload: Sent


class Complete(msgspec.Struct, tag="complete", tag_field="type"):
    id: Annotated[str, msgspec.Meta(min_length=1)]


Message = ConnectionInit | Ping | Pong | Subscribe | Complete
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


class Closed(Exception):
    """The socket is to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class GraphQLSocket:
    """Answers WebSockets at /graphql."""

    def __init__(self, endpoint: GraphQLEndpoint, streams: Streams) -> None:
        self._endpoint = endpoint
        self._streams = streams

    async def __call__(self, websocket: WebSocket) -> None:
        await _Connection(websocket, self._endpoint, self._streams).run()


class _Connection:
    def __init__(self, websocket: WebSocket, endpoint: GraphQLEndpoint, streams: Streams) -> None:
        self._websocket = websocket
        self._endpoint = endpoint
        self._streams = streams
        self._language: Language = language_of(websocket.headers.get("accept-language", ""))
        self._session = Session(Caller(), None)
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()
        self._initiated = False
        self._acknowledged = False

    async def run(self) -> None:
        offered = PROTOCOL in self._websocket.scope["subprotocols"]
        await self._websocket.accept(PROTOCOL if offered else None)
        if not offered:
            return await self._close(4406, "Subprotocol not acceptable: use graphql-transport-ws")
        if self._streams.is_full:
            return await self._close(1013, "Too many connections; try again later")
        with self._streams.connected(self._session) as session:
            reading = asyncio.create_task(self._read())
            try:
                waited: set[asyncio.Future[Any]] = {reading, session.ending}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _cancelled([reading, *self._operations.values()])
            if session.ending.done():
                cut = session.ending.result()
                return await self._close(cut.close_code, cut.text.en)
            if not reading.cancelled() and isinstance(closed := reading.exception(), Closed):
                return await self._close(closed.code, closed.reason)
        return None

    async def _close(self, code: int, reason: str) -> None:
        short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        # A client that does not take even this is left to the system, which ends the connection in the end.
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code, short)

    async def _read(self) -> None:
        """Reads messages until the client is gone. Raises Closed."""
        with suppress(WebSocketDisconnect):
            await self._take_first()
            while True:
                await self._take(await self._receive())

    async def _take_first(self) -> None:
        try:
            async with asyncio.timeout(self._streams.limits.init_seconds):
                while not self._initiated:
                    await self._take(await self._receive())
        except TimeoutError:
            raise Closed(4408, "Connection initialisation timeout") from None

    async def _receive(self) -> Message:
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text = received.get("text")
        if text is None:
            raise Closed(4400, "A message is a text frame with JSON")
        try:
            return _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Closed(
                4400, "No message of graphql-transport-ws: its JSON, type or a field is not as it should be"
            ) from None

    async def _take(self, message: Message) -> None:
        match message:
            case ConnectionInit():
                await self._acknowledge(message.payload or {})
            case Ping():
                await self._send({"type": "pong"} | ({"payload": message.payload} if message.payload else {}))
            case Subscribe():
                if not message.payload.has_document:
                    raise Closed(4400, "A subscribe has a query, or the name of a trusted document")
                self._begin(message)
            case Complete():
                if running := self._operations.pop(message.id, None):
                    running.cancel()
            case Pong():
                pass

    async def _acknowledge(self, payload: Payload) -> None:
        if self._initiated:
            raise Closed(4429, "Too many initialisation requests")
        self._initiated = True
        named = {name.lower(): value for name, value in payload.items()}
        shown = named.get("authorization", self._websocket.headers.get("authorization"))
        if shown is not None and not isinstance(shown, str):
            raise Closed(4400, "authorization is a text: Bearer KEY")
        try:
            found = partial(caller_of_header, shown, self._endpoint.caller_of)
            caller, credential = await self._streams.feeds.in_thread(found)
        except BadRequest:
            raise Closed(4401, "Unauthorized: the key is not valid; send Bearer KEY") from None
        except AWAY:
            raise Closed(1013, "The database is not available at the moment; try again later") from None
        if self._streams.is_full_for(caller, self._session):
            raise Closed(1013, "Too many connections of this key; end some")
        self._session.caller, self._session.credential = caller, credential
        await self._send({"type": "connection_ack"})
        self._acknowledged = True

    def _begin(self, message: Subscribe) -> None:
        if not self._acknowledged:
            raise Closed(4401, "Unauthorized")
        if message.id in self._operations:
            raise Closed(4409, f"Subscriber for {message.id} already exists")
        task = asyncio.create_task(self._operate(message))
        self._operations[message.id] = task
        task.add_done_callback(partial(self._done, message.id))

    def _done(self, id_: str, task: asyncio.Task[None]) -> None:
        if self._operations.get(id_) is task:
            del self._operations[id_]

    async def _operate(self, message: Subscribe) -> None:
        """One operation, from its first result to its end."""
        place = Place()
        last: dict[str, Any] = {"id": message.id, "type": "complete"}
        try:
            async with aclosing(self._results(message.payload, place)) as results:
                async for body in results:
                    await self._send({"id": message.id, "type": "next", "payload": body})
                    place.delivered = place.under_way
        except Refused as refused:
            last = {"id": message.id, "type": "error", "payload": refused.errors}
        except WebSocketDisconnect:
            return
        except AWAY:
            last = {
                "id": message.id,
                "type": "error",
                "payload": [_said("UNAVAILABLE", UNAVAILABLE.said_in(self._language))],
            }
        except Exception as fault:
            log.error("unexpected", fault=type(fault).__name__, exc_info=fault)
            last = {"id": message.id, "type": "error", "payload": [_said("INTERNAL", INTERNAL.said_in(self._language))]}
        # Its id is free as soon as the client can know that it has ended.
        self._operations.pop(message.id, None)
        with suppress(WebSocketDisconnect):
            await self._send(last)

    async def _results(self, sent: Sent, place: Place) -> AsyncGenerator[Payload, None]:
        most = self._streams.limits.per_connection
        if len(self._operations) > most:
            raise too_many(most, "一个连接", "one connection", self._language)
        try:
            params = self._endpoint.admitted(sent, self._session.caller, self._websocket)
        except BadRequest as bad:
            raise Refused(failure(bad.code, bad.text, self._language)["errors"]) from None
        async with aclosing(self._endpoint.results(params, self._session, self._language, place)) as results:
            async for body in results:
                yield body

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._lock:
            if self._session.ending.done():
                # It was told of nothing that follows: the close says what it has.
                raise WebSocketDisconnect
            with self._session.sending():
                await self._websocket.send_text(msgspec.json.encode(message).decode())


def _said(code: str, words: str) -> dict[str, Any]:
    return {"message": words, "extensions": {"code": code}}


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
