"""A witness that goes on: it looks at its ledger at intervals, and cosigns what is sent to it (c2sp.org/tlog-witness)."""

import asyncio
import re
import socket
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from caseledger.arrivals import BoundedProtocol
from caseledger.errors import CannotServe, Unusable
from caseledger.listening import BACKLOG, AnnouncedServer, open_socket, url_of
from caseledger.logs import where
from caseledger.reporting import note as say
from caseledger.signals import Stopped, stopped_by_signals
from caseledger.witness import Witness
from ledger.submissions import LARGEST_SUBMISSION, SIZE_MEDIA, NotAccepted

BODY_SECONDS: Final = 10.0
"""Longest time that a submission may take to arrive."""
GRACE_SECONDS: Final = 5
MOST_AT_ONCE: Final = 100
"""Requests under way, beyond which others are answered 503."""

_LISTEN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):([0-9]{1,5})")


def keep_watch(witness: Witness, listen: str | None, every: float | None) -> None:
    """Listens at HOST:PORT, looks again every so many seconds, or both, until SIGTERM or SIGINT.

    What is refused is said on standard error each time, and never cosigned. Raises CannotServe.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(listen)) if listen is not None else None
        try:
            with stopped_by_signals():
                watching = _Watching(witness, every) if every is not None else None
                if listener is None and watching is not None:
                    watching.run()
                elif listener is not None:
                    if watching is not None:
                        watching.start()
                    _serve(witness, listener)
        except Stopped:
            pass


def witness_app(witness: Witness) -> Starlette:
    """Answers `POST /add-checkpoint`, to the letter of the specification."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return Response("The submission did not arrive in time.\n", 408, media_type="text/plain")
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response(f"A submission has at most {LARGEST_SUBMISSION} bytes.\n", 413, media_type="text/plain")
        return await run_in_threadpool(_answer, witness, body)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    """The body, or None where it is longer than any submission."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_SUBMISSION:
            return None
    return bytes(body)


def _answer(witness: Witness, body: bytes) -> Response:
    try:
        return Response(f"{witness.add(body).line}\n", 200, media_type="text/plain")
    except NotAccepted as refused:
        if refused.latest is not None:
            return Response(f"{refused.latest}\n", refused.status, media_type=SIZE_MEDIA)
        return Response(f"{refused}\n", refused.status, media_type="text/plain")
    except Unusable as error:
        say(f"NOT COSIGNED. {error}")
        return Response("The witness cannot keep its state; nothing is cosigned.\n", 500, media_type="text/plain")


class _Watching:
    """Looks at the ledger at intervals, in this thread (`run`) or in one of its own (`start`), which ends with the process."""

    def __init__(self, witness: Witness, seconds: float) -> None:
        self._witness = witness
        self._seconds = seconds
        self._never = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self.run, name="looks", daemon=True).start()

    def run(self) -> None:
        while True:
            self._look()
            self._never.wait(self._seconds)

    def _look(self) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            checkpoint, _ = self._witness.look()
        except Unusable as error:
            say(f"{now} {error}")
            return
        except Exception as error:
            # One look that nobody foresaw must not end all later ones.
            say(f"{now} NOT COSIGNED. Internal error: {where(error)}")
            return
        print(f"{now} cosigned: {checkpoint.size} entries under the root {checkpoint.root.hex()}", flush=True)


def _listener(listen: str) -> socket.socket:
    found = _LISTEN.fullmatch(listen)
    if not found or int(found[2]) > 65_535:
        raise CannotServe(f"--listen is HOST:PORT, such as 127.0.0.1:8100; got {listen!r}.")
    return open_socket(found[1].strip("[]"), int(found[2]), "--listen", "--listen")


def _serve(witness: Witness, listener: socket.socket) -> None:
    config = uvicorn.Config(
        witness_app(witness),
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=MOST_AT_ONCE,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    AnnouncedServer(config, partial(_announce, witness, url_of(listener))).run([listener])


def _announce(witness: Witness, url: str) -> None:
    say(f"For the ledger's CASELEDGER_WITNESSES: {witness.verifier} {url}")
    print(f"listening on {url}", flush=True)
