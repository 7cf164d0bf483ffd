"""Relay connections: pages that stay stable while events arrive, since a cursor names a place and not a count."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Self, TypeVar

import strawberry
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryType

T = TypeVar("T")


def encode_cursor(*parts: object) -> str:
    """An opaque cursor that names a place by its parts."""
    return urlsafe_b64encode("\n".join(str(part) for part in parts).encode()).decode().rstrip("=")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], int]]

    @strawberry.field
    def total_count(self) -> int:
        return self.count()

    @classmethod
    def of_keys(
        cls, keys: Sequence[str], nodes: Mapping[str, T], first: int, after: str | None, count: Callable[[], int]
    ) -> Self:
        """The page whose keys were found first; a key whose node is gone meanwhile has no edge and ends no page."""
        shown = [(encode_cursor(key), key) for key in keys[:first]]
        edges = [Edge(cursor=cursor, node=nodes[key]) for cursor, key in shown if key in nodes]
        info = PageInfo(
            has_next_page=len(keys) > first,
            has_previous_page=after is not None,
            start_cursor=shown[0][0] if shown else None,
            end_cursor=shown[-1][0] if shown else None,
        )
        return cls(edges=edges, page_info=info, count=count)

    @classmethod
    def of(
        cls, nodes: Sequence[T], cursor: Callable[[T], str], first: int, after: str | None, count: Callable[[], int]
    ) -> Self:
        """The page of at most `first` nodes; `nodes` holds one more where another page follows."""
        edges = [Edge(cursor=cursor(node), node=node) for node in nodes[:first]]
        info = PageInfo(
            has_next_page=len(nodes) > first,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info, count=count)


class Names(NameConverter):
    """EventConnection and EventEdge, as the contract has them, for the interface LedgerEvent."""

    def get_name_from_type(self, type_: StrawberryType | type) -> str:
        return super().get_name_from_type(type_).removeprefix("Ledger")
