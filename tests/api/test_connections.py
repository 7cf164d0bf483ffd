"""Pages: every node that was there at the start comes exactly once, whatever arrives meanwhile."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest

from given import (
    A,
    B,
    Stated,
    exposed,
    interviewed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    unlisted,
    voided,
)
from running import ADOPTED, System, code, started

PAGE: Final = (
    """{ totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { ID } } }"""
)
QUERIES: Final = {
    "enterprises": ("enterprises(ARGUMENTS) PAGE", "uscc"),
    "history": (f'enterprise(uscc: "{A}") {{ history(ARGUMENTS) PAGE }}', "position"),
    "enforcementHistory": (f'enterprise(uscc: "{A}") {{ enforcementHistory(ARGUMENTS) PAGE }}', "position"),
    "decisions": ("decisions(ARGUMENTS) PAGE", "position"),
    "listEntries": ("listEntries(ARGUMENTS) PAGE", "position"),
    "penalties": ("penalties(ARGUMENTS) PAGE", "position"),
    "obligations": ("obligations(ARGUMENTS) PAGE", "arisesFrom"),
    "findings": ("findings(ARGUMENTS) PAGE", "position"),
}
"""Every connection, and what tells its nodes apart."""


def query(named: str) -> str:
    text, identity = QUERIES[named]
    text = text.replace("ARGUMENTS", "first: $first, after: $after").replace("PAGE", PAGE.replace("ID", identity))
    return f"query ($first: Int, $after: String) {{ {text} }}"


def page(system: System, named: str, first: int, after: str | None = None) -> Any:
    data = system.ask(query(named), {"first": first, "after": after})
    return data["enterprise"][named] if "enterprise" in data else data[named]


def identities(edges: list[Any]) -> list[Any]:
    return [next(iter(edge["node"].values())) for edge in edges]


def walk(system: System, named: str, first: int, between: Callable[[], object] = lambda: None) -> list[Any]:
    """The nodes of all pages, told apart; something may happen between the pages."""
    seen, after = [], None
    for _ in range(100):
        found = page(system, named, first, after)
        edges, info = found["edges"], found["pageInfo"]
        assert len(edges) <= first
        assert info["hasPreviousPage"] is (after is not None)
        assert (info["startCursor"], info["endCursor"]) == (
            (edges[0]["cursor"], edges[-1]["cursor"]) if edges else (None, None)
        )
        seen += identities(edges)
        if not info["hasNextPage"]:
            return seen
        after = info["endCursor"]
        between()
    raise AssertionError("the pages do not end")


def assert_stable(seen: list[Any], there_before: list[Any]) -> None:
    assert len(seen) == len(set(seen)), "a node came twice"
    assert [one for one in seen if one in set(there_before)] == there_before, "a node was left out or out of order"


@pytest.mark.parametrize("first", [1, 2, 5, 6, 7, 100])
def test_pages_of_any_size_give_the_same_nodes(system: System, first: int) -> None:
    system.known(*(registered(uscc=code(n)) for n in range(6)))
    assert walk(system, "enterprises", first) == [code(n) for n in range(6)]


def test_an_empty_connection_has_no_cursors(shared: System) -> None:
    assert page(shared, "enterprises", 5) == {
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
        "edges": [],
    }


def test_each_edge_has_a_cursor_after_which_the_next_one_comes(system: System) -> None:
    system.known(registered(), *(renamed(f"20{n}-01-01") for n in range(18, 25)))
    edges = page(system, "history", 100)["edges"]
    for place, edge in enumerate(edges):
        assert identities(page(system, "history", 100, edge["cursor"])["edges"]) == identities(edges[place + 1 :])


def test_the_total_counts_all_pages(system: System) -> None:
    system.known(*(registered(uscc=code(n)) for n in range(6)))
    last = page(system, "enterprises", 4, page(system, "enterprises", 4)["pageInfo"]["endCursor"])
    assert (last["totalCount"], len(last["edges"])) == (6, 2)


def test_enterprises_are_neither_repeated_nor_left_out_while_others_register(system: System) -> None:
    there = [code(n) for n in range(0, 250, 10)]
    system.known(*(registered(uscc=uscc) for uscc in there))
    arriving = iter(range(1, 250, 7))

    def between() -> None:
        new = [code(n) for n in (next(arriving), next(arriving), 249 - next(arriving)) if n % 10]
        system.known(*(registered(uscc=uscc) for uscc in new), renamed("2020-01-01", uscc=there[3]))

    seen = walk(system, "enterprises", 4, between)
    assert_stable(seen, there)
    assert len(seen) > len(there)


def publicised(on: str, document_no: str) -> Sequence[Stated]:
    fact = punished(on, documentNo=document_no, kinds=["CLOSURE"])
    return fact, penalty("Publicised", on, documentNo=document_no)


# Late events: their dates lie before, between and after those of a page.
ARRIVALS: Final[dict[str, Callable[[int], Sequence[Stated]]]] = {
    "history": lambda n: [renamed(f"20{10 + n % 15}-06-15")],
    "enforcementHistory": lambda n: [interviewed(f"20{17 + n % 8}-06-15")],
    "listEntries": lambda n: [listed(f"20{17 + n % 8}-06-15", entryId=f"late-{n}")],
    "penalties": lambda n: publicised(f"20{25 + n % 2}-05-15", f"late-{n}"),
    "obligations": lambda n: [ordered("2018-01-01", orderId=f"late-{n}", dueOn=f"20{20 + n % 10}-01-15")],
}
THERE: Final[dict[str, Callable[[int], Sequence[Stated]]]] = {
    "history": lambda n: [exposed(f"20{18 + n % 7}-01-01", exposureId=f"X-{n}")],
    "enforcementHistory": lambda n: [exposed(f"20{18 + n % 7}-01-01", exposureId=f"X-{n}")],
    "listEntries": lambda n: [listed(f"20{18 + n % 7}-01-01", entryId=f"E-{n}")],
    "penalties": lambda n: publicised(f"20{25 + n % 2}-01-01", f"P-{n}"),
    "obligations": lambda n: [ordered("2018-01-01", orderId=f"O-{n}", dueOn=f"20{20 + n % 10}-01-01")],
}


@pytest.mark.parametrize("named", ARRIVALS)
def test_pages_stay_stable_while_late_events_arrive(system: System, named: str) -> None:
    system.known(registered("2009-01-01"), *(fact for n in range(16) for fact in THERE[named](n)))
    there = walk(system, named, 100)
    assert len(there) >= 16
    arriving = iter(range(100))
    seen = walk(
        system, named, 3, lambda: system.known(*ARRIVALS[named](next(arriving)), *ARRIVALS[named](next(arriving)))
    )
    assert_stable(seen, there)
    assert len(seen) > len(there)


def test_a_page_whose_nodes_were_voided_since_is_followed_by_the_next(system: System) -> None:
    recorded = system.known(*(registered(uscc=code(n)) for n in range(9)))
    first = page(system, "enterprises", 3)
    system.known(*(voided(event.position) for event in recorded[3:6]))
    second = page(system, "enterprises", 3, first["pageInfo"]["endCursor"])
    assert identities(second["edges"]) == [code(n) for n in (6, 7, 8)]


def test_nobody_is_left_out_while_the_read_models_lag_behind_a_void(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.context.WAIT_SECONDS", 0.05)
    recorded = system.known(*(registered(uscc=code(n)) for n in range(9)))
    system.runner.stop()
    try:
        system.record(voided(recorded[1].position))
        assert_stable(walk(system, "enterprises", 3), [code(n) for n in range(9) if n != 1])
    finally:
        system.runner.start()


def test_pages_of_the_ledger_follow_each_other_while_events_arrive(system: System) -> None:
    system.known(*(registered(uscc=code(n)) for n in range(20)))
    seen, after = [], 0
    while events := system.ask(
        "query ($after: Position) { ledger { events(after: $after, first: 7) { position } } }", {"after": after}
    )["ledger"]["events"]:
        seen += [event["position"] for event in events]
        after = seen[-1]
        if after < 40:
            system.record(renamed(uscc=code(1)))
    assert seen == list(range(1, system.head + 1))


def test_entries_that_were_removed_since_are_no_gap(system: System) -> None:
    system.known(registered("2009-01-01"), *(listed(f"2018-01-0{n}", entryId=f"E-{n}") for n in range(1, 7)))
    first = page(system, "listEntries", 2)
    system.known(unlisted("2019-01-01", entryId="E-4"))
    second = page(system, "listEntries", 2, first["pageInfo"]["endCursor"])
    made = [ADOPTED + 1 + n for n in (6, 5, 3, 2)]
    assert [*identities(first["edges"]), *identities(second["edges"])] == made
    assert (second["totalCount"], second["pageInfo"]["hasNextPage"]) == (5, True)


# Cursors that no page gave


def cursor(*parts: str) -> str:
    return urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


BAD: Final = {
    "no base64": "*",
    "no ASCII": "游标",
    "no UTF-8": "_w",
    "one character too many": "A",
    "a NUL": cursor("\0"),
    "a word": cursor("abc"),
    "a word and a number": cursor("abc", "1"),
    "a date": cursor("2020-01-01"),
    "two words": cursor("2020-01-01", "x"),
    "a number beyond 64 bits": cursor("9" * 25),
    "a position beyond 64 bits": cursor("2020-01-01", "9" * 25),
    "a position with a NUL": cursor("5", "\0"),
    "five parts with a NUL": cursor("2020-01-01", "\0", "OBL-LIST", "1", "1"),
    "five parts beyond 64 bits": cursor("2020-01-01", f"enterprise:{A}", "OBL-LIST", "9" * 25, "1"),
    "too many parts": cursor(*"abcdef"),
    "very long": "A" * 1_000_000,
}


@pytest.fixture(scope="module")
def pair(database: str) -> Iterator[System]:
    """Two enterprises of which nothing is known but their registration."""
    with started(database) as running:
        running.known(registered(), registered(uscc=B))
        yield running


@pytest.mark.parametrize("named", QUERIES)
def test_a_bad_cursor_is_refused_with_a_clear_error(pair: System, named: str) -> None:
    said = {what: pair.codes(query(named), {"first": 5, "after": bad}) or ["no error"] for what, bad in BAD.items()}
    assert {what: codes for what, codes in said.items() if codes != ["INVALID"]} == {}


def test_the_cursor_of_another_query_is_refused(system: System) -> None:
    system.known(registered(), renamed())
    of_history = page(system, "history", 1)["pageInfo"]["endCursor"]
    of_enterprises = page(system, "enterprises", 1)["pageInfo"]["endCursor"]
    assert system.codes(query("enterprises"), {"after": of_history}) == ["INVALID"]
    assert system.codes(query("history"), {"after": of_enterprises}) == ["INVALID"]


@pytest.mark.parametrize("named", QUERIES)
@pytest.mark.parametrize("first", [0, -1, 101])
def test_a_page_has_1_to_100_nodes(pair: System, named: str, first: int) -> None:
    assert pair.codes(query(named), {"first": first}) == ["INVALID"]
