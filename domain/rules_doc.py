"""The rulebook as a page for lawyers: `docs/rules.md` is `rules_table()`, word for word (a test compares them).

After a change of the rules, write the page again:
`python -c "from domain.rules_doc import rules_table; print(rules_table(), end='')" > docs/rules.md`
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from domain.rule_texts import Citation
from domain.rulebook import (
    PARAMETER_NOTES,
    RULEBOOK,
    Gate,
    Outcome,
    ParameterNote,
    Rule,
    Rulebook,
    RuleKind,
    Term,
    Version,
)
from domain.text import Text

_INTRODUCTION: Final = """# 规则表 The rules

本页由规则数据生成，请勿手工修改。 This page is made from the rule data; do not edit it by hand.

- 条件成立时规则触发；后果依次为结果或者期限、提示、补救。 A rule fires when its condition holds; its consequence is the
  outcome or the due day, what has fired, and what to do.
- 条件中的参数名（如 `signalDays`）见参数表。 Names of parameters in conditions are explained in the table of parameters.
- 多条规则同时触发时，以最严者为准：拒绝 REFUSE > 复核 REVIEW > 通过 PERMIT。 The severest rule that fires decides.
- 版本“2018.1+”指自该版本起适用；“全部 all”指所有版本。 "2018.1+" means in that version and every later one.
- 首个版本施行之前的日期，按首个版本判断。 Dates before the first version are judged by the first.
- “据二手资料 from secondary sources” 标明依据为二手来源，以原文为准。 Such a source is to be checked against the original.
- 引用日期为文件适用之日（通知为其日期）。 The date of a citation is the day from which the document applies.
"""
_KINDS: Final = {
    RuleKind.GATE: Text("准入与合作", "Gates"),
    RuleKind.CREDIT: Text("信用状态", "Credit status"),
    RuleKind.OBLIGATION: Text("待履行义务", "Obligations"),
    RuleKind.FINDING: Text("发现", "Findings"),
}
OUTCOME_WORDS: Final = {Outcome.PERMIT: "通过", Outcome.REVIEW: "复核", Outcome.REFUSE: "拒绝"}
GATE_WORDS: Final = {
    Gate.LICENCE: "许可",
    Gate.NUMBER_FILING: "号码备案",
    Gate.ACCESS: "接入",
    Gate.COOPERATION: "合作",
}


def rules_table(rulebook: Rulebook = RULEBOOK) -> str:
    """The whole page in Markdown: versions, parameters, and every rule with condition, consequence, citation and versions."""
    kinds = [_rules_of_kind(kind, rulebook) for kind in RuleKind]
    return "\n".join([_INTRODUCTION, _versions(rulebook), _parameters(rulebook), *kinds])


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = list(header)
    lines = [cells, ["---"] * len(cells), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _versions(rulebook: Rulebook) -> str:
    followed = [f"{later.in_force_from.isoformat()}（不含 exclusive）" for _, later in pairwise(rulebook.versions)]
    rows = [
        (version.version, version.in_force_from.isoformat(), until, f"`{rulebook.sha256(version)}`")
        for version, until in zip(rulebook.versions, [*followed, "–"], strict=True)
    ]
    header = ("版本 Version", "施行 In force from", "至 Until", "规范文本 Canonical text (SHA-256)")
    return "## 版本 Versions\n\n" + _table(header, rows)


def _parameters(rulebook: Rulebook) -> str:
    header = ("参数 Parameter", *(version.version for version in rulebook.versions), "依据 Citation")
    rows = [_parameter_row(note, rulebook.versions) for note in PARAMETER_NOTES]
    return "## 参数 Parameters\n\n" + _table(header, rows)


def _parameter_row(note: ParameterNote, versions: Iterable[Version]) -> list[str]:
    values = [_value(getattr(version.parameters, note.attribute)) for version in versions]
    return [f"{note.title.zh}<br>{note.title.en}<br>`{note.name}`", *values, _citations(note.citations)]


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{name}: {number}" for name, number in value.items())
    return "–" if value is None else str(value)


def _rules_of_kind(kind: RuleKind, rulebook: Rulebook) -> str:
    title = _KINDS[kind]
    header = ("规则 Rule", "条件 Condition", "后果 Consequence", "依据 Citation", "版本 Versions")
    rules = sorted((rule for rule in rulebook.rules if rule.kind is kind), key=lambda rule: rule.id)
    return f"## {title.zh} {title.en}\n\n" + _table(header, [_rule_row(rule, rulebook) for rule in rules])


def _rule_row(rule: Rule, rulebook: Rulebook) -> list[str]:
    citations = _citations(rule.citations) or "所触发各规则的依据<br>those of the rules that fire"
    return [rule.id, _both(rule.condition), _consequence(rule), citations, _reach(rule, rulebook)]


def _both(text: Text) -> str:
    return f"{text.zh}<br>{text.en}"


def _citations(citations: Iterable[Citation]) -> str:
    return "<br>".join(f"{one.in_language('zh')}<br>{one.in_language('en')}" for one in citations)


def _consequence(rule: Rule) -> str:
    outcome = [] if rule.outcome is None else [f"**{OUTCOME_WORDS[rule.outcome]} {rule.outcome}**"]
    due = [] if rule.term is None else [f"**{_term(rule.term)}**"]
    due_on = [] if rule.due_on is None else [f"**期限 Due: {rule.due_on.isoformat()}**"]
    said = [f"{rule.message.zh}{rule.remedy.zh}", f"{rule.message.en} {rule.remedy.en}"]
    return "<br>".join([*outcome, *due, *due_on, *said])


def _term(term: Term) -> str:
    zh, en = ("工作日", "working days") if term.working else ("日", "calendar days")
    return f"期限 Due: {'届满前' if term.days < 0 else ''}{abs(term.days)}{zh} ({term.days:+d} {en})"


def _reach(rule: Rule, rulebook: Rulebook) -> str:
    first = rulebook.versions[0].version
    lines = []
    for since in dict.fromkeys(scope.since for scope in rule.scopes):
        gates = [
            f"{GATE_WORDS[scope.gate]} {scope.gate}" for scope in rule.scopes if scope.since == since and scope.gate
        ]
        versions = "全部 all" if since == first else f"{since}+"
        lines.append(f"{', '.join(gates)}: {versions}" if gates else versions)
    return "<br>".join(lines)
