"""Short ways to write small histories down by hand."""

import datetime as dt
from typing import Any

from naive import histories, owed, refusals, rules
from naive.model import E

Written = tuple[str, str, bool, dict[str, Any]]

A, B, _ = histories.USCCS
NOW = dt.datetime(2026, 9, 30, 4, tzinfo=dt.UTC)
TODAY = dt.date(2026, 9, 30)
HARASSING = "HARASSING_CALLS"
CHECKED = dict.fromkeys(histories.CHECKS, True)


def d(text: str) -> dt.date:
    """The date that an ISO text states."""
    return dt.date.fromisoformat(text)


def fact(type_: str, on: str, historical: bool = False, /, **data: Any) -> Written:
    """A fact of A, by MIIT unless given otherwise."""
    return type_, on, historical, {"uscc": A, "authority": "MIIT", **data}


def book(*facts: Written) -> list[E]:
    """The facts as events at positions 1, 2, 3 …"""
    return [
        E(position, type_, d(on), NOW, historical, {n: v for n, v in data.items() if v is not None})
        for position, (type_, on, historical, data) in enumerate(facts, 1)
    ]


def void(position: int, on: str = "2026-01-01") -> Written:
    """The void of a position."""
    return "EventVoided", on, False, {"position": position, "reason": "误录"}


REGISTERED = fact("EnterpriseRegistered", "2016-01-04", name="甲", province="31")
LICENSED = fact(
    "LicenceGranted",
    "2016-01-04",
    True,
    licenceNo="L",
    route="COMMITMENT",
    validFrom="2016-01-04",
    validTo="2026-12-31",
)
FILED = fact(
    "NumberFiled", "2016-01-04", True, number="95012", carriers=["T"], use="客服", directions="INBOUND_AND_OUTBOUND"
)
PENALTY = fact("PenaltyImposed", "2020-03-02", documentNo="P", kinds=["WARNING"], becauseOf="OTHER")
ENTRY = fact("ListEntryMade", "2020-03-10", entryId="E", list="ADVERSE", ground="PENALTY", basis=[2])
INTERVIEW = fact("InterviewHeld", "2020-03-02", becauseOf=HARASSING)
ORDER = fact("RectificationOrdered", "2020-03-02", orderId="O", dueOn="2020-03-31")


def complaint(n: int, on: str, **data: Any) -> Written:
    """A complaint about a call from 95012 at noon of the same day, unless given otherwise."""
    said = {"displayedNumber": "95012", "calledAt": f"{on}T04:00:00.000000Z", "category": "MARKETING", "uscc": None}
    return fact("ComplaintReceived", on, False, **{"complaintId": f"C{n}", **said, **data})


def resolved(n: int, on: str, outcome: str = "SUBSTANTIATED") -> Written:
    """The resolution of a complaint."""
    return "ComplaintResolved", on, False, {"complaintId": f"C{n}", "outcome": outcome}


GRANTED = fact("AccessGranted", "2021-01-01", True, accessId="A", carrier="T", number="95012", directions="INBOUND")


def status_of(events: list[E], on: str, at: int = 99) -> str:
    """The status of A."""
    return rules.status(events, A, d(on), at)[0]


def codes(events: list[E], fact_name: str, on: str = "2020-06-01", /, **given: Any) -> set[tuple[str, str]]:
    """What is refused of a fact of A, by MIIT unless given otherwise."""
    fact_ = {"uscc": A, "authority": "MIIT", "effectiveOn": on, **given}
    return refusals.refuse(events, fact_name, fact_, now=NOW)


def access(**given: Any) -> dict[str, Any]:
    """An ACCESS request in order, unless given otherwise."""
    asked = {"uscc": A, "carrier": "T", "number": "95012", "directions": "INBOUND", "checked": CHECKED}
    return {**asked, **given}


def row(events: list[E], rule: str, on: str) -> tuple[str, str, str | None]:
    """(due, state, met on) of the one row of a rule."""
    [found] = [r for r in owed.obligations(events, A, d(on), 99) if r[0] == rule]
    return str(found[3]), found[4], None if found[5] is None else str(found[5])
