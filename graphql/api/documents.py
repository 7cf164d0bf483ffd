"""Documents: each parsed once, and which of them ask nothing but what follows from folds.

What is kept is bounded in number and in length, so that no client can fill the memory with documents of its own.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    visit,
)
from strawberry.extensions import SchemaExtension

from api.limits import MOST_TOKENS

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


def parsed(query: str) -> DocumentNode:
    """The document of a text. Raises GraphQLSyntaxError."""
    return _kept(query) if len(query) <= LONGEST else parse(query, max_tokens=MOST_TOKENS)


@lru_cache(maxsize=MOST_DOCUMENTS)
def _kept(query: str) -> DocumentNode:
    return parse(query, max_tokens=MOST_TOKENS)


class ParsedOnce(SchemaExtension):
    """Parses as `parsed` does."""

    def on_parse(self) -> Iterator[None]:
        query = self.execution_context.query
        assert query is not None, "the endpoint refuses what has no document"
        self.execution_context.graphql_document = parsed(query)
        yield


def operations(document: DocumentNode) -> tuple[tuple[str | None, OperationType], ...]:
    """Name and type of each operation of a document."""
    found = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return tuple((each.name.value if each.name else None, each.operation) for each in found)


def asks_folds_only(schema: GraphQLSchema, query: str) -> bool:
    """Whether every field of a document that parses is one of FOLDED."""
    return len(query) <= LONGEST and _asks_folds_only(schema, query)


@lru_cache(maxsize=MOST_DOCUMENTS)
def _asks_folds_only(schema: GraphQLSchema, query: str) -> bool:
    types = TypeInfo(schema)
    seen = _Fields(types)
    visit(parsed(query), TypeInfoVisitor(types, seen))
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
