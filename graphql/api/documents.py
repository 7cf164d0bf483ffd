"""Documents: each parsed, validated and priced once, and which of them ask nothing but what follows from folds.

What is kept is bounded in number and in length, so that no client can fill the memory with documents of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    validate,
    visit,
)
from strawberry.extensions import SchemaExtension

from api.costs import OperationCost, costs_of
from api.errors import too_costly
from api.limits import DEFAULT_DOCUMENT_LIMITS, DocumentLimits, rules

MOST_DOCUMENTS: Final = 500
LONGEST: Final = 16_384
"""Characters of a document that is kept; longer ones are parsed each time."""

FOLDED: Final = frozenset(
    f"{owner}.{name}"
    for owner, names in {
        "Query": "creditStatus previewGate enterprise",
        "Enterprise": "id uscc name province credit",
        "CreditReport": "uscc status asOf knownAt reasons timeline",
        "CreditSpan": "from status",
        "GateAnswer": "gate uscc outcome asOf knownAt reasons rulebook",
        "Reason": "rule outcome citation message positions remedy",
        "Rulebook": "version inForceFrom sha256",
    }.items()
    for name in (*names.split(), "__typename")
)
"""Fields whose answer depends on the caller's role, the language, the day and the folds that were read, nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A document, and what validation says of it: errors, or the costs of its operations by their names."""

    document: DocumentNode
    errors: tuple[GraphQLError, ...]
    costs: Mapping[str | None, OperationCost]

    def cost(self, name: str | None, variables: Mapping[str, Any] | None) -> int:
        """What an operation costs; `name` may be left out where there is one."""
        found = self.costs.get(name) if name else next(iter(self.costs.values()), None)
        return found.of(variables) if found else 0


def parsed(query: str, limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS) -> DocumentNode:
    """The document of a text. Raises GraphQLSyntaxError."""
    return _kept(query, limits.tokens) if len(query) <= LONGEST else parse(query, max_tokens=limits.tokens)


@lru_cache(maxsize=MOST_DOCUMENTS)
def _kept(query: str, tokens: int) -> DocumentNode:
    return parse(query, max_tokens=tokens)


def checked(schema: GraphQLSchema, query: str, limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS) -> Checked:
    """What a text that parses is found to be."""
    return _checked(schema, query, limits) if len(query) <= LONGEST else _check(schema, query, limits)


def _check(schema: GraphQLSchema, query: str, limits: DocumentLimits) -> Checked:
    document = parsed(query, limits)
    # What is within the limits is validated in a bounded time, and nothing else is.
    errors = validate(schema, document, rules(limits)) or validate(schema, document)
    return Checked(document, tuple(errors), {} if errors else costs_of(schema, document))


_checked = lru_cache(maxsize=MOST_DOCUMENTS)(_check)


class CheckedOnce(SchemaExtension):
    """Parses and validates as `parsed` and `checked` do, and refuses what costs too much."""

    def on_parse(self) -> Iterator[None]:
        self.execution_context.graphql_document = parsed(self._query, self._limits)
        yield

    def on_validate(self) -> Iterator[None]:
        asked, limits = self.execution_context, self._limits
        found = checked(asked.schema._schema, self._query, limits)
        asked.pre_execution_errors = list(found.errors)
        if not found.errors and asked.context is not None:
            cost = asked.context.cost = found.cost(asked.operation_name, asked.variables)
            if cost > limits.cost:
                asked.pre_execution_errors = [too_costly(cost, limits.cost)]
        yield

    @property
    def _query(self) -> str:
        query = self.execution_context.query
        assert query is not None, "the endpoint refuses what has no document"
        return query

    @property
    def _limits(self) -> DocumentLimits:
        context = self.execution_context.context
        found: DocumentLimits = DEFAULT_DOCUMENT_LIMITS if context is None else context.limits
        return found


def operations(document: DocumentNode) -> tuple[tuple[str | None, OperationType], ...]:
    """Name and type of each operation of a document."""
    found = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return tuple((each.name.value if each.name else None, each.operation) for each in found)


def asks_folds_only(schema: GraphQLSchema, query: str, limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS) -> bool:
    """Whether every field of a document that parses is one of FOLDED."""
    return len(query) <= LONGEST and _asks_folds_only(schema, query, limits)


@lru_cache(maxsize=MOST_DOCUMENTS)
def _asks_folds_only(schema: GraphQLSchema, query: str, limits: DocumentLimits) -> bool:
    types = TypeInfo(schema)
    seen = _Fields(types)
    visit(parsed(query, limits), TypeInfoVisitor(types, seen))
    return seen.asked <= FOLDED


class _Fields(Visitor):
    """Notes every field as TYPE.FIELD."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.asked: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        owner = self._types.get_parent_type()
        self.asked.add(f"{owner.name if owner else ''}.{node.name.value}")
