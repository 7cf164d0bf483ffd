"""The ledger open to others' tools: its key, checkpoint and tiles by C2SP tlog-tiles (c2sp.org/tlog-tiles), under /tlog.

Hashes are for everyone. Entry bundles are for auditors and regulators, and where an entry holds personal fields in the
clear, for keys with personal:read. A tile never changes and may be kept for ever; what is refused may not be kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.permissions import is_insider
from api.plain import PLAIN, answering, given
from api.received import BadRequest, caller_in
from domain.callers import Caller, Role
from domain.draws import PUBLIC_AFTER
from domain.events import InspectionDrawn
from domain.text import Text
from ledger.entry import opened
from ledger.merkle import ENTRIES, LONGEST_BUNDLED_ENTRY, Tile, entry_bundle
from ledger.notes import Verifier
from ledger.read_log import Read, ReadLog
from ledger.sealing import in_the_clear
from ledger.tiles import Tiles
from ledger.tree import Proofs

TILE: Final = "application/octet-stream"
ENTRIES_PATH: Final = "/tlog/tile/entries"
FOR_EVER: Final = "max-age=31536000, immutable"

EMPTY: Final = Text(
    "账本尚无检查点；记录第一个事件后即有", "The ledger has no checkpoint yet; it has one from its first event on"
)
NO_KEY: Final = Text(
    "账本尚无签名密钥；服务首次启动时生成", "The ledger has no signing key yet; it is made when it is first served"
)
NO_WITNESS: Final = Text("本账本未配置见证人", "This ledger has no witnesses configured")
NOT_WITNESSED: Final = Text(
    "尚无经全部已配置见证人共同签署的检查点；最新检查点及其已有的共签见 /tlog/checkpoint",
    "No checkpoint is cosigned by all of the configured witnesses yet; the newest one with what cosignatures it has is at "
    "/tlog/checkpoint",
)


@dataclass(frozen=True, slots=True)
class TiledLog:
    """Answers below /tlog. `caller_of` finds who holds a key, or None; `witnesses` are those that are configured."""

    proofs: Proofs
    tiles: Tiles
    caller_of: Callable[[str], Caller | None]
    today: Callable[[], date]
    read_log: ReadLog
    witnesses: Sequence[Verifier] = ()

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/tlog/key", answering(self.key), methods=["GET"]),
            Route("/tlog/checkpoint", answering(self.checkpoint), methods=["GET"]),
            Route("/tlog/checkpoint/witnessed", answering(self.witnessed), methods=["GET"]),
            Route("/tlog/tile/{path:path}", answering(self.tile), methods=["GET"]),
        ]

    def key(self, request: Request) -> Response:
        """The verifier key of the ledger's checkpoints, one line (c2sp.org/signed-note)."""
        verifier = self.proofs.verifier()
        if verifier is None:
            raise BadRequest(404, "NO_KEY", NO_KEY)
        return given(f"{verifier}\n".encode(), PLAIN, "no-cache")

    def checkpoint(self, request: Request) -> Response:
        """The newest checkpoint, a signed note (c2sp.org/tlog-checkpoint), with what cosignatures it has."""
        signed = self.proofs.checkpoint()
        if signed is None:
            raise BadRequest(404, "EMPTY", EMPTY)
        return given(signed.note.encode(), PLAIN, "no-cache")

    def witnessed(self, request: Request) -> Response:
        """The newest checkpoint that has a cosignature of each configured witness."""
        if not self.witnesses:
            raise BadRequest(404, "NO_WITNESS", NO_WITNESS)
        signed = self.proofs.witnessed(self.witnesses)
        if signed is None:
            raise BadRequest(404, "NOT_WITNESSED", NOT_WITNESSED)
        return given(signed.note.encode(), PLAIN, "no-cache")

    def tile(self, request: Request) -> Response:
        """A hash tile or an entry bundle, whole or partial."""
        asked = _tile(request.path_params["path"])
        if asked.level == ENTRIES:
            return self._bundle(asked, _insider(request, self.caller_of))
        hashes = self.tiles.hashes(asked)
        if hashes is None:
            raise _uncovered(asked)
        return given(hashes, TILE, f"public, {FOR_EVER}")

    def _bundle(self, asked: Tile, caller: Caller) -> Response:
        entries = self.tiles.entries(asked)
        if entries is None:
            raise _uncovered(asked)
        _check_personal(entries, caller)
        _check_draws(entries, caller, self.today())
        _check_lengths(entries, asked.span.start + 1)
        self._note(entries, caller)
        return given(entry_bundle(entries), TILE, f"private, {FOR_EVER}", vary="Authorization")

    def _note(self, entries: Iterable[bytes], caller: Caller) -> None:
        """Notes whose entries are shown."""
        usccs = {uscc for uscc in (opened(entry).uscc for entry in entries) if uscc}
        at, role, reader = datetime.now(UTC), caller.role, caller.signature
        self.read_log.note([Read(uuid4(), at, role, reader, ENTRIES_PATH, None, uscc, False) for uscc in usccs])


def _tile(path: str) -> Tile:
    try:
        return Tile.parse(f"tile/{path}")
    except ValueError:
        raise BadRequest(
            404,
            "NO_TILE",
            Text(
                "路径应为 tile/LEVEL/INDEX 或 tile/LEVEL/INDEX.p/WIDTH，例如 tile/0/x001/234 或 tile/entries/007.p/112",
                "A tile's path reads tile/LEVEL/INDEX or tile/LEVEL/INDEX.p/WIDTH, such as tile/0/x001/234 or "
                "tile/entries/007.p/112",
            ),
        ) from None


def _uncovered(asked: Tile) -> BadRequest:
    return BadRequest(
        404,
        "NO_TILE",
        Text(
            f"最新检查点尚未包含整个 {asked.path}；请只请求检查点大小以内的部分",
            f"The newest checkpoint does not cover all of {asked.path}; ask within the size that it states",
        ),
    )


def _insider(request: Request, caller_of: Callable[[str], Caller | None]) -> Caller:
    caller = caller_in(request, caller_of)
    if is_insider(caller):
        return caller
    status, code = (401, "UNAUTHENTICATED") if caller.role is Role.PUBLIC else (403, "FORBIDDEN")
    raise BadRequest(
        status,
        code,
        Text(
            "条目仅限审计与监管密钥；请以 Authorization: Bearer KEY 发送",
            "Entries are for the keys of auditors and regulators; send one as Authorization: Bearer KEY",
        ),
    )


def _check_personal(entries: Iterable[bytes], caller: Caller) -> None:
    """Refuses entries with personal fields in the clear to whoever may not see those."""
    if not caller.sees_personal and any(in_the_clear(opened(entry).event) for entry in entries):
        raise BadRequest(
            403,
            "FORBIDDEN",
            Text(
                "该组条目含个人信息；请使用有 personal:read 的密钥",
                "An entry of this bundle holds personal fields; use a key with the scope personal:read",
            ),
        )


def _check_draws(entries: Iterable[bytes], caller: Caller, today: date) -> None:
    """Refuses entries of another authority's draws, until they are public whatever was inspected."""
    if caller.role is Role.AUDITOR:
        return
    draws = (drawn for entry in entries if isinstance(drawn := opened(entry).event, InspectionDrawn))
    if any(not caller.speaks_for(drawn.authority) and today < drawn.as_of + PUBLIC_AFTER for drawn in draws):
        raise BadRequest(
            403,
            "FORBIDDEN",
            Text(
                f"该组条目含其他机构未满 {PUBLIC_AFTER.days} 天的抽取；请使用该机构或审计方的密钥，或查询更窄的条目组",
                f"An entry of this bundle is another authority's draw of less than {PUBLIC_AFTER.days} days ago; use a key "
                "of that authority or of an auditor, or ask for narrower bundles",
            ),
        )


def _check_lengths(entries: Iterable[bytes], first: int) -> None:
    """Refuses a bundle with an entry whose length does not fit into its 16 bits."""
    for position, entry in enumerate(entries, first):
        if len(entry) > LONGEST_BUNDLED_ENTRY:
            raise BadRequest(
                501,
                "TOO_LONG",
                Text(
                    f"位置 {position} 的条目有 {len(entry)} 字节，条目组最多容纳 {LONGEST_BUNDLED_ENTRY} 字节；"
                    "请用 GraphQL 的 Ledger.receipt 查询它，并以更窄的条目组查询其前的条目",
                    f"The entry at position {position} has {len(entry)} bytes, and a bundle's entry at most "
                    f"{LONGEST_BUNDLED_ENTRY}; ask GraphQL's Ledger.receipt for it, and narrower bundles for those before it",
                ),
            )
