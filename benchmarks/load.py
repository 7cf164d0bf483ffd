"""Load over HTTP/1.1 from one thread, over raw sockets: what is measured is the server and not the client."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import Final, cast

import uvloop

CONNECTIONS: Final = 16


@dataclass(slots=True)
class Load:
    """What a run took: how long in all, and each request in milliseconds from when it was due."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.taken) / self.seconds

    @property
    def p99(self) -> float:
        return sorted(self.taken)[int(len(self.taken) * 0.99)]


def post(path: str, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The bytes of a POST of JSON."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers] + [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def load(port: int, requests: Sequence[bytes], number: int, rate: float | None = None) -> Load:
    """Sends so many requests, over and over those given: as fast as answers come, or so many a second."""
    return uvloop.run(_load(port, requests, number, rate))


async def _load(port: int, requests: Sequence[bytes], number: int, rate: float | None) -> Load:
    loop, done = asyncio.get_running_loop(), Load()
    rest = iter([request for request, _ in zip(cycle(requests), range(number), strict=False)])
    begun = perf_counter()
    due = (begun + place / rate for place in range(number)) if rate else None

    def next_due() -> float:
        return next(due) if due else perf_counter()

    ended = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ended:
        await loop.create_connection(partial(_Client, rest, next_due, done.taken, end), "127.0.0.1", port)
    await asyncio.gather(*ended)
    done.seconds = perf_counter() - begun
    return done


class _Client(asyncio.Protocol):
    """A connection that sends a request when it is due, and the next after its answer."""

    def __init__(
        self, rest: Iterable[bytes], next_due: Callable[[], float], taken: list[float], end: asyncio.Future[None]
    ) -> None:
        self._rest = iter(rest)
        self._next_due = next_due
        self._taken = taken
        self._end = end
        self._got = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        request = next(self._rest, None)
        if request is None:
            self._end.set_result(None)
            self._transport.close()
            return
        self._due = self._next_due()
        wait = self._due - perf_counter()
        if wait <= 0:
            self._transport.write(request)
        else:
            asyncio.get_running_loop().call_later(wait, self._transport.write, request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body:
            self._end.set_exception(AssertionError(self._got.decode()))
            return
        self._got = b""
        self._taken.append((perf_counter() - self._due) * 1_000)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._end.done():
            self._end.set_exception(error or ConnectionError("the server ended the connection"))


def _length(head: bytes) -> int:
    lower = head.lower()
    begin = lower.index(b"content-length:") + 15
    return int(lower[begin:].partition(b"\r\n")[0])
