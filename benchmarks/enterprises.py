"""Invented enterprises of the size of the demo's, about twenty events each, as drafts that are ready to be appended."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, Final

from eventsourcing.dcb.api import DCBEvent
from stdnum.cn import uscc as social_credit

from caseledger.settings import Settings
from caseledger.wiring import open_system
from domain.commands import command
from domain.events import ComplaintReceived, ComplaintResolved
from domain.recorded import complaint_tags, tags_of
from domain.vocabulary import ComplaintCategory, ComplaintChannel, ComplaintOutcome
from ledger.entry import Draft, draft
from ledger.recorder import PostgresRecorder

CARRIERS: Final = ("CHINA_TELECOM", "CHINA_MOBILE", "CHINA_UNICOM")
RECORDED_BY: Final = "regulator:MIIT:benchmark"
BATCH: Final = 2_000
"""Events of one append."""

Fact = tuple[int, str, dict[str, Any]]
"""On which day of the enterprise's life, which field of FactInput, and what it states besides code and date."""


def code(number: int) -> str:
    """A unified social credit code with its check character, another for each number below 10**9."""
    first = f"91110000{number:09d}"
    return first + str(social_credit.calc_check_digit(first))


def service_number(number: int) -> str:
    """The number that this enterprise has filed; the 20,001st shares it with the first."""
    prefix, rest = divmod(number % 20_000, 10_000)
    return f"{95 + prefix}{rest:04d}"


def append(recorder: PostgresRecorder, drafts: Iterable[Draft]) -> int:
    """Appends the drafts a batch at a time, and gives the head."""
    head, rest = recorder.head(), iter(drafts)
    while batch := list[DCBEvent](islice(rest, BATCH)):
        head = recorder.append(batch)
    return head


def filled(home: Path, number: int, **held: Any) -> tuple[str, int]:
    """Fills the ledger of a home with so many lives, its read models too; gives a key that is held so, and the head."""
    with open_system(Settings(home=home)) as system:
        head = append(system.ledger.recorder, lives(range(number)))
        system.runner.catch_up()
        return system.keys.create(name="benchmark", **held)[0], head


def lives(numbers: Iterable[int]) -> Iterator[Draft]:
    """The lives of these enterprises, one after another; the same for the same numbers."""
    return chain.from_iterable(life(number, Random(number)) for number in numbers)  # noqa: S311  # repeatable


def life(number: int, chance: Random) -> Iterator[Draft]:
    """One enterprise's events from its registration on; what differs from one to the next is drawn."""
    begins = date(2018, 1, 1) + timedelta(days=chance.randrange(365))
    facts = [*_registered(number, chance), *_supervised(number, chance), *_listed(number, chance)]
    for day, name, fields in sorted(facts, key=lambda fact: fact[0]):
        yield stated(name, {"uscc": code(number), **fields}, begins + timedelta(days=day))
    for day in sorted(chance.sample(range(900, 2_300), 2)):
        yield from complained(number, f"C-{number}-{day}", begins + timedelta(days=day))


def stated(name: str, fields: dict[str, Any], on: date) -> Draft:
    """The draft of a fact that needs nothing but its own fields for its tags."""
    made, refusals = command(name, {**fields, "effectiveOn": str(on)}, datetime.now(UTC))
    assert made, refusals
    return draft(made.event, tags_of(made.event), on, RECORDED_BY, historical=type(made.event).gated)


def complained(number: int, name: str, on: date) -> tuple[Draft, Draft]:
    """A substantiated complaint about the enterprise: its receipt, and its resolution on the same day."""
    received = ComplaintReceived(
        complaint_id=name,
        uscc=code(number),
        channel=ComplaintChannel.HOTLINE_12321,
        displayed_number=service_number(number),
        called_at=f"{on}T02:00:00Z",
        category=ComplaintCategory.HARASSING,
    )
    resolved = ComplaintResolved(complaint_id=name, outcome=ComplaintOutcome.SUBSTANTIATED)
    tags = complaint_tags(received, on, code(number))
    return draft(received, tags, on, RECORDED_BY), draft(resolved, tags, on, RECORDED_BY)


def _registered(number: int, chance: Random) -> Iterator[Fact]:
    """Registration, licence, number and accesses."""
    yield 0, "enterpriseRegistered", {"name": f"企业{number}", "province": "11"}
    yield 20, "siteInspected", {"authority": "CA-11", "result": "PASSED"}
    licence = {"licenceNo": f"L-{number}", "business": "B24-1", "route": "STANDARD", "provinces": []}
    term = {"validFrom": "2018-06-01", "validTo": f"{chance.randrange(2023, 2030)}-12-31"}
    yield 30, "licenceGranted", {**licence, **term, "authority": "CA-11", "historical": True}
    filed = {"number": service_number(number), "carriers": list(CARRIERS), "use": "客服", "historical": True}
    yield 60, "numberFiled", {**filed, "directions": "INBOUND_AND_OUTBOUND", "outboundUndertaking": True}
    for place, carrier in enumerate(chance.sample(CARRIERS, 2)):
        access = {"accessId": f"A-{number}-{place}", "carrier": carrier, "number": service_number(number)}
        rest = {"directions": "INBOUND", "contractNo": f"K-{number}", "historical": True}
        yield 90 + place, "accessGranted", {**access, **rest}


def _supervised(number: int, chance: Random) -> Iterator[Fact]:
    """Inspection, order, interview, exposure, penalty and annual report."""
    by, day = {"authority": "CA-11"}, chance.randrange(400, 2_500)
    because = {**by, "becauseOf": chance.choice(("HARASSING_CALLS", "OTHER"))}
    inspected = {**by, "inspectionId": f"I-{number}", "manner": "TARGETED", "violations": ["NO_CONSENT"]}
    yield day, "inspectionHeld", inspected
    ordered = {**by, "orderId": f"O-{number}", "demands": "停止外呼", "dueOn": "2027-01-01"}
    yield day + 5, "rectificationOrdered", ordered
    if chance.random() < 0.8:
        yield day + 25, "rectificationConfirmed", {"orderId": f"O-{number}"}
    yield day + 6, "interviewHeld", {**because, "caseId": f"Y-{number}", "topics": "骚扰电话"}
    yield day + 40, "exposurePublished", {**because, "exposureId": f"X-{number}", "channel": "官网"}
    penalty = {**by, "documentNo": f"京通罚{number}号"}
    imposed = {"kinds": ["WARNING"], "violation": "未经同意外呼", "basis": "办法第二十条"}
    yield day + 60, "penaltyImposed", {**penalty, **imposed, **because}
    yield day + 65, "penaltyPublicised", penalty
    yield day + 90, "penaltyPerformed", penalty
    yield 800, "annualReportDemanded", {**by, "year": 2019, "dueOn": "2020-06-30"}
    yield 850, "annualReportFiled", {"year": 2019}


def _listed(number: int, chance: Random) -> Iterator[Fact]:
    """A list entry, which some have left again."""
    if chance.random() < 0.3:
        day = chance.randrange(500, 2_500)
        entry = {"entryId": f"E-{number}", "authority": "CA-11"}
        yield day, "listEntryMade", {**entry, "list": "ADVERSE", "ground": "HARASSING_CALLS"}
        if chance.random() < 0.7:
            yield day + 365, "listEntryRemoved", {**entry, "ground": "PERIOD_ENDED"}
