"""An event as the ledger has it, and the tags by which it is found."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Final, get_args, get_origin, get_type_hints

import msgspec

from domain.events import ComplaintReceived, Event
from domain.kinds import Kind

BEARERS: Final = ("enterprise", "complaints", "decisions")
"""Tags whose second part is the enterprise that the event bears (§3, “Whose event”).

The rules read `enterprise:…` whole, so what may come by the million about one enterprise has tags of its own:
complaints one a day (`complaints:USCC:2020-06-18`), decisions `decisions:USCC`.
"""


# Neither it nor an event can be part of a cycle, and there are millions of them.
class Recorded(msgspec.Struct, frozen=True, gc=False):
    position: int
    id: str
    type: str
    effective_on: date
    recorded_at: datetime
    recorded_by: str
    historical: bool
    tags: tuple[str, ...]
    event: Event

    @property
    def uscc(self) -> str | None:
        return bearer(self.tags)


def bearer(tags: Iterable[str]) -> str | None:
    """The enterprise that an event with these tags bears, or None."""
    for tag in tags:
        if tag.startswith(_BEARING):
            begin = tag.index(":") + 1
            return tag[begin : begin + 18]
    return None


_BEARING: Final = tuple(f"{kind}:" for kind in BEARERS)


@cache
def tagged_fields(cls: type[Event]) -> tuple[tuple[str, str], ...]:
    """The fields of an event type that give tags, as (field, tag kind)."""
    found = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        for part in (hint, *get_args(hint)):
            if get_origin(part) is Annotated:
                found += [(name, kind.tag) for kind in part.__metadata__ if isinstance(kind, Kind) and kind.tag]
    return tuple(found)


def tags_of(event: Event) -> tuple[str, ...]:
    """The tags that an event has from its own fields."""
    tags = [
        f"{kind}:{value}" for name, kind in tagged_fields(type(event)) if (value := getattr(event, name)) is not None
    ]
    return (*tags, *event.own_tags())


def complaint_day(uscc: str, received_on: date) -> str:
    """The tag under which an enterprise's complaints of one day, their resolutions and voids are found."""
    return f"complaints:{uscc}:{received_on.isoformat()}"


def complaint_tags(event: ComplaintReceived, received_on: date, belongs_to: str | None) -> tuple[str, ...]:
    own = tags_of(event)
    return own if belongs_to is None else (*own, complaint_day(belongs_to, received_on))
