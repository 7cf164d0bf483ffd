"""obligations, findings, listEntries and penalties: as of a date, as known at a position, filtered and page by page."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from asked import pages
from given import (
    A,
    B,
    Stated,
    access,
    accessed,
    amended,
    complained,
    confirmed,
    ended,
    exposed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    report_demanded,
    report_filed,
    resolved,
    self_reported,
    unlisted,
    voided,
)
from running import ADOPTED, System, code, started

Argument = tuple[str, Any]

FIRST: Final = ADOPTED + 1
OWED: Final = "{ rule uscc owedBy dueOn state metOn arisesFrom }"
FOUND: Final = "{ rule uscc position effectiveOn reasons { rule outcome positions } }"


def obligations(system: System, **arguments: Argument) -> list[tuple[Any, ...]]:
    """(rule, due, state, met on, position it arises from) of every row, in the order given."""
    rows = pages(system, "obligations", arguments)
    return [(r["rule"], r["dueOn"], r["state"], r["metOn"], r["arisesFrom"] - ADOPTED) for r in rows]


def rules(system: System, **arguments: Argument) -> list[tuple[str, int]]:
    """(rule, position) of every finding, in the order given."""
    return [(f["rule"], f["position"] - ADOPTED) for f in pages(system, "findings", arguments)]


def entries(system: System, **arguments: Argument) -> list[str]:
    return [entry["entryId"] for entry in pages(system, "listEntries", arguments)]


def on(date: str) -> Argument:
    return "Date", date


def known(position: int) -> Argument:
    """As known at a position counted from the first event recorded."""
    return "Position", ADOPTED + position


def of(uscc: str) -> Argument:
    return "USCC", uscc


# Obligations

DUE: Final = (
    registered(),
    licensed(),  # 2: renewal due 2027-10-02; held at 2020-06-18, so self-report due 2020-07-30
    punished("2026-03-02"),  # 3: list entry due 2026-04-01, publicity 2026-03-11
    penalty("Publicised", "2026-03-12"),
    listed("2026-03-31", basis=[FIRST + 2]),  # 5: review due 2027-03-31
    ordered("2026-05-01", dueOn="2026-06-01"),  # 6
    ordered("2026-05-01", orderId="O-2", dueOn="2026-05-31"),  # 7
    report_demanded("2026-05-02"),  # 8: due 2026-06-30
    report_filed("2026-05-03"),
    inspected("2026-03-02"),  # 10: due 2026-05-31
    registered(uscc=B),
    ordered("2026-05-04", uscc=B, orderId="O-3", dueOn="2026-06-15"),  # 12
    self_reported("2020-08-01"),
)
ROWS: Final = [
    ("OBL-SELF", "2020-07-30", "MET_LATE", "2020-08-01", 2),
    ("OBL-PUBLICITY", "2026-03-11", "MET_LATE", "2026-03-12", 3),
    ("OBL-LIST", "2026-04-01", "MET", "2026-03-31", 3),
    ("OBL-FOLLOW", "2026-05-31", "OVERDUE", None, 10),
    ("OBL-RECTIFY", "2026-05-31", "OVERDUE", None, 7),
    ("OBL-RECTIFY", "2026-06-01", "OPEN", None, 6),
    ("OBL-RECTIFY", "2026-06-15", "OPEN", None, 12),
    ("OBL-REPORT", "2026-06-30", "MET", "2026-05-03", 8),
    ("OBL-REVIEW", "2027-03-31", "OPEN", None, 5),
    ("OBL-RENEW", "2027-10-02", "OPEN", None, 2),
]
"""By due date on 2026-06-01, as known at the head."""


@pytest.fixture(scope="module")
def due(database: str) -> Iterator[System]:
    """Two enterprises that owe a lot; no test of it records anything."""
    with started(database) as system:
        system.known(*DUE)
        yield system


def test_everything_owed_is_listed_by_due_date(due: System) -> None:
    assert obligations(due) == ROWS


def test_a_row_says_who_owes_it(due: System) -> None:
    owed_by = {(r["rule"], r["uscc"]): r["owedBy"] for r in pages(due, "obligations")}
    assert owed_by == {
        **{(f"OBL-{rule}", A): "CA-11" for rule in ("PUBLICITY", "LIST", "REVIEW", "FOLLOW")},
        **{(f"OBL-{rule}", A): A for rule in ("SELF", "RECTIFY", "REPORT", "RENEW")},
        ("OBL-RECTIFY", B): B,
    }


@pytest.mark.parametrize("state", ["OPEN", "OVERDUE", "MET", "MET_LATE"])
def test_obligations_are_narrowed_by_state(due: System, state: str) -> None:
    expected = [row for row in ROWS if row[2] == state]
    assert expected
    assert obligations(due, state=("ObligationState", state)) == expected


def test_obligations_are_narrowed_by_enterprise(due: System) -> None:
    assert obligations(due, uscc=of(B)) == [row for row in ROWS if row[4] == 12]
    assert obligations(due, uscc=of(A)) == [row for row in ROWS if row[4] != 12]
    assert obligations(due, uscc=of(B), state=("ObligationState", "MET")) == []
    assert obligations(due, uscc=of(code(1))) == []


def test_a_due_day_is_in_time_and_the_day_after_is_not(due: System) -> None:
    for asked, state in (("2026-06-01", "OPEN"), ("2026-06-02", "OVERDUE")):
        assert ("OBL-RECTIFY", "2026-06-01", state, None, 6) in obligations(due, asOf=on(asked))


def test_what_was_owed_on_a_date_of_the_past_is_told(due: System) -> None:
    assert obligations(due, asOf=on("2026-03-11")) == [
        ROWS[0],
        ("OBL-PUBLICITY", "2026-03-11", "OPEN", None, 3),
        ("OBL-LIST", "2026-04-01", "OPEN", None, 3),
        ("OBL-FOLLOW", "2026-05-31", "OPEN", None, 10),
        ("OBL-RENEW", "2027-10-02", "OPEN", None, 2),
    ]
    assert obligations(due, asOf=on("2017-06-01")) == []


def test_what_will_be_owed_on_a_date_to_come_is_told(due: System) -> None:
    assert {row[:3] for row in obligations(due, asOf=on("2028-01-01"), state=("ObligationState", "OVERDUE"))} == {
        (row[0], row[1], "OVERDUE") for row in ROWS if row[3] is None
    }


def test_what_was_known_at_a_position_stays_so(due: System) -> None:
    assert obligations(due, knownAt=("Position", 0)) == []
    assert obligations(due, knownAt=known(1)) == []
    assert obligations(due, knownAt=known(3)) == [
        ("OBL-SELF", "2020-07-30", "OVERDUE", None, 2),
        ("OBL-PUBLICITY", "2026-03-11", "OVERDUE", None, 3),
        ("OBL-LIST", "2026-04-01", "OVERDUE", None, 3),
        ROWS[-1],
    ]
    assert obligations(due, knownAt=("Position", due.head)) == ROWS


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("narrowed", [{}, {"uscc": of(A)}, {"state": ("ObligationState", "OPEN")}])
def test_pages_of_obligations_are_the_one_big_page(due: System, first: int, narrowed: dict[str, Argument]) -> None:
    assert pages(due, "obligations", narrowed, first=first) == pages(due, "obligations", narrowed)


@pytest.mark.parametrize("asked", ["", '(asOf: "2026-03-11")', "(state: OVERDUE)", f"(knownAt: {FIRST + 3})"])
def test_an_enterprises_obligations_are_the_rows_of_its_code(due: System, asked: str) -> None:
    found = due.ask(f'{{ enterprise(uscc: "{A}") {{ obligations{asked} {OWED} }} }}')["enterprise"]["obligations"]
    arguments = ", ".join([f'uscc: "{A}"', *([asked.strip("()")] if asked else [])])
    edges = due.ask(f"{{ obligations({arguments}) {{ edges {{ node {OWED} }} }} }}")["obligations"]["edges"]
    assert found == [edge["node"] for edge in edges]
    assert found


def test_a_void_takes_its_row_away_and_what_it_met_is_owed_again(system: System) -> None:
    system.known(*DUE)
    system.known(voided(FIRST + 5), voided(FIRST + 8))
    rows = obligations(system)
    assert ("OBL-REPORT", "2026-06-30", "OPEN", None, 8) in rows
    assert 6 not in [row[4] for row in rows]
    assert obligations(system, knownAt=known(len(DUE))) == ROWS


def test_an_annulment_ends_rows_and_has_the_entry_withdrawn(system: System) -> None:
    system.known(registered(), punished("2026-03-02"), listed("2026-03-03", basis=[FIRST + 1]))
    system.known(penalty("Annulled", "2026-05-28"))
    assert obligations(system) == [
        ("OBL-WITHDRAW", "2026-06-02", "OPEN", None, 4),
        ("OBL-REVIEW", "2027-03-03", "OPEN", None, 3),
    ]
    system.known(unlisted("2026-06-01", ground="BASIS_ANNULLED"))
    assert [row[:4] for row in obligations(system)] == [
        ("OBL-WITHDRAW", "2026-06-02", "MET", "2026-06-01"),
        ("OBL-REVIEW", "2027-03-03", "MET", "2026-06-01"),
    ]


def test_a_row_is_there_as_soon_as_its_event_is_recorded(system: System) -> None:
    system.send(registered(), ordered("2026-05-01"))
    assert obligations(system) == [("OBL-RECTIFY", "2026-12-31", "OPEN", None, 2)]
    system.send(confirmed("2026-06-01"))
    assert obligations(system) == [("OBL-RECTIFY", "2026-12-31", "MET", "2026-06-01", 2)]


# Findings

FORBIDDEN: Final = (
    registered(),
    filed(),  # 2: FND-GATE, no licence
    complained("2026-05-02", category="MARKETING", calledAt="2026-05-01T04:00:00Z"),  # 3: FND-OUT
    resolved("2026-05-10"),
    accessed(),  # 5: FND-GATE and FND-LIVE
    licensed(),
    accessed(accessId="A-2", carrier="CHINA_UNICOM"),  # 7: FND-GATE when it came; FND-LIVE
    amended("2026-05-05", directions="INBOUND_AND_OUTBOUND"),
    complained("2026-05-07", complaintId="C-2", category="NO_CONSENT", calledAt="2026-05-06T04:00:00Z"),
    resolved("2026-05-10", complaintId="C-2"),
    registered(uscc=B),
    accessed(uscc=B, accessId="A-3", number="95013"),  # 12: FND-GATE and FND-LIVE
)
FOUND_ROWS: Final = [
    ("FND-GATE", 2),
    ("FND-OUT", 3),
    ("FND-GATE", 5),
    ("FND-LIVE", 7),
    ("FND-GATE", 12),
    ("FND-LIVE", 12),
]
"""On 2026-06-01, as known at the head, in the order of the ledger."""


@pytest.fixture(scope="module")
def forbidden(database: str) -> Iterator[System]:
    """Findings of all three rules; no test of it records anything."""
    with started(database) as system:
        system.known(*FORBIDDEN)
        yield system


def test_findings_of_all_rules_come_in_one_order(forbidden: System) -> None:
    assert rules(forbidden) == FOUND_ROWS


def test_a_finding_names_every_rule_that_fired_and_what_it_rests_on(forbidden: System) -> None:
    found = {(f["rule"], f["position"] - ADOPTED): f for f in pages(forbidden, "findings")}
    assert {key: reasons_of(f) for key, f in found.items()} == {
        ("FND-GATE", 2): [("LIC-1", "REFUSE", [])],
        ("FND-OUT", 3): [("FND-OUT", None, [2, 3, 4])],
        ("FND-GATE", 5): [("LIC-1", "REFUSE", [])],
        ("FND-LIVE", 7): [("NUM-2", "REFUSE", [2])],
        ("FND-GATE", 12): [("LIC-1", "REFUSE", []), ("NUM-1", "REFUSE", [])],
        ("FND-LIVE", 12): [("LIC-1", "REFUSE", []), ("NUM-1", "REFUSE", [])],
    }
    assert found["FND-OUT", 3]["effectiveOn"] == "2026-05-02"
    assert found["FND-LIVE", 7]["effectiveOn"] == "2018-03-01"


def reasons_of(finding: Any) -> list[tuple[str, str | None, list[int]]]:
    return [(r["rule"], r["outcome"], [p - ADOPTED for p in r["positions"]]) for r in finding["reasons"]]


@pytest.mark.parametrize("rule", ["FND-GATE", "FND-OUT", "FND-LIVE"])
def test_findings_are_narrowed_by_rule(forbidden: System, rule: str) -> None:
    assert rules(forbidden, rule=("String", rule)) == [row for row in FOUND_ROWS if row[0] == rule]


def test_findings_are_narrowed_by_enterprise(forbidden: System) -> None:
    assert rules(forbidden, uscc=of(B)) == FOUND_ROWS[-2:]
    assert rules(forbidden, uscc=of(A)) == FOUND_ROWS[:-2]
    assert rules(forbidden, uscc=of(B), rule=("String", "FND-OUT")) == []


@pytest.mark.parametrize("rule", ["FND-1", "LIC-1", "fnd-gate", ""])
def test_an_unknown_rule_of_findings_is_invalid(forbidden: System, rule: str) -> None:
    ((found, message),) = forbidden.errors(f'{{ findings(rule: "{rule}") {{ totalCount }} }}')
    assert found == "INVALID"
    assert all(known in message for known in ("FND-GATE", "FND-OUT", "FND-LIVE"))


def test_findings_are_those_of_the_date_and_the_knowledge_asked_for(forbidden: System) -> None:
    assert rules(forbidden, asOf=on("2026-05-09")) == [row for row in FOUND_ROWS if row[0] != "FND-OUT"]
    assert rules(forbidden, asOf=on("2018-02-28")) == [("FND-GATE", 2)]
    licence_ended = [*FOUND_ROWS[:3], ("FND-LIVE", 5), *FOUND_ROWS[3:]]
    assert rules(forbidden, asOf=on("2028-01-01")) == licence_ended
    assert rules(forbidden, knownAt=known(5)) == [*FOUND_ROWS[:3], ("FND-LIVE", 5)]
    assert rules(forbidden, knownAt=("Position", 0)) == []


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("narrowed", [{}, {"uscc": of(B)}, {"asOf": on("2028-01-01")}, {"knownAt": known(7)}])
def test_pages_of_findings_are_the_one_big_page(forbidden: System, first: int, narrowed: dict[str, Argument]) -> None:
    assert pages(forbidden, "findings", narrowed, first=first) == pages(forbidden, "findings", narrowed)


@pytest.mark.parametrize("asked", ["", '(asOf: "2028-01-01")', f"(knownAt: {FIRST + 4})"])
def test_an_enterprises_findings_are_those_of_its_code(forbidden: System, asked: str) -> None:
    found = forbidden.ask(f'{{ enterprise(uscc: "{A}") {{ findings{asked} {FOUND} }} }}')["enterprise"]["findings"]
    arguments = ", ".join([f'uscc: "{A}"', *([asked.strip("()")] if asked else [])])
    edges = forbidden.ask(f"{{ findings({arguments}) {{ edges {{ node {FOUND} }} }} }}")["findings"]["edges"]
    assert found == [edge["node"] for edge in edges]
    assert found


def test_a_void_ends_a_finding_and_what_is_voided_may_make_one(system: System) -> None:
    system.known(registered(), licensed(), filed(), accessed())
    assert rules(system) == []
    system.known(voided(FIRST + 1))
    assert rules(system) == [("FND-LIVE", 4)]
    system.known(access("Restricted", "2026-06-01"))
    assert rules(system) == []
    assert rules(system, asOf=on("2026-05-31")) == [("FND-LIVE", 4)]
    system.known(accessed(accessId="A-2"))
    assert rules(system) == [("FND-GATE", 7), ("FND-LIVE", 7)]
    system.known(voided(FIRST + 6))
    assert rules(system) == []


def test_live_findings_are_found_behind_many_accesses_that_are_in_order(system: System) -> None:
    accesses = [accessed(accessId=f"A-{n}") for n in range(205)]
    system.known(registered(), licensed(), filed(), *accesses, accessed(accessId="Z", carrier="CHINA_UNICOM"))
    for first in (1, 2):
        assert [f["position"] - ADOPTED for f in pages(system, "findings", first=first)] == [209]
    system.known(ended("Cancelled", "2026-06-01"))
    assert rules(system) == [("FND-LIVE", position) for position in range(4, 210)]


# List entries

LISTINGS: Final = (
    registered(),
    listed("2026-01-01"),
    listed("2026-02-01", entryId="E-2", list="DISHONESTY"),
    registered(uscc=B),
    listed("2026-02-01", entryId="E-3", uscc=B, ground="PENALTY"),
    unlisted("2026-05-01"),
    unlisted("2026-07-01", entryId="E-3", uscc=B),
    renamed("2026-12-01"),
)


@pytest.fixture(scope="module")
def lists(database: str) -> Iterator[System]:
    """Entries active and removed; no test of it records anything."""
    with started(database) as system:
        system.known(*LISTINGS)
        yield system


def test_the_active_entries_are_listed_newest_first(lists: System) -> None:
    assert pages(lists, "listEntries") == [
        {
            "entryId": "E-3",
            "list": "ADVERSE",
            "uscc": B,
            "name": "甲呼叫中心",
            "authority": "CA-11",
            "ground": "PENALTY",
            "from": "2026-02-01",
            "removedOn": "2026-07-01",
            "position": ADOPTED + 5,
        },
        {
            "entryId": "E-2",
            "list": "DISHONESTY",
            "uscc": A,
            "name": "乙呼叫中心",
            "authority": "CA-11",
            "ground": "HARASSING_CALLS",
            "from": "2026-02-01",
            "removedOn": None,
            "position": ADOPTED + 3,
        },
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"list": ("CreditList", "ADVERSE")}, ["E-3"]),
        ({"list": ("CreditList", "DISHONESTY")}, ["E-2"]),
        ({"activeOn": on("2026-01-31")}, ["E-1"]),
        ({"activeOn": on("2026-04-30")}, ["E-3", "E-2", "E-1"]),
        ({"activeOn": on("2026-05-01")}, ["E-3", "E-2"]),
        ({"activeOn": on("2026-07-01")}, ["E-2"]),
        ({"activeOn": on("2025-12-31")}, []),
        ({"knownAt": known(5)}, ["E-3", "E-2", "E-1"]),
        ({"knownAt": known(2)}, ["E-1"]),
        ({"knownAt": ("Position", 0)}, []),
        ({"knownAt": known(5), "activeOn": on("2026-01-31"), "list": ("CreditList", "ADVERSE")}, ["E-1"]),
    ],
)
def test_entries_are_narrowed_by_list_date_and_knowledge(
    lists: System, asked: dict[str, Argument], expected: list[str]
) -> None:
    assert entries(lists, **asked) == expected


def test_a_name_and_a_removal_are_as_known(lists: System) -> None:
    (then,) = pages(lists, "listEntries", {"knownAt": known(2)})
    assert (then["name"], then["removedOn"]) == ("甲呼叫中心", None)
    (removed,) = pages(lists, "listEntries", {"activeOn": on("2026-01-31")})
    assert (removed["name"], removed["removedOn"]) == ("乙呼叫中心", "2026-05-01")


@pytest.mark.parametrize("first", [1, 2, 3])
def test_pages_of_entries_are_the_one_big_page(lists: System, first: int) -> None:
    asked: dict[str, Argument] = {"activeOn": on("2026-04-30")}
    assert pages(lists, "listEntries", asked, first=first) == pages(lists, "listEntries", asked)


def test_the_lists_are_public(lists: System) -> None:
    query = "{ listEntries { totalCount edges { node { entryId name } } } }"
    assert lists.ask(query, key=None) == lists.ask(query, key="intake") == lists.ask(query)


# Penalties


def second(**given: Any) -> dict[str, Any]:
    return {"documentNo": "京通罚〔2026〕2号", **given}


PENALTIES: Final = (
    registered(),
    punished("2026-03-10", kinds=["WARNING", "FINE"], fine="2000", confiscated="0.5"),  # 2: to 2027-03-19
    penalty("Publicised", "2026-03-20"),
    punished("2026-03-10", **second()),  # 4: a warning alone, 90 days, to 2026-07-29
    penalty("Publicised", "2026-05-01", **second()),
    registered(uscc=B),
    punished("2024-01-01", uscc=B, documentNo="粤〔2024〕1号", kinds=["CLOSURE"]),  # 7: 1095 days
    penalty("Publicised", "2024-01-02", uscc=B, documentNo="粤〔2024〕1号"),
    punished("2026-05-01", uscc=B, documentNo="粤〔2026〕2号"),  # 9: never publicised
    punished("2026-05-01", uscc=B, documentNo="粤〔2026〕3号"),  # 10: annulled on 2026-05-20
    penalty("Publicised", "2026-05-01", uscc=B, documentNo="粤〔2026〕3号"),
    penalty("Annulled", "2026-05-20", uscc=B, documentNo="粤〔2026〕3号"),
)


@pytest.fixture(scope="module")
def shown(database: str) -> Iterator[System]:
    """Penalties public and not; no test of it records anything."""
    with started(database) as system:
        system.known(*PENALTIES)
        yield system


def penalties(system: System, **arguments: Argument) -> list[tuple[int, str | None]]:
    found = pages(system, "penalties", arguments)
    return [(one["position"] - ADOPTED, one["publicUntil"]) for one in found]


def test_public_penalties_are_listed_newest_decision_first(shown: System) -> None:
    assert penalties(shown) == [(4, "2026-07-29"), (2, "2027-03-19"), (7, "2026-12-31")]


def test_a_public_penalty_is_told_whole(shown: System) -> None:
    fields = "documentNo authority uscc name kinds fine confiscated violation basis decidedOn publicUntil position"
    edges = shown.ask(f'{{ penalties(uscc: "{A}") {{ edges {{ node {{ {fields} }} }} }} }}', key=None)["penalties"][
        "edges"
    ]
    assert edges[1]["node"] == {
        "documentNo": "京通罚〔2020〕1号",
        "authority": "CA-11",
        "uscc": A,
        "name": "甲呼叫中心",
        "kinds": ["WARNING", "FINE"],
        "fine": "2000.00",
        "confiscated": "0.50",
        "violation": "未经同意外呼",
        "basis": "办法第二十条",
        "decidedOn": "2026-03-10",
        "publicUntil": "2027-03-19",
        "position": ADOPTED + 2,
    }
    assert edges[0]["node"]["fine"] is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2024-01-01", []),
        ("2024-01-02", [(7, None)]),
        ("2026-03-31", [(2, None), (7, None)]),
        ("2026-04-01", [(2, "2027-03-19"), (7, "2026-12-31")]),
        ("2026-05-19", [(10, "2026-07-29"), (4, "2026-07-29"), (2, "2027-03-19"), (7, "2026-12-31")]),
        ("2026-05-20", [(4, "2026-07-29"), (2, "2027-03-19"), (7, "2026-12-31")]),
        ("2026-07-29", [(4, "2026-07-29"), (2, "2027-03-19"), (7, "2026-12-31")]),
        ("2026-07-30", [(2, "2027-03-19"), (7, "2026-12-31")]),
        ("2027-03-19", [(2, "2027-03-19")]),
        ("2027-03-20", []),
    ],
)
def test_publicity_lasts_from_its_day_to_its_end(
    shown: System, asked: str, expected: list[tuple[int, str | None]]
) -> None:
    assert penalties(shown, activeOn=on(asked)) == expected


def test_penalties_are_narrowed_by_enterprise(shown: System) -> None:
    assert [position for position, _ in penalties(shown, uscc=of(B))] == [7]
    assert penalties(shown, uscc=of(code(1))) == []


@pytest.mark.parametrize("first", [1, 2, 3])
def test_pages_of_penalties_are_the_one_big_page(shown: System, first: int) -> None:
    asked: dict[str, Argument] = {"activeOn": on("2026-05-19")}
    assert pages(shown, "penalties", asked, first=first) == pages(shown, "penalties", asked)


def test_public_penalties_are_public(shown: System) -> None:
    query = "{ penalties { totalCount edges { node { documentNo name publicUntil } } } }"
    assert shown.ask(query, key=None) == shown.ask(query, key="intake") == shown.ask(query)


# Arguments


@pytest.mark.parametrize(
    "asked",
    [
        'obligations(asOf: "1948-12-31")',
        'obligations(asOf: "2036-06-02")',
        "obligations(knownAt: -1)",
        'obligations(uscc: "9111")',
        "obligations(first: 0)",
        "obligations(first: 101)",
        'findings(asOf: "2037-06-01")',
        "findings(knownAt: -1)",
        'findings(uscc: "9111")',
        'listEntries(activeOn: "2026-02-30")',
        'listEntries(activeOn: "2036-06-02")',
        "listEntries(knownAt: -1)",
        'penalties(activeOn: "1948-12-31")',
        'penalties(uscc: "9111")',
    ],
)
def test_an_argument_that_cannot_be_is_invalid(shared: System, asked: str) -> None:
    assert shared.codes(f"{{ {asked} {{ totalCount }} }}") == ["INVALID"]


@pytest.mark.parametrize("named", ["obligations", "findings", "listEntries"])
def test_what_is_not_known_yet_is_an_error_of_its_own(shared: System, named: str) -> None:
    assert shared.codes(f"{{ {named}(knownAt: {shared.head + 1}) {{ totalCount }} }}") == ["NOT_YET_KNOWN"]


@pytest.mark.parametrize("named", ["obligations", "findings"])
@pytest.mark.parametrize("key", [None, "intake", "telecom"])
def test_supervision_is_for_regulators_and_auditors(shared: System, named: str, key: str | None) -> None:
    assert shared.codes(f"{{ {named} {{ totalCount }} }}", key=key) == ["FORBIDDEN"]
    assert shared.ask(f"{{ {named} {{ totalCount }} }}", key="auditor") == {named: {"totalCount": 0}}


@pytest.mark.parametrize("facts", [(exposed("2026-05-01"), interviewed("2026-05-02"))])
def test_interviews_and_exposures_alone_owe_and_list_nothing(system: System, facts: Sequence[Stated]) -> None:
    system.known(registered(), *facts)
    assert obligations(system) == []
    assert entries(system) == []
