"""The whole system on a fresh schema of the tests' PostgreSQL: ledger, projections, and the API on a real server.

def test_a_fact_is_recorded(system: System) -> None:
    system.record(registered())
    assert system.ask("{ ledger { head } }") == {"ledger": {"head": system.head}}
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import psycopg
import uvicorn
from starlette.applications import Starlette
from stdnum.cn import uscc

from api.app import DEFAULT_LIMITS, DEFAULT_REQUEST_LIMITS, create_app
from api.credentials import Issuer
from api.limits import RequestLimits
from api.measures import Measures
from api.observing import RequestLog, Watch
from api.readiness import Readiness
from api.streams import StreamLimits, Streams
from domain.callers import Caller
from domain.recorded import Recorded
from given import NOW, Stated
from ledger.credential_keys import CREDENTIAL_MIGRATIONS, CredentialKeys
from ledger.entry import opened, seal
from ledger.keys import KEY_MIGRATIONS, Keys
from ledger.ledger import Ledger
from ledger.master_keys import new_key
from ledger.migrations import LEDGER_MIGRATIONS, Database, Migration, Pool, open_pool
from ledger.notes import Signer, Verifier
from ledger.read_log import READ_LOG_MIGRATIONS, ReadLog
from ledger.recorder import PostgresRecorder
from ledger.sealing import KeyPlace, Sealer
from ledger.sessions import SESSION_MIGRATIONS
from ledger.tree import LedgerTree, Proofs
from ledger.trust import Trust
from ledger.webhooks import WEBHOOK_MIGRATIONS
from projections.all import all_projections
from projections.migrations import PROJECTION_MIGRATIONS
from projections.runner import Runner
from schemas import migrated

MIGRATIONS: Final = (
    LEDGER_MIGRATIONS
    + KEY_MIGRATIONS
    + SESSION_MIGRATIONS
    + READ_LOG_MIGRATIONS
    + PROJECTION_MIGRATIONS
    + CREDENTIAL_MIGRATIONS
    + WEBHOOK_MIGRATIONS
)
PUBLIC_URL: Final = "https://ledger.example"
ADOPTED: Final = 4
"""How many events a fresh ledger records itself: its rulebook versions."""

HOLDERS: Final[dict[str, dict[str, Any]]] = {
    "miit": {"role": "regulator", "authority": "MIIT"},
    "beijing": {"role": "regulator", "authority": "CA-11"},
    "officer": {"role": "regulator", "authority": "MIIT", "scopes": ["personal:read"]},
    "eraser": {"role": "regulator", "authority": "MIIT", "scopes": ["personal:read", "personal:erase"]},
    "auditor": {"role": "auditor"},
    "telecom": {"role": "carrier", "carrier": "CHINA_TELECOM"},
    "mobile": {"role": "carrier", "carrier": "CHINA_MOBILE"},
    "intake": {"role": "intake"},
}
"""Who holds a key, by the name that tests call them."""

RECORD: Final = """
mutation ($input: RecordInput!) {
  record(input: $input) {
    head
    replayed
    events { id position type uscc effectiveOn recordedBy historical data voidedBy }
    errors { code path message reasons { rule positions } }
  }
}
"""

READ_MODELS: Final = tuple(
    file.stem
    for migration in PROJECTION_MIGRATIONS
    for file in migration.files
    if "CREATE TABLE" in file.read_text(encoding="utf-8") and file.stem not in ("projections", "parked")
)
_ROWS: Final = "SELECT to_jsonb(row) - 'id' FROM {} AS row"

_keys = (f"key-{number}" for number in count(1))


def code(number: int, division: str = "110000", registry: str = "91") -> str:
    """A unified social credit code with its check character, another for each number; they sort by number.

    `registry`: 91 for enterprises, 11 for public bodies.
    """
    first = f"{registry}{division}{number:09d}"
    return first + str(uscc.calc_check_digit(first))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Server:
    """An application on a free port of 127.0.0.1."""

    app: Starlette
    url: str = ""
    certificate: Path | None = None
    """A file of its key and certificate, for https."""
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Server":
        config = uvicorn.Config(
            self.app,
            host="127.0.0.1",
            port=0,
            lifespan="off",
            log_config=None,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ssl_certfile=self.certificate,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server is not None and self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"{'https' if self.certificate else 'http'}://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server and self._thread
        if streams := getattr(self.app.state, "streams", None):
            streams.end()
        self._server.should_exit = True
        self._thread.join()


@dataclass
class System:
    """What runs: the parts, the server's address, and the ways in which tests speak to it."""

    schema: str
    pool: Pool
    ledger: Ledger
    runner: Runner
    clock: Clock
    keys: Keys
    signer: Signer
    sealer: Sealer
    url: str
    http: httpx.Client = field(repr=False)
    streams: Streams = field(repr=False)
    credential_keys: CredentialKeys = field(repr=False)
    readiness: Readiness = field(repr=False)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    callers: dict[str, Caller] = field(default_factory=dict, repr=False)

    @property
    def verifier(self) -> Verifier:
        return self.signer.verifier

    @property
    def recorder(self) -> PostgresRecorder:
        return self.ledger.recorder

    @property
    def head(self) -> int:
        return self.recorder.head()

    def log(self) -> list[Recorded]:
        """Every recorded event, in order."""
        return [opened(sequenced.event.data) for sequenced in self.recorder.read()]

    def record(self, *facts: Stated) -> list[Recorded]:
        """Records facts in one request, past the API; an AssertionError says why they are refused."""
        made = self.ledger.record(self.callers["miit"], next(_keys), facts)
        assert made.refusals == (), [(one.path, one.text.en) for one in made.refusals]
        return list(made.events)

    def known(self, *facts: Stated) -> list[Recorded]:
        """Records facts and waits until the read models know them."""
        recorded = self.record(*facts)
        self.settle()
        return recorded

    def tables(self) -> dict[str, list[Any]]:
        """The rows of every read model, without the ids that the database gives; the runner should stand still."""
        with self.pool.connection() as database:
            return tables(database)

    def forget(self) -> None:
        """Empties every read model, as if nothing had been projected."""
        with self.pool.connection() as database, database.transaction():
            forget(database)

    def settle(self) -> None:
        head = self.head
        assert self.runner.wait_for(head, 20) >= head

    def hand_out_keys(self) -> None:
        """Makes the keys of HOLDERS."""
        for name, held in HOLDERS.items():
            self.secrets[name], info = self.keys.create(name=name, **held)
            self.callers[name] = info.caller

    def bearer(self, name: str | None) -> dict[str, str]:
        """The header that shows a holder's key; none for None, the public."""
        return {"authorization": f"Bearer {self.secrets[name]}"} if name else {}

    def post(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        key: str | None = "miit",
        language: str = "en",
        accept: str = "application/json",
    ) -> httpx.Response:
        """One request; `key` is a name in HOLDERS, None for the public."""
        headers = {"accept": accept, "accept-language": language, **self.bearer(key)}
        return self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    def ask(self, query: str, variables: Mapping[str, Any] | None = None, **how: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.post(query, variables, **how)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def errors(self, query: str, variables: Mapping[str, Any] | None = None, **how: Any) -> list[tuple[str, str]]:
        """Code and message of every GraphQL error of an answer."""
        body = self.post(query, variables, **how).json()
        return [(error["extensions"]["code"], error["message"]) for error in body.get("errors", [])]

    def codes(self, query: str, variables: Mapping[str, Any] | None = None, **how: Any) -> list[str]:
        """The code of every GraphQL error of an answer."""
        return [found for found, _ in self.errors(query, variables, **how)]

    def send(self, *facts: Stated, key: str | None = "miit", once: str | None = None, **how: Any) -> Any:
        """The payload of `record`, by the API; `once` is the idempotencyKey, by default a new one."""
        sent = {"idempotencyKey": once or next(_keys), "facts": [{fact.name: fact.fields} for fact in facts]}
        return self.ask(RECORD, {"input": sent}, key=key, **how)["record"]

    def refused(self, *facts: Stated, **how: Any) -> set[str]:
        """The refusals of `record` as “CODE path”; an AssertionError if anything was recorded."""
        before = self.head
        payload = self.send(*facts, **how)
        assert payload["events"] == []
        assert payload["replayed"] is False
        assert payload["head"] == before == self.head
        return {f"{error['code']} {error['path']}" for error in payload["errors"]}


def tables(database: Database) -> dict[str, list[Any]]:
    """The rows of every read model, without the ids that the database gives."""
    return {name: sorted(database.execute(_ROWS.format(name).encode()), key=repr) for name in READ_MODELS}


def forget(database: Database) -> None:
    """Empties every read model, in the transaction under way."""
    for name in READ_MODELS:
        database.execute(f"DELETE FROM {name}".encode())
    database.execute("DELETE FROM parked")
    database.execute("UPDATE projections SET position = 0, stopped_at = NULL")


def fresh(conninfo: str, migrations: Sequence[Migration] = MIGRATIONS) -> AbstractContextManager[str]:
    """The name of an unused schema with the tables of the whole system, which is gone afterwards."""
    return migrated(conninfo, migrations)


@contextmanager
def running(
    conninfo: str,
    schema: str,
    signer: Signer | None = None,
    witnesses: Sequence[Verifier] = (),
    limits: StreamLimits = DEFAULT_LIMITS,
    master: str | None = None,
    trust: Trust | None = None,
    requests: RequestLimits = DEFAULT_REQUEST_LIMITS,
) -> Iterator[System]:
    """A system on a migrated schema; its rulebook versions are adopted and its read models know them."""
    clock = Clock()
    signer = signer or Signer.generate("caseledger/test")
    with open_pool(conninfo, schema, max_size=16) as pool, TemporaryDirectory() as folder:
        with pool.connection() as database:
            known = "INSERT INTO log_key (verifier) VALUES (%s) ON CONFLICT DO NOTHING"
            database.execute(known, [str(signer.verifier)])
        measures, keys = Measures(), Keys(pool)
        recorder = PostgresRecorder(pool, seal=seal, tree=LedgerTree(signer), observer=measures)
        sealer = Sealer(pool, KeyPlace(Path(), master or new_key().text))
        ledger = Ledger(recorder, sealer, clock=clock)
        ledger.adopt()
        credential_keys = CredentialKeys(pool, Path(folder) / "credential.key")
        runner, read_log = Runner(pool, recorder, all_projections(ledger.streams), measures), ReadLog(pool)
        app = create_app(
            ledger=ledger,
            pool=pool,
            sealer=sealer,
            keys=keys,
            runner=runner,
            read_log=read_log,
            issuer=Issuer(PUBLIC_URL, credential_keys, Proofs(pool)),
            migrations=MIGRATIONS,
            witnesses=witnesses,
            limits=limits,
            trust=trust,
            requests=requests,
            watch=Watch(measures, RequestLog()),
        )
        runner.start()
        try:
            with Server(app) as server, httpx.Client(base_url=server.url, timeout=60) as http:
                parts = (schema, pool, ledger, runner, clock, keys, signer, sealer)
                states = app.state.streams, credential_keys, app.state.readiness
                system = System(*parts, server.url, http, *states)
                system.hand_out_keys()
                system.settle()
                yield system
        finally:
            runner.stop()


@contextmanager
def started(
    conninfo: str,
    signer: Signer | None = None,
    witnesses: Sequence[Verifier] = (),
    limits: StreamLimits = DEFAULT_LIMITS,
    trust: Trust | None = None,
    requests: RequestLimits = DEFAULT_REQUEST_LIMITS,
) -> Iterator[System]:
    """A system on a schema of its own, signed by a key of its own where none is given."""
    with (
        fresh(conninfo) as schema,
        running(conninfo, schema, signer, witnesses, limits, trust=trust, requests=requests) as system,
    ):
        yield system


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each piece of work gives; all begin at the same moment, each in a thread of its own."""
    results: list[Any] = [None] * len(work)
    begin = threading.Barrier(len(work))

    def one(place: int) -> None:
        begin.wait()
        results[place] = work[place]()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it has not come about within {seconds:g} seconds"
        time.sleep(0.01)


@contextmanager
def head_held_still(conninfo: str, schema: str) -> Iterator[None]:
    """Somebody holds the head whose server process stands still: nobody gets it while the database goes down."""
    with closing(psycopg.connect(conninfo)) as holder:
        holder.execute(f"SELECT FROM {schema}.head FOR UPDATE")
        pid = holder.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
