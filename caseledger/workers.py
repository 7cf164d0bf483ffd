"""Workers: processes that answer on one socket, kept at a number by a parent that only watches.

One that ends is started again. SIGHUP lets the parent replace all of them, one at a time: a new one is started and answers,
then the old one is told to leave, and when it has ended comes the next. A new one reads program and settings anew; where
it does not come to answer, the old ones stay. A worker ends when its parent is gone, however that went.
"""

import multiprocessing
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final, Protocol

import structlog

from caseledger.listening import DRAIN_SECONDS

GRACE_SECONDS: Final = 30
"""Longest time that requests which were accepted have to come to their end."""
RESTART_SECONDS: Final = 1.0
"""A worker that ended is not started again sooner than so long after its last start."""
KILL_SECONDS: Final = DRAIN_SECONDS + GRACE_SECONDS + 5
"""After so long a worker that was told to leave is killed."""
ANSWERS: Final = "answers"
"""What a worker says when it does."""
LEAVE: Final = "leave"
"""What a worker is told when another has taken its place."""

log = structlog.get_logger(__name__)


class Work(Protocol):
    """A worker's whole life; a module's function, so that other processes can import it."""

    def __call__(self, listener: socket.socket, parent: Connection, measures: Path, place: int) -> None:
        """Answers on the socket, and says so to the parent; keeps its numbers in the folder `measures`, at its place."""
        ...


@dataclass(eq=False, slots=True)
class Worker:
    """A process that answers. `line`: how it is spoken to."""

    place: int
    process: SpawnProcess
    line: Connection
    answers: bool = False
    killed_at: float | None = None
    """When it is killed, if it was told to leave and is still there."""
    started: float = field(default_factory=time.monotonic)

    @property
    def leaves(self) -> bool:
        return self.killed_at is not None

    def leave(self) -> None:
        self.killed_at = time.monotonic() + KILL_SECONDS
        with suppress(OSError):
            self.line.send(LEAVE)


class Workers:
    """Worker processes that are kept at a number. `work` is what each does; it can be pickled."""

    def __init__(self, work: Work, listener: socket.socket, number: int) -> None:
        self._spawn = multiprocessing.get_context("spawn")
        self._work = work
        self._listener = listener
        self._number = number
        self._workers: list[Worker] = []
        self._started = 0.0
        self._asked = False
        self._old: list[Worker] = []
        """Those that are still to be replaced."""
        self._new: Worker | None = None
        """The one that is to take the place of the first of them."""
        self._announced = False
        self._measures = Path(tempfile.mkdtemp(prefix="caseledger-measures-"))

    def run(self, announce: Callable[[], None]) -> None:
        """Keeps the workers until a signal comes, and announces once that as many as asked for answer."""
        try:
            with _told_by_signal() as asked:
                for _ in range(self._number):
                    self._start()
                while True:
                    self._wait(asked)
                    self._hear(asked)
                    self._replace_ended()
                    self._go_on()
                    if not self._announced and sum(each.answers for each in self._workers) >= self._number:
                        self._announced = True
                        announce()
        finally:
            self._end()
            shutil.rmtree(self._measures, ignore_errors=True)

    @property
    def _staying(self) -> int:
        """How many were not told to leave."""
        return sum(not each.leaves for each in self._workers)

    def _wait(self, asked: socket.socket) -> None:
        """Waits for whatever happens next; for a second at most while one leaves, which may have to be killed."""
        lines = [each.line for each in self._workers if not each.line.closed]
        ends = [each.process.sentinel for each in self._workers]
        wait([asked, *lines, *ends], 1.0 if any(each.leaves for each in self._workers) else None)

    def _hear(self, asked: socket.socket) -> None:
        with suppress(BlockingIOError):
            self._asked |= bool(asked.recv(4096))
        for worker in self._workers:
            try:
                while not worker.line.closed and worker.line.poll():
                    worker.answers |= worker.line.recv() == ANSWERS
            except (EOFError, OSError):
                # It has ended, or is about to.
                worker.line.close()

    def _replace_ended(self) -> None:
        for worker in self._workers:
            if worker.killed_at is not None and time.monotonic() > worker.killed_at:
                log.error("a worker that was to leave is killed", pid=worker.process.pid)
                worker.process.kill()
                worker.process.join()
        for worker in [each for each in self._workers if not each.process.is_alive()]:
            self._forget(worker)
            if worker is self._new:
                log.error("a new worker did not come to answer; the old ones stay", exitcode=worker.process.exitcode)
                self._new, self._old = None, []
            elif not worker.leaves:
                log.warning("a worker ended and is started again", exitcode=worker.process.exitcode)
                if self._staying < self._number:
                    time.sleep(max(0.0, self._started + RESTART_SECONDS - time.monotonic()))
                    self._start()

    def _forget(self, worker: Worker) -> None:
        # Loaded where it is needed: it takes the parent a while, and most workers never end.
        from api.measures import leave

        self._workers.remove(worker)
        if worker in self._old:
            self._old.remove(worker)
        worker.line.close()
        leave(self._measures, worker.place)

    def _go_on(self) -> None:
        """The next step of replacing all, as far as it can be taken now."""
        if self._new is not None and self._new.answers:
            # Where an old one has ended meanwhile, the new one has taken its place already.
            if self._old and self._staying > self._number:
                log.info("a new worker answers and an old one leaves", new=self._new.process.pid)
                self._old.pop(0).leave()
            self._new = None
        if self._new is not None or any(each.leaves for each in self._workers):
            return
        if not self._old and self._asked:
            self._asked, self._old = False, list(self._workers)
        if self._old:
            self._new = self._start()

    def _start(self) -> Worker:
        place = min(set(range(len(self._workers) + 1)) - {each.place for each in self._workers})
        ours, theirs = self._spawn.Pipe()
        arguments = (self._listener, theirs, self._measures, place)
        process = self._spawn.Process(target=self._work, args=arguments, name="worker")
        process.start()
        theirs.close()
        self._started = time.monotonic()
        self._workers.append(Worker(place, process, ours))
        return self._workers[-1]

    def _end(self) -> None:
        # First: whoever comes now is refused at once and does not wait for nothing.
        self._listener.close()
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(GRACE_SECONDS + 5)
            if worker.process.is_alive():
                worker.process.kill()


@contextmanager
def _told_by_signal() -> Iterator[socket.socket]:
    """A socket that something comes from whenever SIGHUP comes."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    def tell(*_: object) -> None:
        # Full means that it was told already.
        with suppress(BlockingIOError):
            theirs.send(b"!")

    before = signal.signal(signal.SIGHUP, tell)
    try:
        with ours, theirs:
            yield ours
    finally:
        signal.signal(signal.SIGHUP, before)
