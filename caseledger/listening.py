"""Listening: a socket that is opened before anything else, and a server that says when it answers.

A server ends in one of two ways. Where it is to stop, connections without a request are closed at once and requests under
way are finished. Where another process takes its place, it *leaves*: it takes no new connections, and goes on answering on
those that it has, each answer with `Connection: close`, until none is left. So a client is told in an answer that the
connection ends, and does not find it closed under a request that it has just sent.
"""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import Final

import uvicorn

from caseledger.errors import CannotServe

BACKLOG: Final = 2_048
UNTAKEN_SECONDS: Final = 60
"""After so long the system ends a connection whose other end takes nothing of what was sent."""

KEEP_ALIVE_SECONDS: Final = 5
"""After so long without a request a connection is closed."""
DRAIN_SECONDS: Final = KEEP_ALIVE_SECONDS + 1
"""Longest time for leaving: by then every connection had another request or was without one for as long as it may be."""


def open_socket(host: str, port: int, host_option: str = "--host", port_option: str = "--port") -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises CannotServe, which names the options of the command."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError):
        raise CannotServe(f"There is no address {host}; give {host_option} an address of this machine.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            # Connections have it from the socket that they came by.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_SECONDS * 1000)
        listener.bind(where)
        # At once: until it listens, the system would let another server have the same port.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotServe(_why_not(error, host, port, host_option, port_option)) from None
    return listener


def _why_not(error: OSError, host: str, port: int, host_option: str, port_option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: stop what listens there, or give another {port_option}."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}: give a {port_option} above 1023."
    return f"{host} is no address of this machine: give another {host_option}."


def url_of(listener: socket.socket) -> str:
    """Where it listens, http://HOST:PORT."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class AnnouncedServer(uvicorn.Server):
    """A server that says when it answers, and when it is about to wait for its connections to end."""

    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], end_streams: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._end_streams = end_streams
        self._leaves = False

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.server_state.connections)

    def leave(self) -> None:
        """Lets it end without closing a connection that may be used; from any thread."""
        self._leaves = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._leaves:
            # Before the streams end: who comes again must find another process.
            for server in self.servers:
                server.close()
        # Streams never end by themselves.
        self._end_streams()
        if self._leaves:
            await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Answers what comes over the connections that are open, until none is left or the time is over."""
        state, ends = self.server_state, monotonic() + DRAIN_SECONDS
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        for connection in state.connections:
            cycle = getattr(connection, "cycle", None)
            # Whose answer has begun is told with the next one.
            if cycle is not None and not cycle.response_started:
                cycle.keep_alive = False
        while state.connections and monotonic() < ends:
            await asyncio.sleep(0.05)
