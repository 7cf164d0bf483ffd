"""How requests arrive: how long a head may be, and how long a request may take to come.

The server's own protocol takes heads of any size and waits for their end for ever: whoever sends headers without an
end fills its memory, and whoever begins requests and stops holds its connections. A head has to come within a time in
all, a body in pieces between which no more than that passes.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD: Final = 65_536
"""Bytes of a request line with its headers, give or take what comes with them in one piece."""
SECONDS: Final = 30.0
"""For a head to come whole; for a piece of a body to follow another."""


class BoundedProtocol(HttpToolsProtocol):
    """The server's HTTP, with an end to what it waits for. What arrives in one piece costs no timer."""

    _in_head = False
    _is_partial = False
    _head = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server's own
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_partial:
            if self._waiting is not None:
                self._stop_waiting()
        elif not self._in_head:
            self._stop_waiting()
            self._wait()
        else:
            self._count(len(data))

    def on_message_begin(self) -> None:
        self._in_head = self._is_partial = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_partial = False
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of a request has at most {LONGEST_HEAD} bytes.")
        elif self._waiting is None:
            self._wait()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        # Where it became a WebSocket, or is closing, others see to it.
        holder: Any = self.transport.get_protocol()
        if holder is self and not self.transport.is_closing():
            self.transport.close()
