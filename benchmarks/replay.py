"""Replay: how many recorded decisions are decided again from the log in a second, by one process.

Beside it the naive way: each decision by itself, its streams read and folded for it alone.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from random import Random
from time import perf_counter
from typing import Final

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from benchmarks.enterprises import CARRIERS, append, code, lives, service_number
from benchmarks.harness import AtLeast, Comparison, Result, a_system, progress, scaled
from caseledger.replaying import replay_all
from caseledger.wiring import System
from domain.events import GateDecided
from domain.facts import Facts, Moment
from domain.live import ask, tags_read
from domain.recorded import tags_of
from domain.requests import ALL_CHECKED, AccessRequest, CooperationRequest, LicenceRequest, NumberFilingRequest, Request
from domain.rulebook import RULEBOOK
from domain.vocabulary import BusinessForm, Directions, LicenceRoute
from ledger.entry import Draft, data_of, draft, opened
from ledger.replay import replay
from ledger.streams import Streams

ENTERPRISES: Final = 1_000
DECISIONS: Final = 20_000
TOGETHER: Final = 1_000
"""Decisions made at one head."""
NAIVELY: Final = 500
"""Decisions that the naive way decides in a round."""
TARGET: Final = 2_000.0


def run() -> Iterator[Result]:
    enterprises, decisions = scaled(ENTERPRISES), scaled(DECISIONS)
    with a_system() as system:
        append(system.ledger.recorder, lives(range(enterprises)))
        _decide(system, enterprises, decisions)
        comparison = Comparison(
            name="replay",
            unit="decisions/s",
            ours=lambda: _all_by_one_process(system, decisions),
            against="one decision at a time",
            other=lambda: _one_at_a_time(system, min(NAIVELY, decisions)),
            target=AtLeast(TARGET),
            size=decisions,
        )
        yield comparison.measured()


def _all_by_one_process(system: System, decisions: int) -> float:
    begun = perf_counter()
    report = replay_all(system.pool, system.settings.schema, processes=1)
    taken = perf_counter() - begun
    assert (report.decisions, report.differences) == (decisions, []), "a decision did not come out as recorded"
    return decisions / taken


def _one_at_a_time(system: System, decisions: int) -> float:
    recorder = system.ledger.recorder
    begun = perf_counter()
    query = DCBQuery(items=[DCBQueryItem(types=[GateDecided.__name__])])
    for found in islice(recorder.read(query), decisions):
        (made,) = replay(Streams(recorder), [opened(found.event.data)])
        assert made.matches
    return decisions / (perf_counter() - begun)


def _decide(system: System, enterprises: int, decisions: int) -> None:
    """Records decisions about random enterprises, as the ledger would: on what is known at the head."""
    chance = Random(0)  # noqa: S311  # repeatable
    for made in progress("decisions", range(0, decisions, TOGETHER)):
        together = min(TOGETHER, decisions - made)
        asked = [(_request(chance, enterprises), _day(chance)) for _ in range(together)]
        tags = {tag for request, on in asked for tag in tags_read(request, Moment(on))}
        head, streams = system.ledger.streams.read(tags)
        append(system.ledger.recorder, [_decided(*one, made + place, head, streams) for place, one in enumerate(asked)])


def _day(chance: Random) -> date:
    return date(2020, 6, 18) + timedelta(days=chance.randrange(1_800))


def _request(chance: Random, enterprises: int) -> Request:
    number = chance.randrange(enterprises)
    uscc, carrier, asked = code(number), chance.choice(CARRIERS), service_number(number)
    return chance.choice(
        (
            CooperationRequest(uscc=uscc, carrier=carrier),
            AccessRequest(uscc=uscc, carrier=carrier, number=asked, directions=Directions.INBOUND, checked=ALL_CHECKED),
            NumberFilingRequest(uscc=uscc, number=asked, carriers=(carrier,), directions=Directions.INBOUND),
            LicenceRequest(
                uscc=uscc,
                form=BusinessForm.CALL_CENTRE,
                route=LicenceRoute.STANDARD,
                marketing_outbound=False,
                undertaking_filed=True,
            ),
        )
    )


def _decided(request: Request, on: date, number: int, head: int, streams: Mapping[str, Facts]) -> Draft:
    version = RULEBOOK.in_force_on(on)
    answer = ask(request, Moment(on, head), streams)
    decision = GateDecided(
        decision_id=f"decision-{number}",
        gate=request.gate,
        uscc=request.uscc,
        request=data_of(request),
        as_of=on,
        known_at=head,
        rulebook=version.version,
        outcome=answer.outcome,
        reasons=answer.reasons,
        requested_by="carrier:CHINA_TELECOM:benchmark",
    )
    return draft(decision, tags_of(decision), on, decision.requested_by)
