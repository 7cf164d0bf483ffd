"""Fail closed: what cannot be applied stops its enterprise, or its projection, and no other."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from domain.events import EnterpriseRenamed, RulebookAdopted
from domain.recorded import Recorded
from given import accessed, filed, registered, renamed
from ledger.notices import connect
from ledger.streams import Streams
from projections.all import all_projections
from projections.history import History
from projections.parking import Parking
from projections.projection import Database, Projection
from projections.runner import Runner
from running import System, code
from tampering import spoil_entry


class Poisoned(History):
    """A history that cannot apply events of a type."""

    def __init__(self, type_: type) -> None:
        self._type = type_

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        super().apply(database, batch)
        if any(isinstance(event.event, self._type) for event in batch):
            raise LookupError("with what was in the event")


def with_poison(system: System, type_: type) -> list[Projection]:
    others = [each for each in all_projections(Streams(system.recorder)) if each.name != "history"]
    return [Poisoned(type_), *others]


def rows(system: System, table: str) -> list[dict[str, Any]]:
    return [row for (row,) in system.tables()[table]]


def positions(system: System, uscc: str, table: str = "history") -> list[int]:
    return sorted(row["position"] for row in rows(system, table) if row["uscc"] == uscc)


@pytest.mark.parametrize("size", [1, 3, 2_000])
def test_an_event_that_cannot_be_applied_parks_its_enterprise_alone(
    still: System, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.runner.BATCH", size)
    first, second, third = code(1), code(2), code(3)
    still.record(*(registered(uscc=uscc) for uscc in (first, second, third)))
    kept = still.record(filed(uscc=second))[0].position
    at = still.record(renamed(uscc=second))[0].position
    still.record(accessed(uscc=second), filed(uscc=third, number="96998"), registered(uscc=code(4)))
    runner = Runner(still.pool, still.recorder, with_poison(still, EnterpriseRenamed))
    assert runner.catch_up() == still.head

    (parked,) = Parking(still.pool).parked()
    assert (parked.projection, parked.uscc, parked.position) == ("history", second, at)
    assert parked.why.en == (
        f"the EnterpriseRenamed at position {at} cannot be applied to the read model history (LookupError)"
    )
    assert parked.since is not None
    assert positions(still, second)[-1] == kept
    elsewhere = [e.position for e in still.log() if e.uscc != second]
    assert sorted(row["position"] for row in rows(still, "history") if row["uscc"] != second) == elsewhere

    still.record(filed(uscc=second, number="96997"), filed(uscc=first, number="96996"))
    assert runner.catch_up() == still.head
    assert positions(still, second)[-1] == kept
    assert len(positions(still, first)) == 2
    assert [parked] == Parking(still.pool).parked()
    # The other projections know it all.
    assert len(positions(still, second, "filed_numbers")) == 2


def test_an_event_of_no_enterprise_stops_the_projection_that_cannot_apply_it_before_it(still: System) -> None:
    still.record(registered())
    runner = Runner(still.pool, still.recorder, with_poison(still, RulebookAdopted))
    assert runner.catch_up() == still.head
    stopped = {each.name: each for each in Parking(still.pool).reached()}
    assert stopped["history"].stopped is not None
    assert (stopped["history"].position, stopped["history"].stopped.position) == (0, 1)
    assert "RulebookAdopted at position 1" in stopped["history"].stopped.why.en
    assert {each.position for name, each in stopped.items() if name != "history"} == {still.head}
    assert still.tables()["history"] == []
    assert len(still.tables()["register"]) == 1
    still.record(registered(uscc=code(2)))
    assert runner.catch_up() == still.head
    assert len(still.tables()["register"]) == 2


def test_a_fault_that_does_not_come_again_parks_no_one(still: System) -> None:
    class Once(History):
        failed = False

        def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
            super().apply(database, batch)
            if not self.failed:
                self.failed = True
                raise LookupError

    still.record(registered())
    assert Runner(still.pool, still.recorder, [Once()]).catch_up() == still.head
    assert Parking(still.pool).parked() == []
    assert len(still.tables()["history"]) == still.head


def test_an_entry_that_cannot_be_read_parks_its_enterprise_in_every_projection(still: System, database: str) -> None:
    still.record(registered(uscc=code(1)))
    at = still.record(registered(uscc=code(2)))[0].position
    still.record(registered(uscc=code(3)), renamed(uscc=code(2)))
    spoil_entry(database, still.schema, at)
    projections = all_projections(Streams(still.recorder))
    assert Runner(still.pool, still.recorder, projections).catch_up() == still.head
    parked = Parking(still.pool).parked_of([code(1), code(2), code(3)])
    assert {(each.uscc, each.position) for each in parked} == {(code(2), at)}
    assert {each.projection for each in parked} == {each.name for each in projections}
    assert sorted(row["uscc"] for row in rows(still, "register")) == [code(1), code(3)]


def test_an_entry_that_cannot_be_read_ahead_parks_its_enterprise_alone(still: System, database: str) -> None:
    still.record(*(registered(uscc=code(n)) for n in range(6)))
    at = still.record(registered(uscc=code(6)))[0].position
    still.record(registered(uscc=code(7)))
    spoil_entry(database, still.schema, at)
    runner = Runner(still.pool, still.recorder, all_projections(Streams(still.recorder)), batch=2)
    with closing(connect(still.pool)) as connection:
        runner.bring(connection, still.head)
    assert runner.position() == still.head
    assert {(each.uscc, each.position) for each in runner.parking.parked()} == {(code(6), at)}
    assert sorted(row["uscc"] for row in rows(still, "register")) == [code(n) for n in range(8) if n != 6]
