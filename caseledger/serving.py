"""Serving: the web application in one process or several, from the first line to a clean end.

The socket is opened first, so that a port in use is told before anything is started. With several workers the parent
only watches: it starts again a worker that ends, and ends all of them by SIGTERM. Each worker opens the system for
itself and ends when its parent is gone, however that went.
"""

import errno
import gc
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final, NoReturn

import structlog
import uvicorn
from starlette.types import ASGIApp

from caseledger.errors import CannotServe
from caseledger.logs import configure_logs, where
from caseledger.settings import Settings
from caseledger.wiring import System, open_system

BACKLOG: Final = 2_048
GRACE_SECONDS: Final = 30
"""Longest time that requests which were accepted have to come to their end."""
GARBAGE: Final = 50_000
"""New objects after which Python looks for cycles; 2,000 by default."""
RESTART_SECONDS: Final = 1.0
"""A worker that ended is not started again sooner than so long after its last start."""

Factory = Callable[[System], ASGIApp]

log = structlog.get_logger(__name__)


class _Stop(BaseException):
    """SIGTERM or SIGINT came."""


def graphql_app(system: System) -> ASGIApp:
    """The application that is served."""
    from api.app import create_app  # loaded where it runs: the parent of several workers does not need it

    return create_app(
        ledger=system.ledger, pool=system.pool, sealer=system.sealer, keys=system.keys, runner=system.runner
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
    with _open_socket(host, port) as listener:
        announce = partial(print, f"listening on {_url(listener)}", flush=True)
        try:
            with _stopped_by_signals(), open_system(settings) as system:
                _say_how_to_get_a_key(system, settings)
                if workers == 1:
                    _run(system, listener, factory, announce)
                else:
                    _Workers(settings, listener, factory, workers).run(announce)
        except _Stop:
            pass


def _open_socket(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError):
        raise CannotServe(f"There is no address {host}; give --host an address of this machine.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        # At once: until it listens, the system would let another server have the same port.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotServe(_why_not(error, host, port)) from None
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: stop what listens there, or give another --port."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}: give a --port above 1023."
    return f"{host} is no address of this machine: give another --host."


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say_how_to_get_a_key(system: System, settings: Settings) -> None:
    if not system.keys.list():
        print(
            f"The ledger is in {settings.place}; nobody has a key yet: make one with "
            "`caseledger keys create --role regulator`",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        # One is enough: what follows is the clean end.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise _Stop

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _run(
    system: System,
    listener: socket.socket,
    factory: Factory,
    announce: Callable[[], None],
    parent: Connection | None = None,
) -> None:
    """Serves in this process until a signal comes or the parent is gone."""
    system.runner.start()
    config = uvicorn.Config(
        factory(system),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, announce)
    # What stands by now lives as long as the process, and folds are made of many small objects without cycles: going
    # through all of them again and again would cost a third of a large answer's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    if parent is not None:
        threading.Thread(target=_follow, args=(parent, server), daemon=True).start()
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
        with _stopped_by_signals(), open_system(settings) as system:
            _run(system, listener, factory, lambda: answers.send(None), parent)
    except _Stop:
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
