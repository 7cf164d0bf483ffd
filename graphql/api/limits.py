"""What a request may ask: how much, how deep, how often and for how long.

Rules of the validation see the document alone; what it costs depends on its variables too (`api.costs`).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
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
    specified_rules,
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
INTROSPECTION_DEPTH: Final = 16
"""How deep the schema may be asked: the introspection that tools send is 15 fields deep."""


@lru_cache(maxsize=16)
def rules(limits: DocumentLimits) -> tuple[type[ASTValidationRule], ...]:
    """The rules that a document is validated by: GraphQL's own and the limits."""
    aliases: Any = type("AliasRule", (AliasRule,), {"most": limits.aliases})
    depth: Any = type("DepthRule", (DepthRule,), {"most": limits.depth})
    return (*specified_rules, aliases, depth)


class AliasRule(ValidationRule):
    """One field has at most so many names in one place, fragments counted in: each is work of its own."""

    most: ClassVar[int]

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> None:
        names: dict[str, set[str]] = defaultdict(set)
        for field in self._fields(node, set()):
            names[field.name.value].add(field.alias.value if field.alias else field.name.value)
        for name, asked in names.items():
            if len(asked) > self.most:
                self.report_error(
                    GraphQLError(
                        f"Field '{name}' is asked under {len(asked)} names in one selection; {self.most} at most.",
                        [node],
                    )
                )

    def _fields(self, node: SelectionSetNode, seen: set[str]) -> Iterator[FieldNode]:
        for each in node.selections:
            if isinstance(each, FieldNode):
                yield each
            elif isinstance(each, InlineFragmentNode):
                yield from self._fields(each.selection_set, seen)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                if fragment := self.context.get_fragment(each.name.value):
                    yield from self._fields(fragment.selection_set, seen)


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
