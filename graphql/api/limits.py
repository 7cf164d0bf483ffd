"""What a request may ask: how much, how deep, how often and for how long.

Rules of the validation see the document alone; what it costs depends on its variables too (`api.costs`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Final

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationRule,
)


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """`depth`: fields within one another; `aliases`: names for one field in one place; `cost`: rows asked times fields."""

    tokens: int = 2_000
    depth: int = 12
    aliases: int = 15
    cost: int = 100_000


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one process takes. Rates are requests a second, of which as many again may come at once."""

    documents: DocumentLimits = DocumentLimits()
    body: int = 2 * 1024 * 1024
    """Bytes of a request's body."""
    seconds: float = 10.0
    """After so long a request is ended, in the database too."""
    rate: int = 10_000
    """Of one key."""
    public_rate: int = 500
    """Of one address without a key, or with one that is not valid."""
    trusted_only: bool = False
    """Whether carriers and the public may ask nothing but what ships with the program (`api.trusted`)."""
    origins: tuple[str, ...] = ()
    """Whose pages may read answers in a browser (CORS); `*` for all."""


DEFAULT_DOCUMENT_LIMITS: Final = DocumentLimits()
MOST_REPEATED: Final = 100
"""How often one field may stand in one place: GraphQL's own rules compare each with each."""
MOST_PLACES: Final = 1_000
INTROSPECTION_DEPTH: Final = 16
"""How deep the schema may be asked: the introspection that tools send is 15 fields deep."""


@lru_cache(maxsize=16)
def rules(limits: DocumentLimits) -> tuple[type[ASTValidationRule], ...]:
    """The limits of a document as rules, which look at its text alone and each fragment once."""
    aliases: Any = type("AliasRule", (AliasRule,), {"most": limits.aliases})
    depth: Any = type("DepthRule", (DepthRule,), {"most": limits.depth})
    return aliases, depth


class AliasRule(ValidationRule):
    """One field has at most so many names in one place: each is work of its own.

    A place is what GraphQL merges into one: the selections of all fields of one name in a place, fragments counted in.
    """

    most: ClassVar[int]

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        places, seen = [[node.selection_set]], set[frozenset[int]]()
        while places:
            place = places.pop()
            key = frozenset(map(id, place))
            if key in seen:
                continue
            seen.add(key)
            fields = list(self._fields(place, set()))
            if wrong := self._wrong(fields) or (
                len(seen) > MOST_PLACES and "The fragments spread one another too often."
            ):
                self.report_error(GraphQLError(wrong, place))
                return
            places += _within(fields)

    def _wrong(self, fields: list[FieldNode]) -> str | None:
        names: dict[str, Counter[str]] = defaultdict(Counter)
        for field in fields:
            names[field.name.value][_name(field)] += 1
        for name, asked in names.items():
            if asked.total() > MOST_REPEATED:
                return f"Field '{name}' stands {asked.total()} times in one place; {MOST_REPEATED} times at most."
            if len(asked) > self.most:
                return f"Field '{name}' is asked under {len(asked)} names in one place; {self.most} at most."
        return None

    def _fields(self, place: Iterable[SelectionSetNode], seen: set[str]) -> Iterator[FieldNode]:
        for each in chain.from_iterable(node.selections for node in place):
            if isinstance(each, FieldNode):
                yield each
            elif isinstance(each, InlineFragmentNode):
                yield from self._fields([each.selection_set], seen)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                if fragment := self.context.get_fragment(each.name.value):
                    yield from self._fields([fragment.selection_set], seen)


def _name(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value


def _within(fields: Iterable[FieldNode]) -> list[list[SelectionSetNode]]:
    """The places within one: for each name, the selections of all fields that have it."""
    found: dict[str, list[SelectionSetNode]] = defaultdict(list)
    for field in fields:
        if field.selection_set:
            found[_name(field)].append(field.selection_set)
    return list(found.values())


class DepthRule(ValidationRule):
    """Fields stand at most so deep within one another. Each fragment is measured once."""

    most: ClassVar[int]

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._measured: dict[tuple[str, bool], int] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        # Tools ask the schema deeper than anyone asks for data.
        for introspected, most in ((False, self.most), (True, max(self.most, INTROSPECTION_DEPTH))):
            depth = self._depth(node.selection_set, introspected)
            if depth > most:
                self.report_error(GraphQLError(f"The operation is {depth} fields deep; {most} at most.", [node]))
                return

    def _depth(self, node: SelectionSetNode, introspected: bool) -> int:
        return max((self._depth_of(each, introspected) for each in node.selections), default=0)

    def _depth_of(self, node: Any, introspected: bool) -> int:
        if isinstance(node, FragmentSpreadNode):
            return self._depth_of_fragment(node.name.value, introspected)
        if isinstance(node, InlineFragmentNode):
            return self._depth(node.selection_set, introspected)
        if node.name.value.startswith("__") and not introspected:
            return 0
        return 1 + (self._depth(node.selection_set, introspected) if node.selection_set else 0)

    def _depth_of_fragment(self, name: str, introspected: bool) -> int:
        key = name, introspected
        if key not in self._measured:
            # A fragment within itself is another rule's to refuse.
            self._measured[key] = 0
            fragment = self.context.get_fragment(name)
            self._measured[key] = self._depth(fragment.selection_set, introspected) if fragment else 0
        return self._measured[key]
