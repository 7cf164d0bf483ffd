"""GraphQL over HTTP: one endpoint, JSON in and out, GraphiQL for browsers.

POST carries any operation, GET no mutation. The media type of the answer is `application/graphql-response+json`
where it is accepted, else `application/json`; where `text/event-stream` is, it is a stream of server-sent events, as every
subscription is. Resolvers are synchronous and run in worker threads, one a request.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import anyio.to_thread
from graphql import GraphQLError
from graphql import OperationType as GraphQLOperation
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, Response
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.answers import LARGEST_REQUEST, Answer, Answers
from api.context import Context, Place
from api.documents import asks_folds_only, operations, parsed
from api.errors import AWAY, STATUS, UNAVAILABLE, fault_of, formatted, passing_fault
from api.event_stream import MEDIA, EventStream, last_event
from api.kept import circumstances
from api.limits import RequestLimits
from api.media import GRAPHQL_JSON, NO_SNIFFING, PLAIN_JSON, language_of
from api.observing import Asked, Watch, asked_of
from api.outage import Outage
from api.permissions import reach
from api.rates import Rates
from api.received import (
    BadRequest,
    Params,
    Sent,
    body_of,
    caller_of_header,
    decoded,
    from_url,
    no_request,
)
from api.replies import failure, media_of, refused, respond, revalidated, unexpected
from api.schema import SCHEMA
from api.streams import Refused, Session, Streams
from api.trusted import name_of, params_of, require_trusted
from domain.callers import Caller
from domain.matrix import Reach
from domain.text import Language, Text
from ledger.deadlines import Deadline

MOST_STALE: Final = 100
"""How many of the enterprises that stand still an answer names."""
WORKERS: Final = 32
"""Requests that are worked on at the same time in one process; more wait."""
TOO_MANY_CONNECTIONS: Final = Text("连接过多；请稍后再试", "Too many connections; try again in a moment")
GRAPHIQL: Final = Path(__file__).parent / "static" / "graphiql.html"
PAGE_HEADERS: Final = {
    # Its editor writes styles of its own. No page of another origin may show it in a frame.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    **NO_SNIFFING,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made:
    """What a request was answered, and what of it is kept."""

    reply: Response
    key: tuple[bytes, Hashable] | None = None
    answer: Answer | None = None


@dataclass(slots=True)
class GraphQLEndpoint:
    """Answers /graphql. `context_for` makes a request's context; `caller_of` finds who holds a key, or None."""

    context_for: Callable[[Caller, Language], Context]
    caller_of: Callable[[str], Caller | None]
    answers: Answers
    streams: Streams
    limits: RequestLimits
    rates: Rates
    watch: Watch
    outage: Outage
    limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        if request.method != "POST" and _wants_page(request):
            return FileResponse(GRAPHIQL, headers=PAGE_HEADERS, media_type="text/html")
        try:
            sent = await body_of(request, self.limits.body) if request.method == "POST" else None
            if MEDIA in request.headers.get("accept", ""):
                return await self._stream(sent, request, language)
            if self.outage.is_known:
                return _unavailable(request, language)
            made = await self._timed(partial(self._execute, sent, request, language))
            self._notice(codes := asked_of(request.scope).codes)
            if "TIMED_OUT" in codes and self.outage.is_known:
                # It waited in vain for what is away.
                return _unavailable(request, language)
            if made.key and made.answer:
                self.answers.keep(made.key, made.answer)
        except BadRequest as bad:
            return refused(request, bad, language, media_of(request))
        except Exception as fault:
            # Answered here: what goes on to the server costs the client its connection.
            return unexpected(request, fault)
        return made.reply

    def _notice(self, codes: Sequence[str]) -> None:
        """What an answer tells of the database: that it is away, or there."""
        if "UNAVAILABLE" in codes:
            self.outage.failed()
        elif "TIMED_OUT" not in codes:
            self.outage.answered()

    async def _in_worker(self, work: Callable[[], T]) -> T:
        if self.limiter is None:
            self.limiter = anyio.CapacityLimiter(WORKERS)
        return await anyio.to_thread.run_sync(work, limiter=self.limiter)

    async def _timed(self, work: Callable[[], T]) -> T:
        """Does the work in a worker thread. When its time is over it is cancelled in the database."""
        deadline, loop = Deadline(self.limits.seconds), asyncio.get_running_loop()
        over = loop.call_later(self.limits.seconds, lambda: loop.run_in_executor(None, deadline.expire))
        try:
            return await self._in_worker(partial(deadline.run, work))
        finally:
            over.cancel()

    def _execute(self, sent: bytes | None, request: Request, language: Language) -> Made:
        media = media_of(request)
        if self.outage.is_known:
            # It became known while this one stood in line.
            return Made(_unavailable(request, language))
        try:
            params, caller, _ = self._admitted(sent, request)
            if self._type_of(params) is GraphQLOperation.SUBSCRIPTION:
                raise _no_stream()
            context = self._context(caller, language)
            if sent is None:
                return Made(self._read_only(params, context, request, media))
            context.marks_head = len(sent) <= LARGEST_REQUEST and self._rests_on_folds(params.query)
            status, body = self._executed(params, context, media)
        except AWAY as fault:
            return Made(_away(request, fault, language))
        reply = respond(request, status, body, media)
        if context.refusals:
            asked_of(request.scope).codes = context.refusals
        if not context.marks_head or "data" not in body or "errors" in body or _stale(context):
            return Made(reply)
        key = sent, circumstances(caller, language, media, context.today)
        return Made(reply, key, _answer_to_keep(body, context, name_of(params.query)))

    def _read_only(self, params: Params, context: Context, request: Request, media: str) -> Response:
        """The reply to a GET. Its position is looked up first: what comes meanwhile makes it older, never newer."""
        position = context.once("head", context.ledger.recorder.head)
        status, body = self._executed(params, context, media)
        if status == 200 and "errors" not in body:
            return revalidated(request, body, media, position)
        return respond(request, status, body, media)

    def _admitted(self, sent: bytes | None, request: Request) -> tuple[Params, Caller, str | None]:
        """What a request asks, who does and by which key, once it may. Raises BadRequest."""
        stated = from_url(request) if sent is None else decoded(sent)
        caller, credential = self._known(request)
        asked = asked_of(request.scope)
        asked.by(caller)
        params = self.admitted(stated, caller, request)
        asked.operation = name_of(params.query)
        self._require_one_operation(params)
        if request.method != "POST" and self._type_of(params) is GraphQLOperation.MUTATION:
            raise _no_mutation()
        return params, caller, credential

    def _known(self, request: Request) -> tuple[Caller, str | None]:
        try:
            return caller_of_header(request.headers.get("authorization"), self.caller_of)
        except BadRequest:
            self._take(_address(request), self.limits.public_rate)
            raise

    def admitted(self, stated: Sent, caller: Caller, connection: HTTPConnection) -> Params:
        """What a caller asks, if it is not too much and trusted where it has to be. Raises BadRequest."""
        if "authorization" in connection.headers or caller != Caller():
            self._take(caller.holder, self.limits.rate)
        else:
            self._take(_address(connection), self.limits.public_rate)
        params = params_of(stated)
        if self.limits.trusted_only:
            require_trusted(params.query, caller)
        return params

    def _take(self, holder: str, rate: int) -> None:
        if seconds := self.rates.take(holder, rate):
            raise _too_often(rate, seconds)

    def _context(self, caller: Caller, language: Language) -> Context:
        context = self.context_for(caller, language)
        context.limits = self.limits.documents
        return context

    def _executed(self, params: Params, context: Context, media: str) -> tuple[int, dict[str, Any]]:
        try:
            result = SCHEMA.execute_sync(
                params.query,
                variable_values=params.variables,
                context_value=context,
                operation_name=params.operation_name,
                allowed_operation_types={OperationType.QUERY, OperationType.MUTATION},
            )
        except CannotGetOperationTypeError:
            named = params.operation_name or ""
            raise BadRequest(
                400,
                "BAD_DOCUMENT",
                Text(f"文档中没有可执行的操作 {named}", f"The document has no operation {named} to execute"),
            ) from None
        context.hand_over()
        return _answer(result, context.language, media, context)

    async def _stream(self, sent: bytes | None, request: Request, language: Language) -> Response:
        """The operation as a stream. What is wrong with the request itself is answered without one."""
        try:
            params, caller, credential = await self._in_worker(partial(self._admitted, sent, request))
        except AWAY as fault:
            return _away(request, fault, language)
        if self.streams.is_full or self.streams.is_full_for(caller):
            return respond(request, 503, failure("RETRY_LATER", TOO_MANY_CONNECTIONS, language), PLAIN_JSON)
        asked_of(request.scope).is_stream = True
        session, place = Session(caller, credential), Place(last_event(request))
        results = self.results(params, session, language, place)
        return EventStream(results, place, session, self.streams, language)

    async def results(
        self, params: Params, session: Session, language: Language, place: Place
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The results of any operation, as the client gets them: one, or those of a subscription. Raises Refused."""
        context = await self._in_worker(partial(self._context, session.caller, language))
        context.place = place
        if self._type_of(params) is not GraphQLOperation.SUBSCRIPTION:
            yield await self._single(params, context)
            return
        found = self.streams.results(session, context, params.query, params.variables, params.operation_name)
        async with aclosing(found) as results:
            async for body in results:
                yield body

    async def _single(self, params: Params, context: Context) -> dict[str, Any]:
        began, asked = perf_counter(), Asked("stream", name_of(params.query), status=200)
        asked.by(context.caller)
        try:
            self._require_one_operation(params)
            _, body = await self._timed(partial(self._executed, params, context, PLAIN_JSON))
        except BadRequest as bad:
            body = failure(bad.code, bad.text, context.language)
        asked.codes = [error["extensions"]["code"] for error in body.get("errors", ())] or context.refusals
        self.watch.answered(asked, perf_counter() - began)
        if "data" not in body:
            raise Refused(body["errors"])
        return body

    async def answered(
        self, sent: Sent, caller: Caller, language: Language, connection: HTTPConnection
    ) -> dict[str, Any]:
        """The body of the answer to what a page of our own asks, by the same limits. Raises BadRequest, and AWAY."""
        params = self.admitted(sent, caller, connection)

        def execute() -> dict[str, Any]:
            return self._executed(params, self._context(caller, language), PLAIN_JSON)[1]

        return await self._timed(execute)

    def _operations(self, query: str) -> Sequence[tuple[str | None, GraphQLOperation]]:
        """Name and type of the operations of a document; none where it does not parse, which its execution will say."""
        try:
            return operations(parsed(query, self.limits.documents))
        except GraphQLError:
            return ()

    def _type_of(self, params: Params) -> GraphQLOperation | None:
        """The type of the operation that is asked for; None where there is none."""
        found = self._operations(params.query)
        return next((type_ for name, type_ in found if params.operation_name in (None, "", name)), None)

    def _require_one_operation(self, params: Params) -> None:
        """GraphQL §6.1: of several operations one is named."""
        if not params.query.strip():
            raise no_request()
        if not params.operation_name and len(self._operations(params.query)) > 1:
            raise BadRequest(
                400,
                "BAD_DOCUMENT",
                Text(
                    "文档含多个操作；请用 operationName 指明要执行哪一个",
                    "The document has several operations; name one by operationName",
                ),
            )

    def _rests_on_folds(self, query: str) -> bool:
        try:
            return asks_folds_only(SCHEMA._schema, query, self.limits.documents)
        except GraphQLError:
            return False


def _answer_to_keep(body: dict[str, Any], context: Context, operation: str) -> Answer | None:
    """The answer, where all that it was made from was read at one head."""
    heads = {head for head, _ in context.reads_made}
    tags = [tag for _, read in context.reads_made for tag in read]
    return Answer(body, heads.pop(), tags, operation) if len(heads) == 1 else None


def _no_mutation() -> BadRequest:
    return BadRequest(
        405, "BAD_METHOD", Text("GET 只能用于查询；变更请用 POST", "GET is for queries; send mutations by POST")
    )


def _too_often(rate: int, seconds: int) -> BadRequest:
    return BadRequest(
        429,
        "RATE_LIMITED",
        Text(
            f"请求过于频繁：每秒最多 {rate} 次；请在 {seconds} 秒后重试",
            f"Too many requests: {rate} a second at most; try again in {seconds} s",
        ),
        seconds,
    )


def _no_stream() -> BadRequest:
    return BadRequest(
        406,
        "BAD_MEDIA_TYPE",
        Text(
            "订阅以 text/event-stream 回答：请发送 Accept: text/event-stream，或使用 WebSocket (graphql-transport-ws)",
            "A subscription is answered as text/event-stream: send Accept: text/event-stream, or use a WebSocket "
            "(graphql-transport-ws)",
        ),
    )


def _answer(result: ExecutionResult, language: Language, media: str, context: Context) -> tuple[int, dict[str, Any]]:
    errors: list[GraphQLError] = list(result.errors or [])
    for error in errors:
        if passing := passing_fault(error):
            return STATUS.get(passing[0], 503), failure(*passing, language)
    body: dict[str, Any] = {}
    if errors:
        body["errors"] = [formatted(error, language) for error in errors]
    never_ran = result.data is None and all(error.path is None for error in errors)
    if not never_ran or not errors:
        body["data"] = result.data
    if extensions := _cost(context) | _stale(context):
        body["extensions"] = extensions
    return (400 if never_ran and errors and media == GRAPHQL_JSON else 200), body


def _cost(context: Context) -> dict[str, Any]:
    return {} if context.cost is None else {"cost": context.cost}


def _stale(context: Context) -> dict[str, Any]:
    """How many enterprises' rows stand still, where the answer may rest on them; and which, for who may ask for those."""
    if not context.reads_rows or not context.parked:
        return {}
    first: dict[str, int] = {}
    for each in context.parked:
        if each.uscc is not None:
            first[each.uscc] = min(each.position, first.get(each.uscc, each.position))
    seen = reach(context.caller, "Query.enterprise") is not Reach.NONE
    named = sorted(first.items(), key=lambda one: one[1])[: MOST_STALE if seen else 0]
    return {"stale": {"count": len(first), "first": [{"uscc": uscc, "position": at} for uscc, at in named]}}


def _away(request: Request, fault: Exception, language: Language) -> Response:
    code, text = fault_of(fault) or ("UNAVAILABLE", UNAVAILABLE)
    return respond(request, STATUS.get(code, 503), failure(code, text, language), media_of(request))


def _unavailable(request: Request, language: Language) -> Response:
    return respond(request, 503, failure("UNAVAILABLE", UNAVAILABLE, language), media_of(request))


def _address(connection: HTTPConnection) -> str:
    """The bucket of who has no key: no holder's id has a sign in it."""
    return f"@{connection.client.host if connection.client else ''}"


def _wants_page(request: Request) -> bool:
    asked = request.query_params
    return "text/html" in request.headers.get("accept", "") and not {"query", "documentId", "extensions"} & asked.keys()
