"""The tree of proofs is that of the entries, whoever appended them and whatever failed in between."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from appends import NOW, bare, event, now, once, outcome, queued, stored, unless
from ledger import tree
from ledger.appending import Tree
from ledger.appends import Append, Appended
from ledger.files import KeyFileError
from ledger.merkle import HASH_SIZE, Frontier, verify_consistency, verify_inclusion
from ledger.migrations import LEDGER_MIGRATIONS, Database, Pool, migrate, open_pool
from ledger.notes import Signer, open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.tree import CutTree, LedgerTree, Proofs, WrongKey, check_tree, signer_at
from naive.tree import path_of, root_of
from running import at_once, wait_until
from tampering import NODE_BY_NODE, unguarded

SIGNER = Signer.generate("caseledger/test")
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


def recorder_of(pool: Pool, kept: Tree | None = None) -> PostgresRecorder:
    """A recorder with a tree of its own, as another process has one."""
    return PostgresRecorder(pool, seal=bare, clock=now, tree=kept or LedgerTree(SIGNER))


def leaves_of(pool: Pool) -> list[bytes]:
    """The hashes of the entries, from the table of events alone."""
    with pool.connection() as database:
        rows = database.execute("SELECT data FROM events ORDER BY position").fetchall()
    return [sha256(b"\x00" + data).digest() for (data,) in rows]


def sizes(pool: Pool) -> list[int]:
    with pool.connection() as database:
        return [size for (size,) in database.execute("SELECT size FROM checkpoints ORDER BY size")]


def check(pool: Pool) -> None:
    """Every node and every checkpoint is that of the entries, and the newest checkpoint holds them all."""
    leaves, proofs = leaves_of(pool), Proofs(pool)
    assert nodes_of(pool) == complete_subtrees(leaves)
    newest = proofs.checkpoint()
    assert (newest.size if newest else 0) == len(leaves)
    for size in sizes(pool):
        signed = proofs.checkpoint(size)
        assert signed is not None
        opened = open_checkpoint(signed.note.encode(), SIGNER.name, SIGNER.verifier).checkpoint
        assert (opened.size, opened.root) == (signed.size, signed.root) == (size, root_of(leaves[:size]))


def nodes_of(pool: Pool) -> dict[tuple[int, int], bytes]:
    with pool.connection() as database:
        runs = database.execute("SELECT level, first, hashes FROM node_runs").fetchall()
    return {
        (level, index): hashes[begin : begin + HASH_SIZE]
        for level, first, hashes in runs
        for index, begin in enumerate(range(0, len(hashes), HASH_SIZE), first)
    }


def complete_subtrees(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """What is to be stored: each complete subtree, by the definition of its root."""
    return {
        (level, index): root_of(list(leaves[index << level : (index + 1) << level]))
        for level in range(len(leaves).bit_length())
        for index in range(len(leaves) >> level)
    }


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


# Ledgers that were begun without a tree, and those whose tree was cut off


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The file of SIGNER."""
    path = tmp_path / "signing.key"
    path.touch(mode=0o600)
    path.write_text(f"{SIGNER.text}\n")
    return path


@pytest.fixture
def owner(database: str, schema: str) -> Iterator[psycopg.Connection]:
    """The owner of the tables, who has taken away what keeps the tree from being changed."""
    with unguarded(database, schema) as conn:
        yield conn


def test_a_ledger_without_a_tree_gets_it_at_its_first_start(
    pool: Pool, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "AT_A_TIME", 7)
    PostgresRecorder(pool, seal=bare).append([event() for _ in range(30)])
    kept = LedgerTree(signer_at(pool, key_file))
    check_tree(pool)
    assert sizes(pool) == [7, 14, 21, 28, 30]
    check(pool)
    recorder_of(pool, kept).append([event(), event()])
    recorder_of(pool).append([event()])
    signer_at(pool, key_file)
    assert sizes(pool) == [7, 14, 21, 28, 30, 32, 33]
    check(pool)


def test_a_first_start_that_was_cut_off_leaves_nothing_and_is_done_again(
    pool: Pool, key_file: Path, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "AT_A_TIME", 4)
    PostgresRecorder(pool, seal=bare).append([event() for _ in range(10)])
    owner.execute("ALTER TABLE checkpoints ADD CONSTRAINT small CHECK (size < 8)")
    with pytest.raises(errors.CheckViolation):
        signer_at(pool, key_file)
    assert (sizes(pool), nodes_of(pool), owner.execute("SELECT FROM log_key").fetchall()) == ([], {}, [])
    owner.execute("ALTER TABLE checkpoints DROP CONSTRAINT small")
    signer_at(pool, key_file)
    assert sizes(pool) == [4, 8, 10]
    check(pool)


def test_several_processes_start_first_at_once(pool: Pool, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "AT_A_TIME", 3)
    PostgresRecorder(pool, seal=bare).append([event() for _ in range(20)])
    at_once([lambda: signer_at(pool, key_file)] * 4)
    assert sizes(pool) == [3, 6, 9, 12, 15, 18, 20]
    check(pool)


def test_an_empty_ledger_has_a_whole_tree_and_proves_nothing(pool: Pool, key_file: Path, proofs: Proofs) -> None:
    signer_at(pool, key_file)
    check_tree(pool)
    assert nodes_of(pool) == {}
    assert proofs.checkpoint() is None
    assert proofs.receipts([1]) == []


CUT = {
    "its last leaf": (9, "DELETE FROM node_runs WHERE level = 0 AND first = 8"),
    "its end": (7, "DELETE FROM node_runs WHERE (first + 1) << level > 6; DELETE FROM checkpoints WHERE size > 6"),
    "all": (1, "DELETE FROM node_runs; DELETE FROM checkpoints"),
    "a node of its edge": (8, "DELETE FROM node_runs WHERE level = 3"),
    "a leaf and its end": (2, "DELETE FROM node_runs WHERE level = 0 AND first IN (1, 8)"),
    "its newest checkpoint": (7, "DELETE FROM checkpoints WHERE size > 6"),
    "entries only": (8, "UPDATE head SET position = 7"),
}


@pytest.mark.parametrize(("position", "change"), CUT.values(), ids=CUT.keys())
def test_a_tree_that_was_cut_off_is_not_gone_on_with(
    pool: Pool, key_file: Path, owner: psycopg.Connection, position: int, change: str
) -> None:
    recorder = recorder_of(pool, LedgerTree(signer_at(pool, key_file)))
    for _ in range(3):
        recorder.append([event() for _ in range(3)])
    check_tree(pool)
    owner.execute(NODE_BY_NODE)
    owner.execute(change.encode())
    before = (nodes_of(pool), sizes(pool))
    for _ in range(2):
        signer_at(pool, key_file)
        with pytest.raises(CutTree, match="see with `caseledger verify` what holds, and restore") as cut:
            check_tree(pool)
        assert cut.value.position == position
    assert (nodes_of(pool), sizes(pool)) == before


def test_a_tree_that_was_cut_off_without_its_key_is_not_begun_anew(
    pool: Pool, key_file: Path, owner: psycopg.Connection
) -> None:
    recorder_of(pool, LedgerTree(signer_at(pool, key_file))).append([event() for _ in range(9)])
    owner.execute(NODE_BY_NODE)
    owner.execute("DELETE FROM node_runs WHERE first = 8; DELETE FROM log_key")
    signer_at(pool, key_file)
    with pytest.raises(CutTree) as cut:
        check_tree(pool)
    assert cut.value.position == 9


def test_an_append_onto_a_tree_that_was_cut_off_is_refused(pool: Pool, owner: psycopg.Connection) -> None:
    recorder_of(pool).append([event() for _ in range(5)])
    owner.execute(NODE_BY_NODE)
    owner.execute("DELETE FROM node_runs WHERE level = 0 AND first = 4")
    with pytest.raises(CutTree) as cut:
        recorder_of(pool).append([event()])
    assert cut.value.position == 5
    assert len(stored(pool)) == 5
    assert (0, 4) not in nodes_of(pool)


def test_an_append_onto_what_a_process_without_a_tree_appended_is_refused(pool: Pool) -> None:
    recorder = recorder_of(pool)
    recorder.append([event() for _ in range(3)])
    PostgresRecorder(pool, seal=bare, clock=now).append([event() for _ in range(10)])
    with pytest.raises(CutTree) as cut:
        recorder.append([event(), event()])
    assert cut.value.position == 4
    assert sizes(pool) == [3]


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


# The key


def test_the_first_start_makes_the_key_and_later_ones_keep_it(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    made = signer_at(pool, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.name.startswith("caseledger/")
    assert signer_at(pool, path).text == made.text == path.read_text().strip()


def test_processes_that_start_at_once_for_the_first_time_sign_by_one_key(
    database: str, schema: str, tmp_path: Path
) -> None:
    for turn in range(8):
        name = f"{schema}_{turn}"
        migrate(database, name, LEDGER_MIGRATIONS)
        with open_pool(database, name, min_size=4) as pool:
            pool.wait()
            path = tmp_path / f"{turn}.key"
            signers = at_once([partial(key_at, pool, path)] * 4)
        with psycopg.connect(database, autocommit=True, options="-c client_min_messages=warning") as owner:
            owner.execute(f"DROP SCHEMA {name} CASCADE".encode())
        assert len(set(signers)) == 1, signers


def key_at(pool: Pool, path: Path) -> str:
    try:
        return signer_at(pool, path).text
    except (KeyFileError, WrongKey) as refused:
        return str(refused)


def test_a_key_that_is_given_before_the_first_start_is_taken(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    given = Signer.kept_at(path, "ledger.example")
    assert signer_at(pool, path).text == given.text
    with pool.connection() as database:
        assert database.execute("SELECT verifier FROM log_key").fetchall() == [(str(given.verifier),)]


def test_another_key_and_a_missing_one_are_refused_by_their_names(pool: Pool, tmp_path: Path) -> None:
    signer = signer_at(pool, tmp_path / "signing.key")
    other = Signer.kept_at(tmp_path / "other.key", signer.name)
    with pytest.raises(WrongKey) as wrong:
        signer_at(pool, tmp_path / "other.key")
    assert str(wrong.value) == (
        f"The file {tmp_path / 'other.key'} holds the key {other.verifier}; this ledger is signed by {signer.verifier}. "
        "Give that key's file by CASELEDGER_SIGNING_KEY_FILE."
    )
    with pytest.raises(WrongKey) as missing:
        signer_at(pool, tmp_path / "none.key")
    assert str(missing.value) == (
        f"The signing key of this ledger, {signer.verifier}, is not at {tmp_path / 'none.key'}. Give its file by "
        "CASELEDGER_SIGNING_KEY_FILE; a ledger is never signed by two keys."
    )
    assert not (tmp_path / "none.key").exists()
    assert signer_at(pool, tmp_path / "signing.key").text == signer.text
