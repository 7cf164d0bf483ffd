"""A ledger's key and tree begin together at its first start, and a tree that was cut off is not gone on with."""

from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from appends import bare, event, now, stored
from ledger import tree
from ledger.files import KeyFileError
from ledger.migrations import LEDGER_MIGRATIONS, Pool, migrate, open_pool
from ledger.notes import Signer
from ledger.recorder import PostgresRecorder
from ledger.tree import CutTree, LedgerTree, Proofs, WrongKey, check_tree, signer_at
from running import at_once
from signed_tree import SIGNER, check, nodes_of, recorder_of, sizes
from tampering import NODE_BY_NODE

# Ledgers that were begun without a tree, and those whose tree was cut off


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The file of SIGNER."""
    path = tmp_path / "signing.key"
    path.touch(mode=0o600)
    path.write_text(f"{SIGNER.text}\n")
    return path


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


def test_an_empty_ledger_has_a_whole_tree_and_proves_nothing(pool: Pool, key_file: Path) -> None:
    proofs = Proofs(pool)
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
