"""The schema: GraphQL types by code, published as graphql/schema.graphql."""

from typing import Final

import strawberry
from graphql import ASTValidationRule
from strawberry.extensions import AddValidationRules, QueryDepthLimiter, ValidationCache
from strawberry.schema.config import StrawberryConfig

from api.connections import Names
from api.documents import MOST_DOCUMENTS, ParsedOnce
from api.event_types import EVENT_TYPES
from api.limits import MOST_DEPTH, AliasRule
from api.mutations import Mutation
from api.permissions import guard
from api.queries import Query
from api.scalars import SCALARS
from api.subscriptions import Subscription

# Made once: the cache of validations finds a document by the very rules, and a rule made anew each time is another one.
RULES: Final[list[type[ASTValidationRule]]] = [AliasRule, *QueryDepthLimiter(max_depth=MOST_DEPTH).validation_rules]


class Schema(strawberry.Schema):
    def process_errors(self, errors: object, execution_context: object = None) -> None:
        """Errors are logged where they are formatted, without their texts (`api.errors`)."""


SCHEMA: Final = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=list(EVENT_TYPES.values()),
    config=StrawberryConfig(name_converter=Names(), scalar_map=SCALARS),
    extensions=[
        ParsedOnce,
        lambda: ValidationCache(maxsize=MOST_DOCUMENTS),
        lambda: AddValidationRules(RULES),
    ],
)

guard(SCHEMA._schema)


def published() -> str:
    """The schema as SDL, as graphql/schema.graphql holds it."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    print(published(), end="")
