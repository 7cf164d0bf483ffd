"""Serving: the web application in one process or several, from the first line to a clean end.

The socket is opened first, so that a port in use is told before anything is started. With several workers the parent
only watches (`caseledger.workers`); each opens the system for itself.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn
from starlette.applications import Starlette

from caseledger.arrivals import BoundedProtocol
from caseledger.collecting import collecting
from caseledger.delivering import delivering
from caseledger.listening import BACKLOG, KEEP_ALIVE_SECONDS, AnnouncedServer, open_socket, url_of
from caseledger.logs import configure_logs, log_uncaught, where
from caseledger.mapping import mapping
from caseledger.revival import reviving
from caseledger.settings import Settings, read_settings
from caseledger.signals import Stopped, stopped_by_signals
from caseledger.traces import tracing
from caseledger.wiring import MIGRATIONS, System, open_system, usable_credential_key
from caseledger.workers import ANSWERS, GRACE_SECONDS, LEAVE, Workers
from ledger.background import background
from ledger.observed import Observers
from ledger.read_log import FLUSH_SECONDS
from ledger.streams import KEPT_BYTES
from ledger.tree import Proofs
from projections.all import all_projections
from projections.upgrading import upgrading

if TYPE_CHECKING:
    from api.observing import Watch

Factory = Callable[[System, "Watch"], Starlette]

log = structlog.get_logger(__name__)


def graphql_app(system: System, watch: Watch | None = None) -> Starlette:
    """The application that is served; `watch` is told of its requests."""
    # Loaded where it runs: the parent of several workers does not need it.
    from api.app import create_app
    from api.credentials import Issuer
    from api.limits import DocumentLimits, RequestLimits
    from api.streams import StreamLimits

    limits = system.settings.limits
    return create_app(
        ledger=system.ledger,
        pool=system.pool,
        sealer=system.sealer,
        keys=system.keys,
        runner=system.runner,
        read_log=system.read_log,
        issuer=Issuer(system.settings.public_url, system.credential_keys, Proofs(system.pool)),
        witnesses=[at.verifier for at in system.settings.witnesses],
        limits=StreamLimits(
            per_connection=system.settings.subscriptions_per_connection,
            per_process=system.settings.subscriptions,
            per_key=system.settings.subscriptions_per_key,
            queue=system.settings.subscription_queue,
        ),
        trust=system.settings.trust,
        requests=RequestLimits(
            documents=DocumentLimits(limits.tokens, limits.depth, limits.aliases, limits.cost),
            body=limits.body,
            seconds=limits.seconds,
            rate=limits.rate,
            public_rate=limits.public_rate,
            trusted_only=system.settings.trusted_only,
            origins=system.settings.origins,
        ),
        migrations=MIGRATIONS,
        most_lag=system.settings.ready_lag,
        watch=watch,
    )


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    *,
    factory: Factory = graphql_app,
) -> None:
    """Serves until SIGTERM or SIGINT, and prints `listening on http://HOST:PORT` when it answers.

    `factory` is a module's function, so that other processes can import it; several workers read the settings
    themselves, so that those which SIGHUP starts have the newest. Raises CannotServe, and what open_system raises.
    """
    configure_logs(settings.log_level)
    log_uncaught()
    with open_socket(host, port) as listener:
        announce = partial(print, f"listening on {url_of(listener)}", flush=True)
        with suppress(Stopped), stopped_by_signals():
            own = settings.home if settings.database_url is None else None
            if workers == 1:
                # There is no other process that could take its place.
                signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
                with _opened(settings) as (system, watch), reviving(own):
                    _begin(system, settings)
                    _run(system, watch, listener, factory, announce)
            else:
                with open_system(settings) as system, reviving(own):
                    _begin(system, settings)
                    Workers(partial(_work, factory, workers), listener, workers).run(announce)


@contextmanager
def _opened(settings: Settings, shared: Path | None = None, processes: int = 1) -> Iterator[tuple[System, Watch]]:
    """The system, and what watches it."""
    from api.measures import Measures
    from api.observing import RequestLog, Watch

    measures = Measures(shared)
    with tracing() as traces:
        observer = measures if traces is None else Observers([measures, traces])
        requests = RequestLog(settings.log_slow, everything=settings.log_level <= logging.DEBUG)
        with open_system(settings, observer, KEPT_BYTES // processes) as system:
            yield system, Watch(measures, requests, traces)


def _begin(system: System, settings: Settings) -> None:
    """What the process that was started does before it answers, whoever answers then."""
    _say_how_to_get_a_key(system, settings)
    with usable_credential_key(settings):
        # Made, and published before anyone is given what it signs.
        system.credential_keys.current()


def _say_how_to_get_a_key(system: System, settings: Settings) -> None:
    if not system.keys.list():
        print(
            f"The ledger is in {settings.place}; nobody has a key yet: make one with "
            "`caseledger keys create --role regulator`",
            file=sys.stderr,
            flush=True,
        )


def _run(
    system: System,
    watch: Watch,
    listener: socket.socket,
    factory: Factory,
    announce: Callable[[], None],
    parent: Connection | None = None,
) -> None:
    """Serves in this process until a signal comes, the parent says so or is gone."""
    system.runner.start()
    app = factory(system, watch)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="websockets-sansio",
        ws_max_size=system.settings.limits.body,
        # The server refuses the one that makes it as many.
        limit_concurrency=system.settings.limits.connections + 1,
        # Compression would cost each connection more memory than all the rest of it.
        ws_per_message_deflate=False,
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    streams = getattr(app.state, "streams", None)
    server = AnnouncedServer(config, announce, streams.end if streams else lambda: None)
    watch.measures.gauge("caseledger_connections", "Open connections over HTTP.", lambda: server.connections)
    # What stands by now lives as long as the process.
    gc.collect()
    gc.freeze()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent, server), daemon=True).start()
    witnesses, seconds = system.settings.witnesses, system.settings.witness_seconds
    build = partial(all_projections, rulebook=system.ledger.rulebook)
    with (
        background([system.read_log.flush, system.keys.write_uses, watch.measures.sample], FLUSH_SECONDS),
        collecting(system.pool, witnesses, seconds),
        delivering(system),
        mapping(system.pool),
        upgrading(system.runner, build),
    ):
        server.run([listener])


def _follow(parent: Connection, server: AnnouncedServer) -> None:
    """Lets the server leave when the parent says so, and ends it when the parent's end of the line is closed."""
    wait([parent])
    with suppress(EOFError, OSError):
        if parent.recv() == LEAVE:
            server.leave()
            return
    server.should_exit = True


def _work(
    factory: Factory, workers: int, listener: socket.socket, parent: Connection, measures: Path, place: int
) -> None:
    """A worker's whole life."""
    configure_logs()
    log_uncaught()
    # It is for the parent, and a terminal sends it to all.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        from api.measures import share

        share(measures, place)
        with stopped_by_signals(), _opened(settings, measures, workers) as (system, watch):
            _run(system, watch, listener, factory, partial(parent.send, ANSWERS), parent)
    except Stopped:
        pass
    except Exception as error:
        log.error("a worker failed", failed=where(error))
        sys.exit(1)
