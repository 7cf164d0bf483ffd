"""The ledger as evidence: checkpoints, receipts and proofs, as GraphQL types."""

from base64 import b64encode
from collections.abc import Sequence

import strawberry

from api.context import Info
from api.errors import ApiError, forbidden
from api.noted import note
from api.scalars import DateTime, Position
from domain.text import Text
from ledger import tree
from ledger.entry import opened
from ledger.ledger import Recording
from ledger.merkle import leaf_hash
from ledger.sealing import in_the_clear


@strawberry.type(
    description="note: a C2SP signed note (tlog-checkpoint): origin, size, root hash in base64, Ed25519 signature."
)
class Checkpoint:
    size: Position
    root_hash: str
    note: str
    signed_at: DateTime


@strawberry.type(
    description="entry: the exact bytes that were hashed, in base64. leafHash = SHA-256(0x00 ‖ entry); proof: lower-case "
    "hex, leaf to root."
)
class Receipt:
    position: Position
    entry: str
    leaf_hash: str
    proof: list[str]
    checkpoint: Checkpoint


def shown_checkpoint(signed: tree.Signed) -> Checkpoint:
    return Checkpoint(
        size=Position(signed.size), root_hash=signed.root.hex(), note=signed.note, signed_at=DateTime(signed.signed_at)
    )


def newest_checkpoint(info: Info) -> Checkpoint | None:
    signed = info.context.proofs.checkpoint()
    return shown_checkpoint(signed) if signed else None


def receipt(info: Info, position: int, size: int | None = None) -> Receipt:
    """The receipt of an entry under the newest checkpoint or the one of a size."""
    found = info.context.proofs.receipts([position], size)
    if not found:
        raise _no_receipt(info, position, size)
    note(info, "Receipt.entry", filter(None, (opened(each.entry).uscc for each in found)))
    return _given(info, found)[0]


def receipts(info: Info, positions: Sequence[int], size: int | None = None) -> list[Receipt]:
    """The receipts of entries, in order, all under one checkpoint.

    An entry is given as it was hashed, its personal fields sealed. An old one that has them in the clear is for those who
    may see them.
    """
    return _given(info, info.context.proofs.receipts(positions, size))


def receipts_of(info: Info, made: Recording) -> list[Receipt]:
    """The receipts of what was recorded, under the checkpoint that was signed with it; or, of a replayed request, the newest."""
    found = made.appended.receipts() if made.appended else []
    return _given(info, found) if found else receipts(info, [event.position for event in made.events])


def _given(info: Info, found: Sequence[tree.Receipt]) -> list[Receipt]:
    if not info.context.caller.sees_personal and any(in_the_clear(opened(each.entry).event) for each in found):
        raise forbidden("receipt")
    return [_shown(each) for each in found]


def _shown(found: tree.Receipt) -> Receipt:
    return Receipt(
        position=Position(found.position),
        entry=b64encode(found.entry).decode(),
        leaf_hash=leaf_hash(found.entry).hex(),
        proof=[each.hex() for each in found.proof],
        checkpoint=shown_checkpoint(found.checkpoint),
    )


def consistency(info: Info, first: int, second: int) -> list[str]:
    """The RFC 9162 consistency proof between two sizes."""
    head = info.context.ledger.recorder.head()
    if not 1 <= first <= second <= head:
        raise ApiError(
            "INVALID",
            Text(
                f"应有 1 ≤ from ≤ to ≤ {head}（当前最新位置），收到 from {first}、to {second}",
                f"1 ≤ from ≤ to ≤ {head}, the head; got from {first} and to {second}",
            ),
        )
    return [each.hex() for each in info.context.proofs.consistency(first, second)]


def _no_receipt(info: Info, position: int, size: int | None) -> ApiError:
    head = info.context.ledger.recorder.head()
    if not 1 <= position <= head:
        return ApiError(
            "INVALID",
            Text(f"position 应为 1 至 {head}，收到 {position}", f"position is 1 to {head}, the head; got {position}"),
            "position",
        )
    return ApiError(
        "INVALID",
        Text(
            f"没有大小为 {size} 且含位置 {position} 的检查点",
            f"There is no checkpoint of size {size} that holds position {position}",
        ),
        "size",
    )
