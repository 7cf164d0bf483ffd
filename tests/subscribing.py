"""Subscribers as tests speak to a server: over a WebSocket, and over server-sent events."""

import json
import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from running import System

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
EVENTS: Final = "subscription ($after: Position! = 0) { events(after: $after) { position type } }"
CHANGES: Final = (
    "subscription ($after: Position! = 0) { creditChanges(after: $after) { uscc position timeline { from status } } }"
)


class Socket:
    """A WebSocket that speaks graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: Any) -> None:
        self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def receive(self, seconds: float = 20) -> Any:
        return json.loads(self.connection.recv(seconds))

    def subscribe(self, query: str, variables: Any = None, id_: str = "1") -> None:
        self.send({"id": id_, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    def results(self, number: int) -> list[Any]:
        """The data of so many results, without the name of their field."""
        found = []
        for _ in range(number):
            message = self.receive()
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            (data,) = message["payload"]["data"].values()
            found.append(data)
        return found

    def closed(self) -> tuple[int, str]:
        """Code and reason with which the server closes, whatever it sends before."""
        try:
            while True:
                self.connection.recv(20)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code, closed.rcvd.reason


NARROW: Final = (sockets.SOL_SOCKET, sockets.SO_RCVBUF, 65_536)
"""Lets the system take little for a client that does not read."""


def narrow(url: str) -> sockets.socket:
    """A connection to a server that takes little unread."""
    made = sockets.socket()
    made.setsockopt(*NARROW)
    host, port = url.removeprefix("http://").split(":")
    made.connect((host, int(port)))
    return made


@contextmanager
def socket(
    url: str, authorization: str | None = None, *, payload: Any = None, begun: bool = True, **how: Any
) -> Iterator[Socket]:
    """A WebSocket to a server; acknowledged, unless it is not to be begun."""
    headers = {"authorization": authorization} if authorization else {}
    how = {"subprotocols": [PROTOCOL], "compression": None, "additional_headers": headers, "close_timeout": 2, **how}
    with connect(url.replace("http", "ws", 1) + "/graphql", **how) as connection:
        opened = Socket(connection)
        if begun:
            opened.send({"type": "connection_init", "payload": payload})
            assert opened.receive() == {"type": "connection_ack"}
        yield opened


@contextmanager
def holding(system: System, key: str | None = "miit", **how: Any) -> Iterator[Socket]:
    """A WebSocket of who holds a key, as HOLDERS names it."""
    with socket(system.url, system.bearer(key).get("authorization"), **how) as opened:
        yield opened


class Stream:
    """Server-sent events, read as the standard has it."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def events(self) -> Iterator[dict[str, str]]:
        """Field by field each event, until the stream ends; comments are left out."""
        event: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            if line == "" and event:
                yield event
                event = {}
            elif name:
                event[name] = value.removeprefix(" ")

    def results(self, number: int) -> list[Any]:
        events = self.events()
        return [next(iter(json.loads(next(events)["data"])["data"].values())) for _ in range(number)]


@contextmanager
def streaming(
    url: str,
    query: str,
    variables: Any = None,
    *,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    options: Any = None,
) -> Iterator[Stream]:
    headers = {"accept": "text/event-stream", "accept-language": "en", **(headers or {})}
    sent: dict[str, Any] = {"json": {"query": query, "variables": variables}}
    if method == "GET":
        sent = {"params": {"query": query, "variables": json.dumps(variables or {})}}
    transport = httpx.HTTPTransport(socket_options=options)
    with (
        httpx.Client(transport=transport, timeout=20) as client,
        client.stream(method, f"{url}/graphql", headers=headers, **sent) as response,
    ):
        yield Stream(response)
