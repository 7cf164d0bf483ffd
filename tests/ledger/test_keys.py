from collections.abc import Callable
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from domain.callers import Caller, Role
from domain.identifiers import Malformed
from ledger.keys import KEY_MIGRATIONS, REMEMBERED_SECONDS, Keys
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool


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


@pytest.mark.parametrize(
    "statement", ["DELETE FROM api_keys", "TRUNCATE api_keys", "UPDATE api_keys SET role = 'regulator'"]
)
def test_the_runtime_role_can_revoke_keys_and_not_change_them(keys: Keys, pool: Pool, statement: str) -> None:
    keys.create("public")
    with pool.connection() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())
