"""The rulebook as data: rules, versions, parameters, and the canonical text that a version's sha256 is taken over.

A rule states for each gate the first version it is in; a later version is one more row of `VERSIONS` and no change of the rules.
What a rule tests is code elsewhere (`domain.gates` and its neighbours); its id, reach, outcome, citations, words and values are
here. Values that rest on secondary sources (the rulebook's †) are parameters or terms here and nowhere else.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from domain.rule_texts import (
    LIST_NOTICE,
    NUMBER_RULES,
    PRACTICE_2019,
    PUBLICITY_OPINION,
    REPAIR_RULES,
    WORDINGS,
    Citation,
    Wording,
    in_notice,
    in_order_42,
    in_penalty_law,
)
from domain.text import Language, Text


class Gate(StrEnum):
    """What is asked of the rules (rulebook §5)."""

    LICENCE = "LICENCE"
    NUMBER_FILING = "NUMBER_FILING"
    ACCESS = "ACCESS"
    COOPERATION = "COOPERATION"


class Outcome(StrEnum):
    """The answer of a rule or a gate, mildest first."""

    PERMIT = "PERMIT"
    REVIEW = "REVIEW"
    REFUSE = "REFUSE"


_SEVERITY: Final = {outcome: severity for severity, outcome in enumerate(Outcome)}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The severest of the outcomes: REFUSE > REVIEW > PERMIT, and PERMIT of none (rulebook §5)."""
    return max(outcomes, key=_SEVERITY.__getitem__, default=Outcome.PERMIT)


class RuleKind(StrEnum):
    """Which question a rule answers: a gate (§5), the credit status (§4), what is owed (§6), what was forbidden (§7)."""

    GATE = "GATE"
    CREDIT = "CREDIT"
    OBLIGATION = "OBLIGATION"
    FINDING = "FINDING"


@dataclass(frozen=True)
class Scope:
    """Where a rule applies: at a gate (None: the rule is not asked at gates), from the version `since` on."""

    gate: Gate | None
    since: str


@dataclass(frozen=True)
class Term:
    """When an obligation falls due, in days from the day it is counted from (negative: before it), calendar or working days."""

    days: int
    working: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule of the rulebook.

    `outcome` is None for rules that are not asked at gates. `term` or `due_on` is set where an obligation's due day is neither
    on the event itself nor a parameter. FND-GATE and FND-LIVE have no citations: theirs are those of the rules that fire.
    """

    id: str
    kind: RuleKind
    scopes: tuple[Scope, ...]
    outcome: Outcome | None
    citations: tuple[Citation, ...]
    wording: Wording
    term: Term | None = None
    due_on: date | None = None

    @property
    def condition(self) -> Text:
        """When the rule fires; names parameters by their names in the rulebook."""
        return self.wording.condition

    @property
    def message(self) -> Text:
        """What has fired, in one sentence for a person at a carrier or a regulator."""
        return self.wording.message

    @property
    def remedy(self) -> Text:
        """What to do about it."""
        return self.wording.remedy

    def citation(self, language: Language) -> str:
        """All citations as one line; empty where the rule has none of its own."""
        return ("；" if language == "zh" else "; ").join(one.in_language(language) for one in self.citations)


@dataclass(frozen=True)
class Parameters:
    """The values of one version, in days unless said otherwise; None where the version has no such rule.

    `draw_tickets` gives tickets by credit status (§9); `publicity_days` days by kind of penalty (§8), None where publicity does
    not end by itself; `repair_from` the first legal date of removals on the ground REPAIRED (§3), None where there are none.
    """

    signal_days: int
    complaint_days: int | None
    complaint_threshold: int | None
    false_material_bar_days: int | None
    adverse_review_days: int
    dishonesty_review_days: int
    draw_tickets: Mapping[str, int] = field(hash=False)
    publicity_days: Mapping[str, int] | None = field(default=None, hash=False)
    repair_from: date | None = None

    def publicity_days_of(self, kinds: Iterable[str]) -> int | None:
        """How long a penalty of these kinds (at least one) stays public: as long as its longest kind; None: without end."""
        return None if self.publicity_days is None else max(self.publicity_days[kind] for kind in kinds)


@dataclass(frozen=True)
class ParameterNote:
    """What a parameter is: its field in `Parameters`, its name in the rulebook, its title, and what its value rests on."""

    attribute: str
    name: str
    title: Text
    citations: tuple[Citation, ...]


@dataclass(frozen=True)
class Version:
    """A version of the rulebook, in force from a legal date until the next one's."""

    version: str
    in_force_from: date
    parameters: Parameters


@dataclass(frozen=True, eq=False)
class Rulebook:
    """All rules in all versions, versions in order of their dates.

    Raises ValueError if the tables contradict themselves, and LookupError where it is given a version that is not its own.
    """

    versions: tuple[Version, ...]
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        dates = [version.in_force_from for version in self.versions]
        if not dates or any(later <= earlier for earlier, later in pairwise(dates)):
            got = ", ".join(f"{version.version} from {version.in_force_from}" for version in self.versions) or "none"
            raise ValueError(f"versions: got {got}; must be at least one, each in force later than the one before it")
        _require_unique("version", [version.version for version in self.versions])
        _require_unique("rule id", [rule.id for rule in self.rules])
        unknown = {scope.since for rule in self.rules for scope in rule.scopes} - self._ranks.keys()
        if unknown:
            raise ValueError(
                f"rules name versions {sorted(unknown)}; known are {list(self._ranks)}: add them to the versions"
            )

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {version.version: rank for rank, version in enumerate(self.versions)}

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in sorted(self.rules, key=lambda rule: rule.id)}

    @cached_property
    def _by_scope(self) -> dict[tuple[Gate | None, str], tuple[Rule, ...]]:
        return {
            (gate, version.version): tuple(rule for rule in self._by_id.values() if self._is_asked(rule, gate, version))
            for gate in (None, *Gate)
            for version in self.versions
        }

    @cached_property
    def _begins(self) -> dict[str, date]:
        return {
            rule.id: version.in_force_from
            for version in reversed(self.versions)
            for rule in self._by_scope[None, version.version]
        }

    @cached_property
    def _canonical(self) -> dict[str, tuple[str, str]]:
        texts = {version.version: _canonical_text(self, version) for version in self.versions}
        return {name: (text, sha256(text.encode()).hexdigest()) for name, text in texts.items()}

    def _own(self, version: Version) -> str:
        if version.version not in self._ranks:
            raise LookupError(
                f"version {version.version!r}: not in this rulebook; its versions are {', '.join(self._ranks)}"
            )
        return version.version

    def in_force_on(self, day: date) -> Version:
        """The version that governs a legal date; a date before the first version is judged by the first."""
        return self.versions[max(bisect_right(self.versions, day, key=lambda version: version.in_force_from) - 1, 0)]

    def named(self, version: str) -> Version | None:
        """The version of that name, or None."""
        rank = self._ranks.get(version)
        return None if rank is None else self.versions[rank]

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id. Raises LookupError if there is none."""
        if rule_id not in self._by_id:
            raise LookupError(f"rule {rule_id!r}: not in the rulebook; its ids are {', '.join(self._by_id)}")
        return self._by_id[rule_id]

    def applies(self, rule: Rule, gate: Gate | None, version: Version) -> bool:
        """Whether the rule is asked at the gate (None: outside the gates) under the version."""
        return rule in self.rules_for(gate, version)

    def _is_asked(self, rule: Rule, gate: Gate | None, version: Version) -> bool:
        rank = self._ranks[version.version]
        return any(scope.gate == gate and self._ranks[scope.since] <= rank for scope in rule.scopes)

    def begins(self, rule: Rule) -> date:
        """The first legal date on which a rule outside the gates is asked."""
        return self._begins[rule.id]

    def rules_for(self, gate: Gate | None, version: Version) -> tuple[Rule, ...]:
        """The rules asked at the gate (None: those outside the gates) under the version, ordered by id."""
        return self._by_scope[gate, self._own(version)]

    def canonical_text(self, version: Version) -> str:
        """Everything the version says, as RFC 8785 canonical JSON: its rules with all their words, its values, its date."""
        return self._canonical[self._own(version)][0]

    def sha256(self, version: Version) -> str:
        """SHA-256, in lower-case hex, of the version's canonical text in UTF-8."""
        return self._canonical[self._own(version)][1]

    def with_version(self, version: Version) -> "Rulebook":
        """This rulebook and one more version, put where its date belongs."""
        return replace(self, versions=tuple(sorted((*self.versions, version), key=lambda each: each.in_force_from)))


def _require_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} given more than once; give each once")


def _canonical_text(rulebook: Rulebook, version: Version) -> str:
    content = {
        "version": version.version,
        "inForceFrom": version.in_force_from.isoformat(),
        "parameters": {note.name: _parameter_content(note, version.parameters) for note in PARAMETER_NOTES},
        "rules": [
            _rule_content(rule, [gate for gate in (None, *Gate) if rulebook.applies(rule, gate, version)])
            for rule in sorted(rulebook.rules, key=lambda rule: rule.id)
            if any(rulebook.applies(rule, gate, version) for gate in (None, *Gate))
        ],
    }
    # For these types json.dumps writes RFC 8785: every name is ASCII, every number an integer.
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _parameter_content(note: ParameterNote, parameters: Parameters) -> dict[str, object]:
    value = getattr(parameters, note.attribute)
    plain = dict(value) if isinstance(value, Mapping) else _day(value) if isinstance(value, date) else value
    return {
        "value": plain,
        "title": note.title._asdict(),
        "citations": [_citation_content(one) for one in note.citations],
    }


def _rule_content(rule: Rule, gates: list[Gate | None]) -> dict[str, object]:
    return {
        "id": rule.id,
        "kind": rule.kind,
        "gates": [gate for gate in gates if gate is not None],
        "outcome": rule.outcome,
        "citations": [_citation_content(one) for one in rule.citations],
        "condition": rule.condition._asdict(),
        "message": rule.message._asdict(),
        "remedy": rule.remedy._asdict(),
        "term": None if rule.term is None else {"days": rule.term.days, "working": rule.term.working},
        "dueOn": _day(rule.due_on),
    }


def _citation_content(citation: Citation) -> dict[str, object]:
    return {
        "document": citation.document._asdict(),
        "part": None if citation.part is None else citation.part._asdict(),
        "date": _day(citation.date),
        "secondary": citation.secondary,
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


_REPAIR: Final = Citation(REPAIR_RULES, None, date(2026, 4, 1))
_REPAIR_PERIODS: Final = Citation(REPAIR_RULES, None, date(2026, 4, 1), secondary=True)
_LIST_NOTICE: Final = Citation(LIST_NOTICE, None, date(2018, 3, 15))
_PUBLICITY: Final = Citation(PUBLICITY_OPINION, None, date(2018, 7, 25))
_NUMBER_RULES: Final = Citation(NUMBER_RULES, None, None)
_PRACTICE: Final = Citation(PRACTICE_2019, None, None, secondary=True)
_ORDER_42: Final = in_order_42()
_ORDER_42_LISTS: Final = in_order_42("第四十二条", "Art. 42")
_ORDER_42_PERIODS: Final = in_order_42("第四十二条", "Art. 42", secondary=True)
_ORDER_42_STATUS: Final = in_order_42("第三十七条、第四十二条", "Arts. 37, 42")
_ORDER_42_DRAW: Final = in_order_42("第三十七条", "Art. 37", secondary=True)
_ADMISSION: Final = in_notice("准入管理", "admission")
_ADMISSION_BAR: Final = in_notice("准入管理", "admission", secondary=True)
_NUMBERS: Final = in_notice("码号管理", "numbers")
_ACCESS: Final = in_notice("接入管理", "access")
_CONSISTENCY: Final = in_notice("接入管理（材料不一致）", "access (inconsistent material)")
_PRUDENCE: Final = in_notice("接入管理（审慎合作）", "access (prudence)")
_THRESHOLD: Final = in_notice("接入管理（审慎合作）", "access (prudence)", secondary=True)
_PART_5: Final = in_notice("第五部分", "part 5")
_PART_6: Final = in_notice("第六部分", "part 6")

PARAMETER_NOTES: Final = (
    ParameterNote(
        "signal_days",
        "signalDays",
        Text("约谈、曝光、行政处罚构成关注信号的天数", "days for which an interview, exposure or penalty is a signal"),
        (_ORDER_42_STATUS, _PART_6),
    ),
    ParameterNote(
        "complaint_days", "complaintDays", Text("统计属实投诉的天数", "days for which complaints count"), (_PRUDENCE,)
    ),
    ParameterNote(
        "complaint_threshold",
        "complaintThreshold",
        Text("触发复核的属实投诉件数", "substantiated complaints that call for review"),
        (_THRESHOLD,),
    ),
    ParameterNote(
        "false_material_bar_days",
        "falseMaterialBarDays",
        Text("提供虚假材料后限制申请的天数", "days of the bar after false material"),
        (_ADMISSION_BAR,),
    ),
    ParameterNote(
        "adverse_review_days",
        "adverseReviewDays",
        Text("不良名单复核期限（天）", "days until an ADVERSE entry is reviewed"),
        (_ORDER_42_PERIODS,),
    ),
    ParameterNote(
        "dishonesty_review_days",
        "dishonestyReviewDays",
        Text("失信名单复核期限（天）", "days until a DISHONESTY entry is reviewed"),
        (_ORDER_42_PERIODS,),
    ),
    ParameterNote(
        "draw_tickets",
        "drawTickets",
        Text("双随机抽取的签数（按信用状态）", "tickets in the random draw, by credit status"),
        (_ORDER_42_DRAW,),
    ),
    ParameterNote(
        "publicity_days",
        "publicityDays",
        Text(
            "处罚公示天数（按处罚种类，取最长者）", "days of a penalty's publicity, by kind, the longest kind governing"
        ),
        (_REPAIR_PERIODS,),
    ),
    ParameterNote(
        "repair_from",
        "repairFrom",
        Text("可以信用修复为由移出名单的起始日期", "first date of removals by credit repair"),
        (_REPAIR,),
    ),
)
"""Every parameter, in the order of the rulebook's table, with what its value rests on."""

_FIRST: Final = Parameters(
    signal_days=365,
    complaint_days=None,
    complaint_threshold=None,
    false_material_bar_days=None,
    adverse_review_days=365,
    dishonesty_review_days=1095,
    draw_tickets=MappingProxyType({"GOOD": 1, "WATCH": 2, "ADVERSE": 4, "DISHONEST": 4}),
)
_NOTICE: Final = replace(_FIRST, complaint_days=30, complaint_threshold=10, false_material_bar_days=365)
_GRAVE: Final = ("LICENCE_REVOKED", "CLOSURE", "BARRED", "LICENCE_SUSPENDED", "BUSINESS_SUSPENDED")
_ORDINARY: Final = ("FINE", "CONFISCATION", "QUALIFICATION_LOWERED", "ACTIVITY_RESTRICTED", "OTHER")
_LIGHT: Final = ("WARNING", "CRITICISM")
_CREDIT_REPAIR: Final = replace(
    _NOTICE,
    publicity_days=MappingProxyType(
        dict.fromkeys(_GRAVE, 1095) | dict.fromkeys(_ORDINARY, 365) | dict.fromkeys(_LIGHT, 90),
    ),
    repair_from=date(2026, 4, 1),
)

VERSIONS: Final = (
    Version("2017.1", date(2017, 9, 1), _FIRST),
    Version("2018.1", date(2018, 3, 15), _FIRST),
    Version("2020.1", date(2020, 6, 18), _NOTICE),
    Version("2026.1", date(2026, 4, 1), _CREDIT_REPAIR),
)

_ALL: Final = "2017.1"
_LISTS: Final = "2018.1"
_NOTICE_ON: Final = "2020.1"


def _since(version: str, *gates: Gate) -> tuple[Scope, ...]:
    return tuple(Scope(gate, version) for gate in gates)


def _gate_rule(rule_id: str, outcome: Outcome, scopes: tuple[Scope, ...], *citations: Citation) -> Rule:
    return Rule(rule_id, RuleKind.GATE, scopes, outcome, citations, WORDINGS[rule_id])


def _credit_rule(rule_id: str) -> Rule:
    citations = (_ORDER_42_STATUS, _PART_6)
    return Rule(rule_id, RuleKind.CREDIT, (Scope(None, _ALL),), None, citations, WORDINGS[rule_id])


def _obligation(rule_id: str, *citations: Citation, term: Term | None = None) -> Rule:
    return Rule(rule_id, RuleKind.OBLIGATION, (Scope(None, _ALL),), None, citations, WORDINGS[rule_id], term)


def _finding(rule_id: str, *citations: Citation) -> Rule:
    return Rule(rule_id, RuleKind.FINDING, (Scope(None, _ALL),), None, citations, WORDINGS[rule_id])


_REVIEW: Final = Outcome.REVIEW
_REFUSE: Final = Outcome.REFUSE
_L: Final = Gate.LICENCE
_N: Final = Gate.NUMBER_FILING
_A: Final = Gate.ACCESS
_C: Final = Gate.COOPERATION

RULES: Final = (
    _gate_rule("REG-1", _REFUSE, _since(_ALL, *Gate), in_order_42("第四条", "Art. 4")),
    _gate_rule("ADM-1", _REFUSE, _since(_NOTICE_ON, _L), _ADMISSION),
    _gate_rule("ADM-2", _REFUSE, _since(_NOTICE_ON, _L), _ADMISSION),
    _gate_rule("ADM-3", _REFUSE, _since(_NOTICE_ON, _L), _ADMISSION_BAR),
    _gate_rule("ADM-4", _REFUSE, _since(_NOTICE_ON, _L), _ADMISSION),
    _gate_rule("SCP-1", _REFUSE, _since(_NOTICE_ON, _L), _PART_5),
    _gate_rule(
        "CRD-1",
        _REFUSE,
        (*_since(_ALL, _L), *_since(_LISTS, _N, _A, _C)),
        _PART_6,
        in_order_42(secondary=True),
    ),
    _gate_rule("CRD-2", _REVIEW, (*_since(_LISTS, _N, _A, _C), *_since(_NOTICE_ON, _L)), _LIST_NOTICE, _PART_6),
    _gate_rule("CRD-3", _REVIEW, _since(_NOTICE_ON, _A, _C), _PRUDENCE),
    _gate_rule("LIC-1", _REFUSE, _since(_ALL, _N, _A, _C), _ACCESS),
    _gate_rule("NUM-1", _REFUSE, _since(_ALL, _A), _ACCESS),
    _gate_rule("NUM-2", _REFUSE, _since(_NOTICE_ON, _A), _CONSISTENCY),
    _gate_rule("NUM-3", _REFUSE, _since(_NOTICE_ON, _A), _NUMBERS),
    _gate_rule("NUM-4", _REFUSE, _since(_ALL, _N), _ORDER_42, _NUMBER_RULES),
    _gate_rule("NUM-5", _REFUSE, _since(_NOTICE_ON, _N), _NUMBERS),
    _gate_rule("ACC-1", _REFUSE, _since(_NOTICE_ON, _A), _ACCESS),
    _gate_rule("ENF-1", _REVIEW, _since(_NOTICE_ON, _N, _A), _PART_6, _PRACTICE),
    _gate_rule("ENF-2", _REFUSE, _since(_NOTICE_ON, _N, _A), _PART_6, _PRACTICE),
    _gate_rule("CMP-1", _REVIEW, _since(_NOTICE_ON, _A, _C), _THRESHOLD),
    _credit_rule("CST-1"),
    _credit_rule("CST-2"),
    _credit_rule("CST-3"),
    _credit_rule("CST-4"),
    _obligation("OBL-LIST", _ORDER_42_LISTS, term=Term(30)),
    _obligation("OBL-PUBLICITY", _PUBLICITY, term=Term(7, working=True)),
    _obligation("OBL-WITHDRAW", in_penalty_law("第四十八条", "Art. 48"), term=Term(3, working=True)),
    _obligation("OBL-REVIEW", _ORDER_42_PERIODS),
    _obligation("OBL-RECTIFY", _PART_6),
    _obligation("OBL-REPORT", in_order_42("第三十五条、第三十八条", "Arts. 35, 38")),
    _obligation("OBL-FOLLOW", in_penalty_law("第六十条", "Art. 60"), term=Term(90)),
    replace(_obligation("OBL-SELF", _PART_6), scopes=(Scope(None, _NOTICE_ON),), due_on=date(2020, 7, 30)),
    _obligation("OBL-RENEW", in_order_42("许可证延续", "renewal", secondary=True), term=Term(-90)),
    _finding("FND-GATE"),
    _finding("FND-OUT", _NUMBERS),
    _finding("FND-LIVE"),
)

RULEBOOK: Final = Rulebook(VERSIONS, RULES)
