from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from eventsourcing.dcb.api import DCBEvent

from caseledger.errors import DatabaseError, MasterKeyUnusable, SigningKeyError
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, open_system
from given import registered
from ledger.master_keys import new_key
from ledger.migrations import RUNTIME_ROLE, Pool, migrate, open_pool
from ledger.notes import Signer, open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.tree import Proofs
from tampering import unguarded


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
    assert {file.name for file in (tmp_path / "home").iterdir()} == {"signing.key", "master.key"}


def test_everything_is_done_as_the_runtime_role_in_the_schema(settings: Settings) -> None:
    with open_system(settings) as system, system.pool.connection() as conn:
        row = conn.execute("SELECT current_user, current_schema()").fetchone()
    assert row == (RUNTIME_ROLE, settings.schema)
    assert system.pool.closed


def test_migrations_have_names_of_their_own() -> None:
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS) == 20


def test_the_first_start_makes_the_signing_key_for_its_owner_alone_and_later_ones_keep_it(settings: Settings) -> None:
    with open_system(settings):
        pass
    assert settings.signing_key == settings.home / "signing.key"
    assert settings.signing_key.stat().st_mode & 0o777 == 0o600
    assert settings.home.stat().st_mode & 0o777 == 0o700
    made = settings.signing_key.read_bytes()
    with open_system(settings) as system:
        checkpoint = Proofs(system.pool).checkpoint()
    assert settings.signing_key.read_bytes() == made
    signer = Signer.read(settings.signing_key)
    assert checkpoint is not None
    assert open_checkpoint(checkpoint.note.encode(), signer.name, signer.verifier).checkpoint.size == 4


def test_a_key_that_is_given_signs_and_none_is_made(settings: Settings, tmp_path: Path) -> None:
    given = Signer.kept_at(tmp_path / "given.key", "ledger.example")
    given_keys = replace(settings, signing_key_file=tmp_path / "given.key", master_key_text=new_key().text)
    with open_system(given_keys) as system:
        checkpoint = Proofs(system.pool).checkpoint()
    assert checkpoint is not None
    assert open_checkpoint(checkpoint.note.encode(), "ledger.example", given.verifier).checkpoint.size == 4
    assert not settings.home.exists()


def test_a_ledger_that_was_begun_without_a_tree_is_taken_in_at_its_first_start(settings: Settings) -> None:
    assert settings.database_url is not None
    migrate(settings.database_url, settings.schema, MIGRATIONS)
    with open_pool(settings.database_url, settings.schema) as pool:
        PostgresRecorder(pool).append([DCBEvent("A", b"{}", [])] * 12)
    with open_system(settings) as system:
        assert _sealed(system.pool) == system.ledger.recorder.head() == 16


def test_a_ledger_whose_tree_was_cut_off_is_not_opened(settings: Settings) -> None:
    with open_system(settings):
        pass
    with unguarded(settings.database_url or "", settings.schema) as owner:
        owner.execute("DELETE FROM node_runs WHERE level = 0 AND first = 3")
    for _ in range(2):
        with pytest.raises(
            DatabaseError, match="tree of proofs does not hold position 4 of this ledger, whose head is 4"
        ):
            open_system(settings).__enter__()


def _sealed(pool: Pool) -> int:
    checkpoint = Proofs(pool).checkpoint()
    return checkpoint.size if checkpoint else 0


def test_another_key_is_refused(settings: Settings, tmp_path: Path) -> None:
    with open_system(settings):
        pass
    known, path = Signer.read(settings.signing_key).verifier, tmp_path / "another.key"
    another = Signer.kept_at(path, known.name).verifier
    said = _refusal(replace(settings, signing_key_file=path))
    assert said == (
        f"The file {path} holds the key {another}; this ledger is signed by {known}. Give that key's file by "
        "CASELEDGER_SIGNING_KEY_FILE."
    )


def test_a_missing_key_is_refused_and_none_is_made_in_its_place(settings: Settings) -> None:
    with open_system(settings):
        pass
    known = Signer.read(settings.signing_key).verifier
    settings.signing_key.unlink()
    assert _refusal(settings) == (
        f"The signing key of this ledger, {known}, is not at {settings.signing_key}. Give its file by "
        "CASELEDGER_SIGNING_KEY_FILE; a ledger is never signed by two keys."
    )
    assert not settings.signing_key.exists()


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o644])
def test_a_key_that_others_can_read_or_write_is_refused(settings: Settings, mode: int) -> None:
    with open_system(settings):
        pass
    settings.signing_key.chmod(mode)
    assert f"has mode {mode:04o} and owner" in _refusal(settings)
    assert "chmod 600 it" in _refusal(settings)


@pytest.mark.parametrize(
    "content", [b"", b"PRIVATE+KEY+what+00000000+AAAA", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----"]
)
def test_a_file_that_holds_no_key_is_refused_without_its_content(settings: Settings, content: bytes) -> None:
    settings.home.mkdir()
    settings.signing_key.write_bytes(content)
    settings.signing_key.chmod(0o600)
    said = _refusal(settings)
    assert said.startswith(f"The key file {settings.signing_key} holds no usable key: ")
    assert "AAAA" not in said


def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "signing.key"
    assert _refusal(replace(settings, signing_key_file=path)) == (
        f"The signing key cannot be kept at {path} (File exists): give a folder that this user may write, or its file by "
        "CASELEDGER_SIGNING_KEY_FILE."
    )


def test_a_key_file_that_is_a_folder_is_refused(settings: Settings, tmp_path: Path) -> None:
    assert str(tmp_path) in _refusal(replace(settings, signing_key_file=tmp_path))


def _refusal(settings: Settings) -> str:
    """Why the system does not start for its signing key."""
    with pytest.raises(SigningKeyError) as refused, open_system(settings):
        pass
    return str(refused.value)


def test_without_its_master_key_or_with_another_the_ledger_does_not_start(settings: Settings) -> None:
    with open_system(settings):
        pass
    assert settings.master_key.path.stat().st_mode & 0o777 == 0o600
    other = new_key()
    with (
        pytest.raises(MasterKeyUnusable, match=f"given is {other.id}"),
        open_system(replace(settings, master_key_text=other.text)),
    ):
        pass
    settings.master_key.path.unlink()
    with pytest.raises(MasterKeyUnusable, match=r"is not at .*CASELEDGER_MASTER_KEY_FILE"), open_system(settings):
        pass
