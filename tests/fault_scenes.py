"""A ledger on which faults happen, and what is done to it meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Thread
from typing import Final, Protocol

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from caseledger.importing import Importer, Rejected
from caseledger.json_lines import items_of
from caseledger.lines import Line
from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from domain.callers import Caller, Role
from faults import Broken, Watch
from given import (
    Stated,
    access,
    accessed,
    amended,
    complained,
    confirmed,
    exposed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    renewed,
    report_demanded,
    report_filed,
    resolved,
    retracted,
    unlisted,
    voided,
)
from ledger.drawing import Drawing
from ledger.entry import canonical
from ledger.erasure import Erasure, Named
from ledger.imports import ImportedLines
from ledger.ledger import Recording
from ledger.migrations import Pool, open_pool
from ledger.snapshots import Snapshots
from ledger.streams import Streams
from projections.all import all_projections
from projections.pools import Pools
from projections.runner import Runner
from running import code, forget, wait_until
from wholeness import Answer, Client, check_whole

REGULATOR: Final = Caller(role=Role.REGULATOR, holder="faults", authority="MIIT")
PASSING: Final = (Broken, psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
"""What a caller may see of a fault."""


class Arm(Protocol):
    def __call__(self, skip: int = 0) -> None:
        """Says that what comes next is to meet the fault, after so many occurrences of its step."""


@dataclass
class Place:
    """A ledger in this process whose steps are watched; `looking` is a pool that is not."""

    system: System
    watch: Watch
    looking: Pool
    client: Client
    imported: list[Stated]
    numbers: Iterator[int]

    def check(self) -> None:
        self.system.runner.catch_up()
        check_whole(self.looking, [self.client], self.imported)


@contextmanager
def opened(settings: Settings) -> Iterator[Place]:
    """A place on a fresh schema. Snapshots are written after every event and batches are short, so that all steps come."""
    watch = Watch()
    assert settings.database_url
    with pytest.MonkeyPatch.context() as patch, open_pool(settings.database_url, settings.schema) as looking:
        patch.setattr("ledger.streams.EVERY", 1)
        patch.setattr("projections.runner.BATCH", 9)
        with watch.pools(), open_system(settings) as system:
            client = Client(_ask(system), PASSING)
            yield Place(system, watch, looking, client, [], count(1))


def _ask(system: System) -> Callable[[str, tuple[Stated, ...]], Answer]:
    def ask(key: str, facts: tuple[Stated, ...]) -> Answer:
        return answer_of(system.ledger.record(REGULATOR, key, facts))

    return ask


def answer_of(made: Recording) -> Answer:
    assert made.refusals == (), [(one.path, one.text.en) for one in made.refusals]
    return tuple((event.position, event.id) for event in made.events)


def append(place: Place, arm: Arm) -> None:
    """A request with personal data, about an enterprise that has an event."""
    n = next(place.numbers)
    assert place.client.send(f"{n} first", registered(uscc=code(n)))
    arm()
    place.client.send(f"{n} then", *facts_of(n))
    place.client.insist(f"{n} then")


@contextmanager
def in_turn(place: Place) -> Iterator[None]:
    """Appends take their turn first, as those of a process do that is not alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place.system.ledger.recorder._sequencer._appender, "_append_at_once", lambda *_: None)
        yield


def append_in_turn(place: Place, arm: Arm) -> None:
    with in_turn(place):
        append(place, arm)


def append_in_parts(place: Place, arm: Arm) -> None:
    """An append of more events than one statement writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.appending.PART", 1)
        patch.setattr("ledger.appending.FIRST_PART", 1)
        append(place, arm)


def together_in_turn(place: Place, arm: Arm) -> None:
    with in_turn(place):
        together(place, arm)


def facts_of(n: int) -> tuple[Stated, ...]:
    """Facts about the registered enterprise n; one has personal data."""
    complaint = complained(uscc=code(n), complaintId=f"C-{n}", complainantPhone=phone(n))
    return interviewed(uscc=code(n), caseId=f"Y-{n}"), complaint


def phone(n: int) -> str:
    return f"138{n:08d}"


def together(place: Place, arm: Arm) -> None:
    """Three requests that are written as one group, since they wait while one before them is written."""
    numbers = [next(place.numbers) for _ in range(4)]
    for n in numbers:
        assert place.client.send(f"{n} first", registered(uscc=code(n)))
    threads = [Thread(target=place.client.send, args=(f"{n} then", *facts_of(n))) for n in numbers]
    waiting = place.system.ledger.recorder._sequencer._waiting
    with place.looking.connection() as rival, rival.transaction():
        rival.execute("SELECT FROM head FOR UPDATE")
        arm(skip=1)
        threads[0].start()
        wait_until(lambda: _holds_up_another(place, rival.info.backend_pid))
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: len(waiting) + sum(not thread.is_alive() for thread in threads) == 3)
    for n, thread in zip(numbers, threads, strict=True):
        thread.join()
        place.client.insist(f"{n} then")


def _holds_up_another(place: Place, pid: int) -> bool:
    with place.looking.connection() as database:
        held = database.execute("SELECT FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", [pid])
        return held.fetchone() is not None


def erase(place: Place, arm: Arm) -> None:
    n = next(place.numbers)
    assert place.client.send(f"{n} first", registered(uscc=code(n)))
    assert place.client.send(f"{n} then", *facts_of(n))
    erasure = Erasure(place.system.ledger, place.system.pool, place.system.sealer)

    def ask(key: str, _: tuple[Stated, ...]) -> Answer:
        return answer_of(erasure.erase(REGULATOR, key, Named(complaint_id=f"C-{n}"), "本人要求"))

    eraser = Client(ask, PASSING)
    arm()
    eraser.send(f"{n} erase", Stated("subjectErased", {}))
    first = eraser.insist(f"{n} erase")
    assert eraser.insist(f"{n} erase") == first


def import_lines(place: Place, arm: Arm) -> None:
    """An import with a row that is refused in its middle, begun again until it comes to its end."""
    n = next(place.numbers)
    facts = [registered(uscc=code(n)), *facts_of(n)]
    rest = [interviewed(uscc=code(n), caseId=f"Y-{n}-{place}") for place in range(2)]
    arm()
    rows = [*facts, renamed(uscc=code(0)), *rest]
    recorded, replayed, _ = import_to_its_end(place.system, rows)
    assert recorded + replayed == len(rows) - 1
    # What is told after the commit may fail as late as now.
    assert import_to_its_end(place.system, rows) == (0, len(rows) - 1, 1)
    place.imported += [*facts, *rest]


def import_to_its_end(system: System, rows: Sequence[Stated]) -> tuple[int, int, int]:
    """What `import_once` says, asked until no fault ends it."""
    while (tally := import_once(system, rows)) is None:
        pass
    return tally


def import_once(system: System, rows: Sequence[Stated]) -> tuple[int, int, int] | None:
    """How many rows were recorded, were in before and were rejected; None where a fault ended the import."""
    lines = ImportedLines(system.pool)
    rejected: list[Rejected] = []
    importer = Importer(system.ledger, lines, rejected.append)
    texts = [Line(number, canonical({row.name: row.fields})) for number, row in enumerate(rows, start=1)]
    try:
        with lines.alone(lambda: None):
            for _ in importer.run(items_of(texts)):
                pass
    except PASSING:
        return None
    assert len(rejected) == importer.tally.rejected
    return importer.tally.recorded, importer.tally.replayed, importer.tally.rejected


def history_of(n: int) -> tuple[Stated, ...]:
    """Facts about enterprise n that make a row in every read model; those of `changes_of` change them."""
    uscc, number = code(n), f"95{n % 1000:03d}"
    return (
        registered(uscc=uscc),
        # Before the licence that it needed: a finding.
        filed(uscc=uscc, number=number),
        licensed(uscc=uscc, licenceNo=f"L-{n}"),
        accessed(uscc=uscc, number=number, accessId=f"A-{n}"),
        complained("2020-01-05", complaintId=f"C-{n}-1", displayedNumber=number),
        complained("2020-01-05", complaintId=f"C-{n}-2", displayedNumber=number),
        resolved("2020-01-06", complaintId=f"C-{n}-1"),
        punished("2026-05-01", uscc=uscc, documentNo=f"P-{n}"),
        penalty("Publicised", "2026-05-02", uscc=uscc, documentNo=f"P-{n}"),
        listed("2026-05-03", uscc=uscc, entryId=f"E-{n}"),
        ordered("2026-05-03", uscc=uscc, orderId=f"O-{n}"),
        exposed("2026-05-03", uscc=uscc, exposureId=f"X-{n}"),
        inspected("2026-05-03", uscc=uscc, inspectionId=f"I-{n}"),
        report_demanded("2026-05-03", uscc=uscc),
    )


def changes_of(n: int, begun: int) -> tuple[Stated, ...]:
    """What follows `history_of`, which was recorded from position `begun` on."""
    uscc = code(n)
    return (
        renamed(uscc=uscc),
        renewed(uscc=uscc, licenceNo=f"L-{n}"),
        amended(uscc=uscc, number=f"95{n % 1000:03d}", use="热线"),
        access("Terminated", uscc=uscc, accessId=f"A-{n}"),
        voided(begun + 6),
        voided(begun + 4),
        confirmed(uscc=uscc, orderId=f"O-{n}"),
        unlisted(uscc=uscc, entryId=f"E-{n}"),
        retracted(uscc=uscc, exposureId=f"X-{n}"),
        report_filed(uscc=uscc),
        voided(begun + 1),
    )


def record_history(client: Client, n: int) -> None:
    """Records a history by a client that meets no fault in it."""
    client.send(f"{n} history", *history_of(n))
    ((begun, _), *_) = client.insist(f"{n} history")
    client.send(f"{n} changes", *changes_of(n, begun))
    client.insist(f"{n} changes")


def project(place: Place, arm: Arm) -> None:
    """The read models, made anew by a runner that knows nothing, of a log that has a row for each of them."""
    if not place.client.sent:
        record_history(place.client, next(place.numbers))
        request = {"cooperation": {"uscc": code(1), "carrier": "CHINA_TELECOM"}}
        assert place.system.ledger.decide_gate(REGULATOR, "decision", request).events
        place.system.runner.catch_up()
        drawing = Drawing(place.system.ledger, Pools(place.system.runner).pool)
        asked = {"drawId": "D-1", "authority": "MIIT", "count": 1, "inspectors": ["甲", "乙"]}
        assert drawing.draw(REGULATOR, "draw", asked).events
        place.system.runner.catch_up()
    with place.looking.connection() as database, database.transaction():
        forget(database)
        database.execute("DELETE FROM snapshots")
    recorder = place.system.ledger.recorder
    streams = Streams(recorder, Snapshots(place.system.pool))
    runner = Runner(place.system.pool, recorder, all_projections(streams))
    arm()
    while True:
        try:
            runner.catch_up()
            return
        except PASSING:
            pass


SCENES: Final = {
    scene.__name__: scene
    for scene in (append, append_in_turn, append_in_parts, together, together_in_turn, erase, import_lines, project)
}
