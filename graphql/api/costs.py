"""What an operation costs: each field once for every row that is asked for around it.

`{ enterprises(first: 50) { edges { node { name } } } }` costs 1 + 1 + 50 × 2: the connection, its edges, and node and
name of 50 rows. Rows are those asked for, by `first` or by a list of codes, not those found; a list that has no size
of its own counts as one row. Of fragments on several types the dearest counts. A document is looked through once; what
is left are its sizes, which may be variables.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_object_type,
    value_from_ast_untyped,
)

MOST_ROWS: Final = 1_000
"""Rows of the largest page: who asks for more is refused by the field itself."""
SIZED_BY: Final = ("first", "usccs")
"""Arguments that say how many rows are asked for: by their number, or by how many they list."""


class Size(NamedTuple):
    """How many rows are asked for: a number, or what a variable says."""

    usual: int
    variable: str | None = None

    def of(self, variables: Mapping[str, Any]) -> int:
        given = variables.get(self.variable) if self.variable else None
        return self.usual if given is None else _rows(given, self.usual)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A cost of which the variables are still open."""

    fixed: int
    parts: tuple[tuple[Size, "Plan"], ...] = ()
    """What is there for every row of a size."""
    choices: tuple["Plan", ...] = ()
    """Of which only one can be asked of a row."""

    def cost(self, variables: Mapping[str, Any]) -> int:
        return self._cost(variables, {})

    def _cost(self, variables: Mapping[str, Any], known: dict["Plan", int]) -> int:
        if not self.parts and not self.choices:
            return self.fixed
        # A fragment is in many places: each is worked out once.
        if self not in known:
            rows = sum(size.of(variables) * part._cost(variables, known) for size, part in self.parts)
            dearest = max((choice._cost(variables, known) for choice in self.choices), default=0)
            known[self] = self.fixed + rows + dearest
        return known[self]


@dataclass(frozen=True, slots=True)
class OperationCost:
    plan: Plan
    defaults: Mapping[str, Any]

    def of(self, variables: Mapping[str, Any] | None) -> int:
        return self.plan.cost({**self.defaults, **(variables or {})})


def costs_of(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, OperationCost]:
    """The cost of each operation of a valid document, by its name."""
    planner = _Planner(schema, document)
    found = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return {each.name.value if each.name else None: planner.operation(each) for each in found}


class _Planner:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._planned: dict[tuple[str, Size | None], Plan] = {}

    def operation(self, node: OperationDefinitionNode) -> OperationCost:
        root = self._schema.get_root_type(node.operation)
        assert root is not None, "validation refuses operations that the schema has not"
        defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in node.variable_definitions or ()
            if each.default_value
        }
        return OperationCost(self._selection(node.selection_set, root, None), defaults)

    def _selection(self, node: SelectionSetNode, owner: GraphQLNamedType, rows: Size | None) -> Plan:
        """The plan of what is asked of a type; `rows` is the size of its lists where a page's first said so."""
        common: list[Plan] = []
        of_types: dict[str, list[Plan]] = defaultdict(list)
        for each in node.selections:
            if isinstance(each, FieldNode):
                common.append(self._field(each, owner, rows))
                continue
            type_, plan = self._fragment(each, owner, rows)
            apart = is_object_type(type_) and type_ is not owner
            (of_types[type_.name] if apart else common).append(plan)
        choices = tuple(_together(plans) for plans in of_types.values())
        return _together([*common, _dearest(choices)])

    def _fragment(self, node: Any, owner: GraphQLNamedType, rows: Size | None) -> tuple[GraphQLNamedType, Plan]:
        if isinstance(node, InlineFragmentNode):
            type_ = self._type(node.type_condition.name.value) if node.type_condition else owner
            return type_, self._selection(node.selection_set, type_, rows)
        assert isinstance(node, FragmentSpreadNode)
        fragment = self._fragments[node.name.value]
        type_, key = self._type(fragment.type_condition.name.value), (node.name.value, rows)
        if key not in self._planned:
            self._planned[key] = self._selection(fragment.selection_set, type_, rows)
        return type_, self._planned[key]

    def _type(self, name: str) -> GraphQLNamedType:
        found = self._schema.get_type(name)
        assert found is not None, "validation refuses types that are not there"
        return found

    def _field(self, node: FieldNode, owner: GraphQLNamedType, rows: Size | None) -> Plan:
        if node.selection_set is None or node.name.value.startswith("__"):
            return Plan(1)
        assert isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        field = owner.fields[node.name.value]
        own = _size(node, field.args)
        lists = isinstance(get_nullable_type(field.type), GraphQLList)
        inner = self._selection(node.selection_set, get_named_type(field.type), None if lists else own)
        size = own or rows or Size(1)
        return _together([Plan(1), _times(size, inner) if lists else inner])


def _size(node: FieldNode, arguments: Mapping[str, Any]) -> Size | None:
    """How many rows a field is asked for, where it has an argument that says so."""
    for name in SIZED_BY:
        if name in arguments:
            usual = _rows(arguments[name].default_value, 1)
            given = next((each.value for each in node.arguments or () if each.name.value == name), None)
            return _size_of(given, usual)
    return None


def _size_of(given: ValueNode | None, usual: int) -> Size:
    if isinstance(given, VariableNode):
        return Size(usual, given.name.value)
    if isinstance(given, IntValueNode):
        return Size(_rows(int(given.value), usual))
    return Size(_rows(list(given.values), usual)) if isinstance(given, ListValueNode) else Size(usual)


def _rows(value: Any, usual: int) -> int:
    if isinstance(value, list | tuple):
        return min(len(value), MOST_ROWS)
    return min(max(value, 0), MOST_ROWS) if isinstance(value, int) else usual


def _together(plans: list[Plan]) -> Plan:
    return Plan(
        sum(plan.fixed for plan in plans),
        tuple(part for plan in plans for part in plan.parts),
        _only([plan for plan in plans if plan.choices]),
    )


def _only(plans: list[Plan]) -> tuple[Plan, ...]:
    """The choices of one plan as they are; those of several are made one after another."""
    if len(plans) < 2:
        return plans[0].choices if plans else ()
    made = Plan(0, tuple((Size(1), Plan(0, (), plan.choices)) for plan in plans))
    return (made,)


def _dearest(choices: tuple[Plan, ...]) -> Plan:
    if all(not choice.parts and not choice.choices for choice in choices):
        return Plan(max((choice.fixed for choice in choices), default=0))
    return Plan(0, (), choices)


def _times(size: Size, plan: Plan) -> Plan:
    """A plan for every row. What is fixed is worked out now."""
    if size.variable is None and not plan.parts and not plan.choices:
        return Plan(size.usual * plan.fixed)
    return Plan(0, ((size, plan),))
