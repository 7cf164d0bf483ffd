"""A fact on its way into the ledger, what is known when it is weighed, and why it may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from domain.events import RECORDABLE, Event, FiredRule, NumberFilingAmended, PenaltyImposed
from domain.facts import Facts, fact_of
from domain.identifiers import DAYS_AHEAD, Malformed, instant_text, legal_date, legal_date_of
from domain.recorded import Recorded
from domain.shape import Flaw, fields_sent, optional_flag
from domain.text import Text
from domain.vocabulary import PenaltyKind


class Code(StrEnum):
    """The codes of refusals (rulebook §3, contract RecordError)."""

    INVALID = "INVALID"
    UNKNOWN_ENTERPRISE = "UNKNOWN_ENTERPRISE"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    NOT_FOUND = "NOT_FOUND"
    WRONG_STATE = "WRONG_STATE"
    GATE_REFUSED = "GATE_REFUSED"
    DECISION_REQUIRED = "DECISION_REQUIRED"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"


class Refusal(NamedTuple):
    """One reason why a fact was not recorded; `path` is inside the fact: “validTo”, “carriers.0”, “” for the whole."""

    code: Code
    path: str
    text: Text
    reasons: tuple[FiredRule, ...] = ()

    def under(self, prefix: str) -> "Refusal":
        return self._replace(path=f"{prefix}.{self.path}".rstrip("."))


def refusal(code: Code, path: str, zh: str, en: str, reasons: tuple[FiredRule, ...] = ()) -> Refusal:
    return Refusal(code, path, Text(zh, en), reasons)


class Command(msgspec.Struct, frozen=True):
    """A fact whose shape is right: what a client asks the ledger to record."""

    event: Event
    effective_on: date
    historical: bool = False


AMENDED: Final = ("carriers", "use", "directions", "outboundUndertaking")
BESIDES: Final = ("effectiveOn",)
BESIDES_GATED: Final = ("effectiveOn", "historical")


def command(name: str, sent: object, now: datetime) -> tuple[Command | None, list[Refusal]]:
    """The command that a FactInput's one field states, or every flaw of its shape (code INVALID)."""
    cls = RECORDABLE[name]
    values, flaws = fields_sent(cls, sent, BESIDES_GATED if cls.gated else BESIDES)
    historical, today = False, legal_date_of(now)
    effective_on = today
    if isinstance(sent, Mapping):
        historical = optional_flag(sent, "historical", flaws) if cls.gated else False
        effective_on = _effective_on(sent.get("effectiveOn"), today, flaws)
        flaws += _contradictions(cls, sent, values, historical, now)
    if flaws:
        return None, [Refusal(Code.INVALID, flaw.path, flaw.text) for flaw in flaws]
    return Command(cls(**values), effective_on, historical), []


def _effective_on(sent: object, today: date, flaws: list[Flaw]) -> date:
    if sent is None:
        return today
    try:
        on = legal_date(sent)
    except Malformed as wrong:
        flaws.append(Flaw("effectiveOn", wrong.text))
        return today
    if on > today + timedelta(days=DAYS_AHEAD):
        flaws.append(
            Flaw(
                "effectiveOn",
                Text(
                    f"生效日期最多晚于今天 {DAYS_AHEAD} 天，收到 {on}",
                    f"effectiveOn lies at most {DAYS_AHEAD} days ahead; got {on}",
                ),
            )
        )
    return on


def _contradictions(
    cls: type[Event], sent: Mapping[str, object], values: Mapping[str, Any], historical: bool, now: datetime
) -> list[Flaw]:
    """What is malformed between the fields of one event (§3 “malformed”), as far as they are well-formed themselves."""
    flaws = []
    begins, ends = values.get("valid_from"), values.get("valid_to")
    if begins and ends and ends < begins:
        text = Text(f"有效期至 {ends} 早于有效期自 {begins}", f"validTo {ends} is before validFrom {begins}")
        flaws.append(Flaw("validTo", text))
    if cls is PenaltyImposed:
        flaws += _amounts(sent, values)
    if cls is NumberFilingAmended and all(sent.get(name) is None for name in AMENDED):
        named = "、".join(AMENDED), ", ".join(AMENDED)
        flaws.append(
            Flaw("", Text(f"变更备案须至少给出 {named[0]} 之一", f"An amendment gives at least one of {named[1]}"))
        )
    called_at = values.get("called_at")
    if called_at and called_at > instant_text(now):
        flaws.append(
            Flaw(
                "calledAt",
                Text(f"通话时刻 {called_at} 晚于记录时刻", f"calledAt {called_at} is after the time of recording"),
            )
        )
    if historical:
        text = Text("历史事实不带决定编号或理由说明", "A historical fact has no decisionId and no justification")
        flaws += [Flaw(name, text) for name in ("decisionId", "justification") if sent.get(name) is not None]
    return flaws


def _amounts(sent: Mapping[str, object], values: Mapping[str, Any]) -> list[Flaw]:
    """A fine for FINE, an amount for CONFISCATION; one that was sent and is malformed has its own flaw already."""
    flaws, kinds = [], values.get("kinds") or ()
    fine = values.get("fine")
    if PenaltyKind.FINE in kinds and (sent.get("fine") is None or (fine is not None and Decimal(fine) == 0)):
        flaws.append(
            Flaw("fine", Text("处罚种类含罚款时须给出大于 0 的罚款金额", "A FINE needs a fine greater than 0"))
        )
    if PenaltyKind.CONFISCATION in kinds and sent.get("confiscated") is None:
        flaws.append(
            Flaw("confiscated", Text("处罚种类含没收时须给出没收金额", "A CONFISCATION needs the amount confiscated"))
        )
    return flaws


class Reads(NamedTuple):
    """What a command must know before it can be weighed: tags whose events are folded, positions of single events."""

    tags: frozenset[str]
    positions: frozenset[int] = frozenset()


@dataclass(slots=True)
class Known:
    """What the ledger knows at one head: the folds of the tags that were read, and single events by position.

    Facts of one `record` are weighed in order, each knowing those before it: `evolve` adds them under the positions
    that they will have if nothing else comes in between.
    """

    head: int
    streams: dict[str, Facts] = field(default_factory=dict)
    events: dict[int, Recorded] = field(default_factory=dict)
    leans_on_positions: bool = False
    """Whether a fact named the position of another fact of the same request: then nothing may come in between."""
    _fresh: set[str] = field(default_factory=set)
    _added: int = 0

    @property
    def next_position(self) -> int:
        return self.head + self._added + 1

    def event(self, position: int) -> Recorded | None:
        if position > self.head and position in self.events:
            self.leans_on_positions = True
        return self.events.get(position)

    def fresh(self, prefix: str) -> dict[str, Facts]:
        """The folds of tags with a prefix that facts of this request were added to."""
        return {tag: self.streams[tag] for tag in self._fresh if tag.startswith(prefix)}

    def evolve(self, recorded: Recorded) -> None:
        self._added += 1
        self.events[recorded.position] = recorded
        fact = fact_of(recorded)
        for tag in recorded.tags:
            if tag in self.streams:
                if tag not in self._fresh:
                    self.streams[tag] = self.streams[tag].copy()
                    self._fresh.add(tag)
                self.streams[tag].evolve(recorded, fact)
