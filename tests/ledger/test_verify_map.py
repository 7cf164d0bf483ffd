"""Verification of the map that a database keeps: what was changed of it is found, one thing at a time."""

from typing import Final

import psycopg
import pytest

from given import A, B, interviewed
from ledger import enterprise_map
from ledger.absence_evidence import absence_evidence
from ledger.completeness import mapped
from ledger.enterprise_evidence import enterprise_evidence
from ledger.enterprise_map import key_of, with_map
from ledger.evidence import NoEvidence
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notes import Note, Signer
from ledger.verify import Broken
from ledger.verify_database import verify_database
from ledger.verify_map import map_faults
from signed_ledger import record

SIZE: Final = 21
"""Of the small ledger: of segments of 8 the map has two, and then the last five; notes are of 10 and of all."""


def untold(done: int, of: int) -> None:
    """Nobody hears of it."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enterprise_map, "SIZES", (16, 8))


@pytest.fixture
def told(ledger: Ledger, pool: Pool, signer: Signer) -> Ledger:
    """Of 16 entries one segment is kept, which took the place of two; of the first 10, a map was signed before."""
    for number in range(7):
        record(ledger, interviewed(uscc=B, caseId=f"B-{number}"))
    for number in range(3):
        record(ledger, interviewed(uscc=A, caseId=f"A-{number}"))
    for size in (10, SIZE):
        mapped(pool, signer, size, [key_of(A)], untold)
    return ledger


def test_a_map_that_was_made_and_signed_in_parts_holds(told: Ledger, pool: Pool, signer: Signer) -> None:
    newest, verifier = verify_database(pool)
    assert newest is not None
    assert (newest.size, verifier) == (SIZE, signer.verifier)
    with pool.connection() as database:
        assert database.execute("SELECT after, upto FROM map_segments").fetchall() == [(0, 16)]
        assert database.execute("SELECT size FROM map_notes ORDER BY 1").fetchall() == [(10,), (SIZE,)]


def test_a_database_that_has_no_tables_of_a_map_yet_holds(told: Ledger, pool: Pool, owner: psycopg.Connection) -> None:
    owner.execute("DROP TABLE map_segments, map_tiles, map_notes")
    newest, _ = verify_database(pool)
    assert newest is not None
    assert newest.size == SIZE


TAMPERED: Final = {
    "a leaf": (1, "UPDATE map_tiles SET content = set_byte(content, 70, get_byte(content, 70) # 1)"),
    "the first key": (1, "UPDATE map_tiles SET first_key = sha256('x')"),
    "a tile taken away": (1, "DELETE FROM map_tiles"),
    "a tile more": (1, "INSERT INTO map_tiles VALUES (0, 16, 1, 0, NULL, sha256('x'))"),
    "a tile of no segment": (17, "INSERT INTO map_tiles VALUES (16, 24, 1, 0, NULL, sha256('x'))"),
    "a root": (1, "UPDATE map_segments SET root = sha256('x')"),
    "a count": (1, "UPDATE map_segments SET leaves = leaves + 1"),
    "a segment taken away": (1, "DELETE FROM map_segments"),
    "a segment beyond the head": (22, "INSERT INTO map_segments VALUES (16, 32, 0, sha256('x'))"),
    "a segment that no map has": (2, "INSERT INTO map_segments VALUES (1, 9, 0, sha256('x'))"),
    "a note's root": (10, "UPDATE map_notes SET root = sha256('x') WHERE size = 10"),
    "a note's signature": (10, "UPDATE map_notes SET note = replace(note, '— ', '— x') WHERE size = 10"),
    "a note to another's": (
        10,
        "UPDATE map_notes SET note = other.note FROM map_notes AS other WHERE map_notes.size = 10 AND other.size = 21",
    ),
    "a note's size": (11, "UPDATE map_notes SET size = 11 WHERE size = 10"),
    "a note beyond the head": (22, "UPDATE map_notes SET size = 22 WHERE size = 21"),
    "a checkpoint for a note": (
        21,
        "UPDATE map_notes SET note = checkpoints.note FROM checkpoints WHERE checkpoints.size = map_notes.size AND map_notes.size = 21",
    ),
}


def test_whatever_is_changed_of_the_map_is_found(told: Ledger, signer: Signer, owner: psycopg.Connection) -> None:
    found = {}
    for name, (_, change) in TAMPERED.items():
        with owner.transaction(force_rollback=True):
            assert owner.execute(change.encode()).rowcount > 0, name
            found[name] = min(fault.position for fault in map_faults(owner, signer.verifier, SIZE))
    assert found == {name: position for name, (position, _) in TAMPERED.items()}
    with owner.transaction():
        assert [str(fault) for fault in map_faults(owner, None, SIZE)] == [
            "Position 10 does not hold: there is the note of a map and no key that this ledger is signed under."
        ]


def test_what_is_wrong_with_the_tags_is_named_there_and_not_at_the_map(
    told: Ledger, pool: Pool, owner: psycopg.Connection
) -> None:
    owner.execute("UPDATE events SET tags = '{}' WHERE position = 5")
    with pytest.raises(Broken, match="Position 5 does not hold: the column tags says other than its entry"):
        verify_database(pool)


def test_a_map_that_was_signed_of_other_tags_is_found(
    told: Ledger, pool: Pool, signer: Signer, owner: psycopg.Connection
) -> None:
    signed = owner.execute("SELECT root FROM checkpoints WHERE size = 16").fetchone()
    assert signed
    text = with_map(signer.name, 16, signed[0], b"m" * 32).text
    note = Note(text, (signer.sign(text),)).encoded.decode()
    owner.execute("INSERT INTO map_notes VALUES (16, %s, %s)", [b"m" * 32, note])
    with pytest.raises(Broken, match="Position 16 does not hold: a map was signed that is not what the tags"):
        verify_database(pool)
    with pytest.raises(NoEvidence, match="The map of enterprises in this database is not that of its entries"):
        mapped(pool, signer, 16, [], untold)


def test_an_export_from_a_changed_map_is_refused(
    told: Ledger, pool: Pool, signer: Signer, owner: psycopg.Connection
) -> None:
    owner.execute("UPDATE map_tiles SET content = set_byte(content, 70, get_byte(content, 70) # 1)")
    for made in (
        enterprise_evidence(pool, signer, A, 0, SIZE, untold),
        absence_evidence(pool, signer, A, ["Z"], SIZE, untold),
    ):
        with pytest.raises(NoEvidence, match="see with `caseledger verify` what holds"):
            list(made)
