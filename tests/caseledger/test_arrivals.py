import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from caseledger import arrivals
from caseledger.arrivals import LONGEST_HEAD, BoundedProtocol
from running import wait_until

HEAD: Final = b"POST / HTTP/1.1\r\nHost: x\r\n"
SOON: Final = 0.5


async def _length(request: Request) -> Response:
    return Response(str(len(await request.body())))


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server that says how long a body was, and waits no longer than SOON."""
    monkeypatch.setattr(arrivals, "SECONDS", SOON)
    app = Starlette(routes=[Route("/", _length, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=BoundedProtocol, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield host, port
    server.should_exit = True
    thread.join()


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, 10) as connection:
        yield connection


def read(connection: socket.socket) -> bytes:
    """All until the server closes."""
    found = b""
    try:
        while some := connection.recv(65_536):
            found += some
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("piece", [b"X-A: " + b"a" * 1_000 + b"\r\n", b"a" * 1_000], ids=["headers", "line"])
def test_a_head_without_an_end_is_refused_when_it_is_too_long(address: tuple[str, int], piece: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD if piece.startswith(b"X") else b"POST /")
        sent = 0
        try:
            while sent < 100 * LONGEST_HEAD:
                connection.sendall(piece * 10)
                sent += 10 * len(piece)
        except OSError:
            pass
        assert sent < 100 * LONGEST_HEAD


def test_why_a_head_is_refused_is_said(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"X-A: " + b"a" * LONGEST_HEAD)
        time.sleep(0.1)
        connection.sendall(b"a")
        assert b"400 Bad Request" in (answer := read(connection))
        assert answer.endswith(b"The head of a request has at most 65536 bytes.")


def test_a_head_of_the_usual_length_is_taken_in_as_many_pieces_as_it_comes(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        for piece in (
            HEAD,
            b"X-A: " + b"a" * 50_000 + b"\r\n",
            b"Connection: close\r\nContent-Length: 3\r\n\r\n",
            b"abc",
        ):
            connection.sendall(piece)
            time.sleep(0.02)
        assert read(connection).endswith(b"\r\n\r\n3")


@pytest.mark.parametrize(
    "begun", [b"", b"P", HEAD, HEAD + b"Content-Length: 10\r\n\r\nabc"], ids=["nothing", "byte", "head", "body"]
)
def test_whoever_begins_and_stops_is_let_go_of(address: tuple[str, int], begun: bytes) -> None:
    began = time.monotonic()
    with connected(address) as connection:
        connection.sendall(begun)
        assert b"200" not in read(connection)
    assert SOON * 0.9 < time.monotonic() - began < SOON + 5


def test_a_head_that_comes_byte_by_byte_has_its_time_in_all_and_a_body_for_each_piece(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 4\r\n\r\n")
        for byte in (b"a", b"b", b"c", b"d"):
            time.sleep(SOON * 0.6)
            connection.sendall(byte)
        assert read(connection).endswith(b"\r\n\r\n4")
    with connected(address) as connection:
        try:
            for place in range(4):
                connection.sendall(HEAD[place : place + 1])
                time.sleep(SOON * 0.6)
            rest = HEAD[4:] + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(rest)
        except OSError:
            return
        assert b"200" not in read(connection)


def test_a_connection_that_is_used_again_has_its_time_anew(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as http:
        for size in (1, 200_000, 0):
            assert http.post("/", content=b"x" * size).text == str(size)
            time.sleep(SOON * 0.7)
