"""What a document may ask: how long and deep it is, and how often one field is asked in one place."""

from collections import Counter
from typing import Any, Final

from graphql import FieldNode, GraphQLError, SelectionSetNode, ValidationRule

MOST_TOKENS: Final = 2_000
MOST_ALIASES: Final = 15
MOST_DEPTH: Final = 12


class AliasRule(ValidationRule):
    """One field stands at most so often in one selection, under whatever aliases: each is work of its own."""

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> None:
        names = Counter(each.name.value for each in node.selections if isinstance(each, FieldNode))
        for name, count in names.items():
            if count > MOST_ALIASES:
                self.report_error(
                    GraphQLError(
                        f"Field '{name}' is asked {count} times in one selection; {MOST_ALIASES} times at most.", [node]
                    )
                )
