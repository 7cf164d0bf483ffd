"""Old versions of event types, read as today's. Each is a pure function of the stored data, from one version to the next.

What is stored never changes: an entry without `version` is of version 1, and is read through all that came after it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from domain.events import EVENTS

Data: TypeAlias = dict[str, Any]


class UnknownVersion(Exception):
    """An entry of a type or version that this program does not know: it was written by a later one."""


def _in_the_clear(data: Data) -> Data:
    """Version 1 kept personal fields as they were sent, 2 seals them; both are texts, told apart by their form."""
    return data


UPCASTERS: Final[Mapping[tuple[str, int], Callable[[Data], Data]]] = {
    ("EnterpriseRegistered", 1): _in_the_clear,
    ("ComplaintReceived", 1): _in_the_clear,
}
"""By the type and the version that is read."""


def upcast(type_: str, version: int, data: Data) -> Data:
    """The data of an old version as of today's. Raises UnknownVersion."""
    cls = EVENTS.get(type_)
    if cls is None or not 1 <= version <= cls.schema_version:
        raise UnknownVersion(
            f"This program does not know {type_} in version {version}: the ledger was written by a later one. Run that."
        )
    for step in range(version, cls.schema_version):
        data = UPCASTERS[type_, step](data)
    return data
