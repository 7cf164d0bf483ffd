"""双公示 rows against the ledger: what is new, what is in already, and what a corrected row takes the place of.

A row is known by what the ledger itself holds under its authority and document number (a licence's own number), whoever
recorded it and from whichever file. What a row leaves unsaid (becauseOf, route, a decision, an inspection) makes no
difference. Rulebook §3 never gives a document or licence number again, not even after a void: so the fact that takes the
place of a voided one is recorded under its number with （更正1）, （更正2） … behind it.

An enterprise that an import registered is registered anew from an earlier date, when a later import brings an earlier
decision about it: in the same record the first registration is voided. What others registered is left as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from msgspec.structs import replace

from caseledger.gongshi_columns import Kind, label_of
from caseledger.importing import key_of
from caseledger.items import Fact as Stated
from caseledger.items import Item, Settle
from domain.commands import Code, Command, Refusal, command, refusal
from domain.events import (
    EnterpriseRegistered,
    Event,
    LicenceAnnulled,
    LicenceCancelled,
    LicenceGranted,
    LicenceRenewed,
    LicenceRevoked,
    ListEntryMade,
    PenaltyAnnulled,
    PenaltyImposed,
    PenaltyPerformed,
    PenaltyPublicised,
)
from domain.facts import Fact, Facts
from domain.vocabulary import Cause, LicenceRoute
from ledger.entry import data_of
from ledger.imports import IMPORTER, ImportedLines
from ledger.ledger import Ledger
from ledger.sealing import ERASED, Sealer
from ledger.streams import opened_all

Granted = PenaltyImposed | LicenceGranted
Streams = Mapping[str, Facts]

COUNTED: Final = ("enterprises", "penalties", "licences", "corrections", "earlier")
"""What a recorded row is counted as: a new enterprise, a new penalty or licence or a correction, a registration made earlier."""

_COMPARED: Final[dict[type[Event], tuple[str, ...]]] = {
    PenaltyImposed: ("kinds", "fine", "confiscated", "violation", "basis"),
    LicenceGranted: ("provinces", "valid_from", "valid_to"),
}
"""What a row says of a fact besides its date and what it is known by."""
_LABELLED: Final = {
    "provinces": "authority", "valid_from": "validFrom", "valid_to": "validTo", "because_of": "violationType",
    "route": "content", "effectiveOn": "decidedOn", "legalRepresentative": "representative", "province": "uscc",
}  # fmt: skip
"""The column of a field, where it is called otherwise."""
_ON_PENALTY: Final = (PenaltyPublicised, PenaltyPerformed, PenaltyAnnulled)
_ON_LICENCE: Final = (LicenceRenewed, LicenceRevoked, LicenceAnnulled, LicenceCancelled)


def settling(ledger: Ledger, lines: ImportedLines, correct: bool) -> Settle:
    """What settles the rows of an import; `correct`: whether a row that differs from the ledger's fact replaces it."""
    return lambda items: _Settling(ledger, lines, correct, items).settled()


@dataclass(frozen=True, slots=True)
class _Row:
    """An item and what it states. What `gongshi.read` gives is well-formed, so it is looked at only where it is compared."""

    item: Item
    kind: Kind
    fact: dict[str, Any]
    uscc: str
    on: date
    tag: str
    """The tag of its number."""

    @classmethod
    def of(cls, item: Item) -> "_Row":
        name, fact = item.facts[1]
        kind = Kind.PENALTY if name == "penaltyImposed" else Kind.LICENCE
        return cls(
            item,
            kind,
            fact,
            fact["uscc"],
            date.fromisoformat(fact["effectiveOn"]),
            _tag(kind, fact, fact[_NUMBER[kind]]),
        )

    @property
    def registration(self) -> dict[str, Any]:
        return dict(self.item.facts[0][1])

    @property
    def stated(self) -> Stated:
        return self.item.facts[1]

    @property
    def event(self) -> type[PenaltyImposed] | type[LicenceGranted]:
        return PenaltyImposed if self.kind is Kind.PENALTY else LicenceGranted

    @property
    def number(self) -> str:
        return str(self.fact[_NUMBER[self.kind]])

    def label(self, field: str) -> str:
        return label_of(self.kind, _LABELLED.get(field, field))

    def numbered(self, times: int) -> str:
        """The number under which the fact stands that corrects for so many times."""
        return f"{self.number}（更正{times}）" if times else self.number

    def tag_of(self, times: int) -> str:
        return _tag(self.kind, self.fact, self.numbered(times)) if times else self.tag


_NUMBER: Final = {Kind.PENALTY: "documentNo", Kind.LICENCE: "licenceNo"}


def _tag(kind: Kind, fact: Mapping[str, Any], number: str) -> str:
    """The tag of a number, as the events have it that bear it."""
    if kind is Kind.LICENCE:
        return f"licence:{number}"
    (tag,) = PenaltyPublicised(uscc=fact["uscc"], document_no=number, authority=fact["authority"]).own_tags()
    return tag


@dataclass
class _Settling:
    """The rows of one part, each knowing those before it."""

    ledger: Ledger
    lines: ImportedLines
    correct: bool
    items: Sequence[Item]
    streams: dict[str, Facts] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Tags of the numbers that rows of this part will record."""
    registered: dict[str, date] = field(default_factory=dict)
    """Since when enterprises are registered that rows of this part register."""

    def settled(self) -> list[Item | None]:
        rows = [_Row.of(item) for item in self.items]
        self._read(rows)
        return [self._one(row) for row in rows]

    def _read(self, rows: Sequence[_Row]) -> None:
        """Reads what the ledger has of the enterprises and numbers; further numbers, where what stood under one is voided."""
        wanted = {f"enterprise:{row.uscc}" for row in rows} | {row.tag for row in rows}
        times = dict.fromkeys(range(len(rows)), 0)
        while wanted:
            self.streams.update(self.ledger.streams.read(wanted)[1])
            times = {
                place: n + 1 for place, n in times.items() if (fact := self._under(rows[place], n)) and fact.voided_by
            }
            wanted = {rows[place].tag_of(n) for place, n in times.items()}

    def _under(self, row: _Row, times: int) -> Fact[Granted] | None:
        """What stands in the ledger under a row's number, if that was looked up."""
        facts = self.streams.get(row.tag_of(times))
        found: list[Fact[Granted]] = list(facts.ever(row.event)) if facts else []
        return found[0] if found else None

    def _last(self, row: _Row) -> tuple[int, Fact[Granted] | None]:
        """How often what has a row's number was corrected, and the last of the facts that it had."""
        times, last = 0, None
        while found := self._under(row, times):
            times, last = times + 1, found
        return times, last

    def _one(self, row: _Row) -> Item | None:
        if row.tag in self.taken:
            return None  # Its twin stands before it: others with its number were told from it when they were read.
        times, held = self._last(row)
        if held is None and row.on <= self.ledger.today:
            return self._recorded(row, "penalties" if row.kind is Kind.PENALTY else "licences")
        made, refusals = command(*row.stated, self.ledger.clock())
        if made is None:
            return replace(row.item, refusals=tuple(_labelled(row.kind, refusals)))
        if held is None:
            return self._recorded(row, "penalties" if row.kind is Kind.PENALTY else "licences")
        if not (differences := _differences(row, made, held)):
            return None
        if why := self._incorrigible(row, held, differences):
            return replace(row.item, refusals=(why,))
        return self._corrected(row, times, held)

    def _recorded(self, row: _Row, counted: str, *facts: Stated) -> Item:
        """The row with its enterprise registered before it, if need be; `facts` stand for what it states."""
        registration, how = self._registration(row)
        if isinstance(registration, Refusal):
            return replace(row.item, refusals=(registration,))
        self.taken.add(row.tag)
        return replace(row.item, facts=(*registration, *(facts or (row.stated,))), counted=(*how, counted))

    def _registration(self, row: _Row) -> tuple[list[Stated] | Refusal, tuple[str, ...]]:
        code, on = row.uscc, row.on
        standing = self.streams[f"enterprise:{code}"].standing(EnterpriseRegistered)
        since = self.registered.get(code, standing[0].effective_on if standing else None)
        if since is not None and since <= on:
            return [], ()
        stated = row.registration
        made, refusals = command("enterpriseRegistered", stated, self.ledger.clock())
        if made is None:
            return _labelled(row.kind, refusals)[0], ()
        if not standing:
            self.registered[code] = made.effective_on
            return [("enterpriseRegistered", stated)], ("enterprises",)
        return self._earlier(row, standing[0], made.effective_on)

    def _earlier(
        self, row: _Row, known: Fact[EnterpriseRegistered], since: date
    ) -> tuple[list[Stated] | Refusal, tuple[str, ...]]:
        """A registration that an import made, made anew from an earlier date with what it says."""
        (recorded,) = opened_all(self.ledger.recorder.read_positions([known.position]))
        if recorded.recorded_by != IMPORTER.signature:
            return _registered_later(row, known), ()
        self.registered[row.uscc] = since
        sealer = self.ledger.sealer
        (event,) = sealer.open([recorded]) if isinstance(sealer, Sealer) else (recorded.event,)
        fields = {name: value for name, value in data_of(event).items() if value not in (None, ERASED)}
        if not isinstance(sealer, Sealer):
            fields.pop("legalRepresentative", None)
        again = {**row.registration, **fields, "effectiveOn": since.isoformat()}
        void = {
            "position": known.position,
            "reason": f"公示数据中有该企业更早的决定，登记日期由 {known.effective_on} 改为 {since}",
        }
        return [("eventVoided", void), ("enterpriseRegistered", again)], ("earlier",)

    def _incorrigible(
        self, row: _Row, held: Fact[Granted], differences: Sequence[tuple[str, str, str]]
    ) -> Refusal | None:
        """Why a row does not take the place of a fact; None where it does."""
        event: Any = held.event
        if event.uscc != row.uscc or event.authority != row.fact["authority"]:
            return _of_another(row, held)
        if row.kind is Kind.LICENCE and not self._same_document(row):
            return _other_document(row, held)
        if not self.correct:
            return _differs(row, held, differences)
        resting = self._resting_on(row, held)
        return _rested_on(row, held, resting) if resting else None

    def _same_document(self, row: _Row) -> bool:
        """Whether the document of a licence row was imported: else the row is of another decision, a renewal maybe."""
        key = key_of(self.ledger, row.item.content)
        return key in self.lines.known([key])

    def _resting_on(self, row: _Row, held: Fact[Granted]) -> list[int]:
        """The positions of standing facts that name the fact by its number or as their basis."""
        enterprise = self.streams[f"enterprise:{row.uscc}"]
        event: Any = held.event
        names = ("document_no", "authority") if row.kind is Kind.PENALTY else ("licence_no",)
        found = [
            fact.position
            for cls in (_ON_PENALTY if row.kind is Kind.PENALTY else _ON_LICENCE)
            for fact in enterprise.standing(cls)
            if all(getattr(fact.event, name) == getattr(event, name) for name in names)
        ]
        found += [fact.position for fact in enterprise.standing(ListEntryMade) if held.position in fact.event.basis]
        return sorted(found)

    def _corrected(self, row: _Row, times: int, held: Fact[Granted]) -> Item:
        name, stated = row.stated
        fact = {**stated, **_kept(row, held), _NUMBER[row.kind]: row.numbered(times)}
        if held.voided_by:
            return self._recorded(row, "corrections", (name, fact))
        reason = f"公示数据更正：{row.number} 的内容有更正，以 {row.numbered(times)} 重新记录"
        void = {"position": held.position, "reason": reason}
        return self._recorded(row, "corrections", ("eventVoided", void), (name, fact))


def _differences(row: _Row, made: Command, held: Fact[Granted]) -> list[tuple[str, str, str]]:
    """What a row says otherwise than a fact: column, what the fact says, what the row says."""
    names = [*_COMPARED[row.event], "uscc", "authority"]
    # Said only where it is the rarer of two; else the row leaves it open.
    rarer = (("because_of", Cause.HARASSING_CALLS), ("route", LicenceRoute.COMMITMENT))
    names += [name for name, value in rarer if getattr(made.event, name, None) == value]
    pairs = [(name, getattr(held.event, name), getattr(made.event, name)) for name in names]
    pairs.append(("effectiveOn", held.effective_on, made.effective_on))
    return [(row.label(name), _said(was), _said(now)) for name, was, now in pairs if was != now]


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "、".join(map(str, value)) or "–"
    text = "–" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _kept(row: _Row, held: Fact[Granted]) -> dict[str, Any]:
    """What a correction takes over from the fact that it corrects, since a row does not say it."""
    event: Any = held.event
    if row.kind is Kind.LICENCE:
        return {} if row.fact["route"] == LicenceRoute.COMMITMENT else {"route": event.route.value}
    cause = {} if row.fact["becauseOf"] == Cause.HARASSING_CALLS else {"becauseOf": event.because_of.value}
    return cause | ({"inspectionId": event.inspection_id} if event.inspection_id else {})


def _labelled(kind: Kind, refusals: Sequence[Refusal]) -> list[Refusal]:
    """Refusals by the columns of the file instead of the fields of the event."""
    fields = [each.path.partition(".")[0] for each in refusals]
    return [
        each._replace(path=label_of(kind, _LABELLED.get(name, name))) if name else each
        for each, name in zip(refusals, fields, strict=True)
    ]


def _differs(row: _Row, held: Fact[Granted], differences: Sequence[tuple[str, str, str]]) -> Refusal:
    said = "; ".join(f"{label}: {was} → {now}" for label, was, now in differences)
    voided = f"（已由位置 {held.voided_by} 作废）" if held.voided_by else ""
    return refusal(
        Code.ALREADY_EXISTS,
        row.label("documentNo"),
        f"位置 {held.position} 已记录 {row.number}{voided}，内容不同（{said}）；如为更正，请以 --correct 导入",
        f"Position {held.position} holds {row.number}{' (voided)' if voided else ''} with other content ({said}); if this corrects it, "
        "import with --correct",
    )


def _of_another(row: _Row, held: Fact[Granted]) -> Refusal:
    event: Any = held.event
    return refusal(
        Code.ALREADY_EXISTS,
        row.label("documentNo"),
        f"位置 {held.position} 的 {row.number} 属于 {event.authority} 对企业 {event.uscc} 的决定；请核对文号",
        f"{row.number} at position {held.position} is of {event.authority} and enterprise {event.uscc}: look whether the number is right",
    )


def _other_document(row: _Row, held: Fact[Granted]) -> Refusal:
    return refusal(
        Code.ALREADY_EXISTS,
        row.label("licenceNo"),
        f"位置 {held.position} 已以另一文书记录许可 {row.number}；续期请记录 licenceRenewed，更正请先作废该位置",
        f"Position {held.position} holds licence {row.number} by another document: record a renewal as licenceRenewed, or void that "
        "position if it was wrong",
    )


def _rested_on(row: _Row, held: Fact[Granted], resting: Sequence[int]) -> Refusal:
    named = ", ".join(map(str, resting[:20]))
    return refusal(
        Code.WRONG_STATE,
        row.label("documentNo"),
        f"位置 {named} 的事件依据位置 {held.position} 的 {row.number}；请先处理这些事件，再更正",
        f"The events at {named} rest on {row.number} at position {held.position}: see to them first, then correct it",
    )


def _registered_later(row: _Row, known: Fact[EnterpriseRegistered]) -> Refusal:
    on = row.on
    return refusal(
        Code.UNKNOWN_ENTERPRISE,
        row.label("uscc"),
        f"企业 {row.uscc} 自 {known.effective_on} 起登记（位置 {known.position}），晚于该决定的日期 {on}；请先更正其登记",
        f"Enterprise {row.uscc} is registered from {known.effective_on} on (position {known.position}), after this decision of {on}: "
        "void that registration, and register it as of an earlier date",
    )
