"""Lag: from the acknowledgement of a record to the answer of a question that must know it, at 1,000 events a second.

A server process is sent facts over HTTP in parts of ten, each part when it is due, whatever the others wait for. Every
fifth acknowledgement is followed at once by a question to the read models with the acknowledged head as its `knownAt`;
beside it the same question, under the same load, about a position that is long known.

How much was acknowledged a second is a figure of its own: a lag under a smaller load is not met, whatever it is.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import Any, Final

import msgspec
import uvloop

from benchmarks.enterprises import code, filled, service_number
from benchmarks.harness import AtLeast, AtMost, Comparison, Result, a_home, found, scaled
from benchmarks.lines import Lines
from benchmarks.load import post
from benchmarks.memory import MOST, held
from benchmarks.servers import listening_process

RATE: Final = 1_000
"""Events a second."""
TOGETHER: Final = 10
"""Facts of one request."""
SECONDS: Final = 10
ENTERPRISES: Final = 500
EVERY: Final = 5
TARGET: Final = 250.0
ALMOST: Final = 0.97
"""Which part of the rate must be acknowledged in every round: the last part is acknowledged a moment after it is due."""
RECORD: Final = "mutation ($input: RecordInput!) { record(input: $input) { head errors { code } } }"
ASK: Final = """query ($usccs: [USCC!]!, $knownAt: Position) {
  creditStatuses(usccs: $usccs, knownAt: $knownAt) { status knownAt }
}"""

_numbers = count()


@dataclass
class Round:
    """One run of the load: what every question took, in milliseconds."""

    port: int
    key: str
    known_at: int | None
    """The position that is asked about; None: the one that was acknowledged."""
    parts: int
    taken: list[float] = field(default_factory=list)
    seconds: float = 0.0
    """From the first part's being due to the last acknowledgement."""

    def p99(self) -> float:
        """The time within which 99 of 100 questions were answered."""
        uvloop.run(self._run([self._request(RECORD, {"input": _facts()}) for _ in range(self.parts)]))
        return sorted(self.taken)[int(len(self.taken) * 0.99)]

    @property
    def rate(self) -> float:
        """Events acknowledged a second."""
        return self.parts * TOGETHER / self.seconds

    async def _run(self, requests: Sequence[bytes]) -> None:
        lines, begun = Lines(self.port), perf_counter()
        async with asyncio.TaskGroup() as group:
            for part, request in enumerate(requests):
                due = begun + part * TOGETHER / RATE
                if (wait := due - perf_counter()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._record(lines, request, begun, asks=part % EVERY == 0))
        lines.close()

    async def _record(self, lines: Lines, request: bytes, begun: float, *, asks: bool) -> None:
        body = await _body(lines, request)
        acknowledged = perf_counter()
        assert "errors" not in body, body["errors"]
        answer = body["data"]["record"]
        assert not answer["errors"], answer["errors"]
        self.seconds = max(self.seconds, acknowledged - begun)
        if asks:
            position = answer["head"] if self.known_at is None else self.known_at
            await self._ask(lines, position, acknowledged)

    async def _ask(self, lines: Lines, position: int, since: float) -> None:
        request = self._request(ASK, {"usccs": [code(1)], "knownAt": position})
        # Who is told that it is not yet known asks again, and has waited as long as that takes.
        while _code(body := await _body(lines, request)) == "NOT_YET_KNOWN":
            pass
        assert "errors" not in body, body["errors"]
        (answer,) = body["data"]["creditStatuses"]
        assert answer["knownAt"] == position
        self.taken.append((perf_counter() - since) * 1_000)

    def _request(self, query: str, variables: dict[str, Any]) -> bytes:
        body = msgspec.json.encode({"query": query, "variables": variables})
        return post("/graphql", body, [("authorization", f"Bearer {self.key}")])


def run() -> Iterator[Result]:
    parts = scaled(SECONDS * RATE) // TOGETHER
    rates: list[float] = []
    with a_home() as home:
        key, head = filled(home, ENTERPRISES, role="regulator", authority="MIIT")
        with listening_process("caseledger.main", "serve", "--port", "0", home=home) as (url, pid):
            port = int(url.rpartition(":")[2])

            def p99(known_at: int | None) -> float:
                measured = Round(port, key, known_at, parts)
                value = measured.p99()
                rates.append(measured.rate)
                return value

            before = held(pid)
            p99(None)
            rates.clear()
            lag = Comparison(
                name="lag-p99",
                unit="ms",
                ours=lambda: p99(None),
                against="the same question about what is long known",
                other=lambda: p99(head),
                target=AtMost(TARGET),
                size=parts * TOGETHER,
            ).measured()
            memory = held(pid)
    load = found("lag-load", "events/s", min(rates), "what was sent", RATE, AtLeast(ALMOST * RATE), parts * TOGETHER)
    yield load
    yield judged(lag, load)
    yield found("lag-memory", "MiB", memory, "what it held before", before, AtMost(MOST), parts * TOGETHER)


def judged(lag: Result, load: Result) -> Result:
    """The lag, which is met by nothing that was measured under less than the load."""
    return msgspec.structs.replace(lag, met=lag.met and load.met)


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


async def _body(lines: Lines, request: bytes) -> Any:
    return msgspec.json.decode((await lines.ask(request)).body)


def _code(body: Any) -> str | None:
    """The code of a request's error; None where it was answered."""
    return body["errors"][0]["extensions"]["code"] if "errors" in body else None
