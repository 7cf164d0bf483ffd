"""The tree of proofs is that of the entries, whoever appended them and whatever failed in between."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import combinations_with_replacement
from typing import Any

import psycopg
import pytest
from psycopg import errors

from appends import NOW, bare, event, once, outcome, queued, stored, unless
from ledger.appends import Append, Appended
from ledger.merkle import Frontier, inclusion_proof, verify_consistency, verify_inclusion
from ledger.migrations import Database, Pool, open_pool
from ledger.notes import open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.tree import LedgerTree, Proofs, look_up
from naive.tree import path_of
from running import wait_until
from signed_tree import SIGNER, check, leaves_of, recorder_of, sizes

CHANGES = {
    "UPDATE": "UPDATE {} SET {} = {}",
    "UPDATE of nothing": "UPDATE {} SET {} = {} WHERE false",
    "DELETE": "DELETE FROM {}",
    "TRUNCATE": "TRUNCATE {}",
}
COLUMNS = {"node_runs": "hashes", "checkpoints": "root", "cosignatures": "line"}
"""The tables of the tree, with a column of each."""
WRITTEN = ["events", "tags", "idempotency", "node_runs", "checkpoints", "head"]
"""The tables that an append writes."""


@pytest.fixture
def proofs(pool: Pool) -> Proofs:
    return Proofs(pool)


# What is kept


def test_any_mix_of_groups_of_two_recorders_gives_the_tree_of_the_entries(database: str, schema: str) -> None:
    chance = random.Random(7)
    lots = [[chance.randint(1, 9) for _ in range(8)] for _ in range(8)]
    with open_pool(database, schema) as one, open_pool(database, schema) as other:
        recorders = [recorder_of(one), recorder_of(other)]

        def write(client: int) -> None:
            recorder = recorders[client % 2]
            for lot in lots[client]:
                recorder.append([event("A", f"c:{client}") for _ in range(lot)])
                assert outcome(lambda: recorder.append([event()], unless(([], [f"c:{client}"])))) == "IntegrityError"

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(8)))
        assert len(leaves_of(one)) == sum(map(sum, lots))
        check(one)


@pytest.mark.parametrize("lots", [[1], [2], [3], [1] * 9, [8, 8, 1], [7, 1, 8], [5, 300, 2], [255, 1, 1, 256]])
def test_a_tree_grows_in_lots_of_any_size(pool: Pool, lots: list[int]) -> None:
    recorder = recorder_of(pool)
    for lot in lots:
        recorder.append([event() for _ in range(lot)])
    assert sizes(pool) == [sum(lots[: n + 1]) for n in range(len(lots))]
    check(pool)


def test_every_pair_of_checkpoints_and_every_entry_can_be_proved(pool: Pool, proofs: Proofs) -> None:
    recorders = [recorder_of(pool), recorder_of(pool)]
    for turn, lot in enumerate([1, 1, 2, 5, 3, 16, 7, 1, 30, 2, 11]):
        recorders[turn % 2].append([event() for _ in range(lot)])
    leaves = leaves_of(pool)
    signed = [found for size in sizes(pool) if (found := proofs.checkpoint(size))]
    assert [each.size for each in signed] == [1, 2, 4, 9, 12, 28, 35, 36, 66, 68, 79]
    for first, second in combinations_with_replacement(signed, 2):
        proof = proofs.consistency(first.size, second.size)
        assert verify_consistency(first.size, second.size, first.root, second.root, proof)
    for checkpoint in signed:
        receipts = proofs.receipts(range(1, 100), checkpoint.size)
        assert [receipt.position for receipt in receipts] == list(range(1, checkpoint.size + 1))
        for receipt in receipts:
            leaf, index = sha256(b"\x00" + receipt.entry).digest(), receipt.position - 1
            assert receipt.checkpoint == checkpoint
            assert list(receipt.proof) == path_of(index, leaves[: checkpoint.size])
            assert verify_inclusion(leaf, index, checkpoint.size, receipt.proof, checkpoint.root)


def test_one_group_is_under_one_checkpoint_of_its_instant(pool: Pool, proofs: Proofs) -> None:
    recorder = recorder_of(pool)
    with queued(recorder) as queue:
        for number in range(12):
            queue.append([event(), event("A", f"{number}")])
    assert queue.came() == [1, *range(3, 26, 2)]
    assert sizes(pool) == [1, 25]
    signed = proofs.checkpoint()
    assert signed is not None
    assert (signed.size, signed.signed_at) == (25, NOW)
    check(pool)


def test_a_refused_append_leaves_no_checkpoint(pool: Pool) -> None:
    recorder = recorder_of(pool)
    recorder.append([event("A", "t")])
    assert outcome(lambda: recorder.append([event()], unless(([], ["t"])))) == "IntegrityError"
    assert sizes(pool) == [1]
    check(pool)


# Faults


@contextmanager
def refusing(database: str, schema: str, table: str) -> Iterator[None]:
    """Lets every write to a table fail."""
    with psycopg.connect(database, autocommit=True, options=f"-c search_path={schema}") as owner:
        owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT nothing CHECK (false) NOT VALID".encode())
        yield
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT nothing".encode())


@pytest.mark.parametrize("table", WRITTEN)
@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_an_append_that_fails_at_any_table_leaves_nothing_of_itself_anywhere(
    database: str, schema: str, pool: Pool, table: str, others: int
) -> None:
    recorder, other = recorder_of(pool), recorder_of(pool)
    recorder.append([event("before", "t") for _ in range(3)])
    with refusing(database, schema, table):
        lost = outcome(lambda: recorder.append([event("lost", "t"), event("lost", "t")], once=once()))
    assert lost == "CheckViolation"
    assert [type_ for _, type_ in stored(pool)] == ["before"] * 3
    assert recorder.appended("holder", "key") is None
    check(pool)
    if others:
        other.append([event("other", f"{others}") for _ in range(others)])
    recorder.append([event("after", "t")], once=once())
    assert recorder.read_streams({"t": 0})[0] == 4 + others
    check(pool)


class CutOff(LedgerTree):
    """A tree whose connection is killed before its group is committed, until it is mended."""

    def __init__(self, owner: psycopg.Connection[Any]) -> None:
        super().__init__(SIGNER)
        self.owner = owner
        self.mended = False

    def edge_at(self, database: Database, size: int) -> Frontier:
        edge = super().edge_at(database, size)
        if not self.mended:
            self.owner.execute("SELECT pg_terminate_backend(%s, 10000)", [database.info.backend_pid])
        return edge


@pytest.mark.parametrize("others", [0, 2])
def test_a_connection_that_is_killed_before_the_commit_leaves_nothing(database: str, pool: Pool, others: int) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        kept = CutOff(owner)
        recorder, other = recorder_of(pool, kept), recorder_of(pool)
        other.append([event("before") for _ in range(3)])
        assert outcome(lambda: recorder.append([event("lost"), event("lost")])) in {"AdminShutdown", "OperationalError"}
        assert [type_ for _, type_ in stored(pool)] == ["before"] * 3
        check(pool)
        kept.mended = True
        if others:
            other.append([event("other") for _ in range(others)])
        assert recorder.append([event("after")]) == 4 + others
        check(pool)


class Forgetful(LedgerTree):
    """A tree that never learns of a commit, as where the connection was lost on the way back."""

    def keep(self) -> None:
        pass


def test_a_tree_that_was_not_told_of_its_commit_goes_on_from_what_was_committed(pool: Pool) -> None:
    recorder = recorder_of(pool, Forgetful(SIGNER))
    for lot in (2, 3, 1, 4):
        recorder.append([event() for _ in range(lot)])
    check(pool)


def test_an_append_that_cannot_be_written_leaves_the_tree_of_its_neighbours(pool: Pool) -> None:
    recorder = recorder_of(pool)
    with queued(recorder) as queue:
        queue.append([event("X")])
        queue.append([event("bad", "with \x00 in it")])
        queue.append([event("Y"), event("Z")])
    assert queue.came() == [1, 2, "CharacterNotInRepertoire", 4]
    check(pool)


# Receipts that come with the append


def appended_by(recorder: PostgresRecorder, lot: int) -> Appended:
    return recorder.append_with_receipts(Append([event() for _ in range(lot)]))


def check_receipts(pool: Pool, appended: Appended) -> None:
    """The receipts are those that are read back, and their proofs hold under a note that the ledger's key signed."""
    receipts = appended.receipts()
    assert receipts == Proofs(pool).receipts(range(appended.first, appended.last + 1), receipts[0].checkpoint.size)
    assert [receipt.position for receipt in receipts] == list(range(appended.first, appended.last + 1))
    for receipt in receipts:
        signed = open_checkpoint(receipt.checkpoint.note.encode(), SIGNER.name, SIGNER.verifier).checkpoint
        leaf = sha256(b"\x00" + receipt.entry).digest()
        assert verify_inclusion(leaf, receipt.position - 1, signed.size, receipt.proof, signed.root)


@pytest.mark.parametrize("before", [0, 1, 2, 5, 8, 100])
def test_every_member_of_a_group_gets_the_receipts_that_are_read_back(pool: Pool, before: int) -> None:
    recorder = recorder_of(pool)
    if before:
        recorder.append([event() for _ in range(before)])
    with ThreadPoolExecutor(9) as threads, queued(recorder) as queue:
        waiting = []
        for lot in (1, 3, 1, 7, 2, 1):
            waiting.append(threads.submit(appended_by, recorder, lot))
            wait_until(lambda: queue.waiting == len(waiting))
    members = [each.result() for each in waiting]
    assert [(each.first - before, each.last - before) for each in members] == [
        (2, 2), (3, 5), (6, 6), (7, 13), (14, 15), (16, 16),
    ]  # fmt: skip
    assert {receipt.checkpoint.size for each in members for receipt in each.receipts()} == {before + 16}
    for each in members:
        check_receipts(pool, each)


def test_receipts_hold_where_two_processes_append_in_turn_and_at_once(database: str, schema: str) -> None:
    with open_pool(database, schema) as one, open_pool(database, schema) as other:
        recorders = [recorder_of(one), recorder_of(other)]
        came = [appended_by(recorders[turn % 2], lot) for turn, lot in enumerate([1, 4, 2, 9, 1, 1])]
        with ThreadPoolExecutor(8) as threads:
            came += threads.map(lambda turn: appended_by(recorders[turn % 2], 1 + turn % 5), range(40))
        for each in came:
            check_receipts(one, each)
        check(one)


def test_an_append_whose_commit_fails_gives_no_receipts(database: str, pool: Pool) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        kept = CutOff(owner)
        recorder = recorder_of(pool, kept)
        with pytest.raises(psycopg.OperationalError):
            appended_by(recorder, 2)
        kept.mended = True
        other = appended_by(recorder_of(pool), 3)
        check_receipts(pool, other)
        check_receipts(pool, appended_by(recorder, 2))


def test_a_store_without_a_tree_has_no_receipts(pool: Pool) -> None:
    assert appended_by(PostgresRecorder(pool, seal=bare), 2).receipts() == []


# Proofs


def test_receipts_of_any_number_of_entries_take_three_statements(
    pool: Pool, proofs: Proofs, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder_of(pool).append([event() for _ in range(500)])
    asked: list[object] = []
    execute: Callable[..., Any] = psycopg.Connection.execute
    here = threading.get_ident()

    def counted(database: Database, query: object, *rest: Any, **how: Any) -> object:
        # The notifier has a thread of its own.
        if threading.get_ident() == here:
            asked.append(query)
        return execute(database, query, *rest, **how)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    for positions in ([1], range(1, 501), []):
        asked.clear()
        assert len(proofs.receipts(positions)) == len(positions)
        assert len(asked) <= 3
    asked.clear()
    proofs.consistency(3, 499)
    assert len(asked) == 1


def test_positions_beyond_a_checkpoint_have_no_receipt_under_it(pool: Pool, proofs: Proofs) -> None:
    recorder = recorder_of(pool)
    recorder.append([event(), event()])
    recorder.append([event(), event()])

    def received(positions: list[int], size: int | None = None) -> list[int]:
        return [receipt.position for receipt in proofs.receipts(positions, size)]

    assert received([4, 2, 2, 0, -1, 5]) == [2, 4]
    assert received([1, 2, 3, 4], 2) == [1, 2]
    assert received([1, 2, 3, 4], 3) == []
    assert proofs.checkpoint(3) is None


def test_receipt_and_checkpoint_are_looked_up_in_their_indexes(database: str, schema: str) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder_of(single).append([event() for _ in range(3_000)])
        with single.connection() as owner:
            owner.execute(
                "INSERT INTO checkpoints SELECT size, sha256(''), '', now() FROM generate_series(3001, 6000) AS made (size)"
            )
        proofs = Proofs(single)
        before = full_scans(single)
        for size in [None, 3_000, 5_999] * 6:
            assert proofs.checkpoint(size) is not None
            proofs.receipts([1, 7, 2_999], 3_000)
            proofs.consistency(5, 2_999)
        assert full_scans(single) == before


def test_receipts_are_the_proofs_that_the_kept_nodes_give(pool: Pool, proofs: Proofs) -> None:
    chance, recorder = random.Random(5), recorder_of(pool)
    for size in (1, 1, 2, 31, 1, 32, 33, 700, *(chance.randint(1, 6) for _ in range(60)), 1_500, 1):
        recorder.append([event() for _ in range(size)])
    head = recorder.head()
    for under in (None, 1, 4, 35, 101):
        last = under or head
        received = proofs.receipts(range(1, last + 1), under)
        assert [receipt.position for receipt in received] == list(range(1, last + 1))
        for receipt in chance.sample(received, min(300, last)):
            with pool.connection() as database:
                index, kept = receipt.position - 1, partial(look_up, database)
                assert receipt.proof == tuple(inclusion_proof(index, last, kept))
            assert proofs.receipts([receipt.position], under) == [receipt]


def test_upper_nodes_are_found_beside_each_other(database: str, schema: str) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder_of(single).append([event() for _ in range(3_000)])
        before = upper_scans(single)
        Proofs(single).receipts([1_700])
        assert upper_scans(single) > before


def upper_scans(single: Pool) -> int:
    """How often the index of the upper nodes was used by the pool's one connection."""
    with single.connection() as conn:
        conn.execute("SELECT pg_stat_force_next_flush()")
        asked = "SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = current_schema() AND indexrelname = %s"
        row = conn.execute(asked, ["node_runs_upper"]).fetchone()
        assert row
        return int(row[0])


def full_scans(single: Pool) -> object:
    """How often a table of proofs was read from beginning to end, by the one connection of the pool."""
    with single.connection() as conn:
        conn.execute("SELECT pg_stat_force_next_flush()")
        return conn.execute(
            "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE schemaname = current_schema() "
            "AND relname IN ('events', 'node_runs', 'checkpoints')"
        ).fetchone()


# Only appending


@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", ["the runtime role", "the owner"])
def test_nodes_checkpoints_and_cosignatures_are_never_changed(
    database: str, schema: str, pool: Pool, table: str, change: str, by: str
) -> None:
    recorder_of(pool).append([event(), event()])
    column = COLUMNS[table]
    with open_pool(database, schema, role=None) as owners:
        acting = owners if by == "the owner" else pool
        said = "is append-only: " + change.split()[0] if by == "the owner" else "permission denied for table " + table
        with acting.connection() as conn, pytest.raises(errors.InsufficientPrivilege, match=said):
            conn.execute(CHANGES[change].format(table, column, column).encode())
    check(pool)


def test_the_refusals_hold_in_a_session_that_applies_replicated_changes_too(pool: Pool) -> None:
    with pool.connection() as conn:
        rows = conn.execute(
            "SELECT tgrelid::regclass::text, tgenabled::text FROM pg_trigger "
            "WHERE tgfoid = 'refuse_change'::regproc AND tgrelid = ANY(%s::regclass[])",
            [list(COLUMNS)],
        ).fetchall()
    assert sorted(rows) == [("checkpoints", "A"), ("cosignatures", "A"), ("node_runs", "A")]
