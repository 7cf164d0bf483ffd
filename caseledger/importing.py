"""The import: facts from a file into the ledger, each row once.

A row is known by its canonical content and by how many times that content has come in its file, not by its place:
a file that has grown, was cut off, or had a row put right adds what is new and nothing else. A format whose rows have an
identity says so of its items, or settles them against the ledger itself. Rows go in by batches, the facts of a row all or
none; where the ledger refuses a fact, those before its row go in, the row is rejected, and the rest goes on.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple
from uuid import uuid4

from msgspec.structs import replace

from caseledger.errors import ImportStopped, Unreadable
from caseledger.items import Item, Settle
from domain.commands import Code, Refusal, refusal
from domain.events import RECORDABLE
from ledger.imports import IMPORTER, ImportedLines
from ledger.ledger import MOST_FACTS, Ledger
from ledger.restating import placed

BATCH: Final = MOST_FACTS
AFTER_REFUSAL: Final = 8
"""The least rows tried together after one was refused; doubled with each success. Refused rows come in droves."""
SEEN_KIB: Final = 32_768
"""Memory for what a file's rows are counted by."""
SEEN_BYTES: Final = 16
"""Of a hash: nobody finds two contents that share as many, and they are counted within one file only."""


class Row(NamedTuple):
    """An item that states facts, and 32 bytes that name its content."""

    key: bytes
    item: Item


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that did not go in, and why; `sent` is what it says, as JSON if it is JSON."""

    number: int
    refusals: tuple[Refusal, ...]
    sent: Any


@dataclass(slots=True)
class Tally:
    recorded: int = 0
    replayed: int = 0
    """Rows that were in before."""
    rejected: int = 0
    passed: int = 0
    """Rows that are well-formed and nothing that this ledger takes."""
    counts: Counter[str] = field(default_factory=Counter)
    """What recorded rows are counted as besides (`Item.counted`)."""


class Importer:
    """Imports rows in order. `reject` is told each row that does not go in, in order."""

    def __init__(
        self,
        ledger: Ledger,
        lines: ImportedLines,
        reject: Callable[[Rejected], None],
        *,
        historical: bool = False,
        settle: Settle | None = None,
    ) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._lines = lines
        self._reject = reject
        self._historical = historical
        self._settle = settle
        self._occurrences = Occurrences()
        self._window = BATCH

    def run(self, items: Iterable[Item]) -> Iterator[Tally]:
        """Imports the items and gives the tally after each batch, the same object.

        A batch is recorded by a thread while the next one is read: the database and this program then work at once.
        Raises ImportStopped, and what reading the items raises.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording") as thread:
            recording: Future[None] | None = None
            try:
                for batch in _batches(items):
                    rows = self._rows([item for item in batch if item.facts])
                    if recording:
                        recording.result()
                        yield self.tally
                    recording = thread.submit(self._import, batch, rows)
            finally:
                # Why the last batch did not go in is told before why no more could be read.
                if recording:
                    recording.result()
        if recording:
            yield self.tally

    def _import(self, batch: Sequence[Item], rows: list[Row]) -> None:
        fresh = self._placed(rows if self._settle else self._fresh(rows))
        self.tally.replayed += len(rows) - len(fresh)
        wrong = [_rejected(item) for item in batch if item.refusals]
        self.tally.passed += len(batch) - len(rows) - len(wrong)
        wrong += self._record(fresh)
        self.tally.rejected += len(wrong)
        for rejected in sorted(wrong, key=lambda each: each.number):
            self._reject(rejected)

    def _rows(self, items: Sequence[Item]) -> list[Row]:
        counts = iter(self._occurrences.counts([item.content for item in items if not item.unique]))
        digest = self._ledger.sealer.digest
        return [
            Row(
                key_of(self._ledger, item.content) if item.unique else digest(b"%d " % next(counts) + item.content),
                item,
            )
            for item in items
        ]

    def _placed(self, rows: list[Row]) -> list[Row]:
        """The rows with the positions that this ledger has of what they rest on; those that rest on what is not in, refused."""
        keys = {content: key_of(self._ledger, content) for row in rows for content in row.item.rests_on.values()}
        if not keys:
            return rows
        at = self._lines.positions(keys.values())
        positions = {content: at[key] for content, key in keys.items() if key in at}
        return [Row(row.key, _placed(row.item, positions)) if row.item.rests_on else row for row in rows]

    def _fresh(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are not in yet, each once."""
        known = self._lines.known([row.key for row in rows])
        fresh: dict[bytes, Row] = {}
        for row in rows:
            if row.key not in known:
                fresh.setdefault(row.key, row)
        return list(fresh.values())

    def _marked(self, name: str, fact: Any) -> Any:
        """The fact, historical if that was asked for and it neither says otherwise nor names a decision."""
        if not (self._historical and name in _GATED and isinstance(fact, Mapping)):
            return fact
        stated = fact.get("historical") is not None or fact.get("decisionId") is not None
        return fact if stated else {**fact, "historical": True}

    def _record(self, rows: list[Row]) -> list[Rejected]:
        """Records the rows, and gives those that were refused."""
        rejected: list[Rejected] = []
        while rows:
            part = self._settled(rows[: self._window])
            try:
                done, wrong = self._advance(part)
            except _Outrun as outrun:
                if len(part) == 1:
                    raise ImportStopped(f"{outrun}. What is in stays: import it again for the rest.") from None
                # A smaller batch reads less and is quicker: fewer writers come in between.
                self._window = len(part) // 2
                continue
            rejected += wrong
            rows = rows[done:]
        return rejected

    def _settled(self, rows: list[Row]) -> list[Row]:
        """The first of the rows as they are to be recorded, as many as one request takes; one without facts is in."""
        if self._settle:
            settled = self._settle([row.item for row in rows])
            rows = [Row(row.key, item or replace(row.item, facts=())) for row, item in zip(rows, settled, strict=True)]
        sizes = accumulate(len(row.item.facts) for row in rows)
        return [row for row, facts in zip(rows, sizes, strict=True) if facts <= MOST_FACTS]

    def _advance(self, part: Sequence[Row]) -> tuple[int, list[Rejected]]:
        """Records rows up to the first that the ledger refuses: how many are dealt with now, and those not recorded."""
        refused = self._attempt(part)
        if refused is None:
            self._window = min(BATCH, self._window * 2)
            return len(part), self._count(part)
        at, refusals = refused
        if self._attempt(part[:at]) is not None:
            return 0, []  # Another writer changed what they rest on: look again.
        self._window = max(AFTER_REFUSAL, at)
        return at + 1, [*self._count(part[:at]), _rejected(replace(part[at].item, refusals=refusals))]

    def _count(self, part: Sequence[Row]) -> list[Rejected]:
        """Counts rows of which all that have facts were recorded, and gives those that were refused."""
        done = [row.item for row in part if row.item.facts and not row.item.refusals]
        wrong = [_rejected(row.item) for row in part if row.item.refusals]
        self.tally.recorded += len(done)
        self.tally.replayed += len(part) - len(done) - len(wrong)
        self.tally.counts.update(what for item in done for what in item.counted)
        return wrong

    def _attempt(self, part: Sequence[Row]) -> tuple[int, tuple[Refusal, ...]] | None:
        """Records the facts of the rows, all or none: None, or which row is refused first and why."""
        live = [(place, row) for place, row in enumerate(part) if row.item.facts and not row.item.refusals]
        if not live:
            return None
        before = accumulate((len(row.item.facts) for _, row in live), initial=0)
        keys = {row.key: first for (_, row), first in zip(live, before, strict=False)}
        # What settled rows rest on is in the ledger, and they may come again with other facts.
        content = sha256(b"historical " if self._historical else b"")
        content.update(b"".join(keys))
        batch = uuid4().hex if self._settle else sha256(b"".join(keys)).hexdigest()[:32]
        self._lines.name_batch(keys, batch)
        facts = [(name, self._marked(name, fact)) for _, row in live for name, fact in row.item.facts]
        recording = self._ledger.record(IMPORTER, batch, facts, content.digest())
        if not recording.refusals:
            return None
        first = recording.refusals[0]
        if first.code is Code.CONFLICT:
            raise _Outrun(first.text.en)
        _, place, *_ = first.path.split(".")
        prefix = f"facts.{place}"
        places = [at for at, row in live for _ in row.item.facts]
        return places[int(place)], tuple(
            one._replace(path=one.path.removeprefix(prefix).lstrip(".")) for one in recording.refusals
        )


class _Outrun(Exception):
    """Other writers to the same enterprises or numbers came first too often."""


class Occurrences:
    """How many times contents have come: in a file of its own, so that memory stays constant.

    What a million rows take of it is kept in memory as well: to read it back is half of what counting costs.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = off")
        self._database.execute("PRAGMA synchronous = off")
        self._database.execute(f"PRAGMA cache_size = -{SEEN_KIB}")
        self._database.execute("CREATE TABLE seen (content BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")

    def counts(self, contents: Sequence[bytes]) -> list[int]:
        """The same of each of some contents, counting it and those before it; at most as many as a batch has rows."""
        if not contents:
            return []
        digests = [sha256(content).digest()[:SEEN_BYTES] for content in contents]
        coming = Counter(digests)
        statement = _SEEN.format(", ".join(["(?, ?)"] * len(coming)))
        rows = self._database.execute(statement, list(chain.from_iterable(coming.items())))
        times = {digest: total - coming[digest] for digest, total in rows}
        counted = []
        for digest in digests:
            times[digest] += 1
            counted.append(times[digest])
        return counted


_GATED: Final = frozenset(name for name, cls in RECORDABLE.items() if cls.gated)

_SEEN: Final = """
INSERT INTO seen VALUES {} ON CONFLICT (content) DO UPDATE SET times = times + excluded.times RETURNING content, times
"""


def key_of(ledger: Ledger, content: bytes) -> bytes:
    """The key of a row that is known by its content alone. Keyed, since it is kept: a row may hold personal data."""
    return ledger.sealer.digest(b"= " + content)


def _rejected(item: Item) -> Rejected:
    return Rejected(item.number, item.refusals, item.sent)


def _placed(item: Item, positions: Mapping[bytes, int]) -> Item:
    """The item with positions of this ledger, by those of the rows that it rests on, or refused for want of one."""
    found = {position: positions.get(content) for position, content in item.rests_on.items()}
    if lost := [position for position, here in found.items() if here is None]:
        return item.refused(
            refusal(
                Code.NOT_FOUND,
                "",
                f"来源账本位置 {lost[0]} 的事件未导入本账本；请先导入该事件",
                f"The event at position {lost[0]} of the ledger it is of was not imported here: import that first",
            )
        )
    ((name, fact),) = item.facts
    return item.stating(name, placed(name, fact, {position: here for position, here in found.items() if here}))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items by batches; where they cannot be read on, first those that could be and then why.

    What an item rests on is never in its own batch: its position is known once that is recorded.
    """
    batch: list[Item] = []
    contents: set[bytes] = set()
    failure = None
    try:
        for item in items:
            if len(batch) == BATCH or not contents.isdisjoint(item.rests_on.values()):
                yield batch
                batch, contents = [], set()
            batch.append(item)
            if item.unique:
                contents.add(item.content)
    except Unreadable as error:
        failure = error
    if batch:
        yield batch
    if failure:
        raise failure
