"""A query is a bounded number of SQL statements, however many nodes a page has."""

from collections.abc import Iterator
from typing import Any

import pytest

from given import accessed, complained, filed, interviewed, licensed, punished, registered
from running import System, code, started
from statements import Statements, look_up_once


def cost(system: System, query: str, variables: Any = None) -> int:
    """The statements of a request whose key is known already, as is what was parked lately."""
    with pytest.MonkeyPatch.context() as patch:
        look_up_once(patch, system)
        system.ask(f'{{ ledger {{ head }} enterprise(uscc: "{code(1)}") {{ name }} }}')
        statements = Statements(patch, system)
        system.ask(query, variables)
        return statements.count


LIVES = """query ($first: Int) { enterprises(first: $first) { COUNT pageInfo { hasNextPage } edges { node {
  name credit { status reasons { rule } timeline { status } }
  licences { licenceNo inForce } numbers { number } accesses { accessId }
  history(first: 3) { COUNT edges { node { position data ... on PenaltyImposed { documentNo } } } }
  enforcementHistory(first: 2) { COUNT edges { node { position } } }
  complaintCounts(from: "2020-01-01", to: "2020-12-31") { date received }
} } } }"""


@pytest.fixture(scope="module")
def hundred(database: str) -> Iterator[System]:
    """A hundred enterprises, each with a licence, a number, an access, an interview, a penalty and a complaint."""
    with started(database) as system:
        for n in range(100):
            uscc, number = code(n), f"95{n:03d}"
            system.record(
                registered(uscc=uscc),
                licensed(uscc=uscc, licenceNo=f"L-{n}"),
                filed(uscc=uscc, number=number),
                accessed(uscc=uscc, number=number, accessId=f"A-{n}"),
                interviewed("2020-03-01", uscc=uscc),
                punished("2020-04-01", uscc=uscc, documentNo=f"P-{n}"),
                complained("2020-02-01", complaintId=f"C-{n}", displayedNumber=number),
            )
        system.settle()
        system.runner.stop()
        yield system
        system.runner.start()


@pytest.mark.parametrize("count", ["totalCount", ""])
def test_a_page_costs_as_many_statements_whatever_its_size(hundred: System, count: str) -> None:
    query = LIVES.replace("COUNT", count)
    nodes = [edge["node"] for edge in hundred.ask(query, {"first": 100})["enterprises"]["edges"]]
    assert len(nodes) == 100
    assert all(len(node["history"]["edges"]) == 3 and node["complaintCounts"] for node in nodes)
    costs = {first: cost(hundred, query, {"first": first}) for first in (1, 10, 100)}
    assert costs[1] == costs[10] == costs[100] <= 12


def test_a_total_is_counted_only_where_it_is_asked_for(hundred: System) -> None:
    with_totals, without = (cost(hundred, LIVES.replace("COUNT", count), {"first": 5}) for count in ("totalCount", ""))
    assert with_totals == without + 3


def test_the_same_question_twice_in_a_request_is_looked_up_once(hundred: System) -> None:
    history = "history(first: 2) { edges { node { position } } }"
    once, twice = (
        f'{{ enterprise(uscc: "{code(1)}") {{ {asked} }} }}' for asked in (history, f"{history} b: {history}")
    )
    assert cost(hundred, once) == cost(hundred, twice)


def test_events_of_the_ledger_cost_as_many_statements_whatever_their_number(hundred: System) -> None:
    query = "query ($first: Int) { ledger { head events(first: $first) { position data voidedBy leafHash } } }"
    assert cost(hundred, query, {"first": 1}) == cost(hundred, query, {"first": 500}) <= 4


def test_recording_costs_as_many_statements_whatever_the_number_of_facts(hundred: System) -> None:
    costs = []
    for first in (1_000, 2_000, 3_000):
        size = 1 if first == 1_000 else 100
        with pytest.MonkeyPatch.context() as patch:
            statements = Statements(patch, hundred)
            hundred.send(*(registered(uscc=code(first + n)) for n in range(size)))
            costs.append(statements.count)
    assert costs[0] == costs[1] == costs[2] <= 15
