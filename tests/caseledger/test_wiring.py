from pathlib import Path

import psycopg

from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, open_system
from given import registered
from ledger.migrations import RUNTIME_ROLE


def test_a_fresh_schema_is_made_and_knows_its_rulebook(settings: Settings) -> None:
    with open_system(settings) as system:
        assert [each.event.type for each in system.ledger.recorder.read()] == ["RulebookAdopted"] * 4
        assert system.runner.catch_up() == 4
    with open_system(settings) as system:
        assert system.ledger.recorder.head() == 4


def test_on_postgresql_16_the_same_works_by_a_url(tmp_path: Path, database16: str, schema16: str) -> None:
    with psycopg.connect(database16) as conn:
        assert conn.info.server_version // 10_000 == 16
        host, database, user = conn.info.host, conn.info.dbname, conn.info.user
    url = f"postgresql://{user}@/{database}?host={host}"
    with open_system(Settings(home=tmp_path / "home", database_url=url, schema=schema16)) as system:
        key, made = system.keys.create("regulator")
        fact = registered()
        assert system.ledger.record(made.caller, "k", [(fact.name, fact.fields)]).head == 5
        assert system.runner.catch_up() == 5
        assert system.keys.caller(key) == made.caller
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["signing.key"]


def test_everything_is_done_as_the_runtime_role_in_the_schema(settings: Settings) -> None:
    with open_system(settings) as system, system.pool.connection() as conn:
        row = conn.execute("SELECT current_user, current_schema()").fetchone()
    assert row == (RUNTIME_ROLE, settings.schema)
    assert system.pool.closed


def test_migrations_have_names_of_their_own() -> None:
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS) == 5
