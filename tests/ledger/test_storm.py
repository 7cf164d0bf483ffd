"""Many deciders and recorders at once: no decision may miss what its rules read."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from domain.callers import Caller, Role
from domain.events import GateDecided
from domain.facts import Moment
from domain.live import decided_request, tags_read
from domain.recorded import Recorded
from given import A, B
from ledger.entry import opened, seal
from ledger.ledger import Ledger, Recording
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.replay import replay
from ledger.sealing import Discarding
from ledger.streams import Streams

THREADS = 32
EACH = 12
REGULATOR = Caller(Role.REGULATOR, "storm", authority="MIIT")
ENTERPRISES = [A, B]
CARRIERS = ["CHINA_TELECOM", "CHINA_MOBILE"]
NUMBERS = ["95012", "95013"]
CHECKED = dict.fromkeys(("businessLicence", "licence", "numberCertificate", "numberFiling", "businessPlan"), True)


def _request(chance: random.Random) -> dict[str, Any]:
    uscc, number, carrier = chance.choice(ENTERPRISES), chance.choice(NUMBERS), chance.choice(CARRIERS)
    return chance.choice(
        [
            {"cooperation": {"uscc": uscc, "carrier": carrier}},
            {
                "access": {
                    "uscc": uscc, "carrier": carrier, "number": number, "directions": "INBOUND", "checked": CHECKED,
                }
            },
            {"numberFiling": {"uscc": uscc, "number": number, "carriers": [carrier], "directions": "INBOUND"}},
        ]
    )  # fmt: skip


def _fact(chance: random.Random, name: str) -> tuple[str, dict[str, Any]]:
    uscc, number = chance.choice(ENTERPRISES), chance.choice(NUMBERS)
    because = {"authority": "MIIT", "becauseOf": "HARASSING_CALLS", "uscc": uscc}
    facts: list[tuple[str, dict[str, Any]]] = [
            ("interviewHeld", {**because, "caseId": name, "topics": "整改"}),
            ("exposurePublished", {**because, "exposureId": name, "channel": "通报"}),
            ("numberFiled", {
                "uscc": uscc, "number": number, "carriers": CARRIERS[:1], "use": "客服", "directions": "INBOUND",
                "historical": True,
            }),
            ("numberWithdrawn", {"uscc": uscc, "number": number, "authority": "MIIT", "reason": "收回"}),
            ("complaintReceived", {
                "complaintId": name, "channel": "OTHER", "displayedNumber": number, "calledAt": "2026-01-01T00:00:00Z",
                "category": "HARASSING",
            }),
    ]  # fmt: skip
    return chance.choice(facts)


def _work(ledger: Ledger, worker: int) -> list[Recording]:
    chance = random.Random(worker)
    done = []
    for turn in range(EACH):
        name = f"{worker}-{turn}"
        if worker % 2:
            done.append(ledger.decide_gate(REGULATOR, name, _request(chance)))
        else:
            done.append(ledger.record(REGULATOR, name, [_fact(chance, name)]))
    return done


def test_no_decision_misses_an_event_that_its_rules_read(pool: Pool) -> None:
    recorder = PostgresRecorder(pool, seal=seal)
    ledger = Ledger(recorder, Discarding())
    ledger.record(
        REGULATOR,
        "begin",
        [("enterpriseRegistered", {"uscc": uscc, "name": "甲", "province": "11"}) for uscc in ENTERPRISES],
    )
    with ThreadPoolExecutor(THREADS) as threads:
        done = [each for work in threads.map(lambda worker: _work(ledger, worker), range(THREADS)) for each in work]
    log = [opened(each.event.data) for each in recorder.read()]
    decisions = [each for each in log if isinstance(each.event, GateDecided)]

    assert [each.position for each in log] == list(range(1, len(log) + 1))
    assert len(decisions) == sum(1 for each in done for event in each.events if event.type == "GateDecided")
    assert len(decisions) > THREADS
    assert _missed(log, decisions) == []
    assert all(each.matches for each in replay(Streams(recorder), decisions))


def _missed(log: list[Recorded], decisions: list[Recorded]) -> list[tuple[int, int]]:
    """Decisions beside the events between what they knew and their own position that their rules read."""
    missed = []
    for decision in decisions:
        assert isinstance(decision.event, GateDecided)
        read = tags_read(decided_request(decision.event), Moment(decision.event.as_of))
        between = log[decision.event.known_at : decision.position - 1]
        missed += [(decision.position, event.position) for event in between if read & set(event.tags)]
    return missed
