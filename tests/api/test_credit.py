"""creditStatus, creditStatuses, Enterprise.credit and creditChanges: any date, as known at any position."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest

from given import (
    A,
    B,
    C,
    Stated,
    confirmed,
    exposed,
    interviewed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    retracted,
    unlisted,
    voided,
)
from running import ADOPTED, System, code, started

REPORT: Final = "uscc status asOf knownAt reasons { rule outcome positions } timeline { from status }"
UNKNOWN: Final = {"from": None, "status": "UNKNOWN"}
TOLD: Final = (
    registered(),
    interviewed("2025-07-01"),
    listed("2026-02-01"),
    listed("2026-03-01", entryId="E-2", list="DISHONESTY"),
    unlisted("2026-04-01", entryId="E-2"),
    unlisted("2026-05-01"),
)
"""At the positions from ADOPTED + 1 on."""
SPANS: Final = [
    ("2017-01-01", "GOOD"),
    ("2025-07-01", "WATCH"),
    ("2026-02-01", "ADVERSE"),
    ("2026-03-01", "DISHONEST"),
    ("2026-04-01", "ADVERSE"),
    ("2026-05-01", "WATCH"),
    ("2026-07-01", "GOOD"),
]


@pytest.fixture(scope="module")
def told(database: str) -> Iterator[System]:
    """A's standing changed a lot; no test of it records anything."""
    with started(database) as system:
        system.known(*TOLD)
        yield system


def credit(system: System, arguments: str = "", uscc: str = A, fields: str = REPORT, **how: Any) -> Any:
    return system.ask(f'{{ creditStatus(uscc: "{uscc}"{arguments}) {{ {fields} }} }}', **how)["creditStatus"]


def credits(system: System, usccs: Sequence[str], **asked: Any) -> list[Any]:
    query = f"""query ($usccs: [USCC!]!, $asOf: Date, $knownAt: Position) {{
      creditStatuses(usccs: $usccs, asOf: $asOf, knownAt: $knownAt) {{ {REPORT} }} }}"""
    found: list[Any] = system.ask(query, {"usccs": list(usccs), **asked})["creditStatuses"]
    return found


def spans(*told: tuple[str, str]) -> list[Any]:
    return [UNKNOWN, *({"from": begins, "status": status} for begins, status in told)]


# A status, its reasons and its timeline


def test_a_report_says_what_when_and_as_known_where(told: System) -> None:
    assert credit(told) == {
        "uscc": A,
        "status": "WATCH",
        "asOf": "2026-06-01",
        "knownAt": told.head,
        "reasons": [{"rule": "CST-3", "outcome": None, "positions": [ADOPTED + 2]}],
        "timeline": spans(*SPANS),
    }


@pytest.mark.parametrize(
    ("on", "status", "reasons"),
    [
        ("1949-01-01", "UNKNOWN", []),
        ("2016-12-31", "UNKNOWN", []),
        ("2017-01-01", "GOOD", []),
        ("2025-06-30", "GOOD", []),
        ("2025-07-01", "WATCH", [("CST-3", [ADOPTED + 2])]),
        ("2026-02-28", "ADVERSE", [("CST-2", [ADOPTED + 3])]),
        ("2026-03-01", "DISHONEST", [("CST-1", [ADOPTED + 4])]),
        ("2026-04-01", "ADVERSE", [("CST-2", [ADOPTED + 3])]),
        ("2026-06-30", "WATCH", [("CST-3", [ADOPTED + 2])]),
        ("2026-07-01", "GOOD", []),
        ("2036-06-01", "GOOD", []),
    ],
)
def test_a_status_is_that_of_the_date_asked_about(told: System, on: str, status: str, reasons: list[Any]) -> None:
    found = credit(told, f', asOf: "{on}"')
    assert (found["asOf"], found["status"]) == (on, status)
    assert [(reason["rule"], reason["positions"]) for reason in found["reasons"]] == reasons
    assert found["timeline"] == spans(*SPANS)


def test_the_timeline_says_what_lapses_when(told: System) -> None:
    told_until = {span["from"]: span["status"] for span in credit(told)["timeline"]}
    assert told_until["2026-07-01"] == "GOOD"
    for on, status in (("2026-06-30", "WATCH"), ("2026-07-01", "GOOD")):
        assert credit(told, f', asOf: "{on}"', fields="status") == {"status": status}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (0, []),
        (ADOPTED, []),
        (ADOPTED + 1, [("2017-01-01", "GOOD")]),
        (ADOPTED + 2, [("2017-01-01", "GOOD"), ("2025-07-01", "WATCH"), ("2026-07-01", "GOOD")]),
        (ADOPTED + 3, [("2017-01-01", "GOOD"), ("2025-07-01", "WATCH"), ("2026-02-01", "ADVERSE")]),
        (ADOPTED + 5, SPANS[:5]),
        (ADOPTED + 6, SPANS),
    ],
)
def test_what_was_known_at_a_position_stays_what_it_was(
    told: System, known: int, expected: list[tuple[str, str]]
) -> None:
    found = credit(told, f", knownAt: {known}")
    assert (found["knownAt"], found["timeline"]) == (known, spans(*expected))


def test_the_head_named_and_no_position_named_are_the_same(told: System) -> None:
    assert credit(told, f", knownAt: {told.head}") == credit(told)


def test_reasons_are_those_of_the_status_given_alone(system: System) -> None:
    system.record(
        registered(),
        interviewed("2026-05-01"),
        exposed("2026-05-02"),
        punished("2026-05-03", becauseOf="HARASSING_CALLS"),
        ordered("2026-05-04", dueOn="2026-05-31"),
        ordered("2026-05-04", orderId="O-2"),
        interviewed("2026-05-05", caseId="Y-2", becauseOf="OTHER"),
    )
    first = ADOPTED + 1
    signals, overdue = [first + 1, first + 2, first + 3], [first + 4]
    assert [(r["rule"], r["positions"]) for r in credit(system)["reasons"]] == [("CST-3", signals), ("CST-4", overdue)]
    assert [r["rule"] for r in credit(system, ', asOf: "2026-05-31"')["reasons"]] == ["CST-3"]
    entry, other = system.record(listed("2026-05-06"), listed("2026-05-07", entryId="E-2"))
    assert [(r["rule"], r["positions"]) for r in credit(system)["reasons"]] == [
        ("CST-2", [entry.position, other.position])
    ]


def test_a_reason_carries_its_rules_words(told: System) -> None:
    (reason,) = credit(told, fields="reasons { rule citation message remedy }")["reasons"]
    assert reason["rule"] == "CST-3"
    assert all(reason[name] for name in ("citation", "message", "remedy"))


def test_an_event_that_was_just_recorded_counts_at_once(system: System) -> None:
    for status, fact in (("GOOD", registered()), ("ADVERSE", listed()), ("GOOD", unlisted())):
        system.send(fact)
        assert credit(system, fields="status knownAt") == {"status": status, "knownAt": system.head}


# What is known when


def test_a_position_beyond_the_head_is_not_yet_known_after_at_most_two_seconds(told: System) -> None:
    begun = time.monotonic()
    asked = f'{{ creditStatus(uscc: "{A}", knownAt: {told.head + 1}) {{ status }} }}'
    assert told.codes(asked) == ["NOT_YET_KNOWN"]
    assert 1.5 < time.monotonic() - begun < 4


def test_a_question_about_a_position_that_the_read_models_know_waits_for_none_that_came_since(system: System) -> None:
    known = system.known(registered())[-1].position
    system.runner.stop()
    system.record(listed())
    begun = time.monotonic()
    asked = f'{{ creditStatuses(usccs: ["{A}"], knownAt: %d) {{ status knownAt }} }}'
    assert system.ask(asked % known) == {"creditStatuses": [{"status": "GOOD", "knownAt": known}]}
    assert time.monotonic() - begun < 1.5
    assert system.runner.position() == known < system.head


def test_a_question_that_waits_is_answered_when_the_event_comes(system: System) -> None:
    system.record(registered())
    expected = system.head + 1
    later = threading.Timer(0.4, lambda: system.record(listed()))
    later.start()
    begun = time.monotonic()
    found = credit(system, f", knownAt: {expected}", fields="status knownAt")
    later.join()
    assert found == {"status": "ADVERSE", "knownAt": expected}
    assert 0.3 < time.monotonic() - begun < 1.9


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("knownAt: -1", "knownAt"),
        ('asOf: "1948-12-31"', "asOf"),
        ('asOf: "2036-06-02"', "asOf"),
        ('asOf: "2037-06-01"', "asOf"),
        ('asOf: "2026-02-30"', "asOf"),
        ('asOf: "01.06.2026"', "asOf"),
    ],
)
@pytest.mark.parametrize(
    "query",
    [
        f'{{ creditStatus(uscc: "{A}", ARGUMENTS) {{ status }} }}',
        f'{{ creditStatuses(usccs: ["{A}"], ARGUMENTS) {{ status }} }}',
        f'{{ enterprise(uscc: "{A}") {{ credit(ARGUMENTS) {{ status }} }} }}',
    ],
)
def test_a_date_or_position_that_cannot_be_is_invalid(told: System, query: str, arguments: str, named: str) -> None:
    ((found, message),) = told.errors(query.replace("ARGUMENTS", arguments))
    assert (found, named in message) == ("INVALID", True)


# Many codes at once


def test_reports_come_in_the_order_asked_with_every_repetition(told: System) -> None:
    usccs = [C, A, B, A, A, C]
    found = credits(told, usccs)
    assert [report["uscc"] for report in found] == usccs
    assert [report["status"] for report in found] == ["UNKNOWN", "WATCH", "UNKNOWN", "WATCH", "WATCH", "UNKNOWN"]
    assert found[1] == found[3] == credit(told)


def test_an_unregistered_code_is_unknown_and_no_error(told: System) -> None:
    assert credit(told, uscc=B) == {
        "uscc": B,
        "status": "UNKNOWN",
        "asOf": "2026-06-01",
        "knownAt": told.head,
        "reasons": [],
        "timeline": [UNKNOWN],
    }


def test_a_thousand_codes_are_answered_and_one_more_is_refused(told: System) -> None:
    usccs = [code(n) for n in range(999)]
    found = credits(told, [*usccs, A])
    assert [report["uscc"] for report in found] == [*usccs, A]
    assert {report["status"] for report in found[:-1]} == {"UNKNOWN"}
    query = "query ($usccs: [USCC!]!) { creditStatuses(usccs: $usccs) { status } }"
    ((refused, message),) = told.errors(query, {"usccs": [*usccs, A, B]})
    assert (refused, "1,001" in message or "1001" in message) == ("INVALID", True)


def test_no_codes_get_no_reports(told: System) -> None:
    assert credits(told, []) == []


def test_a_code_is_read_whatever_its_case_and_blanks(told: System) -> None:
    typed = f" {A[:6].lower()}-{A[6:].lower()} "
    assert credits(told, [typed]) == credits(told, [A])


def test_one_malformed_code_among_many_is_invalid(told: System) -> None:
    query = "query ($usccs: [USCC!]!) { creditStatuses(usccs: $usccs) { status } }"
    assert told.codes(query, {"usccs": [A, A[:-1] + "9"]}) == ["INVALID"]


def test_all_reports_have_the_date_and_the_knowledge_asked_for(told: System) -> None:
    for report in credits(told, [A, B], asOf="2026-03-15", knownAt=ADOPTED + 3):
        assert (report["asOf"], report["knownAt"]) == ("2026-03-15", ADOPTED + 3)


@pytest.mark.parametrize("arguments", ["", '(asOf: "2026-03-15")', f'(asOf: "2026-03-15", knownAt: {ADOPTED + 3})'])
def test_an_enterprises_credit_is_the_report_of_its_code(told: System, arguments: str) -> None:
    found = told.ask(f'{{ enterprise(uscc: "{A}") {{ credit{arguments} {{ {REPORT} }} }} }}')["enterprise"]["credit"]
    assert found == credit(told, arguments.replace("(", ", ").replace(")", ""))


def test_an_enterprises_credit_waits_for_what_is_not_known_yet(system: System) -> None:
    system.record(registered())
    expected = system.head + 1
    later = threading.Timer(0.3, lambda: system.record(listed()))
    later.start()
    asked = f'{{ enterprise(uscc: "{A}") {{ credit(knownAt: {expected}) {{ status knownAt }} }} }}'
    assert system.ask(asked)["enterprise"]["credit"] == {"status": "ADVERSE", "knownAt": expected}
    later.join()


# The feed of changes

FED: Final[tuple[Stated, ...]] = (
    registered(),
    renamed("2018-01-01"),
    registered(uscc=B),
    interviewed("2025-09-01"),
    interviewed("2025-09-01", caseId="Y-2"),
    listed("2026-01-01", uscc=B),
    ordered("2026-04-01", dueOn="2026-05-01"),
    confirmed("2026-05-10"),
    voided(ADOPTED + 4),
    exposed("2026-03-01", uscc=B),
    unlisted("2026-05-01", uscc=B),
    retracted("2026-05-20", uscc=B),
    registered(uscc=C),
    punished("2026-01-10", uscc=C, becauseOf="HARASSING_CALLS"),
    voided(ADOPTED + 3),
    penalty("Annulled", "2026-02-01", uscc=C),
    voided(ADOPTED + 5),
    registered("2019-01-01", uscc=B),
    listed("2026-02-01", uscc=C, entryId="E-2", list="DISHONESTY"),
)
CHANGING: Final = (1, 3, 4, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19)
"""Which of them change a timeline, counted from 1: a name does not, nor the second signal of the same days, the void of
one of the two, or a signal while an entry is active."""


@pytest.fixture(scope="module")
def fed(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(*FED)
        yield system


def changes(system: System, after: int = 0, first: int = 500, **how: Any) -> list[Any]:
    fields = "uscc position timeline { from status }"
    found: list[Any] = system.ask(f"{{ creditChanges(after: {after}, first: {first}) {{ {fields} }} }}", **how)[
        "creditChanges"
    ]
    return found


def test_the_feed_has_every_event_that_changes_a_timeline_once_in_order(fed: System) -> None:
    assert [change["position"] - ADOPTED for change in changes(fed)] == list(CHANGING)


def test_no_change_of_the_feed_repeats_the_one_before_it_of_its_enterprise(fed: System) -> None:
    known: dict[str, Any] = {}
    for change in changes(fed):
        assert change["timeline"] != known.get(change["uscc"], [UNKNOWN])
        known[change["uscc"]] = change["timeline"]


@pytest.mark.parametrize("first", [1, 2, 3, 7, 1_000])
def test_pages_of_the_feed_follow_each_other_without_gap_or_repeat(fed: System, first: int) -> None:
    found: list[Any] = []
    while page := changes(fed, found[-1]["position"] if found else 0, first):
        assert len(page) <= first
        found += page
    assert found == changes(fed)


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_that_follows_the_feed_is_at_every_stop_what_the_ledger_answers(fed: System, seed: int) -> None:
    chance = Random(seed)
    copy: dict[str, Any] = {}
    after = 0
    while after < fed.head:
        until = chance.randint(after + 1, fed.head)
        for change in changes(fed, after):
            if change["position"] <= until:
                copy[change["uscc"]] = change["timeline"]
        after = until
        reports = credits(fed, [A, B, C], knownAt=until)
        assert {r["uscc"]: r["timeline"] for r in reports} == {A: [UNKNOWN], B: [UNKNOWN], C: [UNKNOWN], **copy}
        on = str(fed.ledger.today + timedelta(days=chance.randint(-900, 300)))
        for report in credits(fed, [A, B, C], knownAt=until, asOf=on):
            assert report["status"] == status_on(copy.get(report["uscc"], [UNKNOWN]), on)


def status_on(timeline: Sequence[Mapping[str, Any]], on: str) -> Any:
    return [span["status"] for span in timeline if span["from"] is None or span["from"] <= on][-1]


def test_a_change_is_in_the_feed_as_soon_as_its_event_is_recorded(system: System) -> None:
    head = system.send(registered())["head"]
    assert [change["position"] for change in changes(system)] == [head]
    assert changes(system, head) == []
    later = system.send(renamed(), listed())["head"]
    assert [change["position"] for change in changes(system, head)] == [later]


def test_the_feed_begins_with_no_change_in_an_empty_ledger(shared: System) -> None:
    assert changes(shared) == []


@pytest.mark.parametrize("arguments", ["first: 0", "first: -1", "first: 1001", "after: -1"])
def test_a_page_of_the_feed_has_1_to_1000_changes_after_a_position(shared: System, arguments: str) -> None:
    assert shared.codes(f"{{ creditChanges({arguments}) {{ position }} }}") == ["INVALID"]


@pytest.mark.parametrize("key", [None, "intake"])
@pytest.mark.parametrize(
    "query",
    [
        f'{{ creditStatus(uscc: "{A}") {{ status }} }}',
        f'{{ creditStatuses(usccs: ["{A}"]) {{ status }} }}',
        "{ creditChanges { position } }",
    ],
)
def test_the_public_and_the_intake_learn_no_status(shared: System, key: str | None, query: str) -> None:
    assert shared.codes(query, key=key) == ["FORBIDDEN"]


@pytest.mark.parametrize("key", ["telecom", "auditor", "beijing"])
def test_carriers_auditors_and_provinces_learn_every_status(told: System, key: str) -> None:
    assert credit(told, key=key) == credit(told)
    assert changes(told, key=key) == changes(told)
