import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import rfc8785

from domain.rule_texts import WORDINGS
from domain.rulebook import (
    PARAMETER_NOTES,
    RULEBOOK,
    RULES,
    VERSIONS,
    Gate,
    Outcome,
    Rulebook,
    RuleKind,
    Term,
    Version,
    worst,
)
from domain.rules_doc import rules_table
from domain.text import Text
from domain.vocabulary import CreditStatus, PenaltyKind

IDS = """
REG-1 ADM-1 ADM-2 ADM-3 ADM-4 SCP-1 CRD-1 CRD-2 CRD-3 LIC-1 NUM-1 NUM-2 NUM-3 NUM-4 NUM-5 ACC-1 ENF-1 ENF-2 CMP-1
CST-1 CST-2 CST-3 CST-4
OBL-LIST OBL-PUBLICITY OBL-WITHDRAW OBL-REVIEW OBL-RECTIFY OBL-REPORT OBL-FOLLOW OBL-SELF OBL-RENEW
FND-GATE FND-OUT FND-LIVE
"""

# Rulebook §5. A column is a gate; its characters stand for the versions 2017.1, 2018.1, 2020.1, 2026.1; x: in it.
GATE_TABLE = """
rule   outcome  LICENCE  NUMBER_FILING  ACCESS  COOPERATION
REG-1  REFUSE   xxxx     xxxx           xxxx    xxxx
ADM-1  REFUSE   --xx     ----           ----    ----
ADM-2  REFUSE   --xx     ----           ----    ----
ADM-3  REFUSE   --xx     ----           ----    ----
ADM-4  REFUSE   --xx     ----           ----    ----
SCP-1  REFUSE   --xx     ----           ----    ----
CRD-1  REFUSE   xxxx     -xxx           -xxx    -xxx
CRD-2  REVIEW   --xx     -xxx           -xxx    -xxx
CRD-3  REVIEW   ----     ----           --xx    --xx
LIC-1  REFUSE   ----     xxxx           xxxx    xxxx
NUM-1  REFUSE   ----     ----           xxxx    ----
NUM-2  REFUSE   ----     ----           --xx    ----
NUM-3  REFUSE   ----     ----           --xx    ----
NUM-4  REFUSE   ----     xxxx           ----    ----
NUM-5  REFUSE   ----     --xx           ----    ----
ACC-1  REFUSE   ----     ----           --xx    ----
ENF-1  REVIEW   ----     --xx           --xx    ----
ENF-2  REFUSE   ----     --xx           --xx    ----
CMP-1  REVIEW   ----     ----           --xx    --xx
"""

# Rulebook §5: version, in force from, signalDays, complaintDays, complaintThreshold, falseMaterialBarDays,
# adverseReviewDays, dishonestyReviewDays.
PARAMETER_TABLE = [
    ("2017.1", date(2017, 9, 1), 365, None, None, None, 365, 1095),
    ("2018.1", date(2018, 3, 15), 365, None, None, None, 365, 1095),
    ("2020.1", date(2020, 6, 18), 365, 30, 10, 365, 365, 1095),
    ("2026.1", date(2026, 4, 1), 365, 30, 10, 365, 365, 1095),
]

# A released version never changes: its sha256 is in the ledgers that adopted it. A change of any word or value of a released
# version is a new version; only while a version is unreleased may its line here be written anew.
SHA256 = {
    "2017.1": "6c3334491bbd7db93f1c9fbb1793ad99c3957532bd915dd894155ef7ec900814",
    "2018.1": "66196829ddf4defecd99c16a8325bc8e53b909bac330431be361817ea9765b32",
    "2020.1": "ae3fba9acf58bfbb6fe9e6b9362367d5e522b36b576bc535d50b045b6859d234",
    "2026.1": "c792d75c2b2cb130c19ed1a20a9ec2cf3a3b524bbd5fc5efa674fed071f7b707",
}


def named(version: str, rulebook: Rulebook = RULEBOOK) -> Version:
    found = rulebook.named(version)
    assert found is not None
    return found


def with_2027(rulebook: Rulebook = RULEBOOK) -> Rulebook:
    parameters = replace(named("2026.1").parameters, complaint_threshold=5)
    return rulebook.with_version(Version("2027.1", date(2027, 1, 1), parameters))


def test_every_rule_of_the_rulebook_is_there_and_none_else() -> None:
    assert sorted(rule.id for rule in RULES) == sorted(IDS.split())
    assert sorted(WORDINGS) == sorted(IDS.split())


def test_gates_outcomes_and_versions_are_those_of_the_table() -> None:
    header, *lines = (line.split() for line in GATE_TABLE.split("\n") if line)
    got = [
        [rule.id, rule.outcome]
        + [
            "".join("x" if RULEBOOK.applies(rule, Gate(gate), each) else "-" for each in VERSIONS)
            for gate in header[2:]
        ]
        for rule in RULES
        if rule.kind is RuleKind.GATE
    ]
    assert got == lines


def test_rules_outside_the_gates_have_no_outcome_and_are_in_all_versions_but_for_the_campaign_of_2020() -> None:
    ungated = {rule.id for rule in RULES if rule.kind is not RuleKind.GATE}
    assert all(rule.outcome is None for rule in RULES if rule.id in ungated)
    for version in VERSIONS:
        missing = {"OBL-SELF"} if version.version in ("2017.1", "2018.1") else set()
        assert {rule.id for rule in RULEBOOK.rules_for(None, version)} == ungated - missing


def test_the_rules_of_a_gate_are_ordered_by_id() -> None:
    assert [rule.id for rule in RULEBOOK.rules_for(Gate.ACCESS, named("2026.1"))] == [
        *("ACC-1", "CMP-1", "CRD-1", "CRD-2", "CRD-3", "ENF-1", "ENF-2", "LIC-1", "NUM-1", "NUM-2", "NUM-3", "REG-1"),
    ]
    assert [rule.id for rule in RULEBOOK.rules_for(Gate.LICENCE, named("2017.1"))] == ["CRD-1", "REG-1"]


def test_versions_and_parameters_are_those_of_the_table() -> None:
    got = [
        (
            *(
                version.version,
                version.in_force_from,
                version.parameters.signal_days,
                version.parameters.complaint_days,
            ),
            *(version.parameters.complaint_threshold, version.parameters.false_material_bar_days),
            *(version.parameters.adverse_review_days, version.parameters.dishonesty_review_days),
        )
        for version in VERSIONS
    ]
    assert got == PARAMETER_TABLE


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.version)
def test_the_draw_gives_tickets_to_every_status_but_unknown(version: Version) -> None:
    assert version.parameters.draw_tickets == {"GOOD": 1, "WATCH": 2, "ADVERSE": 4, "DISHONEST": 4}
    assert version.parameters.draw_tickets.keys() == set(CreditStatus) - {CreditStatus.UNKNOWN}


def test_only_2026_1_ends_publicity_and_repairs_credit() -> None:
    assert [version.parameters.repair_from for version in VERSIONS] == [None, None, None, date(2026, 4, 1)]
    assert [version.parameters.publicity_days is None for version in VERSIONS] == [True, True, True, False]
    assert VERSIONS[0].parameters.publicity_days_of(["FINE"]) is None


@pytest.mark.parametrize(
    ("kinds", "days"),
    [
        *[
            ([kind], 1095)
            for kind in ("LICENCE_REVOKED", "CLOSURE", "BARRED", "LICENCE_SUSPENDED", "BUSINESS_SUSPENDED")
        ],
        *[([kind], 365) for kind in ("FINE", "CONFISCATION", "QUALIFICATION_LOWERED", "ACTIVITY_RESTRICTED", "OTHER")],
        *[(kinds, 90) for kinds in (["WARNING"], ["CRITICISM"], ["WARNING", "CRITICISM"])],
        (["WARNING", "FINE"], 365),
        (["FINE", "CLOSURE", "WARNING"], 1095),
    ],
)
def test_publicity_lasts_as_long_as_the_longest_of_a_penaltys_kinds(kinds: list[str], days: int) -> None:
    assert named("2026.1").parameters.publicity_days_of(kinds) == days


def test_publicity_has_days_for_every_kind_of_penalty() -> None:
    assert (named("2026.1").parameters.publicity_days or {}).keys() == set(PenaltyKind)


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (date(1990, 1, 1), "2017.1"),
        (date(2017, 8, 31), "2017.1"),
        (date(2017, 9, 1), "2017.1"),
        (date(2018, 3, 14), "2017.1"),
        (date(2018, 3, 15), "2018.1"),
        (date(2020, 6, 17), "2018.1"),
        (date(2020, 6, 18), "2020.1"),
        (date(2026, 3, 31), "2020.1"),
        (date(2026, 4, 1), "2026.1"),
        (date(2099, 1, 1), "2026.1"),
    ],
)
def test_a_date_is_judged_by_the_version_in_force_on_it(day: date, version: str) -> None:
    assert RULEBOOK.in_force_on(day).version == version


def test_terms_of_obligations_are_those_of_the_rulebook() -> None:
    terms = {rule.id: rule.term for rule in RULES if rule.term is not None}
    assert terms == {
        "OBL-LIST": Term(30),
        "OBL-PUBLICITY": Term(7, working=True),
        "OBL-WITHDRAW": Term(3, working=True),
        "OBL-FOLLOW": Term(90),
        "OBL-RENEW": Term(-90),
    }
    assert {rule.id: rule.due_on for rule in RULES if rule.due_on is not None} == {"OBL-SELF": date(2020, 7, 30)}


def test_the_worst_outcome_governs_and_none_permits() -> None:
    assert worst([]) is Outcome.PERMIT
    assert worst([Outcome.REVIEW, Outcome.PERMIT]) is Outcome.REVIEW
    assert worst([Outcome.REVIEW, Outcome.REFUSE, Outcome.REVIEW]) is Outcome.REFUSE


def test_a_citation_gives_document_part_and_date_in_both_languages() -> None:
    assert (
        RULEBOOK.rule("ADM-1").citation("zh")
        == "工信部信管〔2020〕81号《关于加强呼叫中心业务管理的通知》 准入管理，2020-06-18"
    )
    assert RULEBOOK.rule("REG-1").citation("en") == (
        "Measures for the Administration of Telecommunications Business Licences (MIIT Order No. 42), Art. 4, 2017-09-01"
    )
    assert (
        RULEBOOK.rule("OBL-FOLLOW").citation("zh") == "《中华人民共和国行政处罚法》（2021年修订） 第六十条，2021-07-15"
    )
    assert RULEBOOK.rule("CRD-2").citation("zh").startswith("名单通知，2018-03-15；工信部信管〔2020〕81号")


def test_what_rests_on_secondary_sources_says_so() -> None:
    daggered = {rule.id for rule in RULES if any(citation.secondary for citation in rule.citations)}
    assert daggered == {"ADM-3", "CRD-1", "ENF-1", "ENF-2", "CMP-1", "OBL-REVIEW", "OBL-RENEW"}
    assert RULEBOOK.rule("OBL-RENEW").citation("zh").endswith("（据二手资料）")
    assert RULEBOOK.rule("OBL-RENEW").citation("en").endswith("(from secondary sources)")
    values = {note.name for note in PARAMETER_NOTES if any(citation.secondary for citation in note.citations)}
    assert values == {
        *("complaintThreshold", "falseMaterialBarDays", "adverseReviewDays", "dishonestyReviewDays"),
        *("drawTickets", "publicityDays"),
    }


def test_every_rule_is_cited_with_a_date_but_findings_that_cite_their_rules() -> None:
    undated = {rule.id for rule in RULES if not any(citation.date for citation in rule.citations)}
    assert undated == {"FND-GATE", "FND-LIVE"}
    assert all(citation.date for note in PARAMETER_NOTES for citation in note.citations)


def texts() -> dict[str, Text]:
    words = {f"{rule.id} {name}": getattr(rule, name) for rule in RULES for name in ("condition", "message", "remedy")}
    titles = {note.name: note.title for note in PARAMETER_NOTES}
    cited = [citation for source in (*RULES, *PARAMETER_NOTES) for citation in source.citations]
    return (
        words | titles | {str(part): part for citation in cited for part in (citation.document, citation.part) if part}
    )


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in texts().items()])
def test_every_text_is_in_chinese_and_in_english(text: Text) -> None:
    assert re.search(r"[\u4e00-\u9fff]", text.zh)
    assert text.en.isascii()
    assert re.search(r"[a-z]", text.en)


def test_messages_and_remedies_are_sentences() -> None:
    assert [rule.id for rule in RULES for text in (rule.message, rule.remedy) if not text.zh.endswith("。")] == []
    assert [rule.id for rule in RULES for text in (rule.message, rule.remedy) if not text.en.endswith(".")] == []


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.version)
def test_the_canonical_text_is_rfc_8785_and_has_its_golden_sha256(version: Version) -> None:
    text = RULEBOOK.canonical_text(version)
    assert rfc8785.dumps(json.loads(text)) == text.encode()
    assert RULEBOOK.sha256(version) == SHA256[version.version]


def test_the_canonical_text_holds_every_rule_of_the_version_with_all_its_words_and_no_other() -> None:
    text = RULEBOOK.canonical_text(named("2018.1"))
    assert all(word in text for word in RULEBOOK.rule("CRD-2").wording.remedy)
    assert '"gates":["NUMBER_FILING","ACCESS","COOPERATION"],"id":"CRD-2"' in text
    assert '"id":"ADM-1"' not in text
    assert '"inForceFrom":"2018-03-15"' in text


def variants() -> dict[str, Rulebook]:
    rule, *others = RULES
    version, *later = VERSIONS
    changed = {
        "a message": replace(rule, wording=replace(rule.wording, message=Text("改", rule.message.en))),
        "a citation": replace(rule, citations=(replace(rule.citations[0], secondary=True),)),
        "an outcome": replace(rule, outcome=Outcome.REVIEW),
        "a term": replace(rule, term=Term(1)),
        "its gates": replace(rule, scopes=rule.scopes[1:]),
    }
    tickets = replace(version.parameters, draw_tickets={"GOOD": 2})
    return {name: Rulebook(VERSIONS, (one, *others)) for name, one in changed.items()} | {
        "a parameter": Rulebook((replace(version, parameters=tickets), *later), RULES),
        "its date": Rulebook((replace(version, in_force_from=date(2017, 9, 2)), *later), RULES),
    }


@pytest.mark.parametrize("rulebook", [pytest.param(rulebook, id=name) for name, rulebook in variants().items()])
def test_a_change_changes_the_sha256(rulebook: Rulebook) -> None:
    assert rulebook.sha256(rulebook.versions[0]) != RULEBOOK.sha256(VERSIONS[0])


def test_2027_1_is_one_row_more_and_governs_from_its_date() -> None:
    rulebook = with_2027()
    assert rulebook.in_force_on(date(2026, 12, 31)).version == "2026.1"
    assert rulebook.in_force_on(date(2027, 1, 1)).version == "2027.1"
    assert rulebook.in_force_on(date(2027, 1, 1)).parameters.complaint_threshold == 5
    for gate in (None, *Gate):
        assert rulebook.rules_for(gate, named("2027.1", rulebook)) == RULEBOOK.rules_for(gate, named("2026.1"))


def test_2027_1_leaves_the_earlier_versions_as_they_were() -> None:
    rulebook = with_2027()
    assert {each.version: rulebook.sha256(each) for each in VERSIONS} == SHA256
    assert rulebook.sha256(named("2027.1", rulebook)) not in SHA256.values()
    assert RULEBOOK.named("2027.1") is None


def test_an_unknown_rule_or_version_is_named_in_the_error() -> None:
    with pytest.raises(LookupError, match=r"XYZ-1.*ACC-1"):
        RULEBOOK.rule("XYZ-1")
    with pytest.raises(LookupError, match=r"2027\.1.*2026\.1"):
        RULEBOOK.rules_for(Gate.ACCESS, named("2027.1", with_2027()))


def test_tables_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="each in force later"):
        Rulebook((), RULES)
    with pytest.raises(ValueError, match="each in force later"):
        Rulebook(VERSIONS[::-1], RULES)
    with pytest.raises(ValueError, match=r"version: 2026\.1 given more than once"):
        RULEBOOK.with_version(replace(named("2026.1"), in_force_from=date(2027, 1, 1)))
    with pytest.raises(ValueError, match="rule id: REG-1 given more than once"):
        Rulebook(VERSIONS, (*RULES, RULES[0]))
    with pytest.raises(ValueError, match=r"\['2017\.1'\]"):
        Rulebook(VERSIONS[1:], RULES)


def test_the_page_for_lawyers_is_made_from_the_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text(encoding="utf-8") == rules_table()


def test_the_page_for_lawyers_shows_a_new_version() -> None:
    page = rules_table(with_2027())
    assert "| 2026.1 | 2026-04-01 | 2027-01-01（不含 exclusive） |" in page
    assert "`complaintThreshold` | – | – | 10 | 10 | 5 |" in page
