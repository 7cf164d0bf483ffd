"""Fuzzing a running server: what it is asked is drawn elsewhere, here is what must hold of every answer.

Each holder of a key sends what `fuzzed_documents` and `fuzzed_requests` draw to a server in a process of its own. Findings
are collected, not raised: one run shows all of them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import psycopg

from caseledger.demo import fill
from caseledger.replaying import replay_all
from caseledger.settings import Settings
from caseledger.wiring import open_system, open_to_look
from domain.callers import Caller, Role
from domain.recorded import Recorded
from given import A, B, C, Stated, complained, filed, licensed, registered
from killed import environment
from ledger.entry import opened
from ledger.recorder import PostgresRecorder
from ledger.verify_database import verify_database
from processes import Process
from wholeness import check_read_models, readers

HOLDERS: Final[dict[str, dict[str, Any]]] = {
    "regulator": {"role": "regulator", "authority": "MIIT"},
    "provincial": {"role": "regulator", "authority": "CA-11"},
    "eraser": {"role": "regulator", "authority": "MIIT", "scopes": ["personal:read", "personal:erase"]},
    "auditor": {"role": "auditor"},
    "carrier": {"role": "carrier", "carrier": "CHINA_TELECOM"},
    "intake": {"role": "intake"},
}
"""Who holds a key, by the name that the table of a run has. Who has none is the public."""
PUBLIC: Final = "public"
EVERYONE: Final = (*HOLDERS, PUBLIC)
SEES_PERSONAL: Final = "eraser"

PHONE, SUMMARY, PERSON = "13811112222", "骚扰电话内容不得外泄", "欧阳不得见"
PERSONAL: Final = (PHONE, SUMMARY, PERSON)
"""Personal data of the ledger, which no request states and nobody but one holder may read."""

CODES: Final = frozenset(
    (
        "INVALID", "FORBIDDEN", "NOT_YET_KNOWN", "STALE", "TOO_COSTLY", "BAD_DOCUMENT", "BAD_VARIABLES", "BAD_REQUEST",
        "BAD_MEDIA_TYPE", "BAD_METHOD", "TOO_LARGE", "RATE_LIMITED", "UNAUTHENTICATED", "PERSISTED_QUERY_NOT_FOUND",
        "PERSISTED_QUERY_MISMATCH", "DOCUMENT_NOT_TRUSTED", "TIMED_OUT", "UNAVAILABLE", "RETRY_LATER", "TOO_MANY_SUBSCRIPTIONS",
    )
)  # fmt: skip
"""Every code that an error may bear; INTERNAL is none of them."""
PASSING: Final = frozenset((503, 504))
"""The refusals that the server documents for a house that is busy."""
LEAKS: Final = re.compile(
    r"Traceback \(most recent|File \"|\.py\b|site-packages|psycopg|sqlstate|graphql-core|strawberry|starlette|uvicorn|msgspec"
    r"|\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[a-z_*(]|relation \"|column \"|\b(?!RecordError)[A-Z]\w+(?:Error|Exception)\b"
    r"|object at 0x|<class '|NoneType|/usr/|/home/|/tmp/|PRIVATE KEY|sealed:\d"
)
"""What only the inside of the program says."""
EXECUTION: Final = re.compile(r"cannot represent|Cannot return null|Expected Iterable|must resolve to", re.IGNORECASE)
"""What graphql-core says where a resolver gave what its type does not allow."""
JSON_MEDIA: Final = ("application/json", "application/graphql-response+json")


class Answer(NamedTuple):
    """What came back; status 0 where the connection was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


@dataclass
class Tally:
    """What was asked and answered: cases by holder and kind, answers by holder, status and codes, and the findings."""

    cases: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    recorded: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    """Each with the first case that it was seen at."""
    found: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.cases.total()

    def note(self, holder: str, kind: str, answered: str) -> None:
        self.cases[holder, kind] += 1
        self.answers[holder, answered] += 1

    def find(self, what: str, case: str) -> None:
        self.found[what] += 1
        self.findings.setdefault(what, case)

    def table(self) -> str:
        """The run as a table: a row for each answer, a column for each holder."""
        rows = {answered: [self.answers[holder, answered] for holder in EVERYONE] for _, answered in self.answers}
        kinds = sorted({kind for _, kind in self.cases})
        lines = [("answer", *EVERYONE, "all")]
        lines += [(f"cases: {kind}", *_numbers([self.cases[each, kind] for each in EVERYONE])) for kind in kinds]
        lines += [("events recorded", *_numbers([self.recorded[each] for each in EVERYONE]))]
        lines += [(answered, *_numbers(rows[answered])) for answered in sorted(rows)]
        width = max(len(line[0]) for line in lines)
        return "\n".join(" ".join([line[0].ljust(width), *(cell.rjust(10) for cell in line[1:])]) for line in lines)


def _numbers(row: list[int]) -> list[str]:
    return [str(each) for each in (*row, sum(row))]


@dataclass
class Ground:
    """A server on a ledger with a history, and who speaks to it."""

    settings: Settings
    process: Process
    url: str
    secrets: dict[str, str]
    log: list[Recorded]
    """What is recorded when it begins."""
    database: psycopg.Connection[Any]
    tally: Tally = field(default_factory=Tally)

    def head(self) -> int:
        row = self.database.execute("SELECT position FROM head").fetchone()
        assert row is not None
        return int(row[0])

    def bearer(self, holder: str) -> dict[str, str]:
        secret = self.secrets.get(holder)
        return {"authorization": f"Bearer {secret}"} if secret else {}

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def check_alive(self) -> None:
        assert self.process.process.poll() is None, "the server has ended: " + "".join(self.process.err)[-2000:]


@contextmanager
def ground(settings: Settings) -> Iterator[Ground]:
    """A server on a schema that is empty; it is ended afterwards, and by SIGTERM that it follows with 0."""
    with ExitStack() as stack:
        secrets = _begin(settings)
        assert settings.database_url
        where = f"-c search_path={settings.schema}"
        database = stack.enter_context(psycopg.connect(settings.database_url, autocommit=True, options=where))
        with open_to_look(settings) as pool:
            log = [opened(found.event.data) for found in PostgresRecorder(pool).read()]
        process = Process("serve", "--port", "0", environment=environment(settings))
        stack.callback(_kill, process)
        url = process.says(r"listening on (http://\S+)").removeprefix("listening on ")
        yield Ground(settings, process, url, secrets, log, database)
        assert process.end() == 0


def _kill(process: Process) -> None:
    if process.process.poll() is None:
        process.process.kill()
        process.process.wait()


def _begin(settings: Settings) -> dict[str, str]:
    """Fills the ledger with a history and gives the keys."""
    with open_system(settings) as system:
        fill(system)
        miit = Caller(Role.REGULATOR, "fuzz", authority="MIIT")
        facts: list[Stated] = [
            registered(legalRepresentative=PERSON),
            registered(uscc=B, province="31"),
            registered(uscc=C, province="44", legalRepresentative=PERSON),
            licensed(licenceNo="F-1"),
            filed(number="95987"),
            complained(complaintId="C-kept", complainantPhone=PHONE, summary=SUMMARY, uscc=A),
        ]
        made = system.ledger.record(miit, "fuzz", facts)
        assert made.refusals == (), [one.text.en for one in made.refusals]
        return {name: system.keys.create(name=name, **held)[0] for name, held in HOLDERS.items()}


# What must hold of an answer


def check_answer(ground: Ground, holder: str, answer: Answer, graphql: bool) -> Iterator[str]:
    """What is wrong with an answer; `graphql` says that it has to be GraphQL over HTTP."""
    if answer.status >= 500 and answer.status not in PASSING:
        yield f"the status is {answer.status}"
    text = answer.content.decode("utf-8", "replace")
    yield from check_text(ground, holder, text, entries=answer.media == "application/octet-stream")
    if answer.status in (429, 503) and "retry-after" not in answer.headers:
        yield f"{answer.status} without Retry-After"
    if answer.status == 401 and "www-authenticate" not in answer.headers:
        yield "401 without WWW-Authenticate"
    if answer.status == 405 and "allow" not in answer.headers:
        yield "405 without Allow"
    if graphql:
        yield from _check_graphql(answer)


def check_text(ground: Ground, holder: str, text: str, entries: bool = False) -> Iterator[str]:
    """What of the inside, and of persons, a text gives away."""
    if not entries and (found := LEAKS.search(text)):
        yield f"“{found[0]}” is of the inside"
    if holder != SEES_PERSONAL and any(each in text for each in PERSONAL):
        yield "it holds personal data"
    if any(secret in text for secret in ground.secrets.values()):
        yield "it holds a key"


def _check_graphql(answer: Answer) -> Iterator[str]:
    if answer.status in (204, 304):
        return
    if answer.media not in JSON_MEDIA:
        yield f"{answer.status} is of the media type {answer.media!r}"
        return
    try:
        body = json.loads(answer.content, parse_constant=_no_constant)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        yield "it is no JSON"
        return
    yield from check_body(body)
    if isinstance(body, dict) and ("data" in body) != (answer.status == 200) and answer.media == JSON_MEDIA[1]:
        yield f"{answer.status} {'with' if 'data' in body else 'without'} data"
    if isinstance(body, dict) and answer.status != 200 and "data" in body:
        yield f"{answer.status} with data"


def _no_constant(name: str) -> None:
    raise ValueError(name)


def check_body(body: Any) -> Iterator[str]:
    """What is wrong with a GraphQL response (GraphQL §7)."""
    if not isinstance(body, dict) or not body or not set(body) <= {"data", "errors", "extensions"}:
        yield "it is no GraphQL response"
        return
    if not {"data", "errors"} & set(body):
        yield "it has neither data nor errors"
    if not isinstance(body.get("data"), dict | None) or not isinstance(body.get("extensions", {}), dict):
        yield "data and extensions are objects"
    errors = body.get("errors", [{}])
    if not isinstance(errors, list) or not errors:
        yield "errors is a list with at least one"
        return
    for error in body.get("errors", []):
        yield from _check_error(error)


def _check_error(error: Any) -> Iterator[str]:
    if not isinstance(error, dict) or not set(error) <= {"message", "locations", "path", "extensions"}:
        yield "an error is no GraphQL error"
        return
    message, code = error.get("message"), (error.get("extensions") or {}).get("code")
    if not isinstance(message, str) or not message:
        yield "an error has no message"
    elif EXECUTION.search(message) and "path" in error:
        yield f"a resolver gave what its type does not allow: {message}"
    if code not in CODES:
        yield f"an error bears the code {code}"
    if not all(isinstance(each, str | int) for each in error.get("path", [])):
        yield "a path is of names and places"


def codes_of(answer: Answer) -> str:
    """The status and the codes of an answer, as a row of the table is named."""
    if not answer.status:
        return "closed"
    try:
        body = json.loads(answer.content) if answer.media in JSON_MEDIA else {}
    except (ValueError, RecursionError):
        body = {}
    errors = body.get("errors") if isinstance(body, dict) else None
    codes = {(error.get("extensions") or {}).get("code") for error in errors or []}
    return " ".join([str(answer.status), *sorted(map(str, codes))])


# What must hold at the end


def check_end(ground: Ground) -> Iterator[str]:
    """What is wrong with the ledger, and with what the server wrote to its log, when all is over."""
    said = "".join([*ground.process.out, *ground.process.err])
    if any(each in said for each in PERSONAL) or any(each in said for each in ground.secrets.values()):
        yield "the log holds personal data or a key"
    for line in said.splitlines():
        if "unexpected" in line:
            yield f"the log says: {line[:2000]}"
    with open_to_look(ground.settings) as pool:
        signed, _ = verify_database(pool, readers=readers)
        log = [opened(found.event.data) for found in PostgresRecorder(pool).read()]
        if signed is None or signed.size != len(log):
            yield "the newest checkpoint does not cover the log"
        check_read_models(pool, log)
        replayed = replay_all(pool, ground.settings.schema, processes=1)
        if replayed.differences or not replayed.decisions:
            yield f"{len(replayed.differences)} of {replayed.decisions} decisions replay differently"
