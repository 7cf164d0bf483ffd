"""Documents: what is kept of them, and which ask what follows from folds alone."""

import pytest
from graphql import GraphQLError, OperationType

from api.documents import LONGEST, MOST_DOCUMENTS, _checked, _kept, asks_folds_only, checked, operations, parsed
from api.limits import DocumentLimits
from api.schema import SCHEMA


def folded(query: str) -> bool:
    return asks_folds_only(SCHEMA._schema, query)


def test_a_document_is_parsed_once_unless_it_is_long() -> None:
    query, long = "query Once { __typename }", "{ __typename } #" + "x" * LONGEST
    assert parsed(query) is parsed(query)
    assert parsed(long) is not parsed(long)
    assert _kept.cache_info().maxsize == MOST_DOCUMENTS


def test_a_document_is_validated_and_priced_once() -> None:
    schema, query = SCHEMA._schema, "query Twice { __typename }"
    assert checked(schema, query) is checked(schema, query)
    assert checked(schema, query, DocumentLimits(depth=3)) is not checked(schema, query)
    assert _checked.cache_info().maxsize == MOST_DOCUMENTS


def test_a_long_document_is_checked_each_time() -> None:
    long = "{ __typename } #" + "x" * LONGEST
    assert checked(SCHEMA._schema, long) is not checked(SCHEMA._schema, long)


def test_a_document_of_too_many_tokens_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(GraphQLError):
            parsed("{" + " a" * 2_000 + "}")


def test_operations_are_told_by_name_and_type() -> None:
    found = operations(parsed("query A { a } mutation B { ...F } fragment F on Query { a }"))
    assert found == (("A", OperationType.QUERY), ("B", OperationType.MUTATION))
    assert operations(parsed("{ a }")) == ((None, OperationType.QUERY),)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ('{ creditStatus(uscc: "x") { status reasons { rule } timeline { from } } }', True),
        ('{ enterprise(uscc: "x") { ...F } } fragment F on Enterprise { name credit { status } }', True),
        ('{ enterprise(uscc: "x") { ... on Enterprise { numbers { number } } } }', False),
        ('{ enterprise(uscc: "x") { ...F } } fragment F on Enterprise { accesses { carrier } }', False),
        ('{ creditStatus(uscc: "x") { status } ledger { head } }', False),
        ('{ node(id: "x") { id } }', False),
        ("{ __schema { types { name } } }", False),
        ("mutation { record(input: {}) { head } }", False),
        ("{ nothing }", False),
    ],
)
def test_only_documents_that_ask_folds_alone_are_told_apart(query: str, kept: bool) -> None:
    assert folded(query) is kept
