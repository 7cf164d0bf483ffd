"""The schema: GraphQL types by code, published as graphql/schema.graphql."""

from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.connections import Names
from api.documents import CheckedOnce
from api.event_types import EVENT_TYPES
from api.mutations import Mutation
from api.permissions import guard
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
    extensions=[CheckedOnce],
)

guard(SCHEMA._schema)


def published() -> str:
    """The schema as SDL, as graphql/schema.graphql holds it."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    print(published(), end="")
