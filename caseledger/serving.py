"""Serving: the web application in one process or several, from the first line to a clean end.

The socket is opened first, so that a port in use is told before anything is started. With several workers the parent
only watches: it starts again a worker that ends, and ends all of them by SIGTERM. Each worker opens the system for
itself and ends when its parent is gone, however that went.
"""

import gc
import multiprocessing
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette

from caseledger.arrivals import BoundedProtocol
from caseledger.collecting import collecting
from caseledger.delivering import delivering
from caseledger.listening import BACKLOG, AnnouncedServer, open_socket, url_of
from caseledger.logs import configure_logs, where
from caseledger.settings import Settings
from caseledger.signals import Stopped, stopped_by_signals
from caseledger.wiring import System, open_system, usable_credential_key
from ledger.background import background
from ledger.read_log import FLUSH_SECONDS
from ledger.tree import Proofs
from projections.all import all_projections
from projections.upgrading import upgrading

GRACE_SECONDS: Final = 30
"""Longest time that requests which were accepted have to come to their end."""
RESTART_SECONDS: Final = 1.0
"""A worker that ended is not started again sooner than so long after its last start."""

Factory = Callable[[System], Starlette]

log = structlog.get_logger(__name__)


def graphql_app(system: System) -> Starlette:
    """The application that is served."""
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

    `factory` is a module's function, so that other processes can import it. Raises CannotServe, and what open_system
    raises.
    """
    configure_logs()
    with open_socket(host, port) as listener:
        announce = partial(print, f"listening on {url_of(listener)}", flush=True)
        try:
            with stopped_by_signals(), open_system(settings) as system:
                _say_how_to_get_a_key(system, settings)
                with usable_credential_key(settings):
                    # Made, and published before anyone is given what it signs.
                    system.credential_keys.current()
                if workers == 1:
                    _run(system, listener, factory, announce)
                else:
                    _Workers(settings, listener, factory, workers).run(announce)
        except Stopped:
            pass


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
    listener: socket.socket,
    factory: Factory,
    announce: Callable[[], None],
    parent: Connection | None = None,
) -> None:
    """Serves in this process until a signal comes or the parent is gone."""
    system.runner.start()
    app = factory(system)
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
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    streams = getattr(app.state, "streams", None)
    server = AnnouncedServer(config, announce, streams.end if streams else lambda: None)
    # What stands by now lives as long as the process.
    gc.collect()
    gc.freeze()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent, server), daemon=True).start()
    witnesses, seconds = system.settings.witnesses, system.settings.witness_seconds
    build = partial(all_projections, rulebook=system.ledger.rulebook)
    with (
        background([system.read_log.flush, system.keys.write_uses], FLUSH_SECONDS),
        collecting(system.pool, witnesses, seconds),
        delivering(system),
        upgrading(system.runner, build),
    ):
        server.run([listener])


def _follow(parent: Connection, server: uvicorn.Server) -> None:
    """Ends the server when the parent's end of the pipe is closed, as it is when the parent dies."""
    wait([parent])
    server.should_exit = True


def _work(
    settings: Settings, listener: socket.socket, factory: Factory, answers: Connection, parent: Connection
) -> None:
    """A worker's whole life."""
    configure_logs()
    try:
        with stopped_by_signals(), open_system(settings) as system:
            _run(system, listener, factory, lambda: answers.send(None), parent)
    except Stopped:
        pass
    except Exception as error:
        log.error("a worker failed", failed=where(error))
        sys.exit(1)


class _Workers:
    """Worker processes that are kept at a number."""

    def __init__(self, settings: Settings, listener: socket.socket, factory: Factory, number: int) -> None:
        self._spawn = multiprocessing.get_context("spawn")
        self._settings = settings
        self._listener = listener
        self._factory = factory
        self._number = number
        self._processes: list[SpawnProcess] = []
        self._started = 0.0
        self._answered, self._answers = self._spawn.Pipe(duplex=False)
        # Nothing is ever sent: the system closes our end when this process ends, and theirs says so.
        self._theirs, self._ours = self._spawn.Pipe(duplex=False)

    def run(self, announce: Callable[[], None]) -> None:
        """Keeps the workers until a signal comes, and announces once that as many as asked for answer."""
        missing = self._number
        try:
            for _ in range(self._number):
                self._start()
            while True:
                ended = wait([self._answered, *(process.sentinel for process in self._processes)])
                if self._answered in ended:
                    self._answered.recv()
                    missing -= 1
                    if missing == 0:
                        announce()
                self._replace_ended()
        finally:
            self._end()

    def _start(self) -> None:
        arguments = (self._settings, self._listener, self._factory, self._answers, self._theirs)
        process = self._spawn.Process(target=_work, args=arguments, name="worker")
        process.start()
        self._processes.append(process)
        self._started = time.monotonic()

    def _replace_ended(self) -> None:
        for process in [each for each in self._processes if not each.is_alive()]:
            log.warning("a worker ended and is started again", exitcode=process.exitcode)
            self._processes.remove(process)
            process.close()
            time.sleep(max(0.0, self._started + RESTART_SECONDS - time.monotonic()))
            self._start()

    def _end(self) -> None:
        # First: whoever comes now is refused at once and does not wait for nothing.
        self._listener.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(GRACE_SECONDS + 5)
            if process.is_alive():
                process.kill()
