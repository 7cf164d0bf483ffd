"""Lag: from the acknowledgement of a record to the answer of a question that must know it, at 1,000 events a second.

A server process is sent facts over HTTP in parts of ten, each part when it is due. Every fifth acknowledgement is followed
by a question to the read models with the acknowledged head as its `knownAt`; beside it the same question, under the same
load, about a position that is long known.
"""

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from queue import SimpleQueue
from time import perf_counter, sleep
from typing import Any, Final

import httpx

from benchmarks.enterprises import code, filled, service_number
from benchmarks.harness import AtMost, Comparison, Result, a_home, scaled
from benchmarks.servers import listening

RATE: Final = 1_000
"""Events a second."""
TOGETHER: Final = 10
"""Facts of one request."""
SECONDS: Final = 10
ENTERPRISES: Final = 500
WRITERS: Final = 4
READERS: Final = 2
EVERY: Final = 5
TARGET: Final = 250.0
RECORD: Final = "mutation ($input: RecordInput!) { record(input: $input) { head errors { code } } }"
ASK: Final = """query ($usccs: [USCC!]!, $knownAt: Position) {
  creditStatuses(usccs: $usccs, knownAt: $knownAt) { status knownAt }
}"""

_numbers = count()


@dataclass
class Round:
    """One run of the load: what every question took, in milliseconds."""

    url: str
    key: str
    known_at: int | None
    """The position that is asked about; None: the one that was acknowledged."""
    parts: int
    taken: list[float] = field(default_factory=list)
    acknowledged: SimpleQueue[tuple[float, int] | None] = field(default_factory=SimpleQueue)
    begun: float = 0.0

    def p99(self) -> float:
        """The time within which 99 of 100 questions were answered."""
        self.begun = perf_counter()
        readers = [threading.Thread(target=self._read) for _ in range(READERS)]
        writers = [threading.Thread(target=self._write, args=(place,)) for place in range(WRITERS)]
        for thread in (*readers, *writers):
            thread.start()
        for writer in writers:
            writer.join()
        late = perf_counter() - self.begun - self.parts * TOGETHER / RATE
        if late > 1.0:
            print(
                f"lag: the load came {late:.1f} s late, so it was of less than {RATE:,} events a second",
                file=sys.stderr,
            )
        for _ in readers:
            self.acknowledged.put(None)
        for reader in readers:
            reader.join()
        assert len(self.taken) == sum(1 for part in range(self.parts) if part % EVERY == 0), "a question failed"
        return sorted(self.taken)[int(len(self.taken) * 0.99)]

    def _write(self, place: int) -> None:
        with self._client() as client:
            for part in range(place, self.parts, WRITERS):
                wait = self.begun + part * TOGETHER / RATE - perf_counter()
                if wait > 0:
                    sleep(wait)
                answer = _post(client, RECORD, {"input": _facts()})["record"]
                assert not answer["errors"], answer["errors"]
                if part % EVERY == 0:
                    self.acknowledged.put((perf_counter(), answer["head"]))

    def _read(self) -> None:
        with self._client() as client:
            while item := self.acknowledged.get():
                at, head = item
                asked = head if self.known_at is None else self.known_at
                begun = at if self.known_at is None else perf_counter()
                (answer,) = _post(client, ASK, {"usccs": [code(1)], "knownAt": asked})["creditStatuses"]
                assert answer["knownAt"] == asked
                self.taken.append((perf_counter() - begun) * 1_000)

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=30)


def run() -> Iterator[Result]:
    parts = scaled(SECONDS * RATE) // TOGETHER
    with a_home() as home:
        key, head = filled(home, ENTERPRISES, role="regulator", authority="MIIT")
        with listening("caseledger.main", "serve", "--port", "0", home=home) as url:
            Round(url, key, None, parts).p99()
            yield Comparison(
                name="lag-p99",
                unit="ms",
                ours=lambda: Round(url, key, None, parts).p99(),
                against="the same question about what is long known",
                other=lambda: Round(url, key, head, parts).p99(),
                target=AtMost(TARGET),
                size=parts * TOGETHER,
            ).measured()


def _facts() -> dict[str, Any]:
    """Ten facts about as many enterprises: half of them change what a credit status is made from."""
    first = next(_numbers) * TOGETHER
    facts = [_fact(first + place) for place in range(TOGETHER)]
    return {"idempotencyKey": f"lag-{first}", "facts": facts}


def _fact(number: int) -> dict[str, Any]:
    enterprise = number % ENTERPRISES
    if number % 2:
        interview = {"caseId": f"L-{number}", "authority": "MIIT", "topics": "calls", "becauseOf": "HARASSING_CALLS"}
        return {"interviewHeld": {"uscc": code(enterprise), **interview}}
    called_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    complaint = {
        "complaintId": f"L-{number}",
        "uscc": code(enterprise),
        "channel": "HOTLINE_12321",
        "displayedNumber": service_number(enterprise),
        "calledAt": called_at,
        "category": "HARASSING",
    }
    return {"complaintReceived": complaint}


def _post(client: httpx.Client, query: str, variables: dict[str, Any]) -> Any:
    body = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in body, body["errors"]
    return body["data"]
