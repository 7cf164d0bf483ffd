"""The domain's vocabularies as GraphQL enums, under the names of the contract."""

from enum import Enum
from typing import Any, Final

import strawberry

from domain import vocabulary

_NAMES: Final[dict[type[Enum], str]] = {vocabulary.Area: "EventArea", vocabulary.Cause: "BecauseOf"}
"""Where the schema's name is not the class's own."""


def _enum(cls: type[Enum]) -> Any:
    return strawberry.enum(
        cls, name=_NAMES.get(cls, cls.__name__), description=(cls.__doc__ or "").split("\n")[0] or None
    )


ENUMS: Final[dict[str, Any]] = {
    name: _enum(cls)
    for name, cls in vars(vocabulary).items()
    if isinstance(cls, type) and issubclass(cls, Enum) and cls.__module__.startswith("domain.") and list(cls)
}
"""By the name of the domain's class."""
