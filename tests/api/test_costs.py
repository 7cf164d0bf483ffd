"""What an operation costs: each field once for every row that is asked for around it."""

from typing import Any

import pytest
from graphql import build_schema, parse

from api.costs import costs_of
from api.schema import SCHEMA

SMALL = build_schema(
    """
    interface Thing { id: ID! tags: [Tag!]! }
    type Tag { name: String! }
    type Stone implements Thing { id: ID! tags: [Tag!]! weight: Int! }
    type Tree implements Thing { id: ID! tags: [Tag!]! height: Int! age: Int! }
    type Edge { cursor: String! node: Thing! }
    type Page { edges: [Edge!]! count: Int! }
    type Query {
      things(first: Int): Page!
      flat(first: Int): [Thing!]!
      named(usccs: [ID!]!): [Thing!]!
      thing: Thing
    }
    """
)
QUERY = SMALL.query_type
assert QUERY
# As Strawberry states defaults: by their values.
QUERY.fields["things"].args["first"].default_value = 20
QUERY.fields["flat"].args["first"].default_value = 100


def cost(query: str, variables: dict[str, Any] | None = None, name: str | None = None) -> int:
    return costs_of(SMALL, parse(query))[name].of(variables)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ thing { id } }", 2),
        ("{ __typename }", 1),
        ("{ thing { id } again: thing { id __typename } }", 5),
        # A page: itself, its edges, and what is in each of them.
        ("{ things(first: 50) { count edges { cursor node { id } } } }", 1 + 1 + 1 + 50 * 3),
        ("{ things { edges { cursor } } }", 1 + 1 + 20),
        ("{ things(first: null) { edges { cursor } } }", 1 + 1 + 20),
        ("{ things(first: 0) { edges { cursor } } }", 1 + 1),
        ("{ things(first: -3) { edges { cursor } } }", 1 + 1),
        # Who asks for more than any page has is refused by the field.
        ("{ things(first: 1000000) { edges { cursor } } }", 1 + 1 + 1_000),
        ("{ flat { id } }", 1 + 100),
        ("{ flat(first: 3) { id tags { name } } }", 1 + 3 * 3),
        ('{ named(usccs: ["a", "b"]) { id } }', 1 + 2),
        ("{ __schema { types { name } } }", 1),
    ],
)
def test_a_field_costs_one_for_every_row(query: str, expected: int) -> None:
    assert cost(query) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"n": 3}, 3), ({}, 7), (None, 7), ({"n": None}, 20), ({"n": "3"}, 20), ({"n": 10**9}, 1_000)],
)
def test_rows_may_be_a_variable(variables: dict[str, Any] | None, expected: int) -> None:
    query = "query ($n: Int = 7) { things(first: $n) { edges { node { id } } } }"
    assert cost(query, variables) == 2 + 2 * expected
    spread = "query ($n: Int = 7) { ...F } fragment F on Query { things(first: $n) { ...G } }"
    spread += " fragment G on Page { edges { ...H } } fragment H on Edge { node { id } }"
    assert cost(spread, variables) == 2 + 2 * expected


def test_rows_may_be_as_many_as_a_variable_lists() -> None:
    query = "query ($codes: [ID!]!) { named(usccs: $codes) { id } }"
    assert [cost(query, {"codes": list(range(n))}) for n in (0, 5, 5_000)] == [1, 6, 1_001]


def test_of_fragments_on_several_types_the_dearest_counts() -> None:
    query = """{ flat(first: 10) { id ... on Stone { weight } ... on Tree { height } ...T ... on Thing { tags { name } } } }
      fragment T on Tree { age }"""
    assert cost(query) == 1 + 10 * (1 + 2 + 2)
    sized = """query ($n: Int) { a: flat(first: $n) { ... on Stone { weight } ... on Tree { height age } } b: flat(first: $n) {
      ... on Stone { weight } ... on Tree { height } } }"""
    assert cost(sized, {"n": 4}) == 2 + 4 * 2 + 4 * 1


def test_the_dearest_is_found_when_the_variables_are_known() -> None:
    schema = build_schema(
        """interface I { a(first: Int): [I!]! b: Int } type A implements I { a(first: Int): [I!]! b: Int }
        type B implements I { a(first: Int): [I!]! b: Int } type Query { i: I }"""
    )
    query = """query ($x: Int, $y: Int) { i { ... on A { a(first: $x) { b } } ... on B { a(first: $y) { b } } }
      more: i { ... on A { a(first: $x) { b } } ... on B { a(first: $y) { b } } } }"""
    operation = costs_of(schema, parse(query))[None]
    assert operation.of({"x": 5, "y": 2}) == operation.of({"x": 2, "y": 5}) == 2 * (1 + 1 + 5)


def test_each_operation_of_a_document_has_a_cost_of_its_own() -> None:
    query = "query A { thing { id } } query B($n: Int = 2) { flat(first: $n) { id } }"
    assert (cost(query, name="A"), cost(query, name="B"), cost(query, {"n": 9}, "B")) == (2, 3, 10)


def test_the_usual_size_of_a_page_is_that_of_the_schema() -> None:
    found = costs_of(SCHEMA._schema, parse("{ enterprises { edges { node { name } } } ledger { events { type } } }"))
    assert found[None].of(None) == 1 + 1 + 20 * 2 + 1 + 1 + 100


def test_what_is_fixed_is_worked_out_once() -> None:
    found = costs_of(SCHEMA._schema, parse("{ enterprises(first: 100) { edges { node { name numbers { use } } } } }"))
    plan = found[None].plan
    assert (plan.fixed, plan.parts, plan.choices) == (2 + 100 * 4, (), ())
