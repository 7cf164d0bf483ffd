"""The evidence of one draw: a file of JSON lines that anyone checks with the ledger's public key, without a database.

Line 1 is an object of
  entry        the InspectionDrawn as it was hashed, as text
  proof        its RFC 9162 inclusion proof under the checkpoint, hex, leaf to root
  checkpoint   the C2SP signed note
  consistency  the RFC 9162 consistency proof from the size that the draw knew to the checkpoint: so the seed is a root
               of this ledger
  verifier     the ledger's verifier key
and each further line a member of the pool in the order of their codes: uscc, status, tickets, leaf (hex; SHA-256 of 0x00
and the canonical object of status, tickets and uscc), and proof. A line's proof holds the first hashes of its RFC 9162
inclusion proof under the event's poolRoot, up to those that an earlier line has given: so each line is proved by itself,
and the first that does not hold is named, at one hash a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain import credit, register
from domain.draws import DrawRequest, Member, drawn, parse_draw, pool_line, tickets, version_on
from domain.events import InspectionDrawn
from domain.facts import Facts, Moment
from domain.identifiers import sha256
from domain.recorded import Recorded
from domain.vocabulary import CreditStatus
from ledger.entry import canonical, data_of, opened
from ledger.evidence import NoEvidence
from ledger.merkle import Frontier, leaf_hash, node_hash, split, verify_consistency, verify_inclusion
from ledger.migrations import Pool
from ledger.notes import Checkpoint, KeyType, MalformedKey, MalformedNote, UnverifiedNote, Verifier, open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from ledger.tree import Proofs

AT_A_TIME: Final = 500
"""Enterprises whose histories are folded together."""
LONGEST_LINE: Final = 64 * 1024 * 1024


class BrokenLine(Exception):
    """The first line that does not hold, and what is wrong there."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"Line {line} does not hold: {why}.")
        self.line = line
        self.why = why


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    checkpoint: str
    consistency: list[str]
    entry: str
    proof: list[str]
    verifier: str


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    leaf: str
    proof: list[str]
    status: CreditStatus
    tickets: int
    uscc: str


@dataclass(frozen=True, slots=True)
class ProvedDraw:
    """A draw that holds, under which checkpoint and key."""

    recorded: Recorded
    event: InspectionDrawn
    checkpoint: Checkpoint
    verifier: Verifier


class _Known(NamedTuple):
    recorded: Recorded
    event: InspectionDrawn
    request: DrawRequest


def draw_evidence(pool: Pool, draw_id: str) -> Iterator[bytes]:
    """The lines of a draw's evidence. Raises NoEvidence where there is no such draw, or the log gives another pool."""
    recorder = PostgresRecorder(pool)
    query = DCBQuery(items=[DCBQueryItem(types=[InspectionDrawn.__name__], tags=[f"draw:{draw_id}"])])
    found = next(iter(recorder.read(query)), None) if draw_id.isprintable() else None
    if found is None:
        raise NoEvidence(f"There is no draw {draw_id} in this ledger: give the id of one that was made.")
    recorded = opened(found.event.data)
    known = _known(recorded)
    version = version_on(known.event.as_of)
    lines = [pool_line(member, version) for member in _members(pool, recorder, known)]
    leaves = [leaf_hash(canonical(line)) for line in lines]
    if Frontier(0, ()).extend(leaves)[0].root.hex() != known.event.pool_root:
        raise NoEvidence(
            f"The log gives another pool of the draw {draw_id} than it was drawn from: see with `caseledger verify` what holds."
        )
    yield _header(Proofs(pool), known)
    for line, leaf, proof in zip(lines, leaves, shared_proofs(leaves), strict=True):
        yield canonical({**line, "leaf": leaf.hex(), "proof": [each.hex() for each in proof]})


def _header(proofs: Proofs, known: _Known) -> bytes:
    receipts, verifier = proofs.receipts([known.recorded.position]), proofs.verifier()
    if not receipts or verifier is None:
        raise NoEvidence("No checkpoint holds the draw: see with `caseledger verify` what holds.")
    (receipt,) = receipts
    consistency = proofs.consistency(known.event.known_at, receipt.checkpoint.size)
    return canonical(
        {
            "checkpoint": receipt.checkpoint.note,
            "consistency": [each.hex() for each in consistency],
            "entry": receipt.entry.decode(),
            "proof": [each.hex() for each in receipt.proof],
            "verifier": verifier,
        }
    )


def _members(pool: Pool, recorder: PostgresRecorder, known: _Known) -> Iterator[Member]:
    """The pool as the log gives it at (D, P), in the order of its codes, whatever the read models know by now."""
    streams = Streams(recorder)
    with pool.connection() as database:
        usccs = iter([uscc for (uscc,) in database.execute(_ENTERPRISES, [known.event.known_at])])
    while page := list(islice(usccs, AT_A_TIME)):
        yield from members_of(streams, known.event, known.request, page)


def members_of(
    streams: Streams, event: InspectionDrawn, request: DrawRequest, usccs: Sequence[str]
) -> Iterator[Member]:
    """Those of these enterprises that were in the pool of a draw, as the log gives it at its (D, P)."""
    at = Moment(event.as_of, event.known_at)
    _, folds = streams.read([f"enterprise:{uscc}" for uscc in usccs])
    for uscc in usccs:
        if member := _member(uscc, folds[f"enterprise:{uscc}"], at, request):
            yield member


def _member(uscc: str, facts: Facts, at: Moment, request: DrawRequest) -> Member | None:
    if not register.licences_in_force(facts, at):
        return None
    status = credit.credit(facts, at).status
    if status is CreditStatus.UNKNOWN or (request.statuses and status not in request.statuses):
        return None
    narrowed = request.narrowed_to
    return None if narrowed and register.province(facts, at) not in narrowed else Member(uscc, status)


def shared_proofs(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """For each leaf the first hashes of its inclusion proof, up to those that an earlier leaf's has."""
    proofs: list[list[bytes]] = [[] for _ in leaves]

    def fold(begin: int, end: int) -> bytes:
        if end - begin == 1:
            return leaves[begin]
        middle = split(begin, end)
        left, right = fold(begin, middle), fold(middle, end)
        proofs[begin].append(right)
        return node_hash(left, right)

    if leaves:
        fold(0, len(leaves))
    return proofs


def verify_draw(lines: Iterable[bytes], verifier: Verifier | None = None) -> ProvedDraw:
    """Draws again from the lines alone; by the file's own key where none is given. Raises BrokenLine, and NoEvidence."""
    numbered = enumerate(lines, 1)
    _, first = next(numbered, (1, b""))
    proved, request = _verified_header(first, verifier)
    members = list(_verified_members(numbered, proved.event, request))
    event, version = proved.event, version_on(proved.event.as_of)
    again = drawn(request, event.root, members, version)
    for place, (stated, made) in enumerate(zip(event.drawn, again, strict=False), 1):
        if stated != made:
            raise BrokenLine(1, f"number {place} of the drawn is {_said(stated)}, and the pool gives {_said(made)}")
    if len(event.drawn) != len(again):
        raise BrokenLine(1, f"{len(event.drawn)} enterprises are drawn, and the pool gives {len(again)}")
    return proved


def _said(one: Any) -> str:
    return canonical(data_of(one)).decode()


def _verified_header(line: bytes, given: Verifier | None) -> tuple[ProvedDraw, DrawRequest]:
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise no_evidence("a draw") from None
    verifier, signed = signed_by(header.verifier, header.checkpoint, given, "a draw")
    try:
        known = _known(opened(header.entry.encode()))
    except (msgspec.MsgspecError, AssertionError, LookupError, ValueError):
        raise BrokenLine(1, "its entry is no draw") from None
    recorded, event, request = known
    leaf, proof = leaf_hash(header.entry.encode()), hashes_of(header.proof, 1)
    if not 1 <= recorded.position <= signed.size or not verify_inclusion(
        leaf, recorded.position - 1, signed.size, proof, signed.root
    ):
        raise BrokenLine(1, "its entry is not in the tree of its checkpoint by its proof")
    _check_seed(event, recorded, signed, hashes_of(header.consistency, 1))
    return ProvedDraw(recorded, event, signed, verifier), request


def no_evidence(of: str) -> NoEvidence:
    return NoEvidence(f"The file is no evidence of {of}: line 1 is not the head that `caseledger export` writes.")


def signed_by(named: str, note: str, given: Verifier | None, of: str) -> tuple[Verifier, Checkpoint]:
    """The checkpoint that a file's first line gives, and the key that signed it: the one given, else the file's.

    Raises BrokenLine, and NoEvidence where the file names no ledger's key.
    """
    try:
        verifier = given or Verifier.parse(named)
        if verifier.key_type is not KeyType.ED25519:
            raise MalformedKey("a witness's key")
        return verifier, open_checkpoint(note.encode(), verifier.name, verifier).checkpoint
    except (MalformedKey, UnicodeEncodeError):
        raise no_evidence(of) from None
    except (MalformedNote, UnverifiedNote) as wrong:
        raise BrokenLine(1, f"its checkpoint is not signed by {verifier}: {str(wrong).rstrip('.')}") from None


def _check_seed(event: InspectionDrawn, recorded: Recorded, signed: Checkpoint, proof: Sequence[bytes]) -> None:
    if not 0 < event.known_at < recorded.position:
        raise BrokenLine(1, f"the draw at position {recorded.position} cannot know position {event.known_at}")
    if not verify_consistency(event.known_at, signed.size, bytes.fromhex(event.root), signed.root, proof):
        raise BrokenLine(1, f"the seed is not the root of the first {event.known_at} entries by the consistency proof")
    if recorded.effective_on != event.as_of:
        raise BrokenLine(1, f"the draw is as of {event.as_of} and took effect on {recorded.effective_on}")


def _verified_members(
    lines: Iterator[tuple[int, bytes]], event: InspectionDrawn, request: DrawRequest
) -> Iterator[Member]:
    """Each member as soon as it is proved to be the next one of the pool that the event names."""
    version, size = version_on(event.as_of), event.pool_size
    proved = [(0, size, bytes.fromhex(event.pool_root))] if size else []
    last, number = "", 1
    for number, line in lines:
        if not proved:
            raise BrokenLine(number, f"the pool has {size} members, and this is one more")
        try:
            read = msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            raise BrokenLine(number, "it is no member of a pool: uscc, status, tickets, leaf and proof") from None
        member = Member(read.uscc, read.status)
        if read.uscc <= last:
            raise BrokenLine(number, f"{read.uscc} does not come after {last}")
        if read.status is CreditStatus.UNKNOWN or (request.statuses and read.status not in request.statuses):
            raise BrokenLine(number, f"the status {read.status} was not asked for")
        if read.tickets != tickets(member, version):
            raise BrokenLine(number, f"{read.status} has {tickets(member, version)} tickets, not {read.tickets}")
        leaf = leaf_hash(canonical(pool_line(member, version)))
        if read.leaf != leaf.hex():
            raise BrokenLine(number, "its leaf is not the hash of its status, tickets and uscc")
        _prove(proved, leaf, hashes_of(read.proof, number), number)
        last = read.uscc
        yield member
    if proved:
        raise BrokenLine(number + 1, f"the file ends, and the pool has {size} members")


def _prove(proved: list[tuple[int, int, bytes]], leaf: bytes, proof: Sequence[bytes], number: int) -> None:
    """Folds a line's leaf into the leftmost subtree whose hash is proved, which proves those to the right of it."""
    begin, end, wanted = proved.pop()
    spans = []
    while end - begin > 1:
        middle = split(begin, end)
        spans.append((middle, end))
        end = middle
    if len(proof) != len(spans):
        raise BrokenLine(number, f"its proof has {len(proof)} hashes, not {len(spans)}")
    found = leaf
    for right in proof:
        found = node_hash(found, right)
    if found != wanted:
        raise BrokenLine(number, "it is not the next member of the pool that was drawn from, by its proof")
    proved += [(*span, right) for span, right in zip(spans, reversed(proof), strict=True)]


def _known(recorded: Recorded) -> _Known:
    """What an entry says of a draw. Raises ValueError, AssertionError where it is none that could be made."""
    event = recorded.event
    assert isinstance(event, InspectionDrawn)
    sha256(event.root), sha256(event.pool_root)
    request, _ = parse_draw(event.request)
    if request is None or (request.draw_id, request.authority) != (event.draw_id, event.authority):
        raise ValueError("the request of a draw is not one that could be asked")
    return _Known(recorded, event, request)


def hashes_of(texts: Sequence[str], line: int) -> list[bytes]:
    """The hashes that a line gives in hex. Raises BrokenLine."""
    try:
        return [bytes.fromhex(text) for text in texts]
    except ValueError:
        raise BrokenLine(line, "a hash of its proof is not hexadecimal") from None


_ENTERPRISES: Final = """
SELECT DISTINCT substring(tag FROM 12 FOR 18) FROM tags
WHERE tag >= 'enterprise:' AND tag < 'enterprise;' AND position <= %s ORDER BY 1
"""
