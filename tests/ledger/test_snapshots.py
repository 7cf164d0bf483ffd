"""Snapshots of folds: quickness alone; what they hold, when they are read and when they are made anew."""

from collections.abc import Mapping
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBEvent, DCBSequencedEvent
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.commands import command
from domain.events import EventVoided
from domain.facts import Fact, Facts, fold
from domain.facts_format import facts_version
from domain.recorded import tags_of
from given import NOW, TODAY, A, Stated, filed, interviewed, listed, registered
from ledger import streams as module
from ledger.entry import draft, opened, seal
from ledger.migrations import Pool, open_pool
from ledger.recorder import PostgresRecorder
from ledger.snapshots import Snapshots
from ledger.streams import Streams

TAG = f"enterprise:{A}"
NUMBER = "number:95012"
PERSON = "王小明"


class Watched:
    """The real log, and from which position each tag was last asked for."""

    def __init__(self, log: PostgresRecorder) -> None:
        self._log = log
        self.asked: Mapping[str, int] = {}

    def read_streams(self, wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        self.asked = dict(wanted)
        return self._log.read_streams(wanted, upto)


@pytest.fixture(autouse=True)
def worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five more events are worth a snapshot here."""
    monkeypatch.setattr(module, "EVERY", 5)


@pytest.fixture
def log(pool: Pool) -> PostgresRecorder:
    return PostgresRecorder(pool, seal=seal)


def drafted(fact: Stated) -> DCBEvent:
    found, refusals = command(*fact, NOW)
    assert found, refusals
    return draft(found.event, tags_of(found.event), found.effective_on, "tester", found.historical)


def void(position: int) -> DCBEvent:
    event = EventVoided(position=position, reason="误录")
    return draft(event, (TAG, *tags_of(event)), TODAY, "tester")


def begin(log: PostgresRecorder) -> None:
    """Six events of the enterprise, of which one is of its number too."""
    facts = [registered(legalRepresentative=PERSON), filed(), *(interviewed(f"2020-01-0{day}") for day in range(1, 5))]
    log.append([drafted(fact) for fact in facts])


def anew(log: PostgresRecorder, snapshots: Snapshots) -> tuple[Mapping[str, int], int, Facts]:
    """What a process that has just begun asks the log for, and the head and fold that it reads."""
    watched = Watched(log)
    head, folds = Streams(watched, snapshots).read([TAG, NUMBER])
    return watched.asked, head, folds[TAG]


def kept(pool: Pool) -> list[tuple[Any, ...]]:
    with pool.connection() as database:
        return database.execute("SELECT tag, position, version FROM snapshots ORDER BY tag").fetchall()


def seen(facts: Facts) -> tuple[int, int, list[Fact[Any]]]:
    """All that the rules can see: no personal field is among it."""
    shown = [fact._replace(event=_impersonal(fact.event)) for fact in facts.all()]
    return facts.position, facts.size, shown


def _impersonal(event: Any) -> Any:
    return {name: value for name in event.__struct_fields__ if (value := getattr(event, name)) != PERSON and value}


def afresh(log: PostgresRecorder) -> Facts:
    recorded = (opened(found.event.data) for found in log.read())
    return fold(one for one in recorded if TAG in one.tags)


def test_a_long_fold_is_kept_with_its_position_and_read_in_place_of_its_events(
    log: PostgresRecorder, pool: Pool
) -> None:
    begin(log)
    asked, _, first = anew(log, Snapshots(pool))
    assert asked == {TAG: 0, NUMBER: 0}
    assert kept(pool) == [(TAG, 6, facts_version())]

    asked, _, second = anew(log, Snapshots(pool))
    assert asked == {TAG: 6, NUMBER: 0}
    assert seen(second) == seen(first)


def test_a_short_fold_is_not_worth_a_snapshot(log: PostgresRecorder, pool: Pool) -> None:
    log.append([drafted(registered()), drafted(filed())])
    anew(log, Snapshots(pool))
    assert kept(pool) == []


def test_a_snapshot_and_what_came_since_are_the_whole_fold(log: PostgresRecorder, pool: Pool) -> None:
    begin(log)
    anew(log, Snapshots(pool))
    log.append([void(4), drafted(listed("2019-01-01")), void(1)])
    asked, head, facts = anew(log, Snapshots(pool))
    assert asked[TAG] == 6
    assert [fact.position for fact in facts.all() if fact.voided_by] == [1, 4]
    assert seen(facts) == seen(afresh(log))
    assert (facts.position, head) == (9, 9)


def test_a_snapshot_of_a_snapshot_keeps_what_was_voided_by_which(log: PostgresRecorder, pool: Pool) -> None:
    begin(log)
    anew(log, Snapshots(pool))
    log.append([void(4), *(drafted(interviewed(f"2020-02-0{day}")) for day in range(1, 6))])
    anew(log, Snapshots(pool))
    assert [row[1] for row in kept(pool)] == [12]
    asked, _, facts = anew(log, Snapshots(pool))
    assert asked[TAG] == 12
    assert {fact.position: fact.voided_by for fact in facts.all() if fact.voided_by} == {4: 7}
    assert seen(facts) == seen(afresh(log))


def test_a_snapshot_of_another_version_is_neither_read_nor_left(log: PostgresRecorder, pool: Pool) -> None:
    begin(log)
    anew(log, Snapshots(pool, "of yesterday"))
    assert kept(pool) == [(TAG, 6, "of yesterday")]
    asked, _, facts = anew(log, Snapshots(pool))
    assert asked[TAG] == 0
    assert seen(facts) == seen(afresh(log))
    assert kept(pool) == [(TAG, 6, facts_version())]


def test_a_snapshot_is_never_ahead_of_the_head_and_never_goes_back(log: PostgresRecorder, pool: Pool) -> None:
    begin(log)
    streams = Streams(log, Snapshots(pool))
    head, folds = streams.read([TAG])
    older = folds[TAG]
    log.append([drafted(interviewed("2020-02-01")) for _ in range(6)])
    later, _ = streams.read([TAG])
    assert (head, later, [row[1] for row in kept(pool)]) == (6, 12, [12])
    Snapshots(pool).keep({TAG: older})
    assert [row[1] for row in kept(pool)] == [12]


def test_only_enterprises_have_snapshots(log: PostgresRecorder, pool: Pool) -> None:
    log.append([drafted(filed()) for _ in range(9)])
    anew(log, Snapshots(pool))
    assert [row[0] for row in kept(pool)] == [TAG]


def test_no_personal_field_comes_into_a_snapshot(log: PostgresRecorder, pool: Pool) -> None:
    begin(log)
    anew(log, Snapshots(pool))
    with pool.connection() as database:
        rows = database.execute("SELECT facts FROM snapshots").fetchall()
    assert len(rows) == 1
    assert "甲呼叫中心".encode() in rows[0][0]
    assert PERSON.encode() not in rows[0][0]
    assert PERSON.encode() in next(iter(log.read())).event.data


def test_a_standby_reads_snapshots_and_keeps_none(
    log: PostgresRecorder, pool: Pool, database: str, schema: str
) -> None:
    begin(log)
    options = f"{conninfo_to_dict(database).get('options') or ''} -c default_transaction_read_only=on".strip()
    with open_pool(make_conninfo(database, options=options), schema, max_size=1) as standby:
        _, head, facts = anew(PostgresRecorder(standby), Snapshots(standby))
        assert (head, facts.size, kept(pool)) == (6, 6, [])
        anew(log, Snapshots(pool))
        asked, _, _ = anew(PostgresRecorder(standby), Snapshots(standby))
        assert asked[TAG] == 6
