"""Subscribers: how much more memory a server holds with 1,000 idle ones, half over WebSockets and half over server-sent events.

Each is a connection of its own with one subscription, and was given one event before it is counted as idle.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec
import uvloop
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.enterprises import filled
from benchmarks.harness import AtMost, Comparison, Result, a_home, scaled
from benchmarks.load import post
from benchmarks.memory import held
from benchmarks.servers import listening_process

SUBSCRIBERS: Final = 1_000
ENTERPRISES: Final = 10
TARGET: Final = 100.0
AT_A_TIME: Final = 50
QUERY: Final = "subscription ($after: Position!) { events(after: $after) { position } }"


def run() -> Iterator[Result]:
    number = scaled(SUBSCRIBERS)
    with a_home() as home:
        key, head = filled(home, ENTERPRISES, role="auditor")

        def more(subscribers: int) -> float:
            """MiB that a fresh server holds more once it has so many."""
            with listening_process("caseledger.main", "serve", "--port", "0", home=home) as (url, pid):
                port = int(url.rpartition(":")[2])
                # What it loads for its first subscribers is not theirs.
                uvloop.run(_memory(port, key, head, 2, pid))
                before = held(pid)
                return max(0.01, uvloop.run(_memory(port, key, head, subscribers, pid)) - before)

        yield Comparison(
            name="subscribers-memory",
            unit="MiB",
            ours=lambda: more(number),
            against="a tenth of them",
            other=lambda: more(number // 10),
            target=AtMost(TARGET),
            size=number,
        ).measured()


async def _memory(port: int, key: str, head: int, number: int, pid: int) -> float:
    """What the server holds while so many follow."""
    async with AsyncExitStack() as stack:
        for first in range(0, number, AT_A_TIME):
            some = range(first, min(first + AT_A_TIME, number))
            ways = [_over_websocket if each % 2 else _over_events for each in some]
            await asyncio.gather(*(stack.enter_async_context(way(port, key, head - 1)) for way in ways))
        return held(pid)


@asynccontextmanager
async def _over_websocket(port: int, key: str, after: int) -> AsyncIterator[None]:
    protocol, sent = Subprotocol("graphql-transport-ws"), {"query": QUERY, "variables": {"after": after}}
    async with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[protocol], compression=None) as connection:
        await connection.send(_json({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        assert b"connection_ack" in await connection.recv(decode=False)
        await connection.send(_json({"type": "subscribe", "id": "1", "payload": sent}))
        assert b'"position"' in await connection.recv(decode=False)
        yield


@asynccontextmanager
async def _over_events(port: int, key: str, after: int) -> AsyncIterator[None]:
    body = msgspec.json.encode({"query": QUERY, "variables": {"after": after}})
    headers = [("authorization", f"Bearer {key}"), ("accept", "text/event-stream")]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(post("/graphql", body, headers))
        await reader.readuntil(b'"position"')
        yield
    finally:
        writer.close()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
