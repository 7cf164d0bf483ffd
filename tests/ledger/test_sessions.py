from collections.abc import Iterator

import psycopg
import pytest

from ledger.keys import KEY_MIGRATIONS, Keys
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool
from ledger.remembered import REMEMBERED_SECONDS
from ledger.sessions import SESSION_MIGRATIONS, Sessions


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    return LEDGER_MIGRATIONS + KEY_MIGRATIONS + SESSION_MIGRATIONS


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def keys(pool: Pool, ticks: Ticks) -> Keys:
    return Keys(pool, ticks)


@pytest.fixture
def sessions(pool: Pool, keys: Keys, ticks: Ticks) -> Iterator[Sessions]:
    yield Sessions(pool, keys.caller, ticks)


def test_a_session_is_its_keys_holder(sessions: Sessions, keys: Keys) -> None:
    key, info = keys.create("regulator", authority="MIIT", scopes=["personal:read"])
    token = sessions.begin(key)
    assert token is not None
    assert sessions.caller(token) == info.caller == keys.caller(key)


def test_nobody_begins_a_session_without_a_key(sessions: Sessions, keys: Keys) -> None:
    key, info = keys.create("auditor")
    keys.revoke(info.id)
    assert [sessions.begin(each) for each in (key, "", "clk_abcdefgh_" + "A" * 43)] == [None] * 3


def test_what_is_no_token_is_nobodys(sessions: Sessions, keys: Keys) -> None:
    key, _ = keys.create("auditor")
    token = sessions.begin(key) or ""
    assert [sessions.caller(each) for each in ("", key, token[:-1], token[:-1] + "é", "A" * 43)] == [None] * 5


def test_the_database_holds_no_token(sessions: Sessions, keys: Keys, pool: Pool) -> None:
    token = sessions.begin(keys.create("auditor")[0]) or ""
    with pool.connection() as database:
        ((kept,),) = database.execute("SELECT row_to_json(console_sessions)::text FROM console_sessions").fetchall()
    assert token not in kept


def test_an_ended_session_is_nobodys_at_once(sessions: Sessions, keys: Keys) -> None:
    token = sessions.begin(keys.create("auditor")[0]) or ""
    assert sessions.caller(token)
    sessions.end(token)
    assert sessions.caller(token) is None


def test_a_session_ends_with_its_key(sessions: Sessions, keys: Keys, ticks: Ticks) -> None:
    key, info = keys.create("auditor")
    token = sessions.begin(key) or ""
    assert sessions.caller(token)
    keys.revoke(info.id)
    ticks.now += REMEMBERED_SECONDS
    assert sessions.caller(token) is None


def test_a_session_is_over_after_its_time_and_the_next_to_begin_forgets_it(
    sessions: Sessions, keys: Keys, pool: Pool, database: str, schema: str
) -> None:
    key, _ = keys.create("auditor")
    token = sessions.begin(key) or ""
    with psycopg.connect(database, options=f"-c search_path={schema}") as owner:
        owner.execute("UPDATE console_sessions SET ends_at = now() - interval '1 second'")
    assert sessions.caller(token) is None
    sessions.begin(key)
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM console_sessions").fetchone() == (1,)


@pytest.mark.parametrize("statement", ["UPDATE console_sessions SET key_id = 'x'", "TRUNCATE console_sessions"])
def test_the_runtime_role_moves_no_session_to_another_key(pool: Pool, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), pool.connection() as database:
        database.execute(statement.encode())
