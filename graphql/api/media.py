"""Media types and languages, as the headers of a request ask for them."""

from functools import lru_cache
from typing import Final

from domain.text import Language

GRAPHQL_JSON: Final = "application/graphql-response+json"
PLAIN_JSON: Final = "application/json"
HEADERS: Final = {"vary": "Accept, Accept-Language, Authorization", "cache-control": "no-store"}
"""The headers of every answer."""


def media_for(accepted: str) -> str:
    """The media type of the answer to a request with this Accept header."""
    return GRAPHQL_JSON if GRAPHQL_JSON in accepted else PLAIN_JSON


@lru_cache(maxsize=100)
def language_of(accepted: str) -> Language:
    """The first of Chinese and English by weight in an Accept-Language header; Chinese where it names neither."""
    wishes = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = "".join(part.split()).partition(";q=")
        try:
            wishes.append((-float(weight or 1), place, tag.strip().lower()))
        except ValueError:
            continue
    for weight_below, _, tag in sorted(wishes):
        if weight_below < 0 and tag.partition("-")[0] in ("zh", "en"):
            return "en" if tag.startswith("en") else "zh"
    return "zh"
