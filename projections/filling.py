"""Filling: the log into the empty tables of a rebuild, by processes of their own, each for some of the projections.

They are only quickness. A projection's rows and its position move together, whoever moves them: where a process ends early, or
none can be started, whoever waits for them goes on from the positions that they reached. They live no longer than who
started them, by whom their standard input is held open: what they write into is dropped or swapped in by that one alone.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from time import sleep
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
from projections.runner import Runner

BATCH: Final = 10_000
"""Events of a transaction: five times as many as in one that others wait for. About 30 MB of memory."""
FAR: Final = 20_000
"""Events from which on processes are worth their start, which takes as long as a few thousand."""
SHARES: Final = (
    ("supervision", "credit_changes", "draws", "decisions"),
    ("history", "register", "complaints"),
)
"""The projections of each process: about half of the work."""
POLL_SECONDS: Final = 0.05
GARBAGE: Final = (500_000, 50, 1_000)
"""When a process that does nothing else looks for cycles, of which folds and rows have none."""

log = structlog.get_logger(__name__)


class Job(msgspec.Struct, frozen=True):
    """What a process is told: where the new tables are, which projections it brings there, and how far."""

    conninfo: str
    names: tuple[str, ...]
    upto: int


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
        Runner(pool, recorder, projections, batch=BATCH).bring(database, job.upto)


def _leave_with_the_other() -> None:
    # Not by the buffer, whose lock would be held when this program ends first.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
