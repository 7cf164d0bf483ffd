"""The kinds of value that a field may hold: one annotated alias each, from which everything else derives.

A kind knows how a value is checked (`domain.identifiers`), which GraphQL scalar carries it, under which tag an event
that bears it is found, and whether it is personal data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

from domain import identifiers


@dataclass(frozen=True, slots=True)
class Kind:
    scalar: str
    check: Callable[[object], Any]
    tag: str | None = None
    personal: bool = False


@dataclass(frozen=True, slots=True)
class AtLeastOne:
    """A list that may not be empty."""


Uscc = Annotated[str, Kind("USCC", identifiers.uscc, tag="enterprise")]
BelongsTo = Annotated[str, Kind("USCC", identifiers.uscc)]
"""The enterprise that a complaint names; complaints have tags of their own (see `domain.tags`)."""
ServiceNumber = Annotated[str, Kind("ServiceNumber", identifiers.service_number, tag="number")]
UsedNumber = Annotated[str, Kind("ServiceNumber", identifiers.service_number)]
"""The number that an access uses: the rules never look an access up by it, so it gives no tag."""
LegalDate = Annotated[date, Kind("Date", identifiers.legal_date)]
Instant = Annotated[str, Kind("DateTime", identifiers.instant)]
Yuan = Annotated[str, Kind("Yuan", identifiers.money)]
Position = Annotated[int, Kind("Position", identifiers.position)]
Year = Annotated[int, Kind("Int", identifiers.year)]
Campaign = Annotated[int, Kind("Int", identifiers.campaign)]
Authority = Annotated[str, Kind("String", identifiers.authority)]
Carrier = Annotated[str, Kind("String", identifiers.carrier)]
Province = Annotated[str, Kind("String", identifiers.province)]
Business = Annotated[str, Kind("String", identifiers.business)]
Name = Annotated[str, Kind("String", identifiers.name)]
Prose = Annotated[str, Kind("String", identifiers.prose)]
DisplayedNumber = Annotated[str, Kind("String", identifiers.displayed_number)]
Sha256 = Annotated[str, Kind("String", identifiers.sha256)]
Personal = Annotated[str, Kind("String", identifiers.prose, personal=True)]
"""Personal data (PIPL): shown only to holders of personal:read, never in a message, a log or a public export."""

Identifier = Annotated[str, Kind("String", identifiers.identifier)]
LicenceNo = Annotated[str, Kind("String", identifiers.identifier, tag="licence")]
AccessId = Annotated[str, Kind("String", identifiers.identifier, tag="access")]
ComplaintId = Annotated[str, Kind("String", identifiers.identifier, tag="complaint")]
InspectionId = Annotated[str, Kind("String", identifiers.identifier, tag="inspection")]
OrderId = Annotated[str, Kind("String", identifiers.identifier, tag="order")]
ExposureId = Annotated[str, Kind("String", identifiers.identifier, tag="exposure")]
EntryId = Annotated[str, Kind("String", identifiers.identifier, tag="entry")]
DecisionId = Annotated[str, Kind("String", identifiers.identifier, tag="decision")]
DrawId = Annotated[str, Kind("String", identifiers.identifier, tag="draw")]
Version = Annotated[str, Kind("String", identifiers.identifier, tag="rulebook")]

FLAG: Final = Kind("Boolean", identifiers.flag)
