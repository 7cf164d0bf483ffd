"""The enterprise map: at which positions each enterprise has events, of whatever type and of each type, under one hash.

It follows from the entries' tags and types alone, so that everyone who has the entries makes it again, and whoever signs
another is convicted by them. An event is an enterprise's by its tags `enterprise:USCC`, `decisions:USCC` and
`complaints:USCC:DAY` (`domain.recorded.BEARERS`).

key      SHA-256(“enterprise:” ‖ USCC ‖ 0x00 ‖ TYPE) of an enterprise and a type of event; TYPE is empty for whatever type
value    SHA-256 of the positions under the key, ascending, 8 bytes each, big-endian
leaf     SHA-256(0x00 ‖ “enterprise map” ‖ key ‖ value): no leaf of the log, whose entries begin with “{”
segment  a run of entries: as many of 1,048,576 as there are, then of 65,536, then of 4,096, then what is left. Its root is
         that of the RFC 9162 tree over the leaves of its keys, in ascending order of the keys
root     SHA-256 of a text: the line “enterprise-map/v1”, then a line for each segment: the position before it, its last
         position, the number of its leaves, and its root in hex

One leaf proves all positions that a key has in a segment, and two neighbours, between which its key would be, that it has
none. The root is the extension line “enterprise-map BASE64” of a checkpoint. Nothing is read here.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from ledger.merkle import EMPTY_ROOT, HASH_SIZE, LEAF_PREFIX, Frontier, verify_inclusion
from ledger.notes import Checkpoint

SIZES: Final = (1_048_576, 65_536, 4_096)
"""Entries of a segment. Of the largest, a million positions still go into one line of a file and its keys are sorted in
seconds; of the smallest, what is left is made in milliseconds whenever it is asked for."""
ANY: Final = ""
"""The type that stands for whatever type."""
EXTENSION: Final = "enterprise-map "
POSITION_SIZE: Final = 8

_LEAF: Final = LEAF_PREFIX + b"enterprise map"
_HEAD: Final = "enterprise-map/v1\n"

Bounds = tuple[int, int]
"""The entries after the first position, up to the second."""
Leaf = tuple[bytes, bytes]
"""Key and value."""


class Segment(NamedTuple):
    """A part of a map: the entries after a position up to another, how many keys they have, and the root over these."""

    after: int
    upto: int
    leaves: int = 0
    root: bytes = EMPTY_ROOT

    @property
    def bounds(self) -> Bounds:
        return self.after, self.upto


class Place(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A leaf as a proof has it, in hex: its key and value, and the hashes from its sibling up to the segment's root."""

    key: str
    value: str
    path: list[str]


class Proof(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What a segment has under a key: all its `positions`, or none.

    `index` is where the key's leaf is, or would be; `leaves` are that one, or the ones before and from there.
    """

    index: int
    positions: list[int]
    leaves: list[Place]


class NotProved(Exception):
    """A proof that does not show what it says; the message says what is wrong with it."""


def key_of(uscc: str, type_: str = ANY) -> bytes:
    return sha256(f"enterprise:{uscc}\0{type_}".encode()).digest()


def value_of(positions: Iterable[int]) -> bytes:
    return sha256(b"".join(position.to_bytes(POSITION_SIZE) for position in positions)).digest()


def leaf_of(leaf: Leaf) -> bytes:
    key, value = leaf
    return sha256(_LEAF + key + value).digest()


def number_of_segments(size: int) -> int:
    """How many segments the map of so many entries has."""
    found = 0
    for width in SIZES:
        whole, size = divmod(size, width)
        found += whole
    return found + (size > 0)


def segments_of(size: int) -> Iterator[Bounds]:
    """The segments that the map of so many entries falls into, from the first entry on."""
    at = 0
    for width in SIZES:
        while size - at >= width:
            yield at, at + width
            at += width
    if at < size:
        yield at, size


def is_whole(bounds: Bounds) -> bool:
    """Whether a segment is one that a larger map has too."""
    after, upto = bounds
    return upto - after in SIZES and after % (upto - after) == 0


def segment_over(bounds: Bounds, leaves: Iterable[Leaf]) -> Segment:
    """The segment of these leaves, which ascend by their keys."""
    edge, _ = Frontier(0, ()).extend(map(leaf_of, leaves))
    return Segment(*bounds, edge.size, edge.root)


def map_root(segments: Iterable[Segment]) -> bytes:
    lines = (f"{each.after} {each.upto} {each.leaves} {each.root.hex()}\n" for each in segments)
    return sha256("".join([_HEAD, *lines]).encode()).digest()


def with_map(origin: str, size: int, root: bytes, of_map: bytes) -> Checkpoint:
    """The checkpoint of a log that names the root of its map as well."""
    return Checkpoint(origin, size, root, (EXTENSION + b64encode(of_map).decode(),))


def names_map(checkpoint: Checkpoint, of_map: bytes) -> bool:
    """Whether a checkpoint names this root of a map, and nothing else besides the log's."""
    return checkpoint == with_map(checkpoint.origin, checkpoint.size, checkpoint.root, of_map)


def check_proof(proof: Proof, key: bytes, segment: Segment) -> None:
    """That a proof shows what a segment has under a key. Raises NotProved."""
    if not 0 <= proof.index <= segment.leaves:
        raise NotProved(f"there is no place {proof.index} among {segment.leaves} leaves")
    if proof.positions:
        places = [proof.index]
    else:
        places = [place for place in (proof.index - 1, proof.index) if 0 <= place < segment.leaves]
    if len(proof.leaves) != len(places):
        raise NotProved(f"it has {len(proof.leaves)} leaves, and its proof needs {len(places)}")
    leaves = [_proved(given, place, segment) for given, place in zip(proof.leaves, places, strict=True)]
    if proof.positions:
        _check_positions(proof.positions, segment)
        if leaves != [(key, value_of(proof.positions))]:
            raise NotProved("its leaf is not that of the key and the positions")
    else:
        for place, (found, _) in zip(places, leaves, strict=True):
            if not (found < key if place < proof.index else key < found):
                raise NotProved("the key does not belong between the leaves that it shows")


def _proved(given: Place, place: int, segment: Segment) -> Leaf:
    """A leaf that is at a place of a segment."""
    try:
        key, value, *path = map(bytes.fromhex, (given.key, given.value, *given.path))
    except ValueError:
        raise NotProved("a hash of it is not hexadecimal") from None
    if len(key) != HASH_SIZE or len(value) != HASH_SIZE:
        raise NotProved(f"a key or value of it has not {HASH_SIZE} bytes")
    if not verify_inclusion(leaf_of((key, value)), place, segment.leaves, path, segment.root):
        raise NotProved(f"its leaf is not at place {place} of the segment")
    return key, value


def _check_positions(positions: Sequence[int], segment: Segment) -> None:
    for before, position in zip([segment.after, *positions], positions, strict=False):
        if not before < position <= segment.upto:
            raise NotProved(f"position {position} does not come after {before}, up to {segment.upto}")
