"""Media types, languages and encodings, as the headers of a request ask for them."""

import gzip
from functools import lru_cache
from typing import Final

from domain.text import Language

GRAPHQL_JSON: Final = "application/graphql-response+json"
PLAIN_JSON: Final = "application/json"
VARY: Final = "Accept, Accept-Encoding, Accept-Language, Authorization"
NO_SNIFFING: Final = {"x-content-type-options": "nosniff"}
"""What somebody stated is never taken for a page, whatever it holds."""
HEADERS: Final = {"vary": VARY, "cache-control": "no-store", **NO_SNIFFING}
"""The headers of every answer that is not kept by its client."""
SMALLEST_GZIP: Final = 1_400
"""Bytes of an answer from which on it is compressed: what fits into one packet takes no less time compressed."""


def media_for(accepted: str) -> str:
    """The media type of the answer to a request with this Accept header."""
    return GRAPHQL_JSON if GRAPHQL_JSON in accepted else PLAIN_JSON


def encoded(content: bytes, accepted: str) -> tuple[bytes, dict[str, str]]:
    """The bytes to send, and the header that says so where they are compressed; `accepted` is Accept-Encoding."""
    if len(content) < SMALLEST_GZIP or not takes_gzip(accepted):
        return content, {}
    # Without a time in it, so that equal answers are equal bytes.
    return gzip.compress(content, 5, mtime=0), {"content-encoding": "gzip"}


@lru_cache(maxsize=100)
def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with the weight 0."""
    for part in accepted.lower().split(","):
        name, _, weight = "".join(part.split()).partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


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
