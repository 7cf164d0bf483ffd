"""The web application: the console at /, GraphQL at /graphql, the log's tiles at /tlog, and how it is at /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from api.answers import Answers
from api.console.routes import Console
from api.context import Context
from api.credentials import Issuer
from api.errors import AWAY
from api.http import GraphQLEndpoint
from api.issuer_keys import IssuerKeys
from api.kept import KeptAnswers
from api.limits import RequestLimits
from api.metrics import measurements
from api.newest import Newest
from api.rates import Rates
from api.replies import unexpected
from api.streams import StreamLimits, Streams
from api.tlog import TiledLog
from api.tokens import Bearers, Holders, Tokens
from api.websocket import GraphQLSocket
from domain.callers import Caller
from domain.text import Language
from ledger.erasure import Erasure
from ledger.keys import Keys
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notes import Verifier
from ledger.read_log import ReadLog
from ledger.sealing import Sealer
from ledger.sessions import Sessions
from ledger.tiles import Tiles
from ledger.tree import Proofs
from ledger.trust import Trust
from projections.feeds import Feeds
from projections.reads import Reads
from projections.runner import Runner
from projections.supervision_reads import SupervisionReads

DEFAULT_LIMITS: Final = StreamLimits()
DEFAULT_REQUEST_LIMITS: Final = RequestLimits()
STATIC: Final = Path(__file__).parent / "static"


def create_app(
    *,
    ledger: Ledger,
    pool: Pool,
    sealer: Sealer,
    keys: Keys,
    runner: Runner,
    read_log: ReadLog,
    issuer: Issuer,
    witnesses: Sequence[Verifier] = (),
    limits: StreamLimits = DEFAULT_LIMITS,
    trust: Trust | None = None,
    requests: RequestLimits = DEFAULT_REQUEST_LIMITS,
) -> Starlette:
    """The application; `witnesses` are those whose cosignatures /tlog/checkpoint/witnessed asks for, each of them;
    `trust` names the issuer whose tokens are taken beside keys; `issuer` issues credentials.

    `read_log` is written by who makes it (`ledger.background`). The application's `state.streams` are those who subscribe:
    `end` them before the server waits for its connections.
    """
    reads, supervision, proofs = Reads(pool), SupervisionReads(pool), Proofs(pool)
    erasure = Erasure(ledger, pool, sealer)
    holders = _holders(keys, trust)
    streams = Streams(Feeds(pool, ledger, reads, runner, limits.queue), holders.caller, limits)

    def context_for(caller: Caller, language: Language) -> Context:
        parts = ledger, reads, supervision, proofs, sealer, erasure, runner
        return Context(caller, language, *parts, ledger.clock(), streams.feeds, read_log, issuer, keys.list)

    async def ready(request: Request) -> Response:
        try:
            head = await run_in_threadpool(ledger.recorder.head)
            known = await run_in_threadpool(runner.position)
        except AWAY:
            return JSONResponse({"ready": False, "database": "away"}, 503)
        return JSONResponse({"ready": True, "head": head, "known": known})

    newest = Newest(pool)
    answers, rates = Answers(newest.news), Rates()
    endpoint = GraphQLEndpoint(context_for, holders.caller, answers, streams, requests, rates)
    kept = Middleware(
        KeptAnswers,
        answers=answers,
        newest=newest,
        keys=holders,
        rates=rates,
        rate=requests.rate,
        today=lambda: ledger.today,
    )
    app = Starlette(
        routes=[
            Route("/graphql", endpoint.__call__, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", GraphQLSocket(endpoint, streams).__call__),
            Route("/healthz", _healthy),
            Route("/readyz", ready),
            Route("/metrics", _metrics(pool)),
            *TiledLog(proofs, Tiles(pool), holders.caller, lambda: ledger.today, read_log, witnesses).routes,
            *Console(endpoint, Sessions(pool, keys.caller)).routes,
            *issuer.routes,
            Mount("/static", GZipMiddleware(StaticFiles(directory=STATIC))),
        ],
        middleware=[*_cross_origin(requests.origins), kept],
        exception_handlers={Exception: unexpected},
    )
    app.state.streams = streams
    return app


def _holders(keys: Holders, trust: Trust | None) -> Holders:
    if trust is None:
        return keys
    issuer_keys = IssuerKeys(trust.issuer)
    # So that they are there when the first tokens come.
    issuer_keys.fetch_beside()
    return Bearers(keys, Tokens(trust, issuer_keys))


def _cross_origin(origins: Sequence[str]) -> list[Middleware]:
    """What lets pages of other origins read answers; nothing where none are named."""
    if not origins:
        return []
    headers = ["authorization", "content-type", "last-event-id"]
    return [Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=headers)]


def _metrics(pool: Pool) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(request: Request) -> Response:
        try:
            found = await run_in_threadpool(measurements, pool)
        except AWAY:
            return Response("# The database is away.\n", 503, media_type="text/plain")
        return Response(found, headers={"cache-control": "no-store"}, media_type=CONTENT_TYPE_LATEST)

    return metrics


async def _healthy(request: Request) -> Response:
    return JSONResponse({"healthy": True})
