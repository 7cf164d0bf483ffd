"""The peers of the hot question: servers that answer the same over the same database, each in a process of its own.

`python -m benchmarks.peers bare CONNINFO` and `… plain HOME` print `listening on http://127.0.0.1:PORT`, as ours does.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import strawberry
import uvicorn
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.schema.config import StrawberryConfig

from api.connections import Names
from api.context import Context
from api.credentials import Issuer
from api.event_types import EVENT_TYPES
from api.media import HEADERS
from api.mutations import Mutation
from api.observing import Watch
from api.queries import Query
from api.received import Params
from api.scalars import SCALARS
from caseledger.listening import AnnouncedServer, open_socket, url_of
from caseledger.serving import serve
from caseledger.settings import Settings
from caseledger.wiring import System
from domain.callers import Caller, Role
from ledger.erasure import Erasure
from ledger.tree import Proofs
from projections.feeds import Feeds
from projections.reads import Reads
from projections.supervision_reads import SupervisionReads

JSON: Final = "application/json; charset=utf-8"
ANSWER: Final = "SELECT body FROM hot_answers WHERE uscc = %s"


def bare(conninfo: str) -> None:
    """A Starlette endpoint that gives the bytes of one prepared statement."""
    pool = AsyncConnectionPool(conninfo, open=False, min_size=4, max_size=8, kwargs={"autocommit": True})

    async def answer(request: Request) -> Response:
        sent = msgspec.json.decode(await request.body(), type=Params)
        uscc = (sent.variables or {})["uscc"]
        async with pool.connection() as database:
            found = await (await database.execute(ANSWER, [uscc], prepare=True, binary=True)).fetchone()
        assert found
        return Response(found[0], headers=HEADERS, media_type=JSON)

    @asynccontextmanager
    async def opened(_: Starlette) -> AsyncIterator[None]:
        async with pool:
            yield

    app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=opened)
    with open_socket("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", log_config=None, access_log=False, server_header=False
        )
        AnnouncedServer(config, partial(print, f"listening on {url_of(listener)}", flush=True)).run([listener])


def plain_app(system: System, _: Watch) -> Starlette:
    """The same resolvers under Strawberry as it comes: every document parsed and validated, every answer made anew."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=list(EVENT_TYPES.values()),
        config=StrawberryConfig(name_converter=Names(), scalar_map=SCALARS),
    )
    ledger, pool, sealer = system.ledger, system.pool, system.sealer
    reads = Reads(pool)
    parts = ledger, reads, SupervisionReads(pool), Proofs(pool), sealer, Erasure(ledger, pool, sealer)
    feeds = Feeds(pool, ledger, reads, system.runner, 1)
    issuer = Issuer(system.settings.public_url, system.credential_keys, Proofs(pool))

    def executed(sent: Params) -> Response:
        rest = system.runner, ledger.clock(), feeds, system.read_log, issuer
        context = Context(Caller(Role.AUDITOR), "zh", *parts, *rest)
        made = schema.execute_sync(sent.query, sent.variables, context, operation_name=sent.operation_name)
        assert not made.errors, made.errors
        return Response(msgspec.json.encode({"data": made.data}), headers=HEADERS, media_type=JSON)

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(executed, msgspec.json.decode(await request.body(), type=Params))

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])])


if __name__ == "__main__":
    peer, where = sys.argv[1:]
    if peer == "bare":
        bare(where)
    else:
        serve(Settings(home=Path(where)), port=0, factory=plain_app)
