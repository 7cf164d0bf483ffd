"""The artefacts of docs/evidence.md hold by what the page says, checked without any code of the ledger."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAGE: Final = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
BLOCKS: Final = dict(re.findall(r"```(?:json|text) ([^\n]+)\n(.*?)```", PAGE, re.DOTALL))


def leaf(entry: str) -> bytes:
    return sha256(b"\x00" + entry.removesuffix("\n").encode()).digest()


def folded(position: int, size: int, hashes: list[bytes]) -> bytes:
    result, fn, sn = hashes[0], position - 1, size - 1
    for other in hashes[1:]:
        if fn % 2 or fn == sn:
            result = sha256(b"\x01" + other + result).digest()
            while not fn % 2 and fn:
                fn, sn = fn // 2, sn // 2
        else:
            result = sha256(b"\x01" + result + other).digest()
        fn, sn = fn // 2, sn // 2
    assert sn == 0
    return result


def root() -> bytes:
    return b64decode(BLOCKS["checkpoint"].split("\n")[2])


def test_the_page_shows_each_artefact_once() -> None:
    assert set(BLOCKS) == {
        "entry 6", "leaf 6", "checkpoint", "verifier", "witness", "cosignature", "receipt 5", "edge 6", "entry 7",
        "pool line", "absence", "segment 4097",
    }  # fmt: skip


def test_the_entries_are_canonical() -> None:
    for name in ("entry 6", "entry 7"):
        written = json.dumps(json.loads(BLOCKS[name]), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert written == BLOCKS[name].removesuffix("\n")


def test_the_leaf_is_that_of_the_entry() -> None:
    assert leaf(BLOCKS["entry 6"]).hex() == BLOCKS["leaf 6"].strip()


def key(block: str, kind: int) -> tuple[str, bytes, Ed25519PublicKey]:
    """Name, key id and public key of a verifier key of this kind."""
    name, key_id, encoded = BLOCKS[block].strip().split("+", 2)
    typed = b64decode(encoded)
    assert typed[0] == kind
    assert sha256(name.encode() + b"\n" + typed).digest()[:4].hex() == key_id
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(typed[1:])


def signature(line: str) -> tuple[str, bytes, bytes]:
    """Name, key id and the rest of a signature line."""
    dash, name, value = line.strip().split(" ")
    assert dash == "—"
    return name, b64decode(value)[:4], b64decode(value)[4:]


def test_the_checkpoint_is_signed_by_the_key() -> None:
    name, key_id, public = key("verifier", 0x01)
    text, _, line = BLOCKS["checkpoint"].partition("\n\n")
    *named, signed = signature(line)
    assert named == [name, key_id]
    public.verify(signed, f"{text}\n".encode())


def test_the_checkpoint_is_cosigned_by_the_witness() -> None:
    name, key_id, public = key("witness", 0x04)
    *named, signed = signature(BLOCKS["cosignature"])
    assert named == [name, key_id]
    text, _, _ = BLOCKS["checkpoint"].partition("\n\n")
    seconds = int.from_bytes(signed[:8])
    assert len(signed) == 8 + 64
    public.verify(signed[8:], f"cosignature/v1\ntime {seconds}\n{text}\n".encode())


def test_the_receipt_leads_to_the_signed_root_and_no_other_place_does() -> None:
    hashes = [bytes.fromhex(line) for line in BLOCKS["receipt 5"].split()]
    assert folded(5, 7, hashes) == root()
    assert folded(5, 7, [leaf("{}"), *hashes[1:]]) != root()
    assert hashes[1] == leaf(BLOCKS["entry 6"])
    assert hashes[2] == leaf(BLOCKS["entry 7"])


def test_the_edge_and_the_entries_after_it_lead_to_the_signed_root() -> None:
    size, *hashes = BLOCKS["edge 6"].split()
    four, two = map(bytes.fromhex, hashes)
    assert int(size).bit_count() == len(hashes)

    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    assert node(four, node(two, leaf(BLOCKS["entry 7"]))) == root()


def test_what_was_erased_is_named_by_its_random_id() -> None:
    subject = json.loads(BLOCKS["entry 7"])["data"]["subject"]
    assert json.loads(BLOCKS["entry 6"])["data"]["complainantPhone"].startswith(f"sealed:1:{subject}:")


def test_the_line_of_a_pool_is_canonical() -> None:
    written = json.dumps(json.loads(BLOCKS["pool line"]), sort_keys=True, separators=(",", ":"))
    assert written == BLOCKS["pool line"].removesuffix("\n")


# The enterprise map

ABSENT: Final = [json.loads(line) for line in BLOCKS["absence"].splitlines()]


def hashed(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def key_of(uscc: str, type_: str = "") -> bytes:
    return hashed(f"enterprise:{uscc}".encode(), b"\0", type_.encode())


def value_of(positions: list[int]) -> bytes:
    return hashed(*(position.to_bytes(8, "big") for position in positions))


def leads(key: bytes, value: bytes, index: int, path: list[str], segment: list[Any]) -> bool:
    """Whether a leaf is at a place of a segment, given as the number of its leaves and its root."""
    hashes = [hashed(b"\0enterprise map", key, value), *map(bytes.fromhex, path)]
    return bool(folded(index + 1, segment[0], hashes).hex() == segment[1])


def bounds_of(size: int) -> list[tuple[int, int]]:
    found, at = [], 0
    for width in (1_048_576, 65_536, 4_096, 1):
        while size - at >= width:
            found.append((at, at + width if width > 1 else size))
            at = found[-1][1]
    return found


def is_absent(key: bytes, proof: dict[str, Any], segment: list[Any]) -> bool:
    """Whether a proof shows that no leaf of a segment has a key."""
    places = [place for place in (proof["index"] - 1, proof["index"]) if 0 <= place < segment[0]]
    if proof["positions"] or len(places) != len(proof["leaves"]):
        return False
    for place, given in zip(places, proof["leaves"], strict=True):
        found = bytes.fromhex(given["key"])
        between = found < key if place < proof["index"] else key < found
        if not between or not leads(found, bytes.fromhex(given["value"]), place, given["path"], segment):
            return False
    return True


def opened(note: str) -> list[str]:
    """The lines of a note that the key of the file signed."""
    name, key_id, encoded = ABSENT[0]["verifier"].split("+", 2)
    text, _, line = note.partition("\n\n")
    *named, signed = signature(line)
    assert named == [name, bytes.fromhex(key_id)]
    Ed25519PublicKey.from_public_bytes(b64decode(encoded)[1:]).verify(signed, f"{text}\n".encode())
    return text.split("\n")


def test_the_map_is_signed_with_the_checkpoint_and_its_root_is_over_the_segments() -> None:
    head = ABSENT[0]
    origin, size, log_root, extension = opened(head["map"])
    assert [origin, size, log_root] == opened(head["checkpoint"])
    lines = [
        f"{after} {upto} {leaves} {root}\n"
        for (after, upto), (leaves, root) in zip(bounds_of(int(size)), head["segments"], strict=True)
    ]
    made = sha256("".join(["enterprise-map/v1\n", *lines]).encode()).digest()
    assert extension == f"enterprise-map {b64encode(made).decode()}"
    assert len(lines) == 2


def test_no_segment_has_a_penalty_of_the_enterprise_by_its_neighbours_and_other_keys_are_not_shown_absent() -> None:
    head, *lines = ABSENT
    (type_,), uscc = head["types"], head["uscc"]
    assert type_ == "PenaltyImposed"
    assert [(line["after"], line["upto"]) for line in lines] == bounds_of(4_100)
    for line, segment in zip(lines, head["segments"], strict=True):
        (proof,) = line["proofs"]
        assert is_absent(key_of(uscc, type_), proof, segment)
        assert not is_absent(key_of(uscc), proof, segment)
        assert not is_absent(bytes.fromhex(proof["leaves"][0]["key"]), proof, segment)
        assert not is_absent(key_of(uscc, type_), {**proof, "index": proof["index"] + 1}, segment)


def test_the_last_segment_has_the_enterprise_at_two_positions_and_at_no_others() -> None:
    line, segment = json.loads(BLOCKS["segment 4097"]), ABSENT[0]["segments"][1]
    (proof,) = line["proofs"]
    (given,) = proof["leaves"]
    assert (line["after"], line["upto"], proof["positions"]) == (4_096, 4_100, [4_097, 4_099])
    key = key_of(ABSENT[0]["uscc"])
    assert (given["key"], given["value"]) == (key.hex(), value_of(proof["positions"]).hex())
    assert leads(key, value_of(proof["positions"]), proof["index"], given["path"], segment)
    assert not leads(key, value_of([4_097]), proof["index"], given["path"], segment)
    assert not is_absent(key, {**proof, "positions": []}, segment)
