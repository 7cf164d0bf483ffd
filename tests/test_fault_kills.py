"""kill -9 of the server and of an import at their writing steps: afterwards the ledger is whole (see test_faults)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS
from fault_scenes import changes_of, facts_of, history_of
from fault_table import AT_ONCE, TABLE, cases
from given import Stated, interviewed, registered, renamed
from killed import NotAnswered, Program, asking, free_port, reached, run_import, write_lines
from ledger.migrations import Pool, open_pool
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from projections.all import all_projections
from projections.runner import Runner
from running import code, fresh, wait_until
from wholeness import Client, check_whole

SERVED: Final = {
    "append": ("INSERT subjects", AT_ONCE, "NOTIFY"),
    "project": ("UPDATE history", "COMMIT after UPDATE projections"),
}
IMPORTED: Final = {
    "import_lines": ("INSERT imported_lines", "COMMIT after INSERT imported_lines", AT_ONCE),
}
"""The steps of the suite, since a start takes a while; `make torture` does all."""

ELSEWHERE: Final = {"INSERT decisions", "INSERT draws"}
"""Steps of what is not sent here; test_faults has them."""
AT_START: Final = "INSERT projections"

SIGKILLED: Final = -9


@dataclass
class Killable:
    """A ledger and the program that works on it; `looking` is a pool of the test's own."""

    program: Program
    client: Client
    looking: Pool
    folder: Path
    port: int
    imported: list[Stated] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def serve(self) -> None:
        self.program.start("serve", self.port)
        self.program.wait_for(r"listening on http://.*")

    def check(self) -> None:
        assert not self.program.withdraw(), "the order was not followed"
        check_whole(self.looking, [self.client], self.imported)


@contextmanager
def killable(conninfo: str, folder: Path) -> Iterator[Killable]:
    with fresh(conninfo, MIGRATIONS) as schema, open_pool(conninfo, schema) as looking:
        settings = Settings(home=folder / "home", database_url=conninfo, schema=schema)
        port = free_port()
        with reached(port, looking) as http, Program(settings, folder) as program:
            yield Killable(program, Client(asking(http), (NotAnswered,)), looking, folder, port)


@pytest.fixture(scope="module")
def served(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    with killable(database, tmp_path_factory.mktemp("served")) as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def importing(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    with killable(database, tmp_path_factory.mktemp("importing")) as made:
        yield made


@pytest.mark.parametrize(("scene", "kind", "step", "after"), cases(("kill -9 of the server",), SERVED))
def test_a_kill_of_the_server_at_a_step_leaves_the_ledger_whole(
    served: Killable, scene: str, kind: str, step: str, after: bool
) -> None:
    n = next(served.numbers)
    if step in ELSEWHERE:
        pytest.skip("nothing is sent here that has this step; test_faults has it")
    with ExitStack() as then:
        if step == AT_START:
            _start_again(served, step, after)
        elif scene == "append":
            _append(served, n, step, after, then)
        else:
            _project(served, n, step, after, then)
        assert served.program.ended() == SIGKILLED
        served.serve()
    served.check()


def _start_again(served: Killable, step: str, after: bool) -> None:
    served.program.kill()
    served.program.order(step, after)
    served.program.start("serve", served.port)


def _append(served: Killable, n: int, step: str, after: bool, then: ExitStack) -> None:
    served.client.sent[f"{n} first"] = (registered(uscc=code(n)),)
    served.client.insist(f"{n} first")
    served.program.order(step, after)
    served.client.send(f"{n} then", *facts_of(n))
    then.callback(served.client.insist, f"{n} then")


def _project(served: Killable, n: int, step: str, after: bool, then: ExitStack) -> None:
    """The server projects by itself; whether the client is answered before it dies is chance."""

    client, history, changes = served.client, f"{n} history", f"{n} changes"

    def change() -> bool:
        answer = client.told[history]
        begun, last = answer[0][0], answer[-1][0]
        # In one batch with what they change, the changes would be made in memory, and have no step.
        wait_until(lambda: not served.program.ordered() or _applied(served.looking) >= last)
        return client.send(changes, *changes_of(n, begun))

    def catch_up() -> None:
        client.insist(history)
        change()
        client.insist(changes)

    served.program.order(step, after)
    if client.send(history, *history_of(n)):
        change()
    then.callback(catch_up)


def _applied(pool: Pool) -> int:
    """The position that every read model has reached."""
    with pool.connection() as database:
        (position,) = database.execute("SELECT min(position) FROM projections").fetchone() or (0,)
    return int(position)


@pytest.mark.parametrize(("scene", "kind", "step", "after"), cases(("kill -9 of the import",), IMPORTED))
def test_a_kill_of_an_import_at_a_step_leaves_the_ledger_whole(
    importing: Killable, scene: str, kind: str, step: str, after: bool
) -> None:
    n = next(importing.numbers)
    facts = [registered(uscc=code(n)), *facts_of(n)]
    rest = [interviewed(uscc=code(n), caseId=f"Y-{n}-{place}") for place in range(2)]
    file = importing.folder / f"{n}.jsonl"
    rows = [*facts, renamed(uscc=code(0)), *rest]
    write_lines(file, rows)
    importing.program.order(step, after)
    importing.program.start("import", str(file))
    assert importing.program.ended() == SIGKILLED
    summary = run_import(importing.program, file)
    assert (summary["recorded"] + summary["replayed"], summary["rejected"]) == (5, 1)
    importing.imported += [*facts, *rest]
    recorder = PostgresRecorder(importing.looking)
    Runner(importing.looking, recorder, all_projections(Streams(recorder))).catch_up()
    importing.check()


def test_the_steps_of_the_suite_are_steps_of_the_table() -> None:
    for scene, steps in {**SERVED, **IMPORTED}.items():
        assert set(steps) <= set(TABLE[scene])
