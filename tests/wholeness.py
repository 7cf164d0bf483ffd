"""That a ledger is whole, whatever happened to it: what clients were told, the log, its proofs and the read models."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from domain.recorded import Recorded
from given import Stated
from ledger.entry import opened
from ledger.migrations import Database, Pool
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from ledger.verify_database import verify_database
from projections.all import all_projections
from projections.runner import BATCH
from running import forget, tables

Answer: TypeAlias = tuple[tuple[int, str], ...]
"""Position and id of each event that a request recorded."""
Ask: TypeAlias = Callable[[str, tuple[Stated, ...]], Answer]
"""Sends facts under an idempotency key, once."""

MARKS: Final = {"InterviewHeld": "case_id", "ComplaintReceived": "complaint_id", "EnterpriseRegistered": "uscc"}
"""The field that names a fact of these types; tests send no two of one type and name."""


@dataclass
class Client:
    """Sends facts and keeps what it was told. `passing` are the errors after which it asks again, as it should."""

    ask: Ask
    passing: tuple[type[BaseException], ...]
    sent: dict[str, tuple[Stated, ...]] = field(default_factory=dict)
    told: dict[str, Answer] = field(default_factory=dict)

    def send(self, key: str, *facts: Stated) -> bool:
        """One try; whether it was acknowledged. Whoever was answered before is answered the same."""
        self.sent[key] = facts
        try:
            answer = self.ask(key, facts)
        except self.passing:
            return False
        assert len(answer) == len(facts)
        assert self.told.setdefault(key, answer) == answer, f"{key} was answered {self.told[key]}, and now {answer}"
        return True

    def insist(self, key: str, seconds: float = 60) -> Answer:
        """Asks until it is acknowledged."""
        deadline = time.monotonic() + seconds
        while not self.send(key, *self.sent[key]):
            assert time.monotonic() < deadline, f"{key} was not acknowledged within {seconds} seconds"
            time.sleep(0.02)
        return self.told[key]

    def insist_on_all(self) -> None:
        for key in self.sent:
            self.insist(key)


def check_whole(pool: Pool, clients: Iterable[Client], imported: Iterable[Stated] = ()) -> None:
    """Every client asks again for all that it sent; then nothing is lost or there twice, and everything agrees.

    `imported` are the facts of files whose import has come to its end. `pool` is for this check alone. All that the
    ledger holds of the types in MARKS has to come from these clients and files.
    """
    clients = list(clients)
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(Client.insist_on_all, clients))
    log = [opened(found.event.data) for found in PostgresRecorder(pool).read()]
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    ids = {event.position: event.id for event in log}
    told = [one for client in clients for answer in client.told.values() for one in answer]
    assert [(position, id_) for position, id_ in told if ids.get(position) != id_] == []
    assert len({position for position, _ in told}) == len(told), "two requests were told the same position"
    sent = [fact for client in clients for facts in client.sent.values() for fact in facts]
    assert Counter(filter(None, map(_mark, log))) == Counter(filter(None, map(_stated_mark, [*sent, *imported])))
    newest, _ = verify_database(pool, readers=readers)
    assert (newest.size if newest else 0) == len(log)
    check_read_models(pool, log)


def check_read_models(pool: Pool, log: list[Recorded], seconds: float = 60) -> None:
    """That the read models reach the end of the log, and equal what a rebuild makes of it.

    The rebuild is undone: whoever serves the ledger goes on undisturbed.
    """
    deadline = time.monotonic() + seconds
    while (reached := _reached(pool)) < len(log):
        assert time.monotonic() < deadline, f"the read models stand at {reached} of {len(log)}"
        time.sleep(0.02)
    streams = Streams(PostgresRecorder(pool))
    with pool.connection() as database, database.transaction(force_rollback=True):
        positions: dict[str, int] = dict(
            database.execute("SELECT name, position FROM projections FOR UPDATE").fetchall()
        )
        assert set(positions.values()) == {len(log)}, positions
        kept = tables(database)
        forget(database)
        for projection in all_projections(streams):
            for start in range(0, len(log), BATCH):
                projection.apply(database, log[start : start + BATCH])
        rebuilt = tables(database)
    assert [name for name in kept if kept[name] != rebuilt[name]] == []


def _reached(pool: Pool) -> int:
    with pool.connection() as database:
        row = database.execute("SELECT coalesce(min(position), 0) FROM projections").fetchone()
    assert row is not None
    return int(row[0])


def readers(database: Database) -> list[tuple[str, int]]:
    """The projections, as `verify_database` asks for those who read the log."""
    return database.execute("SELECT name, position FROM projections").fetchall()


def _mark(event: Recorded) -> tuple[str, str] | None:
    named = MARKS.get(event.type)
    return (event.type, getattr(event.event, named)) if named else None


def _stated_mark(fact: Stated) -> tuple[str, str] | None:
    type_ = fact.name[0].upper() + fact.name[1:]
    words = MARKS.get(type_, "").split("_")
    field_ = words[0] + "".join(word.title() for word in words[1:])
    return (type_, fact.fields[field_]) if field_ else None
