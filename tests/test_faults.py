"""The table of faults: every writing step of append, erasure, import and projection fails once before and once after.

After each fault the ledger is whole (`wholeness.check_whole`): who asked asks again and is answered, the same for the
same key; nothing acknowledged is lost, nothing is there twice; positions are gapless, it verifies, and the read models
equal a rebuild.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from caseledger.postgres import CarriedPostgres
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS
from fault_scenes import SCENES, Place, opened
from fault_table import AT_ONCE, BEFORE, IN_TURN, TABLE, cases
from faults import Fault, Watched, broken, connection_ended, kill_postgres, start_again
from running import READ_MODELS, fresh, wait_until

QUICKLY: Final = {
    "append": ("INSERT subjects", AT_ONCE),
    "append_in_turn": (IN_TURN[1],),
    "together": (AT_ONCE,),
    "erase": ("COMMIT after DELETE subjects",),
    "import_lines": ("COMMIT after INSERT imported_lines", AT_ONCE),
    "project": ("UPDATE history", "COMMIT after UPDATE projections"),
}
"""The steps at which PostgreSQL is killed in the suite, since its start takes a while."""


@pytest.fixture(scope="module")
def killable() -> Iterator[CarriedPostgres]:
    """A PostgreSQL that nobody else uses."""
    folder = Path(tempfile.mkdtemp(prefix="caseledger-home-"))
    with CarriedPostgres(folder) as postgres:
        yield postgres
    shutil.rmtree(folder)


class Places:
    """A ledger for each scene and kind of fault, made when it is first asked for."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._made: dict[tuple[str, str], Place] = {}

    def __call__(self, conninfo: str, scene: str, kind: str) -> Place:
        if (scene, kind) not in self._made:
            schema = self._stack.enter_context(fresh(conninfo, MIGRATIONS))
            settings = Settings(home=self._folder / schema, database_url=conninfo, schema=schema)
            self._made[scene, kind] = self._stack.enter_context(opened(settings))
        return self._made[scene, kind]


@pytest.fixture(scope="module")
def places(killable: CarriedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(stack, tmp_path_factory.mktemp("homes"))


@pytest.mark.parametrize("scene", TABLE)
def test_the_table_has_every_writing_step(database: str, places: Places, scene: str) -> None:
    place = places(database, scene, "none")
    SCENES[scene](place, lambda skip=0: place.watch.steps.clear())
    # Who is told of an append is told a little later, by a thread of its own.
    wait_until(lambda: "NOTIFY" in place.watch.steps or "NOTIFY" not in TABLE[scene])
    assert set(place.watch.steps) - set(BEFORE.get(scene, ())) == set(TABLE[scene])
    place.check()


def test_the_table_has_a_step_for_every_read_model() -> None:
    assert [name for name in READ_MODELS if f"INSERT {name}" not in TABLE["project"]] == []


CUT_OFF: Final = {**TABLE, "project": QUICKLY["project"]}
"""The steps at which a connection ends in the suite: of a projection's, all of which are one transaction, a few."""


@pytest.mark.parametrize(
    ("scene", "kind", "step", "after"), [*cases(("an exception",)), *cases(("an ended connection",), CUT_OFF)]
)
def test_a_step_that_fails_leaves_the_ledger_whole(
    database: str, places: Places, scene: str, kind: str, step: str, after: bool
) -> None:
    act = broken if kind == "an exception" else connection_ended(database)
    happen(places(database, scene, kind), scene, Fault(step, after, act))


@pytest.mark.parametrize(("scene", "kind", "step", "after"), cases(("kill -9 of PostgreSQL",), QUICKLY))
def test_a_kill_of_postgresql_at_a_step_leaves_the_ledger_whole(
    killable: CarriedPostgres, places: Places, scene: str, kind: str, step: str, after: bool
) -> None:
    def act(_: Watched) -> None:
        kill_postgres(killable)
        start_again(killable)

    happen(places(killable.conninfo, scene, kind), scene, Fault(step, after, act))


def happen(place: Place, scene: str, fault: Fault) -> None:
    """Lets a fault meet a scene; some steps are taken after the answer is given, so their faults are waited for."""
    over = Event()

    def act(connection: Watched) -> None:
        try:
            fault.act(connection)
        finally:
            over.set()

    SCENES[scene](place, lambda skip=0: place.watch.arm(replace(fault, act=act, skip=skip)))
    assert over.wait(20), "the fault never happened"
    place.check()
