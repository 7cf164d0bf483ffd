"""Recorded decisions: found by id, listed, asked again today, and decided again from the events alone."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from asked import pages
from gating import READY, Asked, access, cooperation, decided
from given import (
    A,
    B,
    C,
    Stated,
    accessed,
    complained,
    filed,
    interviewed,
    licensed,
    listed,
    registered,
    renamed,
    resolved,
    unlisted,
    voided,
)
from running import ADOPTED, System, started

Argument = tuple[str, Any]

WHOLE: Final = """{ id gate uscc outcome reasons { rule positions } request rulebook { version } asOf knownAt requestedBy
recordedAt position basis { position type } replay { matches } now { outcome } }"""


def decide(system: System, request: Asked, as_of: str | None = None, key: str = "miit") -> str:
    """Records a decision; gives its id."""
    return str(decided(system, request, as_of, key)["id"])


def decision(system: System, id_: str, fields: str = WHOLE, **how: Any) -> Any:
    return system.ask(f'{{ decision(id: "{id_}") {fields} }}', **how)["decision"]


def ids(system: System, first: int = 100, **arguments: Argument) -> list[str]:
    return [node["id"] for node in pages(system, "decisions", arguments, first=first)]


def seen(system: System, key: str) -> list[str]:
    """The decisions that the holder of a key is shown."""
    found = system.ask("{ decisions(first: 100) { totalCount edges { node { id } } } }", key=key)["decisions"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"]["id"] for edge in found["edges"]]


@pytest.fixture
def live(system: System) -> System:
    system.known(*READY)
    return system


@pytest.fixture(scope="module")
def kept(database: str) -> Iterator[tuple[System, list[str]]]:
    """Decisions of several gates, outcomes and enterprises, oldest first; no test of them records anything."""
    with started(database) as system:
        system.known(*READY, registered(uscc=B), listed("2026-05-01", uscc=B))
        made = [
            decide(system, access()),
            decide(system, cooperation(), key="telecom"),
            decide(system, cooperation(uscc=B)),
            decide(system, access(carrier="CHINA_MOBILE"), key="mobile"),
            decide(system, access(uscc=C), key="telecom"),
            decide(system, access(number="96345"), "2020-01-01"),
        ]
        system.settle()
        yield system, made


# One decision


def test_a_decision_is_found_by_its_id_and_as_a_node(live: System) -> None:
    made = decide(live, access(), "2026-05-20")
    found = decision(live, made)
    recorded_at, requested_by = found.pop("recordedAt"), found.pop("requestedBy")
    assert recorded_at.endswith("Z")
    assert requested_by.startswith("regulator:MIIT:")
    assert found == {
        "id": made,
        "gate": "ACCESS",
        "uscc": A,
        "outcome": "PERMIT",
        "reasons": [],
        "request": access()["access"],
        "rulebook": {"version": "2026.1"},
        "asOf": "2026-05-20",
        "knownAt": ADOPTED + 4,
        "position": ADOPTED + 5,
        "basis": [],
        "replay": {"matches": True},
        "now": {"outcome": "PERMIT"},
    }
    node = live.ask(f'{{ node(id: "{made}") {{ __typename id ... on Decision {{ position }} }} }}')["node"]
    assert node == {"__typename": "Decision", "id": made, "position": ADOPTED + 5}


@pytest.mark.parametrize(
    "unknown", ["", "decision-", "decision-00000000-0000-4000-8000-000000000000", f"enterprise-{A}"]
)
def test_an_unknown_decision_is_null(shared: System, unknown: str) -> None:
    assert decision(shared, unknown, "{ id }") is None


def test_the_basis_is_the_events_that_the_rules_rest_on(live: System) -> None:
    live.record(listed("2026-05-01"), interviewed("2026-05-02"), listed("2026-05-03", entryId="E-2"))
    made = decide(live, access())
    live.record(renamed())
    assert decision(live, made, "{ basis { position type } }")["basis"] == [
        {"position": ADOPTED + 5, "type": "ListEntryMade"},
        {"position": ADOPTED + 6, "type": "InterviewHeld"},
        {"position": ADOPTED + 7, "type": "ListEntryMade"},
    ]


# Lists of decisions


def test_decisions_are_listed_newest_first(kept: tuple[System, list[str]]) -> None:
    system, made = kept
    assert ids(system) == made[::-1]


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"uscc": ("USCC", A)}, [5, 3, 1, 0]),
        ({"uscc": ("USCC", C)}, [4]),
        ({"gate": ("Gate", "COOPERATION")}, [2, 1]),
        ({"gate": ("Gate", "LICENCE")}, []),
        ({"outcome": ("Outcome", "PERMIT")}, [3, 1, 0]),
        ({"outcome": ("Outcome", "REFUSE")}, [5, 4, 2]),
        ({"uscc": ("USCC", A), "gate": ("Gate", "ACCESS"), "outcome": ("Outcome", "PERMIT")}, [3, 0]),
    ],
)
@pytest.mark.parametrize("first", [1, 2, 3, 100])
def test_decisions_are_narrowed_and_paged(
    kept: tuple[System, list[str]], narrowed: dict[str, Argument], expected: list[int], first: int
) -> None:
    system, made = kept
    assert ids(system, first, **narrowed) == [made[place] for place in expected]


@pytest.mark.parametrize("first", [1, 2])
def test_pages_stay_as_they_were_while_new_decisions_arrive(live: System, first: int) -> None:
    made = [decide(live, access()) for _ in range(5)]
    query = "query ($after: String, $first: Int) { decisions(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id } } } }"
    found: list[str] = []
    after, more = None, True
    while more:
        page = live.ask(query, {"first": first, "after": after})["decisions"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        decide(live, cooperation())
    assert found == made[::-1]


@pytest.mark.parametrize("arguments", ["first: 0", "first: 101", 'uscc: "9111"', 'after: "?"'])
def test_an_argument_that_cannot_be_is_invalid(shared: System, arguments: str) -> None:
    assert shared.codes(f"{{ decisions({arguments}) {{ totalCount }} }}") == ["INVALID"]


# Who sees which


def test_a_carrier_sees_the_decisions_that_it_asked_for(kept: tuple[System, list[str]]) -> None:
    system, made = kept
    assert seen(system, "telecom") == [made[4], made[1]]
    assert seen(system, "mobile") == [made[3]]
    assert seen(system, "auditor") == seen(system, "beijing") == made[::-1]
    for key, visible in (("telecom", {made[1], made[4]}), ("mobile", {made[3]})):
        for each in made:
            assert (decision(system, each, "{ id }", key=key) is not None) is (each in visible)
            node = system.ask(f'{{ node(id: "{each}") {{ id }} }}', key=key)["node"]
            assert (node is not None) is (each in visible)


def test_a_carrier_sees_its_decision_as_it_was_answered(kept: tuple[System, list[str]]) -> None:
    system, made = kept
    fields = "{ outcome reasons { rule } request now { outcome } replay { outcome matches } basis { position } }"
    assert decision(system, made[4], fields, key="telecom") == {
        "outcome": "REFUSE",
        "reasons": [{"rule": "REG-1"}],
        "request": access(uscc=C)["access"],
        "now": {"outcome": "REFUSE"},
        "replay": {"outcome": "REFUSE", "matches": True},
        "basis": [],
    }


@pytest.mark.parametrize("key", [None, "intake"])
@pytest.mark.parametrize("query", ["{ decisions { totalCount } }", '{ decision(id: "decision-1") { id } }'])
def test_the_public_and_the_intake_see_no_decisions(shared: System, key: str | None, query: str) -> None:
    assert shared.codes(query, key=key) == ["FORBIDDEN"]


# What changed since


def changed(system: System, value: bool = True, key: str = "miit") -> list[str]:
    query = f"{{ decisions(changed: {str(value).lower()}) {{ totalCount edges {{ node {{ id }} }} }} }}"
    found = system.ask(query, key=key)["decisions"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"]["id"] for edge in found["edges"]]


def test_a_carrier_learns_whom_to_screen_again(live: System) -> None:
    mine = decide(live, access(), key="telecom")
    others = decide(live, access(carrier="CHINA_MOBILE"), key="mobile")
    assert (changed(live), changed(live, False)) == ([], [others, mine])
    (entry,) = live.record(listed(list="DISHONESTY"))
    assert changed(live, key="telecom") == [mine]
    assert (changed(live), changed(live, False)) == ([others, mine], [])
    found = decision(live, mine, "{ outcome now { outcome asOf knownAt reasons { rule positions } } }", key="telecom")
    assert found == {
        "outcome": "PERMIT",
        "now": {
            "outcome": "REFUSE",
            "asOf": "2026-06-01",
            "knownAt": live.head,
            "reasons": [{"rule": "CRD-1", "positions": [entry.position]}],
        },
    }
    live.record(unlisted())
    assert (changed(live), changed(live, False)) == ([], [others, mine])


def test_another_rule_of_the_same_outcome_is_a_change(live: System) -> None:
    live.record(listed("2026-05-01"))
    made = decide(live, access())
    assert changed(live) == []
    live.record(interviewed("2026-05-02"))
    assert changed(live) == [made]


def test_another_position_of_the_same_rule_is_no_change(live: System) -> None:
    live.record(listed("2026-05-01"))
    decide(live, access())
    live.record(listed("2026-05-02", entryId="E-2"))
    assert changed(live) == []


def test_time_alone_changes_what_comes_out(live: System) -> None:
    live.record(interviewed("2025-06-02"))
    made = decide(live, access())
    fields = "{ outcome now { outcome rulebook { version } } }"
    assert decision(live, made, fields)["now"]["outcome"] == "REVIEW"
    live.clock.now = live.clock.now.replace(day=2)
    assert decision(live, made, fields) == {
        "outcome": "REVIEW",
        "now": {"outcome": "PERMIT", "rulebook": {"version": "2026.1"}},
    }
    assert changed(live) == [made]


def test_a_decision_of_an_earlier_version_is_compared_with_the_version_of_today(live: System) -> None:
    live.record(interviewed("2020-01-02"), listed("2020-01-03"))
    then = decide(live, cooperation(), "2018-03-01")
    live.record(unlisted("2020-02-01"))
    assert decision(live, then, "{ rulebook { version } now { rulebook { version } } }") == {
        "rulebook": {"version": "2017.1"},
        "now": {"rulebook": {"version": "2026.1"}},
    }
    assert changed(live) == []


@pytest.mark.parametrize("first", [1, 2, 3])
def test_what_changed_is_narrowed_and_paged_like_the_rest(live: System, first: int) -> None:
    live.record(registered(uscc=B), licensed(uscc=B, licenceNo="L-2"))
    expected = []
    for _ in range(3):
        decide(live, cooperation(uscc=B))
        expected.append(decide(live, cooperation()))
    live.record(listed())
    live.settle()
    assert ids(live, first, changed=("Boolean", True)) == expected[::-1]
    assert ids(live, first, changed=("Boolean", True), uscc=("USCC", B)) == []
    assert len(ids(live, first, changed=("Boolean", False))) == 3


def test_what_changed_is_found_behind_many_decisions_that_did_not(live: System) -> None:
    live.record(registered(uscc=B), licensed(uscc=B, licenceNo="L-2"))
    made = decide(live, cooperation())
    for n in range(210):
        live.ledger.decide_gate(live.callers["miit"], f"other-{n}", cooperation(uscc=B))
    live.record(listed())
    live.settle()
    assert ids(live, 1, changed=("Boolean", True)) == [made]


# Replay


def replay(system: System, id_: str, arguments: str = "", **how: Any) -> Any:
    fields = "{ outcome matches knownAt eventsRead rulebook { version } reasons { rule positions } }"
    return decision(system, id_, f"{{ replay{arguments} {fields} }}", **how)["replay"]


def fired(found: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    return [(r["rule"], [position - ADOPTED for position in r["positions"]]) for r in found["reasons"]]


def test_a_decision_decided_again_matches_whatever_came_since(live: System) -> None:
    live.record(listed("2026-05-01"), interviewed("2026-05-02"))
    made = decide(live, access())
    before = replay(live, made)
    live.record(unlisted("2026-05-03"), voided(ADOPTED + 6), renamed(), listed("2026-05-04", entryId="E-2"))
    found = replay(live, made)
    assert found == before
    assert (found["outcome"], found["matches"], found["knownAt"]) == ("REVIEW", True, ADOPTED + 6)
    assert fired(found) == [("CRD-2", [5]), ("CRD-3", [6])]
    assert found["rulebook"] == {"version": "2026.1"}


def test_a_replay_says_how_many_events_it_read(live: System) -> None:
    live.record(registered(uscc=B), filed(uscc=B, number="95013"))
    made = decide(live, access())
    assert replay(live, made)["eventsRead"] == 4
    live.record(listed("2026-05-01"), complained("2026-05-20"), resolved("2026-05-21"))
    assert replay(live, made)["eventsRead"] == 4
    assert replay(live, made, f"(knownAt: {live.head})")["eventsRead"] == 7


def test_a_replay_as_known_later_says_what_came_since(live: System) -> None:
    made = decide(live, access())
    (entry, _) = live.record(listed("2026-05-01"), listed("2026-06-02", entryId="E-2", list="DISHONESTY"))
    found = replay(live, made, f"(knownAt: {live.head})")
    assert (found["outcome"], found["matches"], found["knownAt"]) == ("REVIEW", False, live.head)
    assert fired(found) == [("CRD-2", [entry.position - ADOPTED])]
    assert replay(live, made, f"(knownAt: {entry.position - 1})")["matches"] is True


def test_a_replay_as_known_earlier_knows_less(live: System) -> None:
    made = decide(live, access())
    found = replay(live, made, "(knownAt: 0)")
    assert (found["outcome"], found["matches"], found["eventsRead"]) == ("REFUSE", False, 0)
    assert fired(found) == [("REG-1", [])]


@pytest.mark.parametrize(
    ("version", "outcome", "rules"),
    [
        ("2017.1", "PERMIT", []),
        ("2018.1", "REVIEW", [("CRD-2", [5])]),
        ("2020.1", "REVIEW", [("CRD-2", [5]), ("CRD-3", [6])]),
        ("2026.1", "REVIEW", [("CRD-2", [5]), ("CRD-3", [6])]),
    ],
)
def test_a_replay_under_another_version_says_what_would_flip(
    live: System, version: str, outcome: str, rules: list[Any]
) -> None:
    live.record(listed("2026-05-01"), interviewed("2026-05-02"))
    made = decide(live, access())
    found = replay(live, made, f'(rulebook: "{version}")')
    assert (found["outcome"], fired(found), found["rulebook"]["version"]) == (outcome, rules, version)
    assert found["matches"] is (version in ("2020.1", "2026.1"))


def test_a_replay_reads_no_read_model(live: System) -> None:
    live.record(listed("2026-05-01"))
    made = decide(live, access())
    live.settle()
    live.runner.stop()
    with live.pool.connection() as database:
        for table in ("decisions", "history", "credit_changes", "credit_spans", "listings"):
            database.execute(f"DELETE FROM {table}".encode())
    assert replay(live, made)["matches"] is True


@pytest.mark.parametrize(
    ("arguments", "code"),
    [('(rulebook: "2027.1")', "INVALID"), ("(knownAt: -1)", "INVALID"), ("(knownAt: 1000)", "NOT_YET_KNOWN")],
)
def test_a_replay_that_cannot_be_is_an_error(kept: tuple[System, list[str]], arguments: str, code: str) -> None:
    system, made = kept
    assert system.codes(f'{{ decision(id: "{made[0]}") {{ replay{arguments} {{ matches }} }} }}') == [code]


@pytest.mark.parametrize("count_", [9, 10])
def test_complaints_to_the_threshold_are_decided_again_alike(live: System, count_: int) -> None:
    facts: list[Stated] = []
    for n in range(count_):
        facts += [complained("2026-05-20", complaintId=f"C-{n}"), resolved("2026-05-21", complaintId=f"C-{n}")]
    live.record(*facts)
    made = decide(live, access())
    live.record(complained("2026-05-20", complaintId="C-X"), resolved("2026-05-21", complaintId="C-X"))
    found = replay(live, made)
    positions = list(range(5, 5 + 2 * count_))
    expected = ("REVIEW", [("CMP-1", positions)]) if count_ == 10 else ("PERMIT", [])
    assert (found["outcome"], fired(found), found["matches"]) == (*expected, True)
    assert changed(live) == ([] if count_ == 10 else [made])


def test_an_access_granted_on_a_decision_leaves_its_replay_alone(live: System) -> None:
    made = decide(live, access())
    live.record(accessed())
    assert replay(live, made)["matches"] is True
