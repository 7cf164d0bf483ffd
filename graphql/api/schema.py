"""The schema: GraphQL types by code, published as graphql/schema.graphql."""

from typing import Final

import strawberry
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, QueryDepthLimiter, ValidationCache
from strawberry.schema.config import StrawberryConfig

from api.connections import Names
from api.event_types import EVENT_TYPES
from api.limits import MOST_DEPTH, MOST_TOKENS, AliasRule
from api.mutations import Mutation
from api.queries import Query
from api.scalars import SCALARS
from api.subscriptions import Subscription


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
        lambda: ParserCache(maxsize=500),
        lambda: ValidationCache(maxsize=500),
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        lambda: AddValidationRules([AliasRule]),
        lambda: QueryDepthLimiter(max_depth=MOST_DEPTH),
    ],
)


def published() -> str:
    """The schema as SDL, as graphql/schema.graphql holds it."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    print(published(), end="")
