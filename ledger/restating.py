"""An event of one ledger as a fact that a client states, for another ledger to take.

A decision rests on what its own ledger knew, and no other ledger can make it again. So a fact that needed one is stated
as a fact of the past, without the decision's id and the justification, and an inspection without the draw that chose the
enterprise. Decisions, draws and erasures are no facts for others; nor are the rulebook's versions, which every ledger
adopts by itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.decide import LEDGER
from domain.events import EVENTS, EventVoided, ListEntryMade, RulebookAdopted

OF_DECISIONS: Final = ("decisionId", "justification")
OF_DRAWS: Final = ("drawId",)
BASIS: Final = "basis"
POSITION: Final = "position"


def field_of(type_: str) -> str:
    """The field of the contract's FactInput that states events of a type."""
    return f"{type_[0].lower()}{type_[1:]}"


_VOID: Final = field_of(EventVoided.__name__)
_ENTRY: Final = field_of(ListEntryMade.__name__)


def is_the_ledgers_own(type_: str, recorded_by: str) -> bool:
    """Whether a ledger made an event of a known type by itself, so that no other takes it."""
    return EVENTS[type_].by_ledger or (type_ == RulebookAdopted.__name__ and recorded_by == LEDGER)


def restated(type_: str, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The fact that a client would state, by its field of FactInput; `data` as a CloudEvent has them."""
    cls = EVENTS[type_]
    hidden = {*_added(cls), *OF_DRAWS, *(OF_DECISIONS if cls.gated else ())}
    fact = {name: value for name, value in data.items() if name not in hidden}
    if cls.gated:
        fact["historical"] = True
    return field_of(type_), fact


def positions_stated(name: str, fact: Mapping[str, Any]) -> list[int]:
    """The positions that a fact names, as far as they are whole numbers."""
    named = fact.get(POSITION) if name == _VOID else fact.get(BASIS) if name == _ENTRY else None
    return [each for each in (named if isinstance(named, list) else [named]) if type(each) is int]


def placed(name: str, fact: Mapping[str, Any], positions: Mapping[int, int]) -> dict[str, Any]:
    """The fact with the positions that it names as the ledger has them that takes it, by those of the ledger it is of."""
    if name == _VOID:
        return {**fact, POSITION: positions[fact[POSITION]]}
    return {**fact, BASIS: [positions[each] if type(each) is int else each for each in fact[BASIS]]}


def placeless(name: str, fact: Mapping[str, Any]) -> dict[str, Any]:
    """The fact, of another type than a void, without the positions that it names."""
    return {key: value for key, value in fact.items() if name != _ENTRY or key != BASIS}


def _added(cls: type[Any]) -> set[str]:
    """The contract names of the fields that the ledger adds to what a client states."""
    return {cls.__struct_encode_fields__[cls.__struct_fields__.index(name)] for name in cls.added_by_ledger}
