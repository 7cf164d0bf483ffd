from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from domain.callers import Caller, Role
from domain.identifiers import Malformed
from ledger.keys import KEY_MIGRATIONS, Keys, expiry
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool
from ledger.remembered import REMEMBERED_SECONDS


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    return LEDGER_MIGRATIONS + KEY_MIGRATIONS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(pool: Pool, clock: Clock) -> Keys:
    return Keys(pool, clock)


def test_a_key_says_who_holds_it(keys: Keys) -> None:
    key, made = keys.create("regulator", name="王处", authority="CA-11", scopes=["personal:read"])
    assert keys.caller(key) == Caller(Role.REGULATOR, made.id, "CA-11", None, frozenset(["personal:read"]))
    key, made = keys.create("carrier", carrier="CHINA_TELECOM")
    assert keys.caller(key) == Caller(Role.CARRIER, made.id, None, "CHINA_TELECOM")


@pytest.mark.parametrize("role", ["regulator", "auditor", "intake", "public"])
def test_every_role_but_carrier_needs_nothing_else(keys: Keys, role: str) -> None:
    key, made = keys.create(role)
    caller = keys.caller(key)
    assert caller is not None
    assert (caller.role, caller.holder) == (role, made.id)


def test_a_key_shows_its_id_and_is_kept_as_its_hash_alone(keys: Keys, pool: Pool) -> None:
    key, made = keys.create("auditor")
    assert key.startswith(f"clk_{made.id}_")
    assert len(key) == len("clk_") + 8 + 1 + 43
    with pool.connection() as conn:
        rows = conn.execute("SELECT sha256, row_to_json(api_keys)::text FROM api_keys").fetchall()
    assert [digest for digest, _ in rows] == [sha256(key.encode()).digest()]
    assert key.rpartition(f"{made.id}_")[2] not in rows[0][1]


def test_two_keys_are_never_the_same(keys: Keys) -> None:
    made = [keys.create("public") for _ in range(20)]
    assert len({key for key, _ in made}) == 20
    assert [info.id for info in keys.list()] == [info.id for _, info in made]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda key: key[:-1], id="cut"),
        pytest.param(lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), id="another secret"),
        pytest.param(lambda key: key + "A", id="longer"),
        pytest.param(lambda key: "clk_aaaaaaaa" + key[12:], id="another id"),
        pytest.param(lambda key: key.upper(), id="upper case"),
        pytest.param(lambda key: f" {key}", id="blank"),
        pytest.param(lambda key: "", id="nothing"),
        pytest.param(lambda key: "密钥", id="not ASCII"),
        pytest.param(lambda key: "clk_" + "\0" * 52, id="NUL"),
    ],
)
def test_nobody_holds_a_wrong_key(keys: Keys, wrong: Callable[[str], str]) -> None:
    key, _ = keys.create("regulator")
    assert keys.caller(wrong(key)) is None
    assert keys.caller(key) is not None


def test_a_revocation_takes_effect_at_once_here_and_within_five_seconds_elsewhere(
    keys: Keys, pool: Pool, clock: Clock
) -> None:
    key, made = keys.create("intake")
    elsewhere = Keys(pool, clock)
    assert keys.caller(key) and elsewhere.caller(key)
    assert keys.revoke(made.id).revoked_at is not None
    assert keys.caller(key) is None
    assert elsewhere.caller(key) is not None
    clock.now += REMEMBERED_SECONDS
    assert REMEMBERED_SECONDS <= 5
    assert elsewhere.caller(key) is None


def test_a_key_in_use_is_looked_up_once_in_a_while(keys: Keys, pool: Pool, clock: Clock) -> None:
    key, _ = keys.create("auditor")
    assert keys.caller(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "connection", None)
        assert keys.caller(key)
        clock.now += REMEMBERED_SECONDS
        with pytest.raises(TypeError):
            keys.caller(key)


def test_a_revoked_key_stays_in_the_list_with_its_date(keys: Keys) -> None:
    key, made = keys.create("carrier", carrier="CHINA_MOBILE", name="移动")
    first = keys.revoke(f"clk_{made.id}")
    assert keys.revoke(key) == first
    assert keys.list() == [first]


def test_a_key_that_is_not_there_cannot_be_revoked(keys: Keys) -> None:
    with pytest.raises(Malformed, match="There is no key with the id “nothere”"):
        keys.revoke("nothere")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"role": "minister"}, "A role is one of regulator, carrier, auditor, intake, public; got “minister”"),
        ({"role": "carrier"}, "needs --carrier"),
        ({"role": "carrier", "carrier": "telecom"}, "A carrier code is 2 to 32 capital letters"),
        ({"role": "carrier", "carrier": "CHINA_TELECOM", "authority": "MIIT"}, "--authority is for keys of the role"),
        ({"role": "regulator", "carrier": "CHINA_TELECOM"}, "--carrier is for keys of the role carrier"),
        ({"role": "regulator", "authority": "CA-99"}, "An authority is MIIT or CA-nn"),
        ({"role": "auditor", "authority": "MIIT"}, "the role is auditor"),
        ({"role": "auditor", "scopes": ["personal:write"]}, "A scope is one of personal:read, personal:erase; got"),
        ({"role": "auditor", "name": "x" * 201}, "Text has 1 to 200 characters"),
    ],
)
def test_a_key_that_may_not_be_is_refused_with_what_is_legal(keys: Keys, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        keys.create(**asked)
    assert keys.list() == []


def test_an_expired_key_is_nobodys_and_is_not_remembered_beyond_its_end(keys: Keys, pool: Pool, clock: Clock) -> None:
    key, made = keys.create("auditor", expires_at=datetime.now(UTC) + timedelta(seconds=2))
    assert made.expires_at is not None
    assert keys.caller(key)
    clock.now += 2
    assert keys.remembered(key) is None
    with pool.connection() as conn:
        # Until the database's own clock says so as well.
        conn.execute("SELECT pg_sleep(greatest(0, extract(epoch FROM %s - clock_timestamp())))", [made.expires_at])
    assert keys.caller(key) is None
    assert keys.list() == [made]


def test_the_last_use_of_a_key_is_written_beside_and_once_a_minute(keys: Keys, pool: Pool, clock: Clock) -> None:
    key, made = keys.create("auditor")
    keys.create("public")
    assert keys.caller(key)
    assert [info.last_used_at for info in keys.list()] == [None, None]
    keys.write_uses()
    used, unused = keys.list()
    assert used.last_used_at is not None
    assert used.last_used_at >= made.created_at
    assert unused.last_used_at is None
    clock.now += REMEMBERED_SECONDS
    assert keys.caller(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "connection", None)
        keys.write_uses()


def test_a_use_that_could_not_be_written_is_written_later(keys: Keys, pool: Pool) -> None:
    key, _ = keys.create("auditor")
    assert keys.caller(key)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(pool, "connection", None)
        keys.write_uses()
    keys.write_uses()
    assert keys.list()[0].last_used_at is not None


NOW = datetime(2026, 5, 1, 20, tzinfo=UTC)
"""The second of May in Shanghai."""


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ("1", NOW + timedelta(days=1)),
        ("3650", NOW + timedelta(days=3650)),
        ("2026-05-02", datetime(2026, 5, 2, 16, tzinfo=UTC)),
        ("2026-12-31", datetime(2026, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_key_is_good_for_so_many_days_or_up_to_and_on_a_legal_date(given: str, ends: datetime) -> None:
    assert expiry(given, NOW) == ends


@pytest.mark.parametrize(
    "given", ["0", "3651", "99999", "2026-05-01", "2036-05-01", "-1", "1.5", "", "²", "2026-02-30"]
)
def test_an_expiry_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(Malformed):
        expiry(given, NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM api_keys",
        "TRUNCATE api_keys",
        "UPDATE api_keys SET role = 'regulator'",
        "UPDATE api_keys SET expires_at = NULL",
    ],
)
def test_the_runtime_role_can_revoke_keys_and_not_change_them(keys: Keys, pool: Pool, statement: str) -> None:
    keys.create("public")
    with pool.connection() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())
