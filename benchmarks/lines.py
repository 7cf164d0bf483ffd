"""Lines: keep-alive connections to a server, over which requests are sent when they are due, whatever others wait for.

A request that was sent and got no whole answer is Unanswered, and is never sent again by itself: whoever looks for lost
requests must see each of them. A connection that lay idle for almost as long as servers keep one is not used any more, as
clients do: the server may be closing it at that moment.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

ANSWER_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 3.0


class Unanswered(Exception):
    """The connection ended, or too much time went by, before the answer was whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[bytes, bytes]
    """Names in lower case."""
    body: bytes


@dataclass(slots=True)
class Lines:
    """Connections to one port of 127.0.0.1. For one event loop."""

    port: int
    opened: int = 0
    _idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, request: bytes) -> Reply:
        """The answer to the bytes of a request. Raises Unanswered."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await self._line()
                writer.write(request)
                reply = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as fault:
            if writer is not None:
                writer.close()
            raise Unanswered(type(fault).__name__) from None
        if reply.headers.get(b"connection", b"").lower() == b"close":
            writer.close()
        else:
            self._idle.append((monotonic(), reader, writer))
        return reply

    async def _line(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if monotonic() - since < IDLE_SECONDS and not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.close()
        self.opened += 1
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        for *_, writer in self._idle:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> Reply:
    status, *rest = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    named = (line.partition(b":") for line in rest if line)
    headers = {name.lower(): value.strip() for name, _, value in named}
    body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return Reply(int(status.split()[1]), headers, body)
