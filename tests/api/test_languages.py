"""Every sentence in the reader's language: Chinese unless Accept-Language asks for English; codes are the same in both."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from domain.text import Language
from gating import Asked, access, cooperation, decided, filing
from given import A, access_granted, complained, filed, listed, ordered, registered, resolved
from running import System, started

CHINESE: Final = re.compile("[\u4e00-\u9fff]")
ENGLISH: Final = re.compile("[a-z]{3}")
WORDS: Final = "reasons { rule outcome positions citation message remedy }"


@pytest.fixture(scope="module")
def spoken(database: str) -> Iterator[System]:
    """A listed enterprise with a refused access and a finding of each rule; no test of it records anything."""
    with started(database) as system:
        system.known(
            registered(),
            filed(),
            complained("2026-05-02", category="MARKETING", calledAt="2026-05-01T04:00:00Z"),
            resolved("2026-05-10"),
            listed("2026-05-01"),
            ordered("2026-05-01", dueOn="2026-05-02"),
        )
        decided(system, access())
        system.settle()
        yield system


def words(reasons: list[Any]) -> list[str]:
    return [reason[name] for reason in reasons for name in ("citation", "message", "remedy")]


def codes(reasons: list[Any]) -> list[Any]:
    return [(reason["rule"], reason["outcome"], reason["positions"]) for reason in reasons]


def assert_said_in(language: Language, said: list[str]) -> None:
    assert said
    for text in said:
        assert bool(CHINESE.search(text)) is (language == "zh"), text
        assert language == "zh" or ENGLISH.search(text), text


REASONED: Final = {
    "creditStatus": f'creditStatus(uscc: "{A}") {{ {WORDS} }}',
    "previewGate": f"previewGate(request: $request) {{ {WORDS} }}",
    "decisions": f"decisions {{ edges {{ node {{ {WORDS} }} }} }}",
    "now": f"decisions {{ edges {{ node {{ now {{ {WORDS} }} }} }} }}",
    "replay": f"decisions {{ edges {{ node {{ replay {{ {WORDS} }} }} }} }}",
    "findings": f"findings {{ edges {{ node {{ {WORDS} }} }} }}",
    "enterprise": f'enterprise(uscc: "{A}") {{ findings {{ {WORDS} }} }}',
}


def reasons(found: Any) -> list[Any]:
    """All reasons of an answer, however deep they are."""
    if isinstance(found, list):
        return [one for inner in found for one in reasons(inner)]
    if isinstance(found, dict):
        return [one for name, inner in found.items() for one in (inner if name == "reasons" else reasons(inner))]
    return []


@pytest.mark.parametrize("named", REASONED)
def test_reasons_are_said_in_both_languages_and_their_codes_are_the_same(spoken: System, named: str) -> None:
    asks = "$request" in REASONED[named]
    query = f"query{' ($request: GateRequest!)' if asks else ''} {{ {REASONED[named]} }}"
    variables = {"request": access()} if asks else None
    chinese = reasons(spoken.ask(query, variables, language="zh"))
    english = reasons(spoken.ask(query, variables, language="en"))
    assert_said_in("zh", words(chinese))
    assert_said_in("en", words(english))
    assert codes(chinese) == codes(english)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("*", "zh"),
        ("fr", "zh"),
        ("zh-CN", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.8", "en"),
        ("fr, en;q=0.3", "en"),
        ("en;q=0.3, zh;q=0.7", "zh"),
        ("zh;q=0.3, en;q=0.7", "en"),
        ("en;q=0, zh", "zh"),
        ("EN-us", "en"),
        (";;;q=x", "zh"),
    ],
)
def test_the_language_is_the_one_that_is_most_accepted(spoken: System, accepted: str, language: Language) -> None:
    found = spoken.ask(f'{{ creditStatus(uscc: "{A}") {{ {WORDS} }} }}', language=accepted)["creditStatus"]
    assert_said_in(language, words(found["reasons"]))


def test_without_the_header_everything_is_said_in_chinese(spoken: System) -> None:
    query = f'{{ creditStatus(uscc: "{A}") {{ {WORDS} }} }}'
    sent = spoken.http.build_request("POST", "/graphql", json={"query": query}, headers=spoken.bearer("miit"))
    sent.headers.pop("accept-language", None)
    found = spoken.http.send(sent).json()["data"]["creditStatus"]
    assert_said_in("zh", words(found["reasons"]))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "asked",
    [
        f'creditStatus(uscc: "{A}", knownAt: -1) {{ status }}',
        f'creditStatus(uscc: "{A}", asOf: "1948-12-31") {{ status }}',
        f'creditStatus(uscc: "{A}", asOf: "2050-01-01") {{ status }}',
        'creditStatus(uscc: "911100001000123459") { status }',
        'findings(rule: "FND") { totalCount }',
        'obligations(after: "?") { totalCount }',
        "decisions(first: 0) { totalCount }",
        'previewGate(request: { cooperation: { uscc: "9", carrier: "CHINA_TELECOM" } }) { outcome }',
        f'previewGate(request: {{ cooperation: {{ uscc: "{A}", carrier: "C_C" }} }}, rulebook: "1") {{ outcome }}',
    ],
)
def test_an_error_of_a_query_is_said_in_the_readers_language(spoken: System, asked: str, language: Language) -> None:
    ((code, message),) = spoken.errors(f"{{ {asked} }}", language=language)
    assert code == "INVALID"
    assert_said_in(language, [message])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_may_not_be_seen_or_is_not_known_yet_is_said_in_the_readers_language(
    spoken: System, language: Language
) -> None:
    forbidden = spoken.errors("{ obligations { totalCount } }", key=None, language=language)
    unknown = spoken.errors(f"{{ obligations(knownAt: {spoken.head + 1}) {{ totalCount }} }}", language=language)
    assert [code for code, _ in (*forbidden, *unknown)] == ["FORBIDDEN", "NOT_YET_KNOWN"]
    assert_said_in(language, [message for _, message in (*forbidden, *unknown)])


def refusals(system: System, language: Language) -> list[Any]:
    """The errors of recording an access whose gate refused it, and of deciding what is malformed."""
    fields = f"errors {{ code path message {WORDS} }}"
    made = system.ask("{ decisions { edges { node { id } } } }")["decisions"]["edges"][0]["node"]["id"]
    fact = {"accessGranted": {**access_granted().fields, "decisionId": made}}
    record = f"mutation ($input: RecordInput!) {{ record(input: $input) {{ {fields} }} }}"
    decide = f"mutation ($input: DecideGateInput!) {{ decideGate(input: $input) {{ {fields} }} }}"
    wrong: list[tuple[Asked, str]] = [(filing(number="1"), "2026-06-02"), (cooperation(uscc=""), "2026-02-30")]
    recorded = system.ask(record, {"input": {"idempotencyKey": "refused", "facts": [fact]}}, language=language)
    found: list[Any] = recorded["record"]["errors"]
    for request, as_of in wrong:
        asked = {"input": {"idempotencyKey": "wrong", "request": request, "asOf": as_of}}
        found += system.ask(decide, asked, language=language)["decideGate"]["errors"]
    return found


def test_refusals_and_the_rules_that_refuse_are_said_in_both_languages(spoken: System) -> None:
    chinese, english = refusals(spoken, "zh"), refusals(spoken, "en")
    assert_said_in("zh", [error["message"] for error in chinese])
    assert_said_in("en", [error["message"] for error in english])
    assert [(error["code"], error["path"]) for error in chinese] == [
        (error["code"], error["path"]) for error in english
    ]
    assert [error["code"] for error in english] == ["GATE_REFUSED", *["INVALID"] * 4]
    assert_said_in("zh", words(chinese[0]["reasons"]))
    assert_said_in("en", words(english[0]["reasons"]))
    assert codes(chinese[0]["reasons"]) == codes(english[0]["reasons"])


def test_what_is_stated_is_never_translated(spoken: System) -> None:
    query = "{ listEntries { edges { node { name ground authority } } } }"
    assert spoken.ask(query, language="en") == spoken.ask(query, language="zh")
    entry = spoken.ask(query, language="en")["listEntries"]["edges"][0]["node"]
    assert entry == {"name": "甲呼叫中心", "ground": "HARASSING_CALLS", "authority": "CA-11"}
