"""Versions of the rulebook as GraphQL types."""

import strawberry

from api.errors import invalid
from api.scalars import Date
from domain.rulebook import RULEBOOK, Version


@strawberry.type
class Rulebook:
    version: str
    in_force_from: Date
    sha256: str


def shown(version: Version) -> Rulebook:
    return Rulebook(version=version.version, in_force_from=Date(version.in_force_from), sha256=RULEBOOK.sha256(version))


def named(version: str | None, argument: str = "rulebook") -> Version | None:
    """The version of that name; None for none. Raises ApiError INVALID for a name that no version has."""
    if version is None:
        return None
    found = RULEBOOK.named(version)
    if found is None:
        legal = ", ".join(each.version for each in RULEBOOK.versions)
        raise invalid(
            argument, f"没有规则版本 {version}；可用：{legal}", f"there is no version {version}; there are {legal}"
        )
    return found
