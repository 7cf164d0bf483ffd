"""What a page asks: shipped operations, by the endpoint that answers every client, under the visitor's own rights."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from api.errors import STATUS
from api.http import GraphQLEndpoint
from api.received import Sent
from api.trusted import shipped
from domain.callers import Caller
from domain.text import Language

OPERATIONS: Final[Mapping[str, str]] = shipped()
"""The text of each shipped operation by its name."""
_OTHER_STATUS: Final[Mapping[str, int]] = {
    "FORBIDDEN": 403,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "INVALID": 400,
    "BAD_DOCUMENT": 400,
    "BAD_VARIABLES": 400,
    "TOO_COSTLY": 400,
    "NOT_YET_KNOWN": 409,
    "STALE": 409,
}


class NotAnswered(Exception):
    """A question of a page got no answer. `code` and `message` are those that every client gets."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return STATUS.get(self.code, _OTHER_STATUS.get(self.code, 500))


async def ask(
    endpoint: GraphQLEndpoint,
    request: Request,
    caller: Caller,
    language: Language,
    name: str,
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    """The data that a shipped operation is answered, and under `stale` which enterprises stand still. Raises NotAnswered, BadRequest, and what a lost database raises."""
    sent = Sent(query=OPERATIONS[name], variables=dict(variables))
    body = await endpoint.answered(sent, caller, language, request)
    if errors := body.get("errors"):
        raise NotAnswered(errors[0]["extensions"]["code"], errors[0]["message"])
    data: dict[str, Any] = body["data"]
    # Who stands still comes beside the data.
    return {**data, "stale": body.get("extensions", {}).get("stale")}
