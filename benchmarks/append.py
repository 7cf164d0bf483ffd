"""Append: events a second beside the library's `PostgresDCBRecorderTT`, on one PostgreSQL and under one condition each.

Ours seals the entry, keeps the tree, signs a checkpoint, and every append is answered with its receipts; the library's
does none of that. 64 clients at once and fewer, each a thread, down to one alone; 64 appends under way from one thread, of
which the library's interface knows nothing, beside its 64 threads; and batches of 1,000.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from time import perf_counter
from typing import Final
from uuid import uuid4

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.postgres import PostgresDatastore

from benchmarks.harness import AtLeast, Comparison, Result, a_system, scaled
from caseledger.wiring import System
from ledger import appends
from ledger.entry import Draft, canonical
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.recorder import PostgresRecorder
from ledger.sequencer import Pending
from ledger.tree import Receipt

CLIENTS: Final = {64: 10, 16: 1, 4: 1, 1: 1}
"""So many at once, and how many times as fast as the library they are to be."""
MOST: Final = max(CLIENTS)
APPENDS: Final = {64: 6_400, 16: 3_200, 4: 800, 1: 300}
"""Single events of all clients together, a round."""
BATCH: Final = 1_000
BATCHES: Final = 5
DATA: Final = canonical({"text": "x" * 189})
"""200 bytes."""

Append = Callable[[Sequence[DCBEvent], DCBAppendCondition], int | list[Receipt]]
"""Gives the last position, or the receipts."""


def run() -> Iterator[Result]:
    batch = scaled(BATCH)
    with a_system() as system, _library(system) as other:
        ours = with_receipts(system)
        for clients, times in CLIENTS.items():
            yield _together(ours, other, clients, times)
        yield _under_way(system, other)
        yield Comparison(
            name="append-batches",
            unit="events/s",
            ours=lambda: _in_batches(ours, batch),
            against="the library's recorder",
            other=lambda: _in_batches(other, batch),
            target=AtLeast(times=3),
            size=BATCHES * batch,
        ).measured()


def _together(ours: Append, other: Append, clients: int, times: int) -> Result:
    events = scaled(APPENDS[clients])
    return Comparison(
        name=f"append-{clients}",
        unit="events/s",
        ours=lambda: _by_clients(ours, clients, events),
        against="the library's recorder",
        other=lambda: _by_clients(other, clients, events),
        target=AtLeast(times=times),
        size=events,
    ).measured()


def _under_way(system: System, other: Append) -> Result:
    events = scaled(APPENDS[MOST])
    return Comparison(
        name=f"append-{MOST}-under-way",
        unit="events/s",
        ours=lambda: _by_one_thread(system.ledger.recorder, MOST, events),
        against=f"the library's recorder, {MOST} threads",
        other=lambda: _by_clients(other, MOST, events),
        target=AtLeast(times=CLIENTS[MOST]),
        size=events,
    ).measured()


def with_receipts(system: System) -> Append:
    """Appends and makes the receipts of what was appended."""
    recorder = system.ledger.recorder

    def append(events: Sequence[DCBEvent], condition: DCBAppendCondition) -> list[Receipt]:
        return recorder.append_with_receipts(appends.Append(events, condition)).receipts()

    return append


@contextmanager
def _library(system: System) -> Iterator[Append]:
    """The library's recorder, with a connection for every client, on tables of its own in the same database."""
    with system.pool.connection() as connection:
        place = connection.info
    # The carried PostgreSQL asks for no password, and the library for one.
    with PostgresDatastore(place.dbname, place.host, place.port, place.user, "none", pool_size=MOST) as datastore:
        recorder = PostgresDCBRecorderTT(datastore)
        recorder.create_table()
        yield recorder.append


def _lots(clients: int, total: int) -> list[list[list[DCBEvent]]]:
    """What each of so many clients appends, one after the other: a single event at a time."""
    return [[measured_events(1) for _ in range(max(1, total // clients))] for _ in range(clients)]


def _by_clients(append: Append, clients: int, total: int) -> float:
    """Single events by so many clients at once, each waiting for one answer before it sends the next."""
    lots = _lots(clients, total)
    begin = threading.Barrier(clients + 1)
    answers: list[list[int | list[Receipt]]] = []

    def client(lot: Sequence[Sequence[DCBEvent]]) -> None:
        begin.wait()
        answers.append([append(events, unless_tagged(events)) for events in lot])

    threads = [threading.Thread(target=client, args=(lot,)) for lot in lots]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = perf_counter()
    for thread in threads:
        thread.join()
    taken = perf_counter() - begun
    done = sum(map(len, answers))
    assert done == sum(map(len, lots)), "a client failed"
    for each in answers:
        _check(each[-1], 1)
    return done / taken


def _by_one_thread(recorder: PostgresRecorder, clients: int, total: int) -> float:
    """Single events of so many clients whom one thread serves: of each one append is under way at any time."""
    lots = _lots(clients, total)
    left = [iter(lot) for lot in lots]
    answers: list[list[Receipt]] = []

    def begun(lot: Iterator[list[DCBEvent]]) -> Pending | None:
        events = next(lot, None)
        return recorder.submit(appends.Append(events, unless_tagged(events))) if events else None

    began = perf_counter()
    under_way = [begun(lot) for lot in left]
    while any(under_way):
        for client, pending in enumerate(under_way):
            if pending:
                answers.append(pending.result().receipts())
                under_way[client] = begun(left[client])
    taken = perf_counter() - began
    assert len(answers) == sum(map(len, lots)), "an append has no answer"
    for answer in answers[-clients:]:
        _check(answer, 1)
    return len(answers) / taken


def _in_batches(append: Append, size: int) -> float:
    batches = [measured_events(size) for _ in range(BATCHES)]
    begun = perf_counter()
    answers = [append(events, unless_tagged(events)) for events in batches]
    taken = perf_counter() - begun
    for answer in answers:
        _check(answer, size)
    return BATCHES * size / taken


def _check(answer: int | list[Receipt], events: int) -> None:
    """What was answered with receipts has one for each event, and the last one holds."""
    if isinstance(answer, list):
        assert len(answer) == events, "an appended event has no receipt"
        last = answer[-1]
        signed = last.checkpoint
        assert verify_inclusion(leaf_hash(last.entry), last.position - 1, signed.size, last.proof, signed.root)


def unless_tagged(events: Sequence[DCBEvent]) -> DCBAppendCondition:
    """Unless an event bears the first tag of the first of these."""
    return DCBAppendCondition(DCBQuery([DCBQueryItem(tags=events[0].tags[:1])]), after=0)


def measured_events(count: int) -> list[DCBEvent]:
    return [measured(uuid4().hex) for _ in range(count)]


def measured(name: str) -> Draft:
    """An event of about 500 bytes that nothing is to be made of."""
    return Draft(
        type="Measured",
        data=DATA,
        tags=[f"enterprise:{name}", f"case:{name}"],
        id=name,
        effective_on=date(2026, 6, 1),
        recorded_by="regulator:MIIT:benchmark",
    )
