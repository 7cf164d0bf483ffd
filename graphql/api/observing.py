"""Requests, as they are measured, logged and traced: by what the program knows of them, never by what was sent.

A request's line in the log has an id of its own, the route, the name of a trusted document or `other`, status, code, time,
and the caller's role and key id. Whatever a client may choose (addresses, headers, names of operations, variables, ids of
requests) is in no line, no metric and no span: any of it may hold somebody's name, number or key.
"""

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from time import monotonic, perf_counter
from typing import Any, Final, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.measures import Measures
from api.trusted import OTHER
from domain.callers import Caller

SLOW_SECONDS: Final = 1.0
MOST_LINES: Final = 100
"""Lines a second about requests in one process; what comes beyond is counted, so that nobody fills a disk by asking."""
ROUTES: Final = ("graphql", "tlog", "healthz", "readyz", "metrics", "static")
REQUEST_ID: Final = b"x-request-id"
"""The header by which an answer to a request that failed names its line in the log."""
_ASKED: Final = "caseledger.asked"
_BEGAN: Final = "caseledger.began"
# Ids of one process begin alike, so that one request costs no more than the next number.
_process: Final = secrets.token_hex(4)
_numbers = count(1)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Asked:
    """What is known of a request."""

    route: str = OTHER
    operation: str = ""
    """The name of a trusted document, or OTHER; empty where no document was read."""
    role: str = ""
    key: str = ""
    """The id of the caller's key; never the key."""
    status: int = 0
    """0 for a request that was not answered: the client has gone."""
    codes: Sequence[str] = ()
    """The codes of what was refused or failed."""
    is_stream: bool = False
    """Whether it lasts as long as the client likes."""
    id: str = field(default_factory=lambda: f"{_process}{next(_numbers):x}")

    @property
    def failed(self) -> bool:
        return self.status >= 500 or "INTERNAL" in self.codes

    @property
    def was_refused(self) -> bool:
        return self.status >= 400 or bool(self.codes)

    def by(self, caller: Caller) -> None:
        self.role, self.key = caller.role.value, "" if caller == Caller() else caller.holder


def asked_of(scope: Any) -> Asked:
    """What is known of a request under way, for whoever learns more of it."""
    found: Asked | None = scope.get(_ASKED)
    if found is None:
        found = scope[_ASKED] = Asked()
    return found


def began_at(scope: Scope, began: float) -> None:
    """Says when a request came, where something looked at it before."""
    scope[_BEGAN] = began


class RequestLog:
    """Lines for requests that are slow, refused or failed; for all where `everything` is to be logged."""

    def __init__(self, slow_seconds: float = SLOW_SECONDS, everything: bool = False) -> None:
        self.threshold = 0.0 if everything else slow_seconds
        """So long a request must take to have a line, where nothing was wrong with it."""
        self._slow = slow_seconds
        self._everything = everything
        self._second = 0.0
        self._lines = 0

    def note(self, asked: Asked, seconds: float) -> None:
        is_slow = seconds >= self._slow and not asked.is_stream
        if not (self._everything or is_slow or asked.was_refused) or not self._has_room():
            return
        told = {
            "id": asked.id,
            "route": asked.route,
            "operation": asked.operation,
            "status": asked.status,
            "codes": list(asked.codes),
            "ms": round(seconds * 1_000, 1),
            "role": asked.role,
            "key": asked.key,
        }
        told = {name: value for name, value in told.items() if value not in ("", [], 0)}
        if asked.failed:
            log.warning("a request failed", **told)
        elif asked.was_refused:
            log.info("a request was refused", **told)
        elif is_slow:
            log.warning("a request was slow", **told)
        else:
            log.debug("a request was answered", **told)

    def _has_room(self) -> bool:
        now = monotonic()
        if now - self._second >= 1:
            left_out = self._lines - MOST_LINES
            self._second, self._lines = now, 0
            if left_out > 0:
                log.warning("requests have no line in the log", number=left_out)
        self._lines += 1
        return self._lines <= MOST_LINES


class Tracing(Protocol):
    """Whoever follows requests by spans (`caseledger.traces`)."""

    def request(self, asked: Asked, headers: Sequence[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
        """A span for as long as the block lasts, under the one that the headers name; what the block does is under it."""
        ...

    def kept(self, asked: Asked, headers: Sequence[tuple[bytes, bytes]], seconds: float) -> None:
        """A span that has ended."""
        ...


class Watch:
    """All that is told of requests."""

    def __init__(self, measures: Measures, requests: RequestLog, tracing: Tracing | None = None) -> None:
        self.measures = measures
        self.requests = requests
        self.tracing = tracing

    def answered(self, asked: Asked, seconds: float) -> None:
        if asked.operation and not asked.is_stream:
            self.measures.answered(asked.operation, False, seconds)
        if asked.codes or asked.status >= 400:
            self.measures.refused(asked.codes or (f"HTTP_{asked.status}",))
        self.requests.note(asked, seconds)

    def answered_from_kept(self, scope: Scope, operation: str, caller: Caller, seconds: float) -> None:
        self.measures.answered(operation, True, seconds)
        if seconds >= self.requests.threshold or self.tracing:
            asked = Asked("graphql", operation, status=200)
            asked.by(caller)
            self.requests.note(asked, seconds)
            if self.tracing:
                self.tracing.kept(asked, scope["headers"], seconds)


@dataclass(slots=True)
class Observed:
    """ASGI middleware that tells of every HTTP request which was not answered from what is kept."""

    app: ASGIApp
    watch: Watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = scope.get(_BEGAN) or perf_counter()
        asked = asked_of(scope)
        asked.route = _route(scope["path"])

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                asked.status = message["status"]
                if asked.failed:
                    message = {**message, "headers": [*message["headers"], (REQUEST_ID, asked.id.encode())]}
            await send(message)

        tracing = self.watch.tracing
        span = tracing.request(asked, scope["headers"]) if tracing else nullcontext()
        try:
            with structlog.contextvars.bound_contextvars(request=asked.id), span:
                await self.app(scope, receive, noted)
        except Exception:
            asked.status, asked.codes = 500, ("INTERNAL",)
            raise
        finally:
            self.watch.answered(asked, perf_counter() - began)


def _route(path: str) -> str:
    first = path.strip("/").partition("/")[0]
    return first if first in ROUTES else OTHER
