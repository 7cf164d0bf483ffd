"""Hot: how many times a second an enterprise's credit is asked over HTTP, beside three other servers.

Each server is a process of its own on one database, asked by one client over raw sockets; server, database and client
share the machine. Answers are compared before anything is measured.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import psycopg

from benchmarks.enterprises import code, filled
from benchmarks.harness import AtLeast, AtMost, Comparison, Result, a_home, scaled
from benchmarks.load import load, post
from benchmarks.servers import listening, started
from caseledger.postgres import CarriedPostgres

ENTERPRISES: Final = 1_000
REQUESTS: Final = 10_000
SIMPLE: Final = "query Status($uscc: USCC!) { creditStatus(uscc: $uscc) { uscc status knownAt } }"
HOT: Final = """query Credit($uscc: USCC!) {
  enterprise(uscc: $uscc) { name credit { status reasons { rule message positions } } }
}"""
PACKAGES: Final = ("fastify@5", "mercurius@16", "graphql@16", "graphql-jit@0.8", "pg@8")
FOLDER: Final = Path(__file__).parent


class Asked:
    """A server under load."""

    def __init__(self, url: str, key: str, query: str, codes: Sequence[str], number: int = REQUESTS) -> None:
        self.url = url
        self._number = scaled(number)
        self._headers = [("authorization", f"Bearer {key}")]
        self._bodies = [msgspec.json.encode({"query": query, "variables": {"uscc": uscc}}) for uscc in codes]
        self._requests = [post("/graphql", body, self._headers) for body in self._bodies]
        self.rate()

    def rate(self) -> float:
        """Answers a second, as many as can be had."""
        return load(self._port, self._requests, self._number).rate

    def p99_at_half(self) -> float:
        """The time, in milliseconds, within which 99 of 100 answers come at half of the rate that can be had now."""
        return load(self._port, self._requests, self._number, self.rate() / 2).p99

    def answers(self, number: int = 20) -> list[bytes]:
        with httpx.Client(base_url=self.url, headers={"content-type": "application/json"}) as client:
            sent = self._bodies[:number]
            return [client.post("/graphql", content=body, headers=dict(self._headers)).content for body in sent]

    def told(self) -> list[Any]:
        """The data of some answers: only ours say what they cost as well."""
        return [msgspec.json.decode(answer)["data"] for answer in self.answers()]

    @property
    def _port(self) -> int:
        return int(self.url.rpartition(":")[2])


def run() -> Iterator[Result]:
    codes = [code(number) for number in range(scaled(ENTERPRISES))]
    with a_home() as home, ExitStack() as stack:
        key, _ = filled(home, len(codes), role="auditor")
        served = stack.enter_context(listening("caseledger.main", "serve", "--port", "0", home=home))
        ours = Asked(served, key, HOT, codes)
        at = stack.enter_context(listening("benchmarks.peers", "plain", str(home)))
        plain = Asked(at, key, HOT, codes, REQUESTS // 10)
        assert ours.told() == plain.told()
        bare = _bare(home, stack, key, codes, ours)
        yield _beside("hot", ours, "a bare Starlette endpoint", bare, 0.7)
        yield _beside("hot-strawberry", ours, "plain Strawberry", plain, 3.0)
        yield Comparison(
            name="hot-p99",
            unit="ms",
            ours=ours.p99_at_half,
            against="the bare endpoint, at half of its own",
            other=bare.p99_at_half,
            target=AtMost(10.0),
            size=scaled(REQUESTS),
        ).measured()
        mercurius = _mercurius(home, stack)
        if mercurius:
            simple, peer = (Asked(url, key, SIMPLE, codes) for url in (served, mercurius))
            assert simple.told() == peer.told()
            yield _beside("hot-mercurius", simple, "Mercurius with graphql-jit", peer, 1.5)


def _beside(name: str, ours: Asked, against: str, other: Asked, times: float) -> Result:
    return Comparison(
        name=name,
        unit="answers/s",
        ours=ours.rate,
        against=against,
        other=other.rate,
        target=AtLeast(times=times),
        size=scaled(REQUESTS),
    ).measured()


def _bare(home: Path, stack: ExitStack, key: str, codes: Sequence[str], ours: Asked) -> Asked:
    """The bare endpoint, with the very bytes of our answers in a table of its own."""
    conninfo = stack.enter_context(CarriedPostgres(home)).conninfo
    with psycopg.connect(conninfo) as database:
        database.execute("CREATE TABLE hot_answers (uscc text PRIMARY KEY, body bytea NOT NULL)")
        rows = list(zip(codes, ours.answers(len(codes)), strict=True))
        database.cursor().executemany("INSERT INTO hot_answers VALUES (%s, %s)", rows)
    bare = Asked(stack.enter_context(listening("benchmarks.peers", "bare", conninfo)), key, HOT, codes)
    assert bare.answers() == ours.answers()
    return bare


def _mercurius(home: Path, stack: ExitStack) -> str | None:
    """Where a Mercurius server over the same tables listens; None, with the reason said, where it cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        print("hot-mercurius is left out: there is no node or no npm; install Node.js 20 or later.", file=sys.stderr)
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="caseledger-mercurius-")))
    shutil.copy(FOLDER / "mercurius.mjs", folder / "server.mjs")
    install = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--silent",
        "--ignore-scripts",
        "--fetch-retries=0",
        *PACKAGES,
    ]
    if subprocess.run(install, cwd=folder, capture_output=True, check=False).returncode:  # noqa: S603
        print("hot-mercurius is left out: npm could not install its packages; look at npm's network.", file=sys.stderr)
        return None
    conninfo = stack.enter_context(CarriedPostgres(home)).conninfo
    url, _ = stack.enter_context(started(["node", str(folder / "server.mjs"), _url(conninfo)], os.environ.copy()))
    return url


def _url(conninfo: str) -> str:
    """A conninfo as JSON, which the other server reads."""
    return msgspec.json.encode(psycopg.conninfo.conninfo_to_dict(conninfo)).decode()
