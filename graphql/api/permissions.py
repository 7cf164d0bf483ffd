"""The permission matrix (`domain.matrix`) at the fields of the schema: who asks for what is not theirs gets FORBIDDEN.

The fields are guarded where the schema is made, and asked before anything is read, so that what is
forbidden is so by the same way whether it is there or not, and no resolver can forget it.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema

from api.context import Context, Info
from api.errors import forbidden
from domain.callers import Caller
from domain.events import EVENTS
from domain.matrix import FIELDS, Reach, Row

ROOTS: Final = ("Query", "Mutation", "Subscription")
"""Types whose every row is looked at. Of others it is those that some who reach the type may not see."""
AS_DATA: Final = ("Mutation.record", "Mutation.decideGate", "Mutation.drawInspection")
"""Whose refusals are data in `errors` (the contract), by the ledger, fact by fact."""


def reach(caller: Caller, field: str) -> Reach:
    """How far a caller reaches at “Type.field”."""
    return caller.reach(FIELDS[field])


def is_insider(caller: Caller) -> bool:
    """Whether a caller sees every event."""
    return reach(caller, "Ledger.events") is Reach.ALL


def own_only(info: Info, field: str) -> bool:
    """Whether rows that are not the caller's own are to be left out at this field."""
    return reach(info.context.caller, field) is Reach.OWN


def rows_of(schema: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField, Row]]:
    """Type, name, field and row of every field of a schema but those of event types. Raises KeyError without a row."""
    for owner, type_ in schema.type_map.items():
        is_own = not owner.startswith("__") and owner not in EVENTS
        if is_own and isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            yield from ((owner, name, field, FIELDS[f"{owner}.{name}"]) for name, field in type_.fields.items())


def guard(schema: GraphQLSchema) -> None:
    """Guards the fields of a schema by their rows."""
    rows = list(rows_of(schema))
    for owner, name, field, row in rows:
        reaching = {role for of, _, _, other in rows if of == owner for role in _reaching(other)}
        is_root = owner in ROOTS and bool(_refusing(row))
        named = f"{owner}.{name}"
        if named in AS_DATA or not (is_root or reaching & _refusing(row)):
            continue
        # A subscription is refused before it begins, and its results are its own.
        if field.subscribe:
            field.subscribe = _guarded(field.subscribe, named, row)
        else:
            assert field.resolve, "every field of the library has a resolver"
            field.resolve = _guarded(field.resolve, named, row)


def _guarded(answer: Callable[..., Any], named: str, row: Row) -> Callable[..., Any]:
    @wraps(answer)
    def guarded(source: Any, info: Any, **arguments: Any) -> Any:
        context: Context = info.context
        if context.caller.reach(row) is Reach.NONE:
            raise forbidden(named)
        return answer(source, info, **arguments)

    return guarded


def _reaching(row: Row) -> set[str]:
    return {role for role in Row._fields if getattr(row, role) in (Reach.ALL, Reach.OWN)}


def _refusing(row: Row) -> set[str]:
    return {role for role in Row._fields if getattr(row, role) is Reach.NONE} | ({"scope"} if row.scope else set())
