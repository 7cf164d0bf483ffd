"""`caseledger replay`: decides every recorded decision again from the events alone, in several processes."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Final

import msgspec
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem, DCBSequencedEvent

from domain.events import GateDecided
from domain.recorded import bearer
from domain.rulebook import RULEBOOK, Version
from ledger.entry import opened
from ledger.migrations import Pool, open_pool
from ledger.recorder import PostgresRecorder
from ledger.replay import Replayed, UnknownVersion, recorded_decision, replay
from ledger.streams import Streams

WINDOW: Final = 10_000
"""Decisions of the log, in its order, that are sorted by enterprise, so that one reading of its events serves many."""
AT_A_TIME: Final = 200
"""Decisions that are read and decided together."""
AHEAD: Final = 4
"""Batches that wait for each process: enough to keep it busy, few enough to hold no memory."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A decision that came out differently."""

    decision_id: str
    position: int
    gate: str
    uscc: str
    was: str
    is_now: str
    rules_were: tuple[str, ...]
    rules_are: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What came of a replay. `flips` counts decisions whose outcome changed, by gate, rule and outcomes."""

    decisions: int = 0
    events_read: int = 0
    differences: list[Difference] = field(default_factory=list)
    flips: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, other: "Report") -> None:
        self.decisions += other.decisions
        self.events_read += other.events_read
        self.differences += other.differences
        self.flips += other.flips


def replay_all(
    pool: Pool,
    schema: str,
    *,
    version: Version | None = None,
    upto: int | None = None,
    processes: int | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Replays every decision up to a position, as known then, under its own version or the one given.

    `progress` is called with the number of decisions of each finished batch. Raises UnknownVersion.
    """
    _check(version)
    report = Report()
    workers = processes or os.cpu_count() or 1
    start = get_context("spawn")
    with ProcessPoolExecutor(workers, start, _connect, (str(pool.conninfo), schema)) as executor:
        waiting: deque[Future[Report]] = deque()
        for batch in _batches(_decisions(pool, upto)):
            waiting.append(executor.submit(_replay_batch, batch, version.version if version else None))
            if len(waiting) >= workers * AHEAD:
                _take(report, waiting.popleft(), progress)
        for future in waiting:
            _take(report, future, progress)
    report.differences.sort(key=lambda difference: difference.position)
    return report


def replay_one(pool: Pool, decision_id: str, version: Version | None = None) -> Report | None:
    """Replays one decision; None where there is none of that id."""
    recorder = PostgresRecorder(pool)
    found = recorded_decision(recorder, decision_id)
    return summed(replay(Streams(recorder), [found], version)) if found else None


def count(pool: Pool, upto: int | None = None) -> int:
    """How many decisions there are, for a progress bar."""
    with pool.connection() as database:
        row = database.execute(_COUNT, {"type": GateDecided.__name__, "upto": upto}).fetchone()
    return int(row[0]) if row else 0


def _check(version: Version | None) -> None:
    """Other processes find a version by its name, so it must be the program's own."""
    if version is not None and RULEBOOK.named(version.version) != version:
        legal = ", ".join(known.version for known in RULEBOOK.versions)
        raise UnknownVersion(f"the rulebook has no version {version.version}; its versions are {legal}")


def _take(report: Report, future: "Future[Report]", progress: Callable[[int], None]) -> None:
    done = future.result()
    report.add(done)
    progress(done.decisions)


def _decisions(pool: Pool, upto: int | None) -> Iterator[DCBSequencedEvent]:
    for found in PostgresRecorder(pool).read(DCBQuery(items=[DCBQueryItem(types=[GateDecided.__name__])])):
        if upto is not None and found.position > upto:
            return
        yield found


def _batches(decisions: Iterator[DCBSequencedEvent]) -> Iterator[list[bytes]]:
    while window := list(islice(decisions, WINDOW)):
        window.sort(key=lambda found: bearer(found.event.tags) or "")
        for begin in range(0, len(window), AT_A_TIME):
            yield [found.event.data for found in window[begin : begin + AT_A_TIME]]


_streams: Streams | None = None


def _connect(conninfo: str, schema: str) -> None:
    """Runs once in each process: its own connection to the log, and nothing else."""
    global _streams  # a process of the pool has no other place for what it is given at its start
    _streams = Streams(PostgresRecorder(open_pool(conninfo, schema, max_size=1)))


def _replay_batch(batch: list[bytes], version: str | None) -> Report:
    assert _streams is not None
    named = RULEBOOK.named(version) if version else None
    return summed(replay(_streams, [opened(entry) for entry in batch], named))


def summed(replayed: Iterable[Replayed]) -> Report:
    """The report of some replayed decisions, which were read together."""
    report = Report()
    for made in replayed:
        report.decisions += 1
        report.events_read = made.events_read
        if not made.matches:
            report.differences.append(_difference(made))
        if made.flips:
            for rule in _turned(made):
                report.flips[made.decision.gate, rule, made.decision.outcome, made.again.outcome] += 1
    return report


def _difference(made: Replayed) -> Difference:
    return Difference(
        decision_id=made.decision.decision_id,
        position=made.position,
        gate=made.decision.gate,
        uscc=made.decision.uscc,
        was=made.decision.outcome,
        is_now=made.again.outcome,
        rules_were=tuple(reason.rule for reason in made.decision.reasons),
        rules_are=tuple(reason.rule for reason in made.again.reasons),
    )


def _turned(made: Replayed) -> list[str]:
    """The rules that fire on one side only."""
    were = {reason.rule for reason in made.decision.reasons}
    are = {reason.rule for reason in made.again.reasons}
    return sorted(were ^ are)


_COUNT: Final = (
    "SELECT count(*) FROM events WHERE type = %(type)s AND (%(upto)s::bigint IS NULL OR position <= %(upto)s)"
)
