"""Processes of their own that apply much of the log: to the empty tables of a rebuild, or behind an import.

They are only quickness. A projection's rows and its position move together, whoever moves them: where a process ends early,
whoever waits for it goes on from the positions that it reached. They live no longer than who started them, by whom their
standard input is held open: what a rebuild fills is dropped or swapped in by that one alone.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from time import monotonic, sleep
from typing import IO, Final

import msgspec
import structlog

from domain.rulebook import RULEBOOK
from ledger.migrations import Pool, open_pool_like
from ledger.notices import connect
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from projections.all import all_projections
from projections.projection import Build
from projections.runner import IDLE_SECONDS, Runner

BATCH: Final = 10_000
"""Events of a transaction: five times as many as in one that others wait for. About 30 MB of memory."""
FAR: Final = 20_000
"""Events from which on processes are worth their start, which takes as long as a few thousand."""
SHARES: Final = (
    ("supervision", "draws", "decisions"),
    ("history", "register", "credit_changes", "complaints"),
)
"""The projections of each process: about half of the work."""
POLL_SECONDS: Final = 0.05
REST_SECONDS: Final = 0.2
GARBAGE: Final = (500_000, 50, 1_000)
"""When a process that does nothing else looks for cycles, of which folds and rows have none."""

log = structlog.get_logger(__name__)


class Job(msgspec.Struct, frozen=True):
    """What a process is told: where the tables are, which projections it brings there, and how far.

    Without an end it follows whoever appends, as long as no other runner leads.
    """

    conninfo: str
    names: tuple[str, ...]
    upto: int | None = None


class Fillers:
    """Processes that were started and are told what to do once there is something to fill."""

    def __init__(self, processes: Sequence["tuple[tuple[str, ...], subprocess.Popen[bytes]]"]) -> None:
        self._processes = processes

    def fill(self, pool: Pool, upto: int, watch: Callable[[], None]) -> None:
        """Returns when all have ended, at that position or before it. `watch` is called meanwhile, and may raise."""
        for names, process in self._processes:
            _tell(process.stdin, Job(str(pool.conninfo), names, upto))
        while any(process.poll() is None for _, process in self._processes):
            watch()
            sleep(POLL_SECONDS)
        for names, process in self._processes:
            if process.returncode != 0:
                log.warning("a process that fills read models ended early", projections=names)


def usual(build: Build) -> bool:
    """Whether a process of its own, which is told no code, would build the same projections."""
    given = build if isinstance(build, partial) else partial(build)
    return given.func is all_projections and not given.args and given.keywords in ({}, {"rulebook": RULEBOOK})


@contextmanager
def fillers(names: Sequence[str]) -> Iterator[Fillers]:
    """A process for each share of the named projections, ended when the block is left."""
    shares = [own for share in SHARES if (own := tuple(name for name in share if name in names))]
    processes = [(share, _start()) for share in shares]
    try:
        yield Fillers(processes)
    finally:
        for _, process in processes:
            _end(process)


class Follower:
    """A process that keeps the read models near the head while another one appends."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def wait(self, runner: Runner, head: int) -> None:
        """Returns when the read models have reached a position, or nobody moves them on."""
        moved, reached = monotonic(), -1
        while reached < head and self._process.poll() is None and monotonic() - moved < IDLE_SECONDS:
            sleep(POLL_SECONDS)
            if (now := runner.position()) > reached:
                moved, reached = monotonic(), now


@contextmanager
def following(pool: Pool) -> Iterator[Follower]:
    """A process that applies what is appended by this one, in large batches, until the block is left."""
    process = _start()
    _tell(process.stdin, Job(str(pool.conninfo), tuple(chain.from_iterable(SHARES))))
    try:
        yield Follower(process)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def _start() -> "subprocess.Popen[bytes]":
    # Wherever this program was found, it is found there too.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(  # noqa: S603  # its own module under its own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )


def _tell(told: IO[bytes] | None, job: Job) -> None:
    assert told is not None
    try:
        told.write(msgspec.json.encode(job) + b"\n")
        told.flush()
    except OSError:
        log.warning("a process that fills read models could not be told", projections=job.names)


def main() -> None:
    line = sys.stdin.buffer.readline()
    if not line:
        return
    threading.Thread(target=_leave_with_the_other, daemon=True).start()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    work(msgspec.json.decode(line, type=Job))


def work(job: Job) -> None:
    """Brings the projections of a job as far as it says."""
    with open_pool_like(job.conninfo) as pool, closing(connect(pool)) as database:
        recorder = PostgresRecorder(pool)
        projections = [each for each in all_projections(Streams(recorder)) if each.name in job.names]
        runner = Runner(pool, recorder, projections, batch=BATCH)
        if job.upto is not None:
            runner.bring(database, job.upto)
        while job.upto is None:
            runner.step()
            # What comes meanwhile is applied at once, which costs less than one after the other.
            sleep(REST_SECONDS)


def _leave_with_the_other() -> None:
    # Not by the buffer, whose lock would be held when this program ends first.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
