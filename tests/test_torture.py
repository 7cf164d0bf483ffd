"""`make torture`: writers, imports and the read models under random kills, for as long as TORTURE_SECONDS says.

It prints its seed; TORTURE_SEED gives it again. The faults are drawn from it alone, what they meet is chance.
"""

import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

from caseledger.postgres import CarriedPostgres
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS
from fault_scenes import facts_of
from fault_table import TABLE
from faults import kill_postgres, start_again
from given import Stated, interviewed, registered, renamed
from killed import NotAnswered, Program, asking, free_port, reached, write_lines
from ledger.migrations import open_pool
from running import code, fresh
from wholeness import Client, check_whole

SECONDS: Final = float(os.environ.get("TORTURE_SECONDS", "600"))
SEED: Final = int(os.environ.get("TORTURE_SEED", random.randrange(2**32)))
WRITERS: Final = 6
SHARED: Final = 3
"""Enterprises that all writers write to; they are the first."""
ROWS: Final = 60
SERVER_STEPS: Final = (*TABLE["append"], *TABLE["project"])


class Torture:
    """What runs, and what ends it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.chance = random.Random(SEED)
        self.postgres = stack.enter_context(CarriedPostgres(folder / "postgres"))
        schema = stack.enter_context(fresh(self.postgres.conninfo, MIGRATIONS))
        self.looking = stack.enter_context(open_pool(self.postgres.conninfo, schema))
        settings = Settings(home=folder / "home", database_url=self.postgres.conninfo, schema=schema)
        self.folder = folder
        self.port = free_port()
        self.http = stack.enter_context(reached(self.port, self.looking))
        for name in ("server", "import"):
            (folder / name).mkdir()
        self.server = stack.enter_context(Program(settings, folder / "server"))
        self.importer = stack.enter_context(Program(settings, folder / "import"))
        self.clients = [Client(asking(self.http), (NotAnswered,)) for _ in range(WRITERS + 1)]
        self.imported: list[Stated] = []
        self.happened: Counter[str] = Counter()
        self.stopped = threading.Event()
        self.numbers: Iterator[int] = count(SHARED)

    def serve(self) -> None:
        self.server.start("serve", self.port)
        self.server.wait_for(r"listening on http://.*")

    def begin(self) -> None:
        self.serve()
        self.clients[-1].sent = {"shared": tuple(registered(uscc=code(n)) for n in range(SHARED))}
        self.clients[-1].insist("shared")

    # Who works

    def write(self, writer: int) -> None:
        """Sends request upon request; most it insists on, the others are asked for at the end."""
        chance, client = random.Random(f"{SEED} {writer}"), self.clients[writer]
        for turn in count():
            if self.stopped.is_set():
                return
            key = f"{writer} {turn}"
            client.sent[key] = self._drawn(chance, f"{writer}-{turn}")
            if chance.random() < 0.8:
                client.insist(key, seconds=120)
            else:
                client.send(key, *client.sent[key])
            time.sleep(chance.uniform(0, 0.05))

    def _drawn(self, chance: random.Random, name: str) -> tuple[Stated, ...]:
        shared = interviewed(uscc=code(chance.randrange(SHARED)), caseId=f"T-{name}")
        if chance.random() < 0.5:
            return (shared,)
        n = next(self.numbers)
        return registered(uscc=code(n)), *facts_of(n), shared

    def import_files(self) -> None:
        """Imports file upon file, each until it went in whole; most runs are killed, somewhere or at a step."""
        chance = random.Random(f"{SEED} import")
        for number in count():
            if self.stopped.is_set():
                return
            rows = self._rows(number)
            file = self.folder / f"{number}.jsonl"
            write_lines(file, [*rows[: ROWS // 2], renamed(uscc=code(10**8)), *rows[ROWS // 2 :]])
            while self._import(file, chance) != 0:
                self.happened["import ended"] += 1
            self.happened["import"] += 1
            self.imported += rows

    def _rows(self, number: int) -> list[Stated]:
        n = next(self.numbers)
        shared = [interviewed(uscc=code(each % SHARED), caseId=f"I-{number}-{each}") for each in range(ROWS)]
        return [registered(uscc=code(n)), *facts_of(n), *shared]

    def _import(self, file: Path, chance: random.Random) -> int | None:
        if not self.stopped.is_set() and chance.random() < 0.4:
            self.importer.order(chance.choice(TABLE["import_lines"]), chance.random() < 0.5)
        self.importer.start("import", str(file))
        if not self.stopped.is_set() and chance.random() < 0.4:
            time.sleep(chance.uniform(0, 1.5))
            return self.importer.kill()
        code_ = self.importer.ended(seconds=180)
        self.importer.withdraw()
        return code_

    # What happens to them

    def torment(self) -> None:
        faults: list[Callable[[], None]] = [
            self.kill_server,
            self.order_a_kill,
            self.end_connections,
            self.kill_database,
        ]
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends and not self.stopped.is_set():
            time.sleep(self.chance.uniform(0.2, 2.5))
            fault = self.chance.choice(faults)
            fault()
            self.happened[fault.__name__] += 1

    def kill_server(self) -> None:
        self.server.kill()
        self.serve()

    def order_a_kill(self) -> None:
        """Some steps come seldom; such an order is taken back."""
        self.server.order(self.chance.choice(SERVER_STEPS), self.chance.random() < 0.5)
        ends = time.monotonic() + 5
        while self.server.ordered() and time.monotonic() < ends:
            time.sleep(0.01)
        if self.server.withdraw():
            return
        self.server.ended()
        self.serve()

    def end_connections(self) -> None:
        share = self.chance.choice((0.2, 1.0))
        with suppress(psycopg.OperationalError), psycopg.connect(self.postgres.conninfo, autocommit=True) as other:
            other.execute(_END_SOME, [share])

    def kill_database(self) -> None:
        kill_postgres(self.postgres)
        time.sleep(self.chance.uniform(0, 1.5))
        start_again(self.postgres)


_END_SOME: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user AND random() < %s
"""


@pytest.mark.torture
def test_a_ledger_is_whole_after_random_faults(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nTORTURE_SEED={SEED} TORTURE_SECONDS={SECONDS:g}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="caseledger-home-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        torture = Torture(stack, folder)
        torture.begin()
        _endure(torture)
        check_whole(torture.looking, torture.clients, torture.imported)
        with torture.looking.connection() as database:
            head = database.execute("SELECT position FROM head").fetchone()
    with capsys.disabled():
        print(f"{head} events; {dict(torture.happened)}", flush=True)
    assert all(client.told for client in torture.clients)
    assert torture.imported


def _endure(torture: Torture) -> None:
    """Returns when all work has come to its end; the first failure ends it."""
    with ThreadPoolExecutor(WRITERS + 1) as threads:
        work = [threads.submit(torture.write, writer) for writer in range(WRITERS)]
        work.append(threads.submit(torture.import_files))
        for each in work:
            each.add_done_callback(lambda done: torture.stopped.set() if done.exception() else None)
        try:
            torture.torment()
        finally:
            torture.stopped.set()
        for each in work:
            each.result()
