"""GraphQL over HTTP: one endpoint, JSON in and out, GraphiQL for browsers.

POST carries any operation, GET no mutation. The media type of the answer is `application/graphql-response+json`
where it is accepted, else `application/json`; where `text/event-stream` is, it is a stream of server-sent events, as every
subscription is. Resolvers are synchronous and run in worker threads, one a request.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio.to_thread
import msgspec
import structlog
from graphql import GraphQLError
from graphql import OperationType as GraphQLOperation
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.answers import LARGEST_REQUEST, Answer, Answers, AtHead
from api.context import Context, Place
from api.documents import asks_folds_only, operations, parsed
from api.errors import AWAY, INTERNAL, UNAVAILABLE, formatted, passing_fault
from api.event_stream import MEDIA, EventStream, last_event
from api.kept import circumstances
from api.media import GRAPHQL_JSON, HEADERS, PLAIN_JSON, language_of, media_for
from api.permissions import reach
from api.schema import SCHEMA
from api.streams import Refused, Session, Streams
from domain.callers import Caller
from domain.matrix import Reach
from domain.text import Language, Text

LARGEST_BODY: Final = 2 * 1024 * 1024
MOST_STALE: Final = 100
"""How many of the enterprises that stand still an answer names."""
WORKERS: Final = 32
"""Requests that are worked on at the same time in one process; more wait."""
TOO_MANY_CONNECTIONS: Final = Text("连接过多；请稍后再试", "Too many connections; try again in a moment")
GRAPHIQL: Final = Path(__file__).parent / "static" / "graphiql.html"

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Params(msgspec.Struct, rename="camel"):
    """What a GraphQL request states."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


class BadRequest(Exception):
    """A request that is no GraphQL request: its status, code and why."""

    def __init__(self, status: int, code: str, text: Text) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Made:
    """What a request was answered, and what of it is kept."""

    status: int
    body: dict[str, Any]
    key: tuple[bytes, Hashable] | None = None
    answer: Answer | None = None


@dataclass(slots=True)
class GraphQLEndpoint:
    """Answers /graphql. `context_for` makes a request's context; `caller_of` finds who holds a key, or None."""

    context_for: Callable[[Caller, Language], Context]
    caller_of: Callable[[str], Caller | None]
    answers: Answers
    streams: Streams
    limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        if request.method == "GET" and "query" not in request.query_params and _wants_page(request):
            return FileResponse(GRAPHIQL, media_type="text/html")
        media = _media(request)
        try:
            sent = await _body(request) if request.method == "POST" else None
            if MEDIA in request.headers.get("accept", ""):
                return await self._stream(await self._in_worker(partial(_read, sent, request)), request, language)
            made = await self._in_worker(partial(self._execute, sent, request, language))
            if made.key and made.answer:
                self.answers.keep(made.key, made.answer)
            status, body = made.status, made.body
        except BadRequest as bad:
            status, body = bad.status, failure(bad.code, bad.text, language)
        except Exception as fault:
            # Answered here: what goes on to the server costs the client its connection.
            return unexpected(request, fault)
        return respond(status, body, media)

    async def _in_worker(self, work: Callable[[], T]) -> T:
        if self.limiter is None:
            self.limiter = anyio.CapacityLimiter(WORKERS)
        return await anyio.to_thread.run_sync(work, limiter=self.limiter)

    def _execute(self, sent: bytes | None, request: Request, language: Language) -> Made:
        media = _media(request)
        params = _read(sent, request)
        try:
            _require_one_operation(params)
            caller = caller_in(request, self.caller_of)
            _require_method(params, request)
            if _operation_type(params) is GraphQLOperation.SUBSCRIPTION:
                raise _no_stream()
            context = self.context_for(caller, language)
            context.marks_head = sent is not None and len(sent) <= LARGEST_REQUEST and _rests_on_folds(params.query)
            status, body = self._executed(params, context, media)
        except AWAY:
            return Made(503, failure("UNAVAILABLE", UNAVAILABLE, language))
        if sent is None or not context.marks_head or body.keys() != {"data"}:
            return Made(status, body)
        key = sent, circumstances(caller, language, media, context.today)
        return Made(status, body, key, _answer_to_keep(body, context))

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

    async def _stream(self, params: Params, request: Request, language: Language) -> Response:
        """The operation as a stream. What is wrong with the request itself is answered without one."""
        _require_one_operation(params)
        _require_method(params, request)
        sent = request.headers.get("authorization")
        try:
            caller, credential = await self._in_worker(partial(caller_of_header, sent, self.caller_of))
        except AWAY:
            return respond(503, failure("UNAVAILABLE", UNAVAILABLE, language), PLAIN_JSON)
        if self.streams.is_full:
            return respond(503, failure("RETRY_LATER", TOO_MANY_CONNECTIONS, language), PLAIN_JSON)
        session, place = Session(caller, credential), Place(last_event(request))
        results = self.results(params, session, language, place)
        return EventStream(results, place, session, self.streams, language)

    async def results(
        self, params: Params, session: Session, language: Language, place: Place
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The results of any operation, as the client gets them: one, or those of a subscription. Raises Refused."""
        context = await self._in_worker(partial(self.context_for, session.caller, language))
        context.place = place
        if _operation_type(params) is not GraphQLOperation.SUBSCRIPTION:
            yield await self._single(params, context)
            return
        found = self.streams.results(session, context, params.query, params.variables, params.operation_name)
        async with aclosing(found) as results:
            async for body in results:
                yield body

    async def _single(self, params: Params, context: Context) -> dict[str, Any]:
        try:
            _require_one_operation(params)
            _, body = await self._in_worker(partial(self._executed, params, context, PLAIN_JSON))
        except BadRequest as bad:
            body = failure(bad.code, bad.text, context.language)
        if "data" not in body:
            raise Refused(body["errors"])
        return body


def _rests_on_folds(query: str) -> bool:
    try:
        return asks_folds_only(SCHEMA._schema, query)
    except GraphQLError:
        return False


def _answer_to_keep(body: dict[str, Any], context: Context) -> Answer | None:
    """The answer, where all that it was made from was read at one head."""
    heads = {head for head, _ in context.reads_made}
    tags = [tag for _, read in context.reads_made for tag in read]
    return Answer(body, heads.pop(), tags) if len(heads) == 1 else None


def caller_in(request: Request, caller_of: Callable[[str], Caller | None]) -> Caller:
    """Who asks: the holder of the bearer key, or the public without one. A wrong key is 401, never the public."""
    return caller_of_header(request.headers.get("authorization"), caller_of)[0]


def caller_of_header(sent: str | None, caller_of: Callable[[str], Caller | None]) -> tuple[Caller, str | None]:
    """Who asks, by the value of `Authorization`, and the key by which it is known."""
    if sent is None:
        return Caller(), None
    scheme, _, key = sent.partition(" ")
    caller = caller_of(key.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise BadRequest(
            401,
            "UNAUTHENTICATED",
            Text(
                "密钥或令牌无效、已过期或已撤销；请以 Authorization: Bearer KEY 发送有效的一个",
                "The key or token is not valid, has expired or was revoked; send a valid one as Authorization: Bearer KEY",
            ),
        )
    return caller, key.strip()


def _operations(query: str) -> Sequence[tuple[str | None, GraphQLOperation]]:
    """Name and type of the operations of a document; none where it does not parse, which its execution will say."""
    try:
        return operations(parsed(query))
    except GraphQLError:
        return ()


def _operation_type(params: Params) -> GraphQLOperation | None:
    """The type of the operation that is asked for; None where there is none."""
    wanted = (type_ for name, type_ in _operations(params.query) if params.operation_name in (None, "", name))
    return next(wanted, None)


def _require_method(params: Params, request: Request) -> None:
    if request.method == "GET" and _operation_type(params) is GraphQLOperation.MUTATION:
        raise BadRequest(
            405, "BAD_METHOD", Text("GET 只能用于查询；变更请用 POST", "GET is for queries; send mutations by POST")
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


def _require_one_operation(params: Params) -> None:
    """GraphQL §6.1: of several operations one is named."""
    if not params.query.strip():
        raise _no_request()
    if not params.operation_name and len(_operations(params.query)) > 1:
        raise BadRequest(
            400,
            "BAD_DOCUMENT",
            Text(
                "文档含多个操作；请用 operationName 指明要执行哪一个",
                "The document has several operations; name one by operationName",
            ),
        )


def _answer(result: ExecutionResult, language: Language, media: str, context: Context) -> tuple[int, dict[str, Any]]:
    errors: list[GraphQLError] = list(result.errors or [])
    for error in errors:
        if passing := passing_fault(error):
            return 503, failure(*passing, language)
    body: dict[str, Any] = {}
    if errors:
        body["errors"] = [formatted(error, language) for error in errors]
    never_ran = result.data is None and all(error.path is None for error in errors)
    if not never_ran or not errors:
        body["data"] = result.data
    if extensions := {**(result.extensions or {}), **_stale(context)}:
        body["extensions"] = extensions
    return (400 if never_ran and errors and media == GRAPHQL_JSON else 200), body


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


def failure(code: str, text: Text, language: Language) -> dict[str, Any]:
    return {"errors": [{"message": text.said_in(language), "extensions": {"code": code}}]}


def respond(status: int, body: dict[str, Any], media: str) -> Response:
    headers = dict(HEADERS)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status == 503:
        headers["retry-after"] = "1"
    if status == 405:
        headers["allow"] = "POST"
    return Response(msgspec.json.encode(body, enc_hook=_plain), status, headers, f"{media}; charset=utf-8")


def _plain(value: object) -> int:
    if isinstance(value, AtHead):
        return int(value)
    raise TypeError(f"an answer holds JSON's values; got a {type(value).__name__}")


async def _body(request: Request) -> bytes:
    """The body of a request that is JSON by its media type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != PLAIN_JSON:
        raise BadRequest(
            415, "BAD_MEDIA_TYPE", Text("请求体须为 application/json", "The body of a request is application/json")
        )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BadRequest(
                413,
                "TOO_LARGE",
                Text(
                    f"请求体最多 {LARGEST_BODY} 字节；请分批发送",
                    f"A request has at most {LARGEST_BODY} bytes; send it in parts",
                ),
            )
    return bytes(body)


def _read(sent: bytes | None, request: Request) -> Params:
    return _from_url(request) if sent is None else _decoded(sent)


def _decoded(body: bytes) -> Params:
    try:
        return msgspec.json.decode(body, type=Params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _no_request() from None


def _from_url(request: Request) -> Params:
    asked = request.query_params
    try:
        variables = msgspec.json.decode(asked["variables"], type=dict[str, Any]) if asked.get("variables") else None
        return Params(asked["query"], asked.get("operationName") or None, variables)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _no_request() from None


def _no_request() -> BadRequest:
    return BadRequest(
        400,
        "BAD_REQUEST",
        Text(
            "请求应为 JSON 对象，含文本 query，可含 operationName 与对象 variables",
            "A request is a JSON object with the text query and, if wanted, operationName and the object variables",
        ),
    )


def _media(request: Request) -> str:
    return media_for(request.headers.get("accept", ""))


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def unexpected(request: Request, fault: Exception) -> Response:
    """The last resort of the application: what nobody foresaw, said without its text."""
    log.error("unexpected", fault=type(fault).__name__, exc_info=fault)
    return respond(
        500, failure("INTERNAL", INTERNAL, language_of(request.headers.get("accept-language", ""))), PLAIN_JSON
    )
