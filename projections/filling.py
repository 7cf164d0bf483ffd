"""Processes of their own that apply much of the log: to the empty tables of a rebuild, or behind an import.

They are only quickness. A projection's rows and its position move together, whoever moves them: where a process ends early,
whoever waits for it goes on from the positions that it reached. One is started and forks for each further share, so that
the program is read once. They live no longer than who started them, by whom the standard input of the first is held open,
as those of the others are by the first: what a rebuild fills is dropped or swapped in by who started it alone.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from time import monotonic, sleep
from typing import Final

import msgspec
import structlog

from domain.rulebook import RULEBOOK
from ledger.migrations import Pool, open_pool_like
from ledger.notices import connect
from ledger.recorder import PostgresRecorder
from ledger.streams import KEPT_BYTES_FAR, Streams
from projections.all import all_projections
from projections.projection import Build, Database
from projections.runner import IDLE_SECONDS, Runner
from projections.tables import index

BATCH: Final = 10_000
"""Events of a transaction: five times as many as in one that others wait for. About 30 MB of memory."""
FAR: Final = 20_000
"""Events from which on processes are worth their start, which takes as long as a few thousand."""
SHARES: Final[tuple[tuple[str, ...], ...]] = (
    ("supervision", "draws", "decisions"),
    ("history", "register", "credit_changes", "complaints"),
)
"""The projections of each process: about half of the work."""
POLL_SECONDS: Final = 0.05
REST_SECONDS: Final = 0.3
"""How long who follows lets events gather: what comes meanwhile is applied at once, which costs less than one by one."""
GARBAGE: Final = (500_000, 50, 1_000)
"""When a process that does nothing else looks for cycles, of which folds and rows have none."""

log = structlog.get_logger(__name__)


class Job(msgspec.Struct, frozen=True):
    """What is told: where the tables are, which projections are brought there, by how many processes, and how far.

    Without an end they follow whoever appends, as long as no other runner leads. `schemas`: that of what serves and the one
    beside, whose tables are indexed by who has filled them.
    """

    conninfo: str
    shares: tuple[tuple[str, ...], ...]
    upto: int | None = None
    schemas: tuple[str, str] | None = None


class Fillers:
    """Processes that were started and are told what to do once there is something to fill."""

    def __init__(self, process: "subprocess.Popen[bytes]", shares: tuple[tuple[str, ...], ...]) -> None:
        self._process = process
        self._shares = shares

    def fill(self, pool: Pool, schemas: tuple[str, str], upto: int, watch: Callable[[], None]) -> None:
        """Returns when all have ended, at that position or before it. `watch` is called meanwhile, and may raise."""
        _tell(self._process, Job(str(pool.conninfo), self._shares, upto, schemas))
        while self._process.poll() is None:
            watch()
            sleep(POLL_SECONDS)
        if self._process.returncode != 0:
            log.warning("a process that fills read models ended early")


def usual(build: Build) -> bool:
    """Whether a process of its own, which is told no code, would build the same projections."""
    given = build if isinstance(build, partial) else partial(build)
    return given.func is all_projections and not given.args and given.keywords in ({}, {"rulebook": RULEBOOK})


@contextmanager
def fillers(names: Sequence[str]) -> Iterator[Fillers]:
    """Processes, one for each share of the named projections, ended when the block is left."""
    process = _start()
    try:
        yield Fillers(
            process, tuple(own for share in SHARES if (own := tuple(name for name in share if name in names)))
        )
    finally:
        _end(process)


class Follower:
    """Processes that keep the read models near the head while another one appends."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def wait(self, runner: Runner, head: int) -> None:
        """Returns when the read models have reached a position, or nobody moves them on. Nothing gathers any more."""
        _say(self._process, b"!")
        moved, reached = monotonic(), -1
        while reached < head and self._process.poll() is None and monotonic() - moved < IDLE_SECONDS:
            sleep(POLL_SECONDS)
            if (now := runner.position()) > reached:
                moved, reached = monotonic(), now


@contextmanager
def following(pool: Pool) -> Iterator[Follower]:
    """Processes that apply what is appended by this one, in large batches, until the block is left."""
    process = _start()
    _tell(process, Job(str(pool.conninfo), SHARES))
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


def _tell(process: "subprocess.Popen[bytes]", job: Job) -> None:
    _say(process, msgspec.json.encode(job) + b"\n")


def _say(process: "subprocess.Popen[bytes]", said: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(said)
        process.stdin.flush()
    except OSError:
        log.warning("a process that fills read models could not be told")


def main() -> int:
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    return _share_out(msgspec.json.decode(line, type=Job))


def _share_out(job: Job) -> int:
    """Works on the first share here and on each other one in a process of its own. Gives the exit code: 0 where all did."""
    names, *others = job.shares
    heard, tell, processes = sys.stdin.fileno(), list[int](), list[int]()
    for share in others:
        hears, tells = os.pipe()
        process = os.fork()
        if process == 0:
            # Held open here, they would never end.
            for each in (*tell, tells):
                os.close(each)
            names, heard, tell, processes = share, hears, [], []
            break
        os.close(hears)
        tell.append(tells)
        processes.append(process)
    hurry = threading.Event()
    threading.Thread(target=_listen, args=(heard, tell, hurry), daemon=True).start()
    work(job, names, hurry)
    return int(any(os.waitpid(process, 0)[1] for process in processes))


def _listen(heard: int, tell: Sequence[int], hurry: threading.Event) -> None:
    """Passes on that there is hurry, and leaves with who started this."""
    # Not by the buffer, whose lock would be held when this program ends first.
    while said := os.read(heard, 1):
        hurry.set()
        for each in tell:
            os.write(each, said)
    os._exit(1)


def work(job: Job, names: Sequence[str], hurry: threading.Event) -> None:
    """Brings some projections of a job as far as it says; what is to be followed gathers until there is `hurry`."""
    with open_pool_like(job.conninfo) as pool, closing(connect(pool)) as database:
        recorder = PostgresRecorder(pool)
        streams = Streams(recorder, most=KEPT_BYTES_FAR)
        projections = [each for each in all_projections(streams) if each.name in names]
        runner = Runner(pool, recorder, projections, batch=BATCH)
        if job.upto is not None:
            runner.bring(database, job.upto)
            if job.schemas:
                _index(pool, database, job.schemas, names)
        else:
            # Rows and position are lost together or not at all, and made again then; what an append waits for flushes them, too.
            database.execute("SET synchronous_commit = off")
            runner.follow(database, partial(_rest, hurry))


def _index(pool: Pool, database: Database, schemas: tuple[str, str], names: Sequence[str]) -> None:
    """Two at a time: who is done last has both cores."""
    with closing(connect(pool)) as second:
        owners = (database, second)
        for owner in owners:
            # The tables are theirs who may migrate.
            owner.execute("SET ROLE NONE")
        index(owners, *schemas, names)


def _rest(hurry: threading.Event) -> None:
    if hurry.is_set():
        sleep(POLL_SECONDS)
    else:
        hurry.wait(REST_SECONDS)


if __name__ == "__main__":
    # All is written and every connection closed; to take the folds apart one by one is time that others wait for.
    os._exit(main())
