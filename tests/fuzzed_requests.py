"""Drawn HTTP: requests as bytes, which no client library would send, and what a WebSocket is sent.

A request that is well framed is answered. One whose framing lies may also find its connection closed.
"""

import json
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from fuzzing import Answer, Ground, check_answer, check_body, check_text, codes_of
from given import A

DUE_SECONDS: Final = 15.0
"""So long a request that is well framed is waited for."""
LIE_SECONDS: Final = 0.05
"""So long one that lies."""
STREAM_SECONDS: Final = 0.3
"""So long a stream is read that need not end."""
MOST_READ: Final = 4_000_000

HEAD: Final = "{ ledger { head } }"
FACT: Final = '{ interviewHeld: { uscc: "%s", authority: "MIIT", caseId: "F-1", topics: "x", becauseOf: OTHER } }'
RECORD: Final = 'mutation { record(input: { idempotencyKey: "KEY", facts: [%s] }) { head errors { code } } }' % (
    FACT % A
)
CHANGES: Final = "subscription { creditChanges(after: 0) { position } }"
QUERIES: Final = (
    HEAD, HEAD, RECORD, RECORD, CHANGES, "{", "", "{ nothing }", "query A { __typename } query B { __typename }",
    f'{{ enterprise(uscc: "{A}") {{ name history {{ totalCount }} }} }}', "query ($v: Position) { rulebooks { version } }",
    "{ __schema { types { name } } }", "fragment F on Query { ...F } { ...F }", "{ ledger { head @skip(if: $x) } }",
    'query { ledger { events(first: 3) { ... on InterviewHeld { topics } } } }', "\ufeff{ ledger { head } }",
)  # fmt: skip
METHODS: Final = (
    "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND",
    "QUERY", "X-Y",
)  # fmt: skip
PATHS: Final = (
    "/graphql", "/graphql", "/graphql", "/graphql/", "//graphql", "/graphql/../graphql", "/GraphQL", "/graphql%00", "/graphql?x=%ff",
    "/", "*", "/healthz", "/readyz", "/metrics", "/tlog/key", "/tlog/checkpoint", "/tlog/checkpoint/witnessed",
    "/tlog/tile/0/000", "/tlog/tile/0/000.p/5", "/tlog/tile/entries/000.p/5", "/tlog/tile/0/x999/x999/999", "/tlog/tile/99/0",
    "/tlog/tile/entries/-1", "/tlog/tile/%00", "/tlog/tile/0/%D9%A1%D9%A1%D9%A1", "/tlog/tile/../key",
    "/.well-known/jwks.json", "/.well-known/jwt-vc-issuer", "/.well-known/", "/credentials/gate-decision/1",
    "/sign-in", "/sign-out", "/lists", "/lists.csv", "/draws", "/draws/%00", "/draws/x/pool", "/ledger", "/ask", "/decisions/%ff",
    "/enterprises/x", "/enterprises/%00/history.csv", "/events/99999999999999999999", "/events/0", "/record/x", "/work",
    "/language/en?back=//elsewhere.example", "/language/%00",
    "/static/", "/static/graphiql.js", "/static/%00", "/static/..%2f..%2fpyproject.toml", "/static/../../pyproject.toml",
    "/static/" + "x" * 5_000, "/static/%ff%fe", "/static/graphiql/%00.js", "/%E2%80%AE", "/favicon.ico", "/.env", "/docs",
    "http://elsewhere.example/graphql", "/graphql;x", "/graphql#x", "/" + "a/" * 3_000,
)  # fmt: skip
ASKED: Final = ("query", "variables", "operationName", "documentId", "extensions", "x", "query")
ARGUMENTS: Final = (
    HEAD, RECORD, "%", "%ff", "%00", "%ED%A0%80", "{}", "[]", "null", "{", '{"a":1e999}', "[" * 5_000, "sha256:" + "0" * 64,
    '{"persistedQuery":{"sha256Hash":1}}', '{"persistedQuery":null}', "x" * 30_000, "%7B%20__typename%20%7D",
)  # fmt: skip
HEADERS: Final[dict[str, tuple[bytes, ...]]] = {
    "Accept": (
        b"application/json", b"application/graphql-response+json", b"text/event-stream", b"text/html", b"*/*", b"",
        b"text/event-stream;q=x, application/json;q=nan", b"a" * 9_000, b"\xff\xfe", "应用/json".encode(),
    ),
    "Accept-Language": (b"en", b"zh-CN,zh;q=0.9", b"en;q=nan, zh;q=inf", b"en;q=1e999", b"en;q=-1", b";;;q=,,", b"\xe9", b"e" * 9_000, b"en;q=\xb2"),
    "Accept-Encoding": (b"gzip", b"gzip;q=0", b"gzip;q=nan", b"br, deflate, *;q=0", b"\xff"),
    "Authorization": (
        b"Bearer", b"Bearer ", b"Bearer x", b"Basic eDp5", b"Bearer a.b.c", b"Bearer " + b"x" * 9_000, b"Bearer \xff\xfe", b"",
        b"Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", "Bearer 密钥".encode(), b"bearer\x00x", b"Bearer cl_%00",
    ),
    "Content-Type": (
        b"application/json", b"application/json; charset=utf-16", b"APPLICATION/JSON;", b"text/plain", b"application/graphql", b"",
        b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded; charset=\xff", b"\xff/json", b"application/json, text/plain",
    ),
    "Content-Encoding": (b"gzip", b"br", b"identity"),
    "If-None-Match": (b"*", b'W/"5-x"', b",,,,", b"\xff", b'"' * 500),
    "If-Modified-Since": (b"Thu, 01 Jan 1970 00:00:00 GMT", b"x", b"Thu, 99 Jan 99999 00:00:00 GMT", b"\xff"),
    "Range": (b"bytes=0-1", b"bytes=5-1", b"bytes=-", b"bytes=0-99999999999999999999", b"bytes=" + b"0-1," * 900, b"x=\xb2-1", b"bytes=\xb2-"),
    "If-Range": (b"x", b'"x"'),
    "Last-Event-ID": (b"5", b"-1", b"9" * 14, b"9" * 99, "²".encode(), b"\xb2", b""),
    "Expect": (b"100-continue", b"200-ok"),
    "Origin": (b"https://elsewhere.example", b"null", b"\xff"),
    "Access-Control-Request-Method": (b"POST",),
    "Upgrade": (b"websocket", b"h2c", b"\xff"),
    "Sec-WebSocket-Key": (b"dGhlIHNhbXBsZSBub25jZQ==", b"x", b"\xff"),
    "Sec-WebSocket-Version": (b"13", b"0", b"\xb2"),
    "Sec-WebSocket-Protocol": (b"graphql-transport-ws", b",,", b"\xff"),
    "X-Forwarded-For": (b"1.2.3.4", b"\xff"),
    "X-HTTP-Method-Override": (b"POST",),
    "Cookie": (b"key=1", b"\xff"),
    "Host": (b"elsewhere.example", b"", b"\xff", b"a b"),
}  # fmt: skip


class Request(NamedTuple):
    """The bytes of a request, in the parts that they are sent in, and whether it is well framed."""

    parts: tuple[bytes, ...]
    is_due: bool
    method: str
    path: str

    @property
    def shown(self) -> str:
        return " ".join(repr(part[:1_500]) for part in self.parts)


def requests(secrets: dict[str, str]) -> st.SearchStrategy[tuple[str, Request]]:
    """Requests, each with the holder whose key it shows, if any."""
    holders = st.sampled_from([*secrets, None])

    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[str, Request]:
        holder, chance = draw(holders), random.Random(draw(st.integers(0, 2**32)))
        body = draw(bodies(chance))
        noise = draw(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=24)), max_size=2))
        return holder or "public", _request(chance, secrets.get(holder or ""), body, noise)

    return drawn()


def _request(chance: random.Random, secret: str | None, body: bytes, noise: Sequence[tuple[bytes, bytes]]) -> Request:
    likely = chance.random() < 0.5
    method = "POST" if likely else chance.choice(METHODS)
    path = "/graphql" if likely else _path(chance)
    # What comes first counts where a header is there twice.
    headers = [("Host", b"127.0.0.1"), ("Connection", b"close")]
    if secret:
        headers.append(("Authorization", f"Bearer {secret}".encode()))
    if likely:
        headers.append(("Content-Type", b"application/json"))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 12))):
        name = chance.choice([*HEADERS])
        headers.insert(chance.randrange(len(headers) + 1), (name, chance.choice(HEADERS[name])))
    is_due = all(_is_plain(value) for _, value in headers) and "Upgrade" not in dict(headers) and _is_plain_target(path)
    raw = [(name.encode(), value) for name, value in headers]
    if noise and chance.random() < 0.2:
        raw, is_due = [*raw, *noise], False
    if chance.random() < 0.02:
        raw = [*raw, *((b"X-%d" % each, b"y") for each in range(300))]
    framing, sent, holds = _framed(chance, method, body)
    version = chance.choice([b"HTTP/1.1"] * 12 + [b"HTTP/1.0", b"HTTP/9.9", b"HTTP/2", b""])
    start = b" ".join([method.encode(), path.encode("utf-8", "replace"), version])
    lines = [start, *(name + b": " + value for name, value in [*raw, *framing])]
    message = b"\r\n".join([*lines, b"", b""]) + sent
    is_due = (
        is_due and holds and version in (b"HTTP/1.1", b"HTTP/1.0") and method not in ("CONNECT", "get", "X-Y", "QUERY")
    )
    return Request(_split(chance, message), is_due, method, path)


def _is_plain(value: bytes) -> bool:
    return value.isascii() and b"\0" not in value


def _is_plain_target(path: str) -> bool:
    return path.startswith("/") and path.isascii() and " " not in path and "#" not in path


def _path(chance: random.Random) -> str:
    path = chance.choice(PATHS)
    if chance.random() < 0.4:
        asked = [f"{chance.choice(ASKED)}={_escaped(chance)}" for _ in range(chance.randrange(1, 4))]
        path = f"{path}{'&' if '?' in path else '?'}{'&'.join(asked)}"
    return path


def _escaped(chance: random.Random) -> str:
    return chance.choice(ARGUMENTS).replace(" ", "+").replace('"', "%22").replace("\n", "%0a")


def _framed(chance: random.Random, method: str, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, bool]:
    """The headers that frame a body, the body as it is sent, and whether they tell the truth."""
    length = str(len(body)).encode()
    how = chance.random()
    if how < 0.70:
        return [(b"Content-Length", length)], body, True
    if how < 0.80:
        size = chance.randrange(1, max(2, len(body)))
        chunks = [body[begin : begin + size] for begin in range(0, len(body), size)][:200]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
        return [(b"Transfer-Encoding", b"chunked")], sent, True
    lies: list[tuple[list[tuple[bytes, bytes]], bytes]] = [
        ([(b"Content-Length", str(len(body) + 50).encode())], body),
        ([(b"Content-Length", str(len(body) // 2).encode())], body),
        ([(b"Content-Length", b"-1")], body),
        ([(b"Content-Length", b"+5")], body),
        ([(b"Content-Length", b"9" * 30)], body),
        ([(b"Content-Length", length), (b"Content-Length", b"1")], body),
        ([(b"Content-Length", length), (b"Transfer-Encoding", b"chunked")], b"0\r\n\r\n" + body),
        ([(b"Transfer-Encoding", b"gzip, chunked")], body),
        ([(b"Transfer-Encoding", b"chunked")], b"zz\r\n" + body),
        ([(b"Transfer-Encoding", b"chunked")], b"5\r\nab"),
        ([(b"Transfer-Encoding", b" chunked")], b"ffffffffffffffffff\r\n" + body),
        ([], body),
    ]
    framing, sent = chance.choice(lies)
    return framing, sent, not body and not framing


def _split(chance: random.Random, message: bytes) -> tuple[bytes, ...]:
    if chance.random() < 0.9:
        return (message,)
    cut = chance.randrange(1, len(message))
    return message[:cut], message[cut:]


DEEP: Final = 100_000


def bodies(chance: random.Random) -> st.SearchStrategy[bytes]:
    """Bodies of requests: GraphQL, GraphQL that was spoiled, and any bytes."""
    stated = st.fixed_dictionaries(
        {"query": st.sampled_from(QUERIES)},
        optional={
            "variables": st.one_of(st.none(), st.dictionaries(st.text(max_size=5), _JSON, max_size=3), _JSON),
            "operationName": st.one_of(st.none(), st.sampled_from(("A", "", "x" * 500, "\0", "\ud800")), _JSON),
            "extensions": _JSON,
            "documentId": st.one_of(st.none(), st.text(max_size=20), _JSON),
        },
    )
    plain = stated.map(lambda each: json.dumps(each).replace("KEY", f"{chance.getrandbits(40):x}").encode())
    return st.one_of(
        plain, plain, plain.map(lambda each: _spoiled(chance, each)), st.sampled_from(_ODD), st.binary(max_size=60)
    )


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_ODD: Final[tuple[bytes, ...]] = (
    b"", b"null", b"[]", b"0", b'"x"', b"{}", b'{"query":1}', b'{"query":null}', b'{"query":"{ __typename }","query":"{"}',
    b"[" * DEEP, b'{"query":"{ __typename }","variables":' + b'{"a":' * DEEP, b'{"query":"' + b"{ledger" * 20_000 + b'"}',
    b'{"query":"{ __typename }","variables":{"a":' + b"9" * 5_000 + b"}}", b'{"query":"{ __typename }","variables":{"a":1e999999}}',
    b'{"query":"{ __typename }","variables":{"a":NaN}}', b'{"query":"\\ud800"}', b'{"query":"{ __typename }\\u0000"}',
    b'{"query":"{ __typename }\0"}', b"\xef\xbb\xbf" + b'{"query":"{ __typename }"}', '{"query":"{ __typename }"}'.encode("utf-16"),
    b'[{"query":"{ __typename }"}]', b'{"query":"{ __typename }","operationName":"\\udfff"}', b'{"query":"{ a(b:\\"\\\\ud800\\") }"}',
    b'{"query":"{ node(id:\\"\\ud83d\\") { id } }"}', b'{"query":"query($i:ID!){node(id:$i){id}}","variables":{"i":"\\ud800"}}',
    b'{"query":"query($i:ID!){node(id:$i){id}}","variables":{"i":"a\\u0000b"}}', b'{"query":"' + b"#" * 100_000 + b'{ __typename }"}',
    b'{"query":"{ ' + b"ledger { head } " * 600 + b'}"}', b'{"query":"{ ' + b"...{" * 900 + b'}"}', b" " * 50_000,
    b'{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"\\u0000"}}}',
    b'{"query":"{ __typename ' + b"@skip(if:false)" * 400 + b'}"}', b'{"query":"{ creditStatuses(usccs:' + b"[" * 300 + b'}"}',
    b'{"documentId":"sha256:x"}', b'{"query":"{ __typename }","variables":{' + b'"a":1,' * 20_000 + b'"b":2}}', b"x" * 2_200_000,
)  # fmt: skip


def _spoiled(chance: random.Random, body: bytes) -> bytes:
    """The bytes cut off, with one of them changed, or with some put in."""
    place, how = chance.randrange(len(body)), chance.randrange(4)
    if how == 0:
        return body[:place]
    if how == 1:
        return body[:place] + bytes([chance.randrange(256)]) + body[place + 1 :]
    odd = chance.choice(
        (b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b'"', b"}", b"\r\n", b"9" * 400)
    )
    return body[:place] + odd + body[place:]


# Sending


def send(ground: Ground, holder: str, request: Request) -> None:
    """Sends a request over a connection of its own, and looks at what comes back."""
    before = ground.head()
    raw = _exchanged(ground.address, request)
    answer = _answer(raw, request.method)
    grown = ground.head() - before
    ground.tally.note(holder, "HTTP", codes_of(answer))
    ground.tally.recorded[holder] += grown
    for what in _wrong(ground, holder, request, raw, answer, grown):
        ground.tally.find(what, f"{holder}: {request.shown}\n  {raw[:1_500]!r}")


def _exchanged(address: tuple[str, int], request: Request) -> bytes:
    """What the server sends until it closes, or until nothing more is waited for."""
    found = bytearray()
    with socket.create_connection(address, DUE_SECONDS) as connection, suppress(OSError):
        # What is too large is answered before it is sent whole, and then nothing more is taken.
        with suppress(ConnectionError):
            for part in request.parts:
                connection.sendall(part)
        connection.settimeout(DUE_SECONDS if request.is_due else LIE_SECONDS)
        while len(found) < MOST_READ and (some := connection.recv(65_536)):
            found += some
            if b"text/event-stream" in found[:600]:
                connection.settimeout(STREAM_SECONDS)
    return bytes(found)


class _Read:
    """What was read, as HTTPResponse wants it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._raw)


def _answer(raw: bytes, method: str) -> Answer:
    """The first answer in what was read but 100 Continue."""
    while raw.startswith(b"HTTP/1.1 100 "):
        raw = raw.partition(b"\r\n\r\n")[2]
    if not raw:
        return Answer(0, {}, b"")
    response = HTTPResponse(_Read(raw), method=method)  # type: ignore[arg-type]  # it asks for nothing but makefile
    try:
        response.begin()
        with suppress(HTTPException):
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except (HTTPException, ValueError):
        pass
    return Answer(-1, {}, raw)


def _wrong(ground: Ground, holder: str, request: Request, raw: bytes, answer: Answer, grown: int) -> Iterator[str]:
    if answer.status == -1:
        yield "the answer is no HTTP"
    if request.is_due and answer.status == 0:
        yield "a request that is well framed got no answer"
    if not request.is_due:
        # Its framing lies, so what is answered may be cut off, and may be to any part of it.
        yield from check_text(ground, holder, raw.decode("utf-8", "replace"), entries=_is_of_others(answer))
        if b"HTTP/1.1 500" in raw:
            yield "the status is 500"
        if grown and answer.status >= 400:
            yield f"{answer.status}, and {grown} were recorded"
        return
    graphql = request.path.partition("?")[0] == "/graphql" and answer.media in (
        "application/json",
        "application/graphql-response+json",
    )
    if _is_of_others(answer):
        answer = answer._replace(content=b"")
    yield from check_answer(ground, holder, answer, graphql and request.method != "HEAD")
    if grown and (answer.status != 200 or b"mutation" not in b"".join(request.parts)):
        yield f"{answer.status}, and {grown} were recorded"


def _is_of_others(answer: Answer) -> bool:
    """Whether it is a file that is carried, or hashes and entries."""
    return answer.media in (
        "text/html",
        "text/javascript",
        "text/css",
        "application/octet-stream",
        "application/javascript",
    )


# WebSockets

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
CLOSES: Final = frozenset((1000, 1001, 1007, 1008, 1009, 1012, 4400, 4401, 4406, 4408, 4409, 4429))
"""Close codes that the protocols have for what a client did."""


def talks(secrets: dict[str, str]) -> st.SearchStrategy[tuple[str, tuple[str | bytes, ...]]]:
    """What is said over a WebSocket, frame by frame, each with the holder of the key."""
    kinds = st.sampled_from(("connection_init", "subscribe", "subscribe", "ping", "pong", "complete", "next", "", "x"))
    payload = st.one_of(
        _JSON,
        st.fixed_dictionaries(
            {"query": st.sampled_from(QUERIES)}, optional={"variables": _JSON, "operationName": _JSON}
        ),
        st.fixed_dictionaries({"authorization": st.one_of(st.text(max_size=9), st.just("Bearer x"), _JSON)}),
    )
    message = st.fixed_dictionaries(
        {"type": kinds}, optional={"id": st.one_of(st.text(max_size=3), st.just("1"), _JSON), "payload": payload}
    )
    frames = st.one_of(message.map(json.dumps), message.map(json.dumps), st.text(max_size=30), st.binary(max_size=30))
    begun = st.sampled_from(((), ('{"type":"connection_init"}',), ('{"type":"connection_init"}',)))
    return st.tuples(
        st.sampled_from([*secrets, "public"]),
        st.tuples(begun, st.lists(frames, min_size=1, max_size=4)).map(lambda each: (*each[0], *each[1])),
    )


def talk(ground: Ground, holder: str, frames: tuple[str | bytes, ...]) -> None:
    """Says the frames, hears what is answered, and looks at it."""
    heard: list[str | bytes] = []
    said, before = "1000", ground.head()
    try:
        with (
            connect(
                f"{ground.url.replace('http', 'ws', 1)}/graphql",
                subprotocols=[PROTOCOL],
                compression=None,
                additional_headers=ground.bearer(holder),
                close_timeout=5,
            ) as opened,
            suppress(TimeoutError),
        ):
            for frame in frames:
                opened.send(frame)
            while True:
                heard.append(opened.recv(LIE_SECONDS))
    except ConnectionClosed as closed:
        said = str(closed.rcvd.code) if closed.rcvd else "closed"
    except (OSError, WebSocketException) as wrong:
        said = type(wrong).__name__
    ground.tally.note(holder, "WebSocket", f"WebSocket {said}")
    ground.tally.recorded[holder] += ground.head() - before
    for what in (*_wrongly_closed(said), *_wrongly_said(ground, holder, heard)):
        ground.tally.find(what, f"{holder}: {frames!r}\n  {heard!r}"[:4_000])


def _wrongly_closed(said: str) -> Iterator[str]:
    if not said.isdigit() or int(said) not in CLOSES:
        yield f"the WebSocket is closed with {said}"


def _wrongly_said(ground: Ground, holder: str, heard: list[str | bytes]) -> Iterator[str]:
    for each in heard:
        text = each if isinstance(each, str) else each.decode("utf-8", "replace")
        yield from check_text(ground, holder, text)
        message: dict[str, Any] = json.loads(text)
        if message["type"] == "next":
            yield from check_body(message["payload"])
        if message["type"] == "error":
            yield from check_body({"errors": message["payload"]})
