"""The import: facts from a file into the ledger, each line once.

A line is known by its canonical content and by how many times that content has come in its file, not by its place:
a file that has grown, was cut off, or had a row put right adds what is new and nothing else. Lines go in by batches;
where the ledger refuses a fact, those before it go in, it is rejected, and the rest goes on.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from re import compile as pattern
from typing import Any, Final

import msgspec

from caseledger.errors import ImportStopped, Unreadable
from caseledger.lines import Line
from domain.commands import Code, Refusal, refusal
from domain.events import RECORDABLE
from ledger.entry import canonical
from ledger.imports import IMPORTER, ImportedLines
from ledger.ledger import MOST_FACTS, Ledger

BATCH: Final = MOST_FACTS
AFTER_REFUSAL: Final = 8
"""The least facts tried together after one was refused; doubled with each success. Refused rows come in droves."""
DEEPEST: Final = 32
"""Levels of a line's JSON; a fact has three."""


class OtherFormat(Exception):
    """None of the first lines is a JSON object or begins like one; `first` is the first of them."""

    def __init__(self, first: bytes) -> None:
        super().__init__("not JSON Lines")
        self.first = first


@dataclass(frozen=True, slots=True)
class Row:
    """A line that states a fact: where it stands, what names its content, and the fact as it will be sent."""

    number: int
    key: bytes
    name: str
    fact: Any


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
    """Lines that were in before."""
    rejected: int = 0


class Importer:
    """Imports lines in order. `reject` is told each row that does not go in, in order."""

    def __init__(
        self, ledger: Ledger, lines: ImportedLines, reject: Callable[[Rejected], None], *, historical: bool = False
    ) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._lines = lines
        self._reject = reject
        self._historical = historical
        self._occurrences = Occurrences()
        self._window = BATCH

    def run(self, lines: Iterable[Line]) -> Iterator[Tally]:
        """Imports the lines and gives the tally after each batch, the same object.

        Raises OtherFormat for a file of another format, before anything is recorded, ImportStopped, and what reading
        the lines raises.
        """
        first = True
        for batch in _batches(lines):
            parsed = [self._parsed(line) for line in batch]
            if first and not any(map(_is_like_a_fact, batch, parsed)):
                raise OtherFormat(batch[0].text)
            first = False
            rows = [row for row in parsed if isinstance(row, Row)]
            known = self._lines.known([row.key for row in rows])
            self.tally.replayed += len(known)
            wrong = [row for row in parsed if isinstance(row, Rejected)]
            wrong += self._record([row for row in rows if row.key not in known])
            self.tally.rejected += len(wrong)
            for rejected in sorted(wrong, key=lambda each: each.number):
                self._reject(rejected)
            yield self.tally

    def _parsed(self, line: Line) -> Row | Rejected:
        sent = _json(line.text)
        if isinstance(sent, Refusal):
            return Rejected(line.number, (sent,), line.text[:1_000].decode("utf-8", "replace"))
        if wrong := _not_one_fact(sent):
            return Rejected(line.number, (wrong,), sent)
        ((name, fact),) = sent.items()
        content = canonical(sent)
        # Keyed, since it is kept: a line may hold personal data.
        key = self._ledger.sealer.digest(b"%d " % self._occurrences.count(content) + content)
        return Row(line.number, key, name, self._marked(name, fact))

    def _marked(self, name: str, fact: Any) -> Any:
        """The fact, historical if that was asked for and it neither says otherwise nor names a decision."""
        if not (self._historical and name in _GATED and isinstance(fact, Mapping)):
            return fact
        stated = fact.get("historical") is not None or fact.get("decisionId") is not None
        return fact if stated else {**fact, "historical": True}

    def _record(self, rows: list[Row]) -> list[Rejected]:
        """Records the rows, and gives those that were refused."""
        rejected = []
        while rows:
            part = rows[: self._window]
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

    def _advance(self, part: list[Row]) -> tuple[int, list[Rejected]]:
        """Records rows up to the first that is refused: how many are dealt with now, and that one."""
        refused = self._attempt(part)
        if refused is None:
            self._window = min(BATCH, self._window * 2)
            return len(part), []
        at, refusals = refused
        if at and self._attempt(part[:at]) is not None:
            return 0, []  # Another writer changed what they rest on: look again.
        self._window = max(AFTER_REFUSAL, at)
        return at + 1, [Rejected(part[at].number, refusals, {part[at].name: part[at].fact})]

    def _attempt(self, rows: Sequence[Row]) -> tuple[int, tuple[Refusal, ...]] | None:
        """Records the rows, all or none: None, or which of them is refused first and why."""
        batch = sha256(b"".join(row.key for row in rows)).hexdigest()[:32]
        self._lines.name_batch([row.key for row in rows], batch)
        recording = self._ledger.record(IMPORTER, batch, [(row.name, row.fact) for row in rows])
        if not recording.refusals:
            self.tally.recorded += len(rows)
            return None
        first = recording.refusals[0]
        if first.code is Code.CONFLICT:
            raise _Outrun(first.text.en)
        _, place, *_ = first.path.split(".")
        prefix = f"facts.{place}"
        return int(place), tuple(
            one._replace(path=one.path.removeprefix(prefix).lstrip(".")) for one in recording.refusals
        )


class _Outrun(Exception):
    """Other writers to the same enterprises or numbers came first too often."""


class Occurrences:
    """How many times a content has come, counting this one: in a file of its own, so that memory stays constant."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = off")
        self._database.execute("PRAGMA synchronous = off")
        self._database.execute("CREATE TABLE seen (content BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")

    def count(self, content: bytes) -> int:
        (times,) = self._database.execute(_SEEN, [sha256(content).digest()]).fetchone()
        return int(times)


_GATED: Final = frozenset(name for name, cls in RECORDABLE.items() if cls.gated)

_SEEN: Final = """
INSERT INTO seen VALUES (?, 1) ON CONFLICT (content) DO UPDATE SET times = times + 1 RETURNING times
"""


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines by batches; where they cannot be read on, first those that could be and then why."""
    batch: list[Line] = []
    failure = None
    try:
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except Unreadable as error:
        failure = error
    if batch:
        yield batch
    if failure:
        raise failure


def _json(text: bytes) -> Any:
    try:
        sent = msgspec.json.decode(text)
        if text.count(b"[") + text.count(b"{") > DEEPEST and _is_deeper(sent, DEEPEST):
            raise RecursionError(f"it is nested in more than {DEEPEST} levels")
        return sent
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refusal(Code.INVALID, "", f"该行不是 JSON：{error}", f"The line is not JSON: {error}")


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _not_one_fact(sent: object) -> Refusal | None:
    if isinstance(sent, Mapping) and len(sent) == 1:
        return None
    found = f"{len(sent)} ({', '.join(sent)})"[:200] if isinstance(sent, Mapping) else type(sent).__name__
    return refusal(
        Code.INVALID,
        "",
        f'每行为一个只含一项事实的 JSON 对象，如 {{"enterpriseRegistered": {{…}}}}；收到 {found}',
        f'A line is a JSON object of exactly one fact, {{"enterpriseRegistered": {{…}}}} say; got {found}',
    )


def _is_like_a_fact(line: Line, parsed: Row | Rejected) -> bool:
    """Whether the line is a JSON object, or was meant to be one."""
    return isinstance(parsed, Row) or isinstance(parsed.sent, Mapping) or bool(_BEGINNING.match(line.text))


_BEGINNING: Final = pattern(rb'\{\s*"')
