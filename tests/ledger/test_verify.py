"""Verification: what was changed anywhere is found, one thing at a time, and the first position is named."""

from pathlib import Path
from typing import Final

import psycopg
import pytest

from given import A, B, interviewed, registered
from ledger import cosignatures, tree
from ledger.entry import seal
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Cosigner, Signer
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from ledger.tree import LedgerTree, Proofs, signer_at, verifier_of
from ledger.verify import Broken
from ledger.verify_database import verify_database
from signed_ledger import HEAD, note_of, record
from tampering import NODE_BY_NODE

WITNESS: Final = Cosigner.generate("witness.example")
MISSING: Final = "DELETE FROM events WHERE position = {}"


@pytest.fixture
def ledger(ledger: Ledger, pool: Pool, signer: Signer) -> Ledger:
    """The small ledger, with a cosignature."""
    cosign(pool, signer, 9)
    return ledger


def cosign(pool: Pool, signer: Signer, size: int) -> None:
    signed = Proofs(pool).checkpoint(size)
    assert signed is not None
    with pool.connection() as database:
        made = WITNESS.cosign(Checkpoint(signer.name, size, signed.root), 1_795_000_000)
        cosignatures.keep(database, signed, WITNESS.verifier, made)


def test_an_untouched_ledger_holds_under_its_newest_checkpoint(ledger: Ledger, pool: Pool, signer: Signer) -> None:
    told: list[tuple[int, int]] = []
    signed, verifier = verify_database(pool, progress=lambda done, of: told.append((done, of)))
    assert signed is not None
    assert (signed.size, told, verifier) == (HEAD, [(HEAD, HEAD)], signer.verifier)
    assert ledger.recorder.head() == HEAD


def test_a_database_that_has_no_table_of_cosignatures_yet_holds(
    ledger: Ledger, pool: Pool, owner: psycopg.Connection
) -> None:
    owner.execute("DROP TABLE cosignatures")
    newest, _ = verify_database(pool)
    assert newest is not None
    assert newest.size == HEAD


def test_an_empty_ledger_holds(pool: Pool) -> None:
    assert verify_database(pool) == (None, None)


TAMPERED: Final = {
    "a byte of an entry": (5, "UPDATE events SET data = set_byte(data, 30, get_byte(data, 30) # 1) WHERE position = 5"),
    "an entry to other canonical bytes": (
        5,
        r"""UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), '"historical":false', '"historical":true'), 'UTF8') WHERE position = 5""",
    ),
    "the column type": (4, "UPDATE events SET type = 'SelfReportFiled' WHERE position = 4"),
    "the column tags": (4, "UPDATE events SET tags = tags || '{void:1}' WHERE position = 4"),
    "the column recorded_at": (6, "UPDATE events SET recorded_at = recorded_at - interval '1 day' WHERE position = 6"),
    "a tag to another": (3, "UPDATE tags SET tag = 'enterprise:x' WHERE position = 3"),
    "a tag taken away": (3, "DELETE FROM tags WHERE position = 3"),
    "a tag added": (7, "INSERT INTO tags VALUES ('enterprise:x', 7)"),
    "a tag beyond the head": (12, "INSERT INTO tags VALUES ('enterprise:x', 12)"),
    "a leaf of the tree": (8, "UPDATE node_runs SET hashes = sha256('x') WHERE level = 0 AND first = 7"),
    "an inner node": (4, "UPDATE node_runs SET hashes = sha256('x') WHERE level = 2 AND first = 0"),
    "a node taken away": (6, "DELETE FROM node_runs WHERE level = 1 AND first = 2"),
    "a node beyond the head": (12, "INSERT INTO node_runs VALUES (0, 20, sha256('x'))"),
    "a checkpoint's root": (9, "UPDATE checkpoints SET root = sha256('x') WHERE size = 9"),
    "a checkpoint's note": (9, "UPDATE checkpoints SET note = replace(note, '— ', '— x') WHERE size = 9"),
    "a checkpoint's instant": (9, "UPDATE checkpoints SET signed_at = now() + interval '1 day' WHERE size = 9"),
    "the first checkpoint taken away": (1, "DELETE FROM checkpoints WHERE size = 2"),
    "a middle checkpoint taken away": (6, "DELETE FROM checkpoints WHERE size = 6"),
    "a cosignature's line": (9, "UPDATE cosignatures SET line = replace(line, '— ', '— x')"),
    "a cosignature's line to no signature": (9, "UPDATE cosignatures SET line = '— x'"),
    "a cosignature's witness": (9, "UPDATE cosignatures SET witness = 'x'"),
    "a cosignature's instant": (9, "UPDATE cosignatures SET cosigned_at = cosigned_at + interval '1 second'"),
    "a cosignature's checkpoint": (8, "UPDATE cosignatures SET size = 8"),
    "a checkpoint with a cosignature taken away": (9, "DELETE FROM checkpoints WHERE size = 9"),
    "the last checkpoint taken away": (11, "DELETE FROM checkpoints WHERE size = 11"),
    "the first event taken away": (1, MISSING.format(1)),
    "a middle event taken away": (6, MISSING.format(6)),
    "the last event taken away": (11, MISSING.format(11)),
    "two events swapped": (
        5,
        "UPDATE events SET data = other.data FROM events AS other WHERE (events.position, other.position) IN ((5, 6), (6, 5))",
    ),
    "the head moved back": (11, "UPDATE head SET position = 10"),
    "the head moved on": (12, "UPDATE head SET position = 12"),
    "the head's instant": (11, "UPDATE head SET recorded_at = recorded_at + interval '1 day'"),
    "a node that is there twice": (
        7,
        "UPDATE node_runs SET hashes = hashes || (SELECT hashes FROM node_runs WHERE level = 0 AND first = 6) "
        "WHERE level = 0 AND first = 5",
    ),
    "a node of a level that no tree has": (12, "INSERT INTO node_runs VALUES (63, 1, sha256('x'))"),
    "a node whose end overflows": (12, "INSERT INTO node_runs VALUES (40, 16777216, sha256('x'))"),
    "a node whose end overflows to 0": (12, "INSERT INTO node_runs VALUES (32, 4294967295, sha256('x'))"),
    "an instant to infinity": (6, "UPDATE events SET recorded_at = 'infinity' WHERE position = 6"),
    "an instant beyond year 9999": (6, "UPDATE events SET recorded_at = '12026-01-01' WHERE position = 6"),
    "a checkpoint's instant to infinity": (9, "UPDATE checkpoints SET signed_at = '-infinity' WHERE size = 9"),
    "the head's instant to infinity": (11, "UPDATE head SET recorded_at = 'infinity'"),
    "an entry nested too deeply": (
        5,
        "UPDATE events SET data = convert_to('{\"data\":{\"a\":' || repeat('[', 100000), 'UTF8') WHERE position = 5",
    ),
    "a checkpoint to that of another size": (
        4,
        "UPDATE checkpoints SET note = other.note FROM checkpoints AS other WHERE checkpoints.size = 4 AND other.size = 9",
    ),
    "the head taken away": (12, "DELETE FROM head"),
    "the ledger's key": (1, "UPDATE log_key SET verifier = 'garbage'"),
    "an idempotency key beyond the head": (12, "UPDATE idempotency SET last_position = 99 WHERE last_position = 11"),
}


@pytest.mark.parametrize(("position", "change"), TAMPERED.values(), ids=TAMPERED.keys())
def test_what_was_changed_is_found_at_its_first_position(
    ledger: Ledger, pool: Pool, owner: psycopg.Connection, position: int, change: str
) -> None:
    assert owner.execute(change.encode()).rowcount > 0
    with pytest.raises(Broken) as broken:
        verify_database(pool)
    assert broken.value.position == position
    assert str(broken.value).startswith(f"Position {position} does not hold: ")


TWO_TAMPERED: Final = {
    "a column before a byte": (4, ["the column type", "a byte of an entry"]),
    "a tag before a byte": (3, ["a tag taken away", "a byte of an entry"]),
    "a node before a column": (4, ["an inner node", "the column recorded_at"]),
    "a byte before a missing event": (5, ["a byte of an entry", "a middle event taken away"]),
    "a node before the head moved on": (8, ["a leaf of the tree", "the head moved on"]),
    "a checkpoint before the head moved back": (9, ["a checkpoint's root", "the head moved back"]),
    "a stray tag before a node": (7, ["a tag added", "a leaf of the tree"]),
}


@pytest.mark.parametrize(("position", "names"), TWO_TAMPERED.values(), ids=TWO_TAMPERED.keys())
@pytest.mark.parametrize("groups", [1, 10])
def test_of_two_changes_the_first_is_named(
    request: pytest.FixtureRequest,
    pool: Pool,
    signer: Signer,
    owner: psycopg.Connection,
    position: int,
    names: list[str],
    groups: int,
) -> None:
    if groups == 10:
        request.getfixturevalue("ledger")
    else:
        one = Ledger(PostgresRecorder(pool, seal=seal, tree=LedgerTree(signer)), Discarding())
        record(one, registered(), registered(uscc=B), *(interviewed(f"2020-01-0{n}", uscc=A) for n in range(1, 10)))
    owner.execute(NODE_BY_NODE)
    for name in names:
        changed = owner.execute(TAMPERED[name][1].encode()).rowcount
        assert changed > 0 or (groups == 1 and name == "a checkpoint's root")
    with pytest.raises(Broken) as broken:
        verify_database(pool)
    assert broken.value.position == (11 if groups == 1 and "a checkpoint's root" in names else position)


def test_a_ledger_that_was_begun_without_a_tree_holds(pool: Pool, tmp_path: Path) -> None:
    without = Ledger(PostgresRecorder(pool, seal=seal), Discarding())
    record(without, registered(uscc=A), registered(uscc=B))
    for number in range(1, 4):
        record(without, interviewed(f"2020-01-0{number}", uscc=A))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tree, "AT_A_TIME", 3)
        signer = signer_at(pool, tmp_path / "signing.key")
    signed, verifier = verify_database(pool)
    assert signed is not None
    assert (signed.size, verifier) == (5, signer.verifier)
    with pool.connection() as database:
        assert database.execute("SELECT size FROM checkpoints ORDER BY size").fetchall() == [(2,), (3,), (4,), (5,)]


def test_a_ledger_signed_anew_by_another_key_is_found_at_its_first_checkpoint(
    ledger: Ledger, pool: Pool, owner: psycopg.Connection
) -> None:
    with pool.connection() as conn:
        verifier = verifier_of(conn)
    assert verifier is not None
    other = Signer.generate(verifier.name)
    for size, root in owner.execute("SELECT size, root FROM checkpoints").fetchall():
        owner.execute("UPDATE checkpoints SET note = %s WHERE size = %s", [note_of(other, size, root), size])
    with pytest.raises(Broken, match="is not signed by") as broken:
        verify_database(pool)
    assert broken.value.position == 2
