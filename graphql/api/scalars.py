"""The contract's scalars.

On the way in they let everything through as it was sent: what is malformed becomes data (a RecordError) in the inputs
of mutations and an INVALID error in arguments of queries, and both are said by `domain.identifiers`, not here.
"""

from datetime import date, datetime
from typing import Any, Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from domain.identifiers import instant_text

Date = NewType("Date", object)
DateTime = NewType("DateTime", object)
Position = NewType("Position", int)
USCC = NewType("USCC", str)
ServiceNumber = NewType("ServiceNumber", str)
Yuan = NewType("Yuan", str)
JSON = NewType("JSON", object)


def _as_sent(value: Any) -> Any:
    return value


def _date_text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _instant(value: object) -> str:
    return instant_text(value) if isinstance(value, datetime) else str(value)


def _scalar(name: str, description: str, serialize: Any = _as_sent) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, serialize=serialize, parse_value=_as_sent)


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Date: _scalar("Date", "A legal date: ISO 8601 calendar date in Asia/Shanghai.", _date_text),
    DateTime: _scalar("DateTime", "An instant, ISO 8601 in UTC with a trailing Z and microseconds.", _instant),
    Position: _scalar("Position", "A place in the ledger: 1, 2, 3 … without gaps. A JSON integer."),
    USCC: _scalar("USCC", "Unified social credit code, normalised to upper case."),
    ServiceNumber: _scalar("ServiceNumber", "A 95/96 service number."),
    Yuan: _scalar("Yuan", 'An amount in yuan as a decimal string with two places: "2000.00".'),
    JSON: _scalar("JSON", "Any JSON value."),
}
BY_NAME: Final[dict[str, object]] = {definition.name: key for key, definition in SCALARS.items()} | {
    "String": str,
    "Int": int,
    "Boolean": bool,
}
