"""Verification: what was changed anywhere is found, one thing at a time, and the first position is named."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
import pytest

from domain.callers import Caller, Role
from given import A, B, Stated, interviewed, registered
from ledger import cosignatures
from ledger.entry import seal
from ledger.evidence import NoEvidence, evidence_key, verify_evidence, write_evidence
from ledger.ledger import Ledger
from ledger.merkle import Frontier, leaf_hash
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Cosigner, Note, Signer
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from ledger.tree import LedgerTree, Proofs, signer_at, verifier_of
from ledger.verify import Broken
from ledger.verify_database import verify_database

REGULATOR: Final = Caller(role=Role.REGULATOR, holder="test", authority="MIIT")
HEAD: Final = 11
"""Two registrations of one group, then nine interviews of a group each."""
WITNESS: Final = Cosigner.generate("witness.example")
MISSING: Final = "DELETE FROM events WHERE position = {}"


@pytest.fixture
def signer(pool: Pool, tmp_path: Path) -> Signer:
    return signer_at(pool, tmp_path / "signing.key")


@pytest.fixture
def ledger(pool: Pool, signer: Signer) -> Ledger:
    made = Ledger(PostgresRecorder(pool, seal=seal, tree=LedgerTree(signer)), Discarding())
    record(made, registered(), registered(uscc=B))
    for number in range(9):
        record(made, interviewed(f"2020-01-0{number + 1}", uscc=A))
    cosign(pool, signer, 9)
    return made


@pytest.fixture
def owner(database: str, schema: str) -> Iterator[psycopg.Connection]:
    """The owner of the tables, who has taken away what keeps them from being changed."""
    with psycopg.connect(database, autocommit=True, options=f"-c search_path={schema}") as conn:
        for table in ("events", "tags", "nodes", "checkpoints", "cosignatures"):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        yield conn


def cosign(pool: Pool, signer: Signer, size: int) -> None:
    signed = Proofs(pool).checkpoint(size)
    assert signed is not None
    with pool.connection() as database:
        made = WITNESS.cosign(Checkpoint(signer.name, size, signed.root), 1_795_000_000)
        cosignatures.keep(database, signed, WITNESS.verifier, made)


def record(ledger: Ledger, *facts: Stated) -> None:
    key = f"{datetime.now(UTC).timestamp()}"
    made = ledger.record(REGULATOR, key, [(fact.name, fact.fields) for fact in facts])
    assert made.refusals == ()


def test_an_untouched_ledger_holds_under_its_newest_checkpoint(ledger: Ledger, pool: Pool, signer: Signer) -> None:
    done: list[int] = []
    signed, verifier = verify_database(pool, progress=done.append)
    assert signed is not None
    assert (signed.size, sum(done), verifier) == (HEAD, HEAD, signer.verifier)
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
    "a leaf of the tree": (8, "UPDATE nodes SET hash = sha256('x') WHERE level = 0 AND index = 7"),
    "an inner node": (4, "UPDATE nodes SET hash = sha256('x') WHERE level = 2 AND index = 0"),
    "a node taken away": (6, "DELETE FROM nodes WHERE level = 1 AND index = 2"),
    "a node beyond the head": (12, "INSERT INTO nodes VALUES (0, 20, sha256('x'))"),
    "a checkpoint's root": (9, "UPDATE checkpoints SET root = sha256('x') WHERE size = 9"),
    "a checkpoint's note": (9, "UPDATE checkpoints SET note = replace(note, '— ', '— x') WHERE size = 9"),
    "a checkpoint's instant": (9, "UPDATE checkpoints SET signed_at = now() + interval '1 day' WHERE size = 9"),
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


def note_of(signer: Signer, size: int, root: bytes) -> str:
    text = Checkpoint(signer.name, size, root).text
    return Note(text, (signer.sign(text),)).encoded.decode()


# Evidence


@pytest.fixture
def folder(ledger: Ledger, pool: Pool, tmp_path: Path) -> Path:
    assert write_evidence(pool, tmp_path / "evidence").size == HEAD
    return tmp_path / "evidence"


def lines(folder: Path) -> list[bytes]:
    return (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)


def test_a_folder_is_verified_by_the_public_key_alone(folder: Path, signer: Signer) -> None:
    assert evidence_key(folder) == signer.verifier
    assert verify_evidence(folder, signer.verifier).size == HEAD
    assert sorted(file.name for file in folder.iterdir()) == ["checkpoint", "entries.jsonl", "verifier"]


def _byte(kept: list[bytes]) -> list[bytes]:
    return [*kept[:4], kept[4].replace(b"false", b"true", 1), *kept[5:]]


EDITED: Final[dict[str, tuple[int, Callable[[list[bytes]], list[bytes]]]]] = {
    "an entry is changed": (11, _byte),
    "an entry is no JSON": (5, lambda kept: [*kept[:4], b"{\n", *kept[5:]]),
    "an entry is not canonical": (5, lambda kept: [*kept[:4], kept[4].replace(b":", b": ", 1), *kept[5:]]),
    "the first is dropped": (1, lambda kept: kept[1:]),
    "a middle one is dropped": (6, lambda kept: kept[:5] + kept[6:]),
    "the last is dropped": (11, lambda kept: kept[:-1]),
    "two are swapped": (3, lambda kept: [*kept[:2], kept[3], kept[2], *kept[4:]]),
    "the last is cut off": (11, lambda kept: [*kept[:-1], kept[-1][:-9]]),
    "one is there twice": (6, lambda kept: [*kept[:5], kept[4], *kept[5:]]),
    "all are gone": (1, lambda kept: []),
}


@pytest.mark.parametrize(("position", "edit"), EDITED.values(), ids=EDITED.keys())
def test_what_was_edited_in_a_folder_is_found(
    folder: Path, signer: Signer, position: int, edit: Callable[[list[bytes]], list[bytes]]
) -> None:
    (folder / "entries.jsonl").write_bytes(b"".join(edit(lines(folder))))
    with pytest.raises(Broken) as broken:
        verify_evidence(folder, signer.verifier)
    assert broken.value.position == position


def test_a_folder_signed_by_another_key_proves_nothing(folder: Path, signer: Signer) -> None:
    other = Signer.generate(signer.name)
    with pytest.raises(Broken, match="not signed by"):
        verify_evidence(folder, other.verifier)


def test_a_fork_is_found_by_a_checkpoint_that_was_kept(folder: Path, signer: Signer) -> None:
    hashes = [leaf_hash(line[:-1]) for line in lines(folder)]
    kept = Checkpoint(signer.name, HEAD, Frontier(0, ()).extend(hashes)[0].root)
    forked = _byte(lines(folder))
    root = Frontier(0, ()).extend([leaf_hash(line[:-1]) for line in forked])[0].root
    (folder / "entries.jsonl").write_bytes(b"".join(forked))
    (folder / "checkpoint").write_text(note_of(signer, HEAD, root))
    assert verify_evidence(folder, signer.verifier).root == root
    with pytest.raises(Broken, match="not that of the checkpoint that was kept") as broken:
        verify_evidence(folder, signer.verifier, kept)
    assert broken.value.position == HEAD


def test_a_ledger_that_was_cut_off_is_found_by_a_checkpoint_that_was_kept(
    folder: Path, signer: Signer, pool: Pool
) -> None:
    kept = Checkpoint(signer.name, HEAD + 5, bytes(32))
    for verified in (lambda: verify_evidence(folder, signer.verifier, kept), lambda: verify_database(pool, kept)):
        with pytest.raises(Broken, match="was cut off") as broken:
            verified()
        assert broken.value.position == HEAD + 1


def test_an_export_ends_at_the_largest_checkpoint_that_is_not_beyond(folder: Path, pool: Pool, signer: Signer) -> None:
    assert write_evidence(pool, folder.with_name("part"), upto=5).size == 5
    assert verify_evidence(folder.with_name("part"), signer.verifier).size == 5
    with pytest.raises(NoEvidence, match="no signed checkpoint up to there"):
        write_evidence(pool, folder.with_name("none"), upto=1)
    with pytest.raises(NoEvidence, match="exists already"):
        write_evidence(pool, folder)
    assert sorted(file.name for file in folder.parent.iterdir()) == ["evidence", "part", "signing.key"]


@pytest.mark.parametrize("name", ["verifier", "checkpoint", "entries.jsonl"])
def test_a_folder_that_lacks_a_file_is_no_evidence(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(NoEvidence, match=f"{name} cannot be read"):
        verify_evidence(folder, evidence_key(folder))
