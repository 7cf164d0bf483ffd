"""The evidence folder: what was changed anywhere in it is found by the public key alone, and the first position is named."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ledger import evidence
from ledger.evidence import NoEvidence, evidence_edge, evidence_key, verify_evidence, write_evidence
from ledger.ledger import Ledger
from ledger.merkle import leaf_hash
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Signer
from ledger.verify import EMPTY, LONGEST_ENTRY, Broken
from ledger.verify_database import verify_database
from signed_ledger import HEAD, note_of


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint of the small ledger is the last of a part."""
    monkeypatch.setattr(evidence, "AT_A_TIME", 1)


@pytest.fixture
def folder(ledger: Ledger, pool: Pool, tmp_path: Path) -> Path:
    assert write_evidence(pool, tmp_path / "evidence").size == HEAD
    return tmp_path / "evidence"


def lines(folder: Path) -> list[bytes]:
    return (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)


def test_a_folder_is_verified_by_the_public_key_alone(folder: Path, signer: Signer) -> None:
    assert evidence_key(folder) == signer.verifier
    assert verify_evidence(folder, signer.verifier).size == HEAD
    names = ["checkpoint", "checkpoints", "entries.jsonl", "leaves", "verifier"]
    assert sorted(file.name for file in folder.iterdir()) == names


def test_a_part_of_the_entries_has_one_checkpoint(
    ledger: Ledger, pool: Pool, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "AT_A_TIME", 4)
    write_evidence(pool, tmp_path / "evidence")
    assert [note.split("\n")[1] for note in notes(tmp_path / "evidence")] == ["4", "8", "11"]
    assert verify_evidence(tmp_path / "evidence", signer.verifier).size == HEAD


def _byte(kept: list[bytes]) -> list[bytes]:
    return [*kept[:4], kept[4].replace(b"false", b"true", 1), *kept[5:]]


EDITED: Final[dict[str, tuple[int, Callable[[list[bytes]], list[bytes]]]]] = {
    "an entry is changed": (5, _byte),
    "an entry is no JSON": (5, lambda kept: [*kept[:4], b"{\n", *kept[5:]]),
    "an entry is not canonical": (5, lambda kept: [*kept[:4], kept[4].replace(b":", b": ", 1), *kept[5:]]),
    "the first is dropped": (1, lambda kept: kept[1:]),
    "a middle one is dropped": (6, lambda kept: kept[:5] + kept[6:]),
    "the last is dropped": (11, lambda kept: kept[:-1]),
    "two are swapped": (3, lambda kept: [*kept[:2], kept[3], kept[2], *kept[4:]]),
    "the last is cut off": (11, lambda kept: [*kept[:-1], kept[-1][:-9]]),
    "one is there twice": (6, lambda kept: [*kept[:5], kept[4], *kept[5:]]),
    "all are gone": (1, lambda kept: []),
    "one is changed and the last is cut off": (5, lambda kept: [*_byte(kept)[:-1], kept[-1][:-9]]),
    "the last is there without its newline": (11, lambda kept: [*kept[:-1], kept[-1][:-1]]),
    "one of a group is changed": (1, lambda kept: [kept[0].replace(b"false", b"true", 1), *kept[1:]]),
    "one is nested too deeply": (5, lambda kept: [*kept[:4], b'{"data":{"a":' + b"[" * 100_000 + b"\n", *kept[5:]]),
    "one says a number that nobody writes": (5, lambda kept: [*kept[:4], b'{"data":{"a":' + b"9" * 9_999 + b"}}\n"]),
    "one more follows": (12, lambda kept: [*kept, kept[-1].replace(b'"position":11', b'"position":12')]),
}


@pytest.mark.parametrize(("position", "edit"), EDITED.values(), ids=EDITED.keys())
def test_what_was_edited_in_a_folder_is_found(
    folder: Path, signer: Signer, position: int, edit: Callable[[list[bytes]], list[bytes]]
) -> None:
    (folder / "entries.jsonl").write_bytes(b"".join(edit(lines(folder))))
    with pytest.raises(Broken) as broken:
        verify_evidence(folder, signer.verifier)
    assert broken.value.position == position


def notes(folder: Path) -> list[str]:
    """The notes of the file of all checkpoints."""
    *parts, rest = (folder / "checkpoints").read_text().split("\n\n")
    assert rest == ""
    return [f"{text}\n\n{signature}\n" for text, signature in zip(parts[::2], parts[1::2], strict=True)]


def test_a_folder_has_every_checkpoint_by_rising_size_and_every_leaf(folder: Path, pool: Pool) -> None:
    with pool.connection() as database:
        rows = database.execute("SELECT note FROM checkpoints ORDER BY size").fetchall()
    assert notes(folder) == [note for (note,) in rows]
    assert notes(folder)[-1] == (folder / "checkpoint").read_text()
    assert (folder / "leaves").read_bytes() == b"".join(leaf_hash(line[:-1]) for line in lines(folder))


RESIGNED: Final[dict[str, tuple[int, Callable[[list[str]], list[str]]]]] = {
    "a signature": (5, lambda kept: [*kept[:3], kept[3].replace("=\n", "A=\n"), *kept[4:]]),
    "a size": (5, lambda kept: [*kept[:3], kept[3].replace("\n5\n", "\n4\n"), *kept[4:]]),
    "a size to none": (5, lambda kept: [*kept[:3], kept[3].replace("\n5\n", "\nfive\n"), *kept[4:]]),
    "one to that of another size": (5, lambda kept: [*kept[:3], kept[1], *kept[4:]]),
    "the last is dropped": (11, lambda kept: kept[:-1]),
    "all are dropped": (1, lambda kept: []),
    "one follows": (12, lambda kept: [*kept, kept[-1]]),
    "one of a larger size follows": (12, lambda kept: [*kept, kept[-1].replace("\n11\n", "\n99\n")]),
    "an endless one": (5, lambda kept: [*kept[:3], "x" * 300_000]),
}


@pytest.mark.parametrize(("position", "edit"), RESIGNED.values(), ids=RESIGNED.keys())
def test_what_was_edited_in_the_checkpoints_of_a_folder_is_found(
    folder: Path, signer: Signer, position: int, edit: Callable[[list[str]], list[str]]
) -> None:
    (folder / "checkpoints").write_text("".join(f"{note}\n" for note in edit(notes(folder))))
    with pytest.raises(Broken) as broken:
        verify_evidence(folder, signer.verifier)
    assert broken.value.position == position


def test_what_was_edited_in_the_leaves_of_a_folder_is_found(folder: Path, signer: Signer) -> None:
    leaves = (folder / "leaves").read_bytes()
    edited = {3: leaves[:70] + bytes(1) + leaves[71:], 11: leaves[:-1], 12: leaves + bytes(32), 1: b""}
    for position, written in edited.items():
        (folder / "leaves").write_bytes(written)
        with pytest.raises(Broken) as broken:
            verify_evidence(folder, signer.verifier)
        assert broken.value.position == position


def test_an_entry_changed_with_its_leaf_is_found_at_the_next_checkpoint(folder: Path, signer: Signer) -> None:
    edited = _byte(lines(folder))
    (folder / "entries.jsonl").write_bytes(b"".join(edited))
    (folder / "leaves").write_bytes(b"".join(leaf_hash(line[:-1]) for line in edited))
    with pytest.raises(Broken, match="the root of the entries up to it") as broken:
        verify_evidence(folder, signer.verifier)
    assert broken.value.position == 5


def test_a_line_without_an_end_is_refused_at_its_position_in_constant_memory(folder: Path, signer: Signer) -> None:
    with (folder / "entries.jsonl").open("r+b") as file:
        file.truncate(len(b"".join(lines(folder)[:4])))
        file.truncate(8 * 1024**3)  # a hole: it takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(Broken, match="has more than 16777216 bytes") as broken:
            verify_evidence(folder, signer.verifier)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert broken.value.position == 5
    assert peak < 4 * LONGEST_ENTRY


def test_a_folder_signed_by_another_key_proves_nothing(folder: Path, signer: Signer) -> None:
    other = Signer.generate(signer.name)
    with pytest.raises(Broken, match="not signed by"):
        verify_evidence(folder, other.verifier)


def test_a_fork_is_found_by_a_checkpoint_that_was_kept(folder: Path, signer: Signer) -> None:
    hashes = [leaf_hash(line[:-1]) for line in lines(folder)]
    kept = Checkpoint(signer.name, HEAD, EMPTY.extend(hashes)[0].root)
    forked = _byte(lines(folder))
    leaves = [leaf_hash(line[:-1]) for line in forked]
    root = EMPTY.extend(leaves)[0].root
    (folder / "entries.jsonl").write_bytes(b"".join(forked))
    (folder / "leaves").write_bytes(b"".join(leaves))
    (folder / "checkpoint").write_text(note_of(signer, HEAD, root))
    (folder / "checkpoints").write_text(note_of(signer, HEAD, root) + "\n")
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
    assert sorted(file.name for file in folder.parent.iterdir()) == ["evidence", "part", "signing.key"]


@pytest.mark.parametrize("name", ["verifier", "checkpoint", "checkpoints", "leaves", "entries.jsonl"])
def test_a_folder_that_lacks_a_file_is_no_evidence(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(NoEvidence, match=f"{name} cannot be read"):
        verify_evidence(folder, evidence_key(folder))


# A part of a ledger


@pytest.mark.parametrize("after", range(HEAD))
def test_a_part_is_verified_from_the_edge_of_the_tree_before_it(
    ledger: Ledger, pool: Pool, signer: Signer, tmp_path: Path, after: int
) -> None:
    part, told = tmp_path / "part", []
    assert write_evidence(pool, part, after=after).size == HEAD
    assert verify_evidence(part, signer.verifier, progress=lambda *done: told.append(done)).size == HEAD
    assert (evidence_edge(part).size, told) == (after, [(HEAD - after, HEAD - after)])
    assert [size.split("\n")[1] for size in notes(part)] == [str(size) for size in range(max(2, after + 1), HEAD + 1)]
    (part / "entries.jsonl").write_bytes(b"".join(lines(part)[:-1]))
    with pytest.raises(Broken) as broken:
        verify_evidence(part, signer.verifier)
    assert broken.value.position == HEAD


def test_a_part_has_nothing_of_before_and_after(ledger: Ledger, pool: Pool, signer: Signer, tmp_path: Path) -> None:
    part = tmp_path / "part"
    assert write_evidence(pool, part, after=4, upto=7).size == 7
    assert [line[line.index(b'"position"') :].split(b",")[0] for line in lines(part)] == [
        b'"position":5', b'"position":6', b'"position":7',
    ]  # fmt: skip
    assert verify_evidence(part, signer.verifier).size == 7


def test_a_part_continues_a_checkpoint_that_was_kept(folder: Path, pool: Pool, signer: Signer, tmp_path: Path) -> None:
    hashes = [leaf_hash(line[:-1]) for line in lines(folder)]
    part = tmp_path / "part"
    write_evidence(pool, part, after=4)
    for size in (4, 6, HEAD):
        kept = Checkpoint(signer.name, size, EMPTY.extend(hashes[:size])[0].root)
        assert verify_evidence(part, signer.verifier, kept).size == HEAD
        with pytest.raises(Broken, match="the checkpoint that was kept") as broken:
            verify_evidence(part, signer.verifier, Checkpoint(signer.name, size, bytes(32)))
        assert broken.value.position == size
    with pytest.raises(
        NoEvidence, match="is of 3 entries, and the folder begins after 4: export with --after 3 or less"
    ):
        verify_evidence(part, signer.verifier, Checkpoint(signer.name, 3, bytes(32)))


EDGES: Final[dict[str, tuple[int, Callable[[str], str]]]] = {
    "a hash": (6, lambda edge: edge[:-9] + "0" * 8 + "\n"),
    "the size": (6, lambda edge: edge.replace("5", "6", 1)),
    "a hash too many": (1, lambda edge: edge + "0" * 64 + "\n"),
    "no edge": (1, lambda edge: "x"),
    "no hashes": (1, lambda edge: ""),
}


@pytest.mark.parametrize(("position", "edit"), EDGES.values(), ids=EDGES.keys())
def test_what_was_edited_in_the_edge_of_a_part_is_found(
    ledger: Ledger, pool: Pool, signer: Signer, tmp_path: Path, position: int, edit: Callable[[str], str]
) -> None:
    part = tmp_path / "part"
    write_evidence(pool, part, after=5)
    edge = (part / "edge").read_text()
    (part / "edge").write_text(edit(edge))
    with pytest.raises(Broken) as broken:
        verify_evidence(part, signer.verifier)
    assert broken.value.position in {position, position + 1}
    (part / "edge").unlink()
    with pytest.raises(Broken, match="says that it is at position 6") as broken:
        verify_evidence(part, signer.verifier)
    assert broken.value.position == 1


@pytest.mark.parametrize(
    ("after", "upto", "said"),
    [
        (-1, None, "got after -1 and up to 11"),
        (5, 5, "got after 5 and up to 5"),
        (7, 5, "got after 7 and up to 5"),
        (0, 12, "up to at most 11, the head; got after 0 and up to 12"),
        (11, None, "got after 11 and up to 11"),
        (0, 1, "nothing after 0 can be proved yet; the next one is of 2 entries, so give --upto 2"),
    ],
)
def test_a_part_that_cannot_be_is_refused(
    ledger: Ledger, pool: Pool, tmp_path: Path, after: int, upto: int | None, said: str
) -> None:
    with pytest.raises(NoEvidence, match=said):
        write_evidence(pool, tmp_path / "part", upto, after)
    assert not (tmp_path / "part").exists()
