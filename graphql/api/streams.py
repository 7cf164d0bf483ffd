"""Streams: what WebSocket and server-sent events have in common. Who is connected, how many, and who is cut off.

Every half second the keys of those connected are looked at, and who takes nothing of what is sent. A client that is cut
off is told why and, if it was too slow, the position to go on from.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Final

import structlog
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from api.context import Context, Place
from api.errors import ApiError, formatted, passing_fault
from api.schema import SCHEMA
from domain.callers import Caller
from domain.text import Language, Text
from projections.feeds import Feeds

SWEEP_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 0.01
"""So often it is looked whether a message has been taken after which a client is to be cut off."""
BRIEF_SECONDS: Final = 1.0
"""So long anyone may take to take a message, however far behind."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """`queue`: how many events a client may be behind while it takes nothing; also how many are kept for all."""

    per_connection: int = 100
    per_key: int = 2_000
    """Subscriptions, and connections that can have any."""
    per_process: int = 5_000
    queue: int = 1_000
    init_seconds: float = 10.0
    stalled_seconds: float = 20.0
    """Longest time that a client may take to take one message."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Why a client is cut off: the close code of a WebSocket, and the code, words and place of a last event."""

    close_code: int
    code: str
    text: Text
    resume_after: int | None = None


REVOKED: Final = Cut(4401, "UNAUTHENTICATED", Text("密钥已失效或已撤销", "Unauthorized: the key is not valid any more"))
STOPPING: Final = 1012
"""The close code of a server that stops or is being restarted (RFC 6455's registry)."""
TOO_SLOW: Final = 4503
"""The close code of a client that takes too little: private use, and none that clients take for fatal."""


class Refused(Exception):
    """An operation that has no further results: its GraphQL errors, as the client sees them."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__()
        self.errors = errors


@dataclass(eq=False, slots=True)
class Session:
    """One connection. `ending` gets a Cut when it is cut off."""

    caller: Caller
    credential: str | None
    ending: "asyncio.Future[Cut]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    running: dict[int, Place] = field(default_factory=dict)
    sending_since: float | None = None

    @property
    def delivered(self) -> int:
        """The position that its client has all up to, of every subscription that runs; 0 for none."""
        return min((place.delivered for place in self.running.values()), default=0)

    def cut(self, why: Cut) -> None:
        if not self.ending.done():
            self.ending.set_result(why)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Says to the sweep that a message is on its way."""
        self.sending_since = monotonic()
        try:
            yield
        finally:
            self.sending_since = None


class Streams:
    """The connections of one process, on one event loop. `end` may be called from any thread."""

    def __init__(self, feeds: Feeds, caller_of: Callable[[str], Caller | None], limits: StreamLimits) -> None:
        self.feeds = feeds
        self.limits = limits
        self._caller_of = caller_of
        self._sessions: set[Session] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False

    @property
    def is_full(self) -> bool:
        return self._ended or len(self._sessions) >= self.limits.per_process

    def is_full_for(self, caller: Caller, besides: Session | None = None) -> bool:
        """Whether the holder of a key has as many connections as one may have, besides one that is looked at."""
        held = sum(each.caller.holder == caller.holder for each in self._sessions if each is not besides)
        return held >= self.limits.per_key

    @property
    def connections(self) -> int:
        return len(self._sessions)

    @property
    def subscriptions(self) -> int:
        return sum(len(each.running) for each in tuple(self._sessions))

    @property
    def has_ended(self) -> bool:
        return self._ended

    @contextmanager
    def connected(self, session: Session) -> Iterator[Session]:
        """The session is watched while the block lasts."""
        self._loop = asyncio.get_running_loop()
        self._sessions.add(session)
        if self._ended:
            session.cut(leaving(session))
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())
        try:
            yield session
        finally:
            self._sessions.discard(session)

    def end(self) -> None:
        """Cuts all off, for the server is about to stop."""
        self.feeds.end()
        self._ended = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self, until: float | None = None) -> None:
        """Cuts off who is sent nothing just now, and the others as soon as they have it, so that each is told exactly what it has;
        who has not taken it in a moment is told of what it had before."""
        assert self._loop is not None
        until = until or monotonic() + BRIEF_SECONDS
        sent = [each for each in self._sessions if each.sending_since is not None and monotonic() < until]
        for session in self._sessions.difference(sent):
            session.cut(leaving(session))
        if sent:
            self._loop.call_later(SETTLE_SECONDS, self._cut_all, until)

    async def results(
        self, session: Session, context: Context, query: str, variables: dict[str, Any] | None, name: str | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The results of a subscription, as the client gets them. Raises Refused when it cannot go on."""
        self._require_room(session, context.language)
        session.running[id(context.place)] = context.place
        try:
            results = await SCHEMA.subscribe(
                query, variable_values=variables, context_value=context, operation_name=name
            )
            async with aclosing(results):
                async for result in results:
                    body = _body(result, context.language)
                    # Before it is shown; without waiting, for this is the event loop.
                    context.hand_over(0)
                    yield body
        finally:
            del session.running[id(context.place)]

    def _require_room(self, session: Session, language: Language) -> None:
        limits, holder = self.limits, session.caller.holder
        if sum(len(each.running) for each in self._sessions) >= limits.per_process:
            raise too_many(limits.per_process, "本进程", "this process", language)
        if sum(len(each.running) for each in self._sessions if each.caller.holder == holder) >= limits.per_key:
            raise too_many(limits.per_key, "一个密钥", "one key", language)

    async def _sweep(self) -> None:
        while self._sessions:
            await asyncio.sleep(SWEEP_SECONDS)
            self._cut_slow(monotonic())
            try:
                await self._cut_revoked()
            except Exception as fault:
                # The database is away, so nothing is sent either; it is looked again in a moment.
                log.warning("keys cannot be looked at", fault=type(fault).__name__)

    def _cut_slow(self, now: float) -> None:
        for session in self._sessions:
            if session.sending_since is None or not session.running:
                continue
            took = now - session.sending_since
            place = session.delivered
            behind = self.feeds.position - place
            if took > self.limits.stalled_seconds or (took > BRIEF_SECONDS and behind > self.limits.queue):
                session.cut(too_slow(place))

    async def _cut_revoked(self) -> None:
        shown = {session.credential for session in self._sessions if session.credential is not None}
        # Keys before tokens, whose issuer may have to be asked.
        for credential in sorted(shown, key=lambda each: "." in each):
            caller = await self.feeds.in_thread(partial(self._caller_of, credential))
            for session in self._sessions:
                if session.credential == credential and session.caller != caller:
                    session.cut(REVOKED)


def leaving(session: Session) -> Cut:
    place = session.delivered
    zh, en = (f"并以 after: {place} 继续", f" and resume with after: {place}") if session.running else ("", "")
    said = Text(f"服务器正在重启；请重新连接{zh}", f"The server is being restarted; connect again{en}")
    return Cut(STOPPING, "UNAVAILABLE", said, place if session.running else None)


def too_slow(place: int) -> Cut:
    said = Text(f"接收过慢；请以 after: {place} 继续", f"Too slow; resume with after: {place}")
    return Cut(TOO_SLOW, "TOO_SLOW", said, place)


def too_many(most: int, where_zh: str, where_en: str, language: Language) -> Refused:
    text = Text(
        f"{where_zh}最多 {most} 个订阅；请结束一些", f"There are at most {most} subscriptions of {where_en}; end some"
    )
    return Refused([{"message": text.said_in(language), "extensions": {"code": "TOO_MANY_SUBSCRIPTIONS"}}])


def _body(result: ExecutionResult | PreExecutionError, language: Language) -> dict[str, Any]:
    errors = list(result.errors or [])
    said = []
    for error in errors:
        if passing := passing_fault(error):
            code, text = passing
            raise Refused([{"message": text.said_in(language), "extensions": {"code": code}}])
        said.append(formatted(error, language))
    # Without data and without a field that failed it is the stream itself that failed.
    if errors and (isinstance(result, PreExecutionError) or (result.data is None and _is_of_stream(errors))):
        raise Refused(said)
    return {"data": result.data} | ({"errors": said} if said else {})


def _is_of_stream(errors: list[Any]) -> bool:
    return any(error.path is None or isinstance(error.original_error, ApiError) for error in errors)
