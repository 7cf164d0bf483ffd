"""Whose personal data an event holds: the data subject, as it is known before it has a random id of its own.

A complaint's fields belong to the complainant, who is told by the telephone number, so that all complaints from one
number are one subject; without a number each complaint is one. A legal representative is one for each enterprise and
name: names alone do not tell people apart.
"""

import re
from typing import Final

from domain.events import ComplaintReceived, EnterpriseRegistered, Event

_NO_DIGIT: Final = re.compile(r"[^0-9]")


def complainant(phone: str) -> str:
    """The complainant of a telephone number, however its digits are set apart; the country code 86 may stand or not."""
    digits = _NO_DIGIT.sub("", phone)
    bare = digits.removeprefix("00").removeprefix("86") if len(digits) > 11 else digits
    return f"complainant:{bare or phone}"


def subject_of(event: Event) -> str | None:
    """Whose personal fields these are; None for an event that has none."""
    if isinstance(event, EnterpriseRegistered) and event.legal_representative is not None:
        return f"representative:{event.uscc}:{event.legal_representative}"
    if isinstance(event, ComplaintReceived):
        if event.complainant_phone is not None:
            return complainant(event.complainant_phone)
        if event.summary is not None:
            return f"complaint:{event.complaint_id}"
    return None
