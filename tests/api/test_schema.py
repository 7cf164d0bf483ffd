"""The published schema is that of the code, and holds all that the contract fixes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    print_ast,
)

from api.schema import published

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLISHED: Final = ROOT / "graphql" / "schema.graphql"
CONTRACT: Final = ROOT.parent / "shared" / "contract" / "schema.graphql"

BUILT_IN: Final = frozenset({"String", "Int", "Float", "Boolean", "ID"})
Fields = GraphQLObjectType | GraphQLInterfaceType


def schema_of(text: str) -> GraphQLSchema:
    return build_schema(text, assume_valid=True, assume_valid_sdl=True)


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    if not CONTRACT.exists():
        pytest.skip(f"the contract is not beside this checkout: {CONTRACT.name} of the shared folder is missing")
    return schema_of(CONTRACT.read_text(encoding="utf-8"))


def own_types(schema: GraphQLSchema) -> dict[str, Any]:
    return {
        name: type_ for name, type_ in schema.type_map.items() if not name.startswith("__") and name not in BUILT_IN
    }


def missing(wanted: GraphQLSchema, found: GraphQLSchema) -> Iterator[str]:
    """What `found` lacks: “Type”, “Type.field”, “Type.field(argument)”, “Enum.VALUE”, “Type implements Interface”."""
    for name, type_ in own_types(wanted).items():
        other = found.type_map.get(name)
        if other is None:
            yield name
        elif isinstance(type_, GraphQLEnumType) and isinstance(other, GraphQLEnumType):
            yield from (f"{name}.{value}" for value in type_.values if value not in other.values)
        elif isinstance(type_, GraphQLInputObjectType) and isinstance(other, GraphQLInputObjectType):
            yield from (f"{name}.{field}" for field in type_.fields if field not in other.fields)
        elif isinstance(type_, Fields) and isinstance(other, Fields):
            yield from missing_of_fields(type_, other)


def missing_of_fields(wanted: Fields, found: Fields) -> Iterator[str]:
    implemented = {interface.name for interface in found.interfaces}
    yield from (f"{wanted.name} implements {one.name}" for one in wanted.interfaces if one.name not in implemented)
    for name, field in wanted.fields.items():
        if name not in found.fields:
            yield f"{wanted.name}.{name}"
        else:
            yield from (f"{wanted.name}.{name}({arg})" for arg in field.args if arg not in found.fields[name].args)


def differences(wanted: GraphQLSchema, found: GraphQLSchema) -> Iterator[str]:
    """What both have and have otherwise, and what `found` demands that `wanted` does not know of."""
    for name, type_ in own_types(wanted).items():
        other = found.type_map.get(name)
        if other is None:
            continue
        if type(other) is not type(type_):
            yield f"{name}: {type(type_).__name__} became {type(other).__name__}"
        elif isinstance(type_, GraphQLInputObjectType) and isinstance(other, GraphQLInputObjectType):
            yield from differences_of_inputs(name, type_.fields, other.fields)
            if type_.is_one_of is not other.is_one_of:
                yield f"{name}: @oneOf {type_.is_one_of} became {other.is_one_of}"
        elif isinstance(type_, Fields) and isinstance(other, Fields):
            for field in type_.fields.keys() & other.fields.keys():
                yield from differences_of_types(f"{name}.{field}", type_.fields[field], other.fields[field])
                yield from differences_of_inputs(f"{name}.{field}", type_.fields[field].args, other.fields[field].args)


def differences_of_types(name: str, wanted: Any, found: Any) -> Iterator[str]:
    if str(wanted.type) != str(found.type):
        yield f"{name}: {wanted.type} became {found.type}"


def differences_of_inputs(name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Of arguments or input fields."""
    for each in wanted.keys() & found.keys():
        yield from differences_of_types(f"{name}({each})", wanted[each], found[each])
        was, is_ = default(wanted[each]), default(found[each])
        if was != is_:
            yield f"{name}({each}): the default {was} became {is_}"
    for each in found.keys() - wanted.keys():
        if isinstance(found[each].type, GraphQLNonNull) and found[each].ast_node.default_value is None:
            yield f"{name}({each}): demanded, and unknown to the contract"


def default(of: Any) -> str:
    """The default as written; null is the same as none, for it says what leaving out says."""
    written = of.ast_node.default_value
    return print_ast(written) if written else "null"


def test_the_published_schema_is_that_of_the_code() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == published(), (
        "run: PYTHONPATH=.:graphql python -m api.schema > graphql/schema.graphql"
    )


def test_the_published_schema_holds_the_contract(contract: GraphQLSchema) -> None:
    assert sorted(missing(contract, schema_of(PUBLISHED.read_text(encoding="utf-8")))) == []


def test_what_the_published_schema_has_of_the_contract_is_as_the_contract_says(contract: GraphQLSchema) -> None:
    assert sorted(differences(contract, schema_of(PUBLISHED.read_text(encoding="utf-8")))) == []


def test_scalars_are_those_of_the_contract(contract: GraphQLSchema) -> None:
    found = schema_of(PUBLISHED.read_text(encoding="utf-8"))
    for name, type_ in own_types(contract).items():
        if isinstance(type_, GraphQLScalarType):
            assert isinstance(found.type_map[name], GraphQLScalarType), name


SMALL: Final = """
interface I { id: ID! }
enum E { A B }
input In { a: Int! = 1 b: [E!] }
type T implements I { id: ID! t(first: Int = 20, e: E): [T!]! }
type Query { t: T }
"""


@pytest.mark.parametrize(
    ("old", "new", "lacking", "otherwise"),
    [
        ("enum E { A B }", "enum E { A }", {"E.B"}, set()),
        ("implements I ", "", {"T implements I"}, set()),
        ("b: [E!]", "", {"In.b"}, set()),
        (", e: E)", ")", {"T.t(e)"}, set()),
        ("type Query { t: T }", "type Query { u: T }", {"Query.t"}, set()),
        ("[T!]!", "[T]!", set(), {"T.t: [T!]! became [T]!"}),
        ("first: Int = 20", "first: Int = 10", set(), {"T.t(first): the default 20 became 10"}),
        ("a: Int! = 1", "a: Int = 1", set(), {"In(a): Int! became Int"}),
        ("b: [E!]", "b: [E!] c: Int!", set(), {"In(c): demanded, and unknown to the contract"}),
        ("b: [E!]", "b: [E!] c: Int! = 3", set(), set()),
        ("e: E)", "e: E, f: Int)", set(), set()),
    ],
)
def test_the_comparison_sees_what_it_looks_for(old: str, new: str, lacking: set[str], otherwise: set[str]) -> None:
    changed = SMALL.replace(old, new)
    assert changed != SMALL
    assert set(missing(schema_of(SMALL), schema_of(changed))) == lacking
    assert set(differences(schema_of(SMALL), schema_of(changed))) == otherwise
