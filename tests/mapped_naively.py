"""The enterprise map as the page defines it, naively: all in memory, from the tags and types of entries."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from ledger.enterprise_map import Leaf, Place, Proof, Segment, segments_of
from ledger.merkle import leaf_hash, node_hash, split


class Borne(NamedTuple):
    """What counts of an entry; its position is its place in the list, from 1 on."""

    type: str
    tags: tuple[str, ...]


def keys_of(entry: Borne) -> set[bytes]:
    usccs = {tag.split(":")[1] for tag in entry.tags if tag.split(":")[0] in ("enterprise", "decisions", "complaints")}
    return {sha256(f"enterprise:{uscc}\0{type_}".encode()).digest() for uscc in usccs for type_ in ("", entry.type)}


def leaves_of(entries: Sequence[Borne], after: int, upto: int) -> list[Leaf]:
    found: dict[bytes, bytes] = {}
    for position in range(after + 1, upto + 1):
        for key in keys_of(entries[position - 1]):
            found[key] = found.get(key, b"") + position.to_bytes(8)
    return [(key, sha256(found[key]).digest()) for key in sorted(found)]


def hashed(leaves: Sequence[Leaf]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaf_hash(b"enterprise map" + b"".join(leaves[0]))
    middle = split(0, len(leaves))
    return node_hash(hashed(leaves[:middle]), hashed(leaves[middle:]))


def path(leaves: Sequence[Leaf], place: int) -> list[str]:
    if len(leaves) == 1:
        return []
    middle = split(0, len(leaves))
    if place < middle:
        return [*path(leaves[:middle], place), hashed(leaves[middle:]).hex()]
    return [*path(leaves[middle:], place - middle), hashed(leaves[:middle]).hex()]


def segment_of(leaves: Sequence[Leaf], after: int, upto: int) -> Segment:
    return Segment(after, upto, len(leaves), hashed(leaves))


def segments(entries: Sequence[Borne], size: int) -> list[Segment]:
    return [segment_of(leaves_of(entries, *bounds), *bounds) for bounds in segments_of(size)]


def proof_of(leaves: Sequence[Leaf], key: bytes, positions: Sequence[int]) -> Proof:
    """The proof of what a segment has under a key, whose positions are given."""
    place = sum(each < key for each, _ in leaves)
    places = [each for each in ([place] if positions else [place - 1, place]) if 0 <= each < len(leaves)]
    shown = [Place(leaves[each][0].hex(), leaves[each][1].hex(), path(leaves, each)) for each in places]
    return Proof(place, list(positions), shown)
