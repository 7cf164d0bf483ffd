"""The enterprise map in the database: made beside the appends, whole or not at all, the same whoever makes it and when."""

import threading
from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Final

import psycopg
import pytest

from ledger import enterprise_map
from ledger.enterprise_map import check_proof, key_of, map_root, segments_of
from ledger.entry import Draft
from ledger.map_keeping import bring_up, proved
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.rows import moment
from mapped_naively import Borne, proof_of, segments
from mapped_naively import leaves_of as naive_leaves

SIZES: Final = (1_024, 64, 4)
TYPES: Final = ("PenaltyImposed", "InterviewHeld", "GateDecided")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enterprise_map, "SIZES", SIZES)


@pytest.fixture
def entries(pool: Pool) -> list[Borne]:
    """1,301 events of some hundred enterprises, so that a segment has several pages, and each tag that one is found by."""
    chance, recorder = Random(1), PostgresRecorder(pool)  # repeatable
    kinds = ["enterprise:U{}", "decisions:U{}", "complaints:U{}:2020-01-01", "licence:U{}"]
    made = [
        Borne(
            chance.choice(TYPES),
            tuple(chance.choice(kinds).format(chance.randrange(400)) for _ in range(chance.randrange(3))),
        )
        for _ in range(1_301)
    ]
    recorder.append([event(each) for each in made])
    return made


def event(borne: Borne) -> Draft:
    return Draft(type=borne.type, data=b"{}", tags=list(borne.tags), effective_on=date(2020, 1, 1))


def kept(pool: Pool) -> list[tuple[int, int]]:
    with pool.connection() as database:
        return [(after, upto) for after, upto in database.execute("SELECT after, upto FROM map_segments ORDER BY 1")]


def contents(pool: Pool) -> list[tuple[object, ...]]:
    with pool.connection() as database:
        return database.execute("SELECT * FROM map_tiles ORDER BY after, upto, level, index").fetchall()


def check(pool: Pool, entries: list[Borne], size: int) -> None:
    """That the map of so many entries is the naive one, and proves what that does."""
    keys = [key_of("U7"), key_of("U7", TYPES[0]), key_of("U399"), key_of("nobody"), key_of("U1", "None")]
    with moment(pool) as database:
        found = list(proved(database, size, keys))
    assert [segment for segment, _ in found] == segments(entries, size)
    for segment, proofs in found:
        for key, proof in zip(keys, proofs, strict=True):
            positions = [
                position
                for position in range(segment.after + 1, segment.upto + 1)
                if any(key == each for each, _ in naive_leaves(entries, position - 1, position))
            ]
            whole = proof_of(naive_leaves(entries, *segment.bounds), key, positions)
            assert (proof.index, proof.leaves) == (whole.index, whole.leaves)
            check_proof(whole, key, segment)


def test_the_map_is_that_of_the_tags_whatever_is_kept_of_it(pool: Pool, entries: list[Borne]) -> None:
    check(pool, entries, 30)
    for size in (30, 63, 64, 1_000, 1_301):
        bring_up(pool, size)
        assert set(kept(pool)) >= {bounds for bounds in segments_of(size) if bounds[1] - bounds[0] in SIZES}
    check(pool, entries, 1_301)
    assert kept(pool)[0] == (0, 1_024)
    # Of what a larger segment covers nothing is kept, and an earlier map is made of the tags.
    assert len(kept(pool)) == len(list(segments_of(1_300)))
    check(pool, entries, 1_000)


def test_a_ledger_that_has_none_gets_the_same_at_once(pool: Pool, entries: list[Borne]) -> None:
    told: list[tuple[int, int]] = []
    bring_up(pool, 1_301, lambda done, of: told.append((done, of)))
    assert (sum(done for done, _ in told), {of for _, of in told}) == (1_300, {1_300})
    at_once = contents(pool)
    bring_up(pool, 1_301, lambda done, of: pytest.fail("it was there"))
    assert contents(pool) == at_once
    assert kept(pool) == list(segments_of(1_300))


def test_an_empty_ledger_has_a_map_of_nothing(pool: Pool) -> None:
    bring_up(pool, 0)
    with moment(pool) as database:
        assert list(proved(database, 0, [key_of("U1")])) == []
    assert map_root([]) == map_root(segments([], 0))


def test_of_many_that_make_it_at_once_each_segment_is_made_by_one(pool: Pool, entries: list[Borne]) -> None:
    failed: list[BaseException] = []

    def make() -> None:
        try:
            bring_up(pool, 1_301)
        except BaseException as fault:
            failed.append(fault)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    check(pool, entries, 1_301)


def test_whoever_is_stopped_leaves_whole_segments_and_the_next_goes_on(
    pool: Pool, entries: list[Borne], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.map_keeping.AT_A_TIME", 256)
    at: Iterator[int] = iter(range(99))

    def rest() -> None:
        if next(at) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        bring_up(pool, 1_301, rest=rest)
    assert kept(pool) == contents(pool) == []
    bring_up(pool, 1_301)
    check(pool, entries, 1_301)


def test_appends_wait_for_nothing_while_a_segment_is_made(
    pool: Pool, entries: list[Borne], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.map_keeping.AT_A_TIME", 256)
    heads = []

    def rest() -> None:
        heads.append(PostgresRecorder(pool).append([event(entries[0])]))

    bring_up(pool, 1_301, rest=rest)
    assert heads == list(range(1_302, 1_302 + len(heads)))
    # Some of them within the transaction of the first segment, which has several pages.
    assert len(heads) > len(list(segments_of(1_300)))


# Only what a larger segment covers may go


CHANGES: Final = {
    "map_segments": ["UPDATE map_segments SET leaves = 1", "DELETE FROM map_segments", "TRUNCATE map_segments"],
    "map_tiles": ["UPDATE map_tiles SET content = content", "DELETE FROM map_tiles", "TRUNCATE map_tiles"],
    "map_notes": ["UPDATE map_notes SET note = ''", "DELETE FROM map_notes", "TRUNCATE map_notes"],
}


@pytest.mark.parametrize("table", CHANGES)
def test_what_is_kept_of_the_map_is_never_changed_even_by_the_owner(
    database: str, schema: str, pool: Pool, entries: list[Borne], table: str
) -> None:
    bring_up(pool, 60)
    with psycopg.connect(database, autocommit=True, options=f"-c search_path={schema}") as owner:
        owner.execute("INSERT INTO map_notes VALUES (1, decode(repeat('00', 32), 'hex'), 'note')")
        for change in CHANGES[table]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{table} is append-only"):
                owner.execute(change.encode())
        assert owner.execute(f"SELECT count(*) > 0 FROM {table}".encode()).fetchone() == (True,)
        enabled = owner.execute("SELECT DISTINCT tgenabled::text FROM pg_trigger WHERE tgname LIKE 'map%'").fetchall()
    assert enabled == [("A",)]
