"""An entry as a CloudEvent: version 1.0, structured mode, JSON.

source           TAG:log/NAME, the ledger by the name that its checkpoints have
id               the entry's random UUID: source and id together are this event wherever it is met
type             caseledger.TYPE, the event's type as it is recorded under
subject          the enterprise that the event bears, if it bears one
time             when it happened: the day of effect at its begin in China, since the law dates facts by days
recordedtime     when the ledger recorded it
sequence         its position, 19 digits, so that texts order as positions do
dataschema       TAG:schema/TYPE/VERSION; the data are always of today's version, whatever version was stored
data             what a client states of the fact (the contract's FactInput), and what the ledger adds to it
recordedby       who recorded it
withheld         only where personal fields were given: their names; the fields themselves are left out, sealed or not
refs             only where the data name positions of this ledger: POSITION=ID for each, so that who imports the
                 event finds what it speaks of under its own position
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Any, Final
from urllib.parse import quote

from domain.events import Event, EventVoided, ListEntryMade
from domain.identifiers import SHANGHAI, instant_text
from domain.recorded import Recorded
from domain.shape import fields_of
from ledger.entry import data_of

SPECVERSION: Final = "1.0"
MEDIA_TYPE: Final = "application/cloudevents+json"
DATA_TYPE: Final = "application/json"
TYPE_PREFIX: Final = "caseledger."
TAG: Final = "tag:caseledger,2026:"
"""A tag URI (RFC 4151): it names, and claims no place in the web."""
LEDGERS: Final = f"{TAG}log/"
"""What the source of every event of a ledger begins with."""


def cloud_event(recorded: Recorded, log_name: str, ids: Mapping[int, str] | None = None) -> dict[str, Any]:
    """The event as an object that JSON can hold. `log_name` is that of the ledger's verifier key.

    `ids` has the UUID of each event that `positions_named` names; where it has none, `refs` leaves that position out.
    """
    event = recorded.event
    attributes: dict[str, Any] = {
        "specversion": SPECVERSION,
        "id": recorded.id,
        "source": source_of(log_name),
        "type": f"{TYPE_PREFIX}{recorded.type}",
        "time": datetime.combine(recorded.effective_on, time(), SHANGHAI).isoformat(),
        "dataschema": dataschema_of(type(event)),
        "datacontenttype": DATA_TYPE,
        "recordedtime": instant_text(recorded.recorded_at),
        "sequence": f"{recorded.position:019d}",
        "recordedby": recorded.recorded_by,
    }
    if recorded.uscc:
        attributes["subject"] = recorded.uscc
    data = data_of(event)
    if withheld := sorted(personal_fields(type(event)) & data.keys()):
        attributes["withheld"] = ",".join(withheld)
    if refs := [f"{named}={ids[named]}" for named in positions_named(event) if ids and named in ids]:
        attributes["refs"] = " ".join(refs)
    return {**attributes, "data": stated(recorded)}


def stated(recorded: Recorded) -> dict[str, Any]:
    """The fields of the event, personal ones left out, with its day of effect and whether it is a fact of the past."""
    hidden = personal_fields(type(recorded.event))
    data = {name: value for name, value in data_of(recorded.event).items() if name not in hidden}
    data["effectiveOn"] = recorded.effective_on.isoformat()
    if recorded.historical:
        data["historical"] = True
    return data


def source_of(log_name: str) -> str:
    """The URI of a ledger."""
    return f"{LEDGERS}{quote(log_name)}"


def dataschema_of(cls: type[Event]) -> str:
    """The URI of what an event type's data are."""
    return f"{TAG}schema/{cls.__name__}/{cls.schema_version}"


def personal_fields(cls: type[Event]) -> set[str]:
    """The contract names of an event type's personal fields."""
    return {field.sent_as for field in fields_of(cls) if field.personal}


def positions_named(event: Event) -> Iterable[int]:
    """The positions of other events that this fact speaks of."""
    if isinstance(event, EventVoided):
        return (event.position,)
    return event.basis if isinstance(event, ListEntryMade) else ()
