"""Mixed load: `python -m benchmarks.mixed` sends questions and records to a server for minutes, then kills its PostgreSQL.

300 requests a second, each when it is due: 80 of 100 ask the hot question, 15 a page of an enterprise's history, 5 record a
fact. First for LOAD_SECONDS (300) without a fault: no request may fail, and the memory of the server's processes stays
where it was after the first minute. Then the carried PostgreSQL is killed by signal 9 under the load. Until it is back,
what cannot be answered is answered by 503 with Retry-After; five seconds after its return everything is answered again. In
the end every record that was acknowledged is found once, what was not is sent again under its key and found once as well,
and `caseledger verify` holds.

A table, one line of JSON, which goes to the results file too, and exit code 1 where anything does not hold.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import mean
from time import perf_counter
from typing import Any, Final

import msgspec
import psycopg
import uvloop

from benchmarks.enterprises import code, filled
from benchmarks.harness import RESULTS, a_home, commit
from benchmarks.hot import HOT
from benchmarks.lines import Lines, Reply, Unanswered
from benchmarks.load import post
from benchmarks.memory import MOST, held
from benchmarks.servers import listening_process
from caseledger.postgres import CarriedPostgres
from caseledger.reporting import as_table
from caseledger.settings import Settings
from caseledger.wiring import open_to_look
from ledger.entry import read_entry
from ledger.recorder import PostgresRecorder

SECONDS: Final = 300
RATE: Final = 300
"""Requests a second."""
WORKERS: Final = 2
"""On a machine that is busy otherwise two went on for five minutes where one fell behind; for seconds one answers sooner."""
ENTERPRISES: Final = 1_000
PATTERN: Final = ("hot",) * 16 + ("history",) * 3 + ("record",)
KINDS: Final = ("hot", "history", "record")
SETTLED: Final = 60
"""Seconds after which memory should not grow any more."""
MOST_GROWTH: Final = 0.10
AFTER_RETURN: Final = 5.0
"""Seconds within which everything is answered again."""
GOES_ON: Final = 4.0
"""So many seconds more the load goes on after that."""
AWAY_SECONDS: Final = 60.0
"""Longest wait for PostgreSQL to come back."""
HISTORY: Final = """query Page($uscc: USCC!) {
  enterprise(uscc: $uscc) { enforcementHistory(first: 20) { totalCount edges { node { type effectiveOn position } } } }
}"""
RECORD: Final = """mutation Record($input: RecordInput!) {
  record(input: $input) { events { position } errors { code } }
}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent, and for how long."""

    seconds: float = SECONDS
    rate: float = RATE
    workers: int = WORKERS
    enterprises: int = ENTERPRISES

    @classmethod
    def of_environment(cls) -> "Plan":
        def given(name: str, usual: float) -> float:
            return float(os.environ.get(f"LOAD_{name}", usual))

        counts = (int(given(name, usual)) for name, usual in (("WORKERS", WORKERS), ("ENTERPRISES", ENTERPRISES)))
        return cls(given("SECONDS", SECONDS), given("RATE", RATE), *counts)


@dataclass(slots=True)
class Sent:
    """A request and what came of it. Times are those of `perf_counter`."""

    kind: str
    due: float
    answered: float = 0.0
    status: int = 0
    """0 for one that got no whole answer."""
    wrong: str = ""
    """What is not as it should be; empty for a good answer, and for a 503 that says when to come again."""
    case: str = ""
    """The id of the case that a record is about, which is its idempotency key as well."""

    @property
    def milliseconds(self) -> float:
        return (self.answered - self.due) * 1_000


@dataclass(slots=True)
class Run:
    """A load under way."""

    plan: Plan
    lines: Lines
    key: str
    sent: list[Sent] = field(default_factory=list)
    _chance: Random = field(default_factory=lambda: Random(5))  # noqa: S311  # repeatable
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def go_on(self, until: Callable[[], bool]) -> list[Sent]:
        """Sends what is due until it is over, waits for all answers, and gives what was sent."""
        first, begun = len(self.sent), perf_counter()
        while not until():
            due = begun + (len(self.sent) - first) / self.plan.rate
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            self._begin(due)
        while self._tasks:
            await asyncio.wait(self._tasks)
        return self.sent[first:]

    def _begin(self, due: float) -> None:
        number = len(self.sent)
        sent = Sent(self._chance.choice(PATTERN), due, case=f"load-{number}")
        self.sent.append(sent)
        task = asyncio.create_task(self.send(sent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send(self, sent: Sent) -> None:
        uscc = code(self._chance.randrange(self.plan.enterprises))
        try:
            reply = await self.lines.ask(self._request(sent, uscc))
            sent.status, sent.wrong = reply.status, _wrong(sent.kind, reply)
        except Unanswered as fault:
            sent.status, sent.wrong = 0, f"unanswered: {fault}"
        sent.answered = perf_counter()

    def _request(self, sent: Sent, uscc: str) -> bytes:
        body: dict[str, Any] = {"query": HOT if sent.kind == "hot" else HISTORY, "variables": {"uscc": uscc}}
        if sent.kind == "record":
            # The case's own enterprise, so that it says the same when it is sent again.
            about = code(int(sent.case.partition("-")[2]) % self.plan.enterprises)
            said = {"authority": "MIIT", "topics": "骚扰电话", "becauseOf": "HARASSING_CALLS"}
            fact = {"interviewHeld": {"uscc": about, "caseId": sent.case, **said}}
            body = {"query": RECORD, "variables": {"input": {"idempotencyKey": sent.case, "facts": [fact]}}}
        return post("/graphql", msgspec.json.encode(body), [("authorization", f"Bearer {self.key}")])


def _wrong(kind: str, reply: Reply) -> str:
    if reply.status == 503:
        return "" if b"retry-after" in reply.headers else "503 without Retry-After"
    if reply.status != 200:
        return f"status {reply.status}"
    answer = msgspec.json.decode(reply.body)
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    if kind == "record" and (errors := answer["data"]["record"]["errors"]):
        return str(errors[0]["code"])
    return ""


@dataclass(slots=True)
class Memory:
    """MiB of a process and its children, looked at every second while the block lasts."""

    pid: int
    seen: list[tuple[float, float]] = field(default_factory=list)

    async def watch(self) -> None:
        while True:
            self.seen.append((perf_counter(), held(self.pid)))
            await asyncio.sleep(1)

    @property
    def most(self) -> float:
        return max(size for _, size in self.seen)

    def growth(self, settled: float) -> float:
        """By which part it grew, at most, from what it was so many seconds after the first look: ten-second means."""
        begun = self.seen[0][0]
        later = [size for at, size in self.seen if at - begun >= settled]
        means = [mean(later[place : place + 10]) for place in range(max(1, len(later) - 9))]
        return max(abs(each / means[0] - 1) for each in means)


@dataclass(slots=True)
class Findings:
    """What a run came to: a line of the results file, and why it does not hold."""

    figures: dict[str, Any]
    wrong: list[str] = field(default_factory=list)

    def require(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)


async def measured(plan: Plan, home: Path, port: int, pid: int, key: str) -> tuple[Findings, Run]:
    """The load without a fault, then with PostgreSQL killed."""
    run, memory = Run(plan, Lines(port), key), Memory(pid)
    await _warm(run)
    watching = asyncio.create_task(memory.watch())
    ends = perf_counter() + plan.seconds
    steady = await run.go_on(lambda: perf_counter() >= ends)
    watching.cancel()
    findings = Findings(_times(steady))
    _judge_steady(plan, steady, memory, findings)
    killed, returned, during = await _killed(run, CarriedPostgres(home))
    _judge_outage(during, killed, returned, findings)
    findings.figures["connections"] = run.lines.opened
    return findings, run


async def _warm(run: Run) -> None:
    """Asks everything once, so that the first second is like the others."""
    plan = run.plan
    for number in range(plan.enterprises):
        request = {"query": HOT, "variables": {"uscc": code(number)}}
        await run.lines.ask(post("/graphql", msgspec.json.encode(request), [("authorization", f"Bearer {run.key}")]))


def _judge_steady(plan: Plan, steady: Sequence[Sent], memory: Memory, findings: Findings) -> None:
    failed = [each for each in steady if each.wrong or each.status != 200]
    findings.figures |= {"requests": len(steady), "errors": len(failed), "memory": round(memory.most, 1)}
    why = Counter(each.wrong or str(each.status) for each in failed)
    findings.require(not failed, f"{len(failed)} of {len(steady)} requests failed without a fault: {dict(why)}")
    findings.require(memory.most <= MOST, f"the server held {memory.most:.0f} MiB, more than {MOST:g}")
    if plan.seconds >= 2 * SETTLED:
        growth = findings.figures["growth"] = round(memory.growth(SETTLED), 4)
        findings.require(growth <= MOST_GROWTH, f"memory changed by {growth:.0%} after the first minute")


def _judge_outage(during: Sequence[Sent], killed: float, returned: float, findings: Findings) -> None:
    wrong = Counter(each.wrong for each in during if each.wrong)
    refused = [each for each in during if each.status == 503]
    recovery = max((each.answered - returned for each in refused), default=0.0)
    findings.figures |= {
        "outage": round(returned - killed, 2),
        "refused": len(refused),
        "recovery": round(max(0.0, recovery), 2),
        "outage_errors": sum(wrong.values()),
    }
    findings.require(not wrong, f"while PostgreSQL was away other errors than 503 with Retry-After came: {dict(wrong)}")
    # A short outage may be waited out: then it is the waiting that shows it.
    waited = max((each.answered - each.due for each in during), default=0.0)
    noticed = bool(refused) or waited >= (returned - killed) / 2
    findings.require(noticed, "no request noticed that PostgreSQL was killed")
    findings.require(recovery <= AFTER_RETURN, f"a 503 came {recovery:.1f} s after PostgreSQL was back")


async def _killed(run: Run, postgres: CarriedPostgres) -> tuple[float, float, list[Sent]]:
    """When PostgreSQL was killed and when it was back, and what was sent from a second before on."""
    pid, begun = postgres.pid, perf_counter()
    assert pid is not None, "the server's own PostgreSQL runs"
    times = {"killed": float("inf"), "returned": float("inf")}

    async def kill() -> None:
        await asyncio.sleep(1)
        os.kill(pid, signal.SIGKILL)
        times["killed"] = perf_counter()
        while perf_counter() < begun + AWAY_SECONDS:
            if postgres.pid not in (None, pid) and await asyncio.to_thread(_answers, postgres):
                times["returned"] = perf_counter()
                return
            await asyncio.sleep(0.02)
        raise SystemExit(f"PostgreSQL did not come back within {AWAY_SECONDS:g} seconds")

    killing = asyncio.create_task(kill())

    def is_over() -> bool:
        return killing.done() and perf_counter() >= times["returned"] + AFTER_RETURN + GOES_ON

    during = await run.go_on(is_over)
    await killing
    return times["killed"], times["returned"], during


def _answers(postgres: CarriedPostgres) -> bool:
    try:
        with psycopg.connect(postgres.conninfo, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


async def _sent_again(run: Run) -> list[str]:
    """Sends the records that were not acknowledged once more, and gives those of them that still are not."""
    unknown = [each for each in run.sent if each.kind == "record" and each.status != 200]
    again = [Sent("record", perf_counter(), case=each.case) for each in unknown]
    for each in again:
        await run.send(each)
    return [each.case for each in again if each.wrong or each.status != 200]


def _judge_ledger(home: Path, run: Run, findings: Findings) -> None:
    """Every record is found once, and the ledger verifies."""
    expected = {each.case for each in run.sent if each.kind == "record"}
    acknowledged = sum(each.kind == "record" and each.status == 200 for each in run.sent)
    with open_to_look(Settings(home=home)) as pool:
        found = Counter(_cases(PostgresRecorder(pool)))
    lost, twice = expected - found.keys(), [case for case, times in found.items() if times > 1]
    findings.figures |= {"acknowledged": acknowledged, "lost": len(lost), "twice": len(twice)}
    findings.require(not lost, f"{len(lost)} records are not in the ledger: {sorted(lost)[:5]}")
    findings.require(not twice, f"{len(twice)} records are in the ledger more than once: {twice[:5]}")
    command = [sys.executable, "-m", "caseledger.main", "verify"]
    environment = {**os.environ, "CASELEDGER_HOME": str(home)}
    verified = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).returncode  # noqa: S603
    findings.figures["verified"] = verified == 0
    findings.require(verified == 0, "caseledger verify does not hold")


def _cases(recorder: PostgresRecorder) -> Iterator[str]:
    for each in recorder.read():
        if each.event.type == "InterviewHeld":
            case = str(getattr(read_entry(each).event, "case_id", ""))
            if case.startswith("load-"):
                yield case


def _times(steady: Sequence[Sent]) -> dict[str, Any]:
    """The median and the 99th of a hundred, by kind."""
    figures: dict[str, Any] = {}
    for kind in KINDS:
        taken = sorted(each.milliseconds for each in steady if each.kind == kind and not each.wrong)
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            figures[f"{kind}_{name}"] = round(taken[int(len(taken) * part)], 2) if taken else None
    return figures


def run(plan: Plan) -> Findings:
    with a_home() as home:
        key, _ = filled(home, plan.enterprises, role="regulator", authority="MIIT")
        serve = ("caseledger.main", "serve", "--port", "0", "--workers", str(plan.workers))
        with listening_process(*serve, home=home, CASELEDGER_LOG="error") as (url, pid):
            findings, ran = uvloop.run(measured(plan, home, int(url.rpartition(":")[2]), pid, key))
            left = uvloop.run(_last(ran))
            findings.require(not left, f"records cannot be sent again: {left[:5]}")
            _judge_ledger(home, ran, findings)
    return findings


async def _last(ran: Run) -> list[str]:
    ran.lines = Lines(ran.lines.port)
    return await _sent_again(ran)


def main() -> int:
    plan = Plan.of_environment()
    findings = run(plan)
    line = {"name": "mixed", "met": not findings.wrong, **findings.figures, "seconds": plan.seconds, "rate": plan.rate}
    line |= {"workers": plan.workers, "when": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit()}
    as_table(("what", "value"), [(name, str(value)) for name, value in findings.figures.items()], of="figures")
    with RESULTS.open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")
    print(msgspec.json.encode(line).decode())
    for sentence in findings.wrong:
        print(f"mixed: {sentence}", file=sys.stderr)
    return 1 if findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
