"""The keys of credentials: made once, for their owner alone, rotated, withdrawn, and good for nothing else."""

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from ledger.credential_keys import CREDENTIAL_MIGRATIONS, CredentialKey, CredentialKeys
from ledger.files import KeyFileError
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool
from ledger.notes import MalformedKey, MalformedNote, Signer
from running import at_once


@pytest.fixture
def migrations() -> Sequence[Migration]:
    return LEDGER_MIGRATIONS + CREDENTIAL_MIGRATIONS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "credential.key"


@pytest.fixture
def keys(pool: Pool, path: Path) -> CredentialKeys:
    return CredentialKeys(pool, path)


def kids(keys: CredentialKeys) -> list[str]:
    return [each["kid"] for each in keys.published()]


def test_the_first_start_makes_a_key_for_its_owner_alone_and_publishes_its_public_part(
    keys: CredentialKeys, path: Path
) -> None:
    assert keys.published() == []
    key = keys.current()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (published,) = keys.published()
    assert published == key.public
    assert set(published) == {"alg", "crv", "kid", "kty", "use", "x", "y"}
    assert keys.current() is key


def test_of_processes_that_start_at_once_one_makes_the_key_and_all_use_it(pool: Pool, path: Path) -> None:
    made = at_once([lambda: CredentialKeys(pool, path).current().kid] * 4)
    assert len(set(made)) == 1
    assert kids(CredentialKeys(pool, path)) == made[:1]


def test_after_a_rotation_all_sign_by_the_new_key_and_the_old_one_stays_published(
    pool: Pool, path: Path, keys: CredentialKeys
) -> None:
    old = keys.current().kid
    new, older = CredentialKeys(pool, path).rotate()
    assert (keys.current().kid, older) == (new, 1)
    assert kids(keys) == [new, old]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_withdrawn_key_is_published_no_more_and_signs_no_more(pool: Pool, path: Path, keys: CredentialKeys) -> None:
    stolen = keys.current()
    new, older = keys.rotate(withdraw=True)
    assert (kids(keys), older) == ([new], 0)
    path.write_bytes(stolen.text)
    with pytest.raises(KeyFileError, match=f"The key {stolen.kid} in .* was withdrawn: let `caseledger rotate-"):
        CredentialKeys(pool, path).current()


def test_a_lost_key_is_made_anew_and_a_running_process_goes_on_with_its_own(
    pool: Pool, path: Path, keys: CredentialKeys
) -> None:
    lost = keys.current().kid
    path.unlink()
    assert keys.current().kid == lost
    fresh = CredentialKeys(pool, path).current().kid
    assert set(kids(keys)) == {fresh, lost}


@pytest.mark.parametrize(
    "text", [b"", b"x", b"{}", b'{"kty":"RSA"}', b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}', b"\xff"]
)
def test_what_is_no_such_key_is_refused_and_its_content_not_told(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^It is no .*\.$") as raised:
        CredentialKey.parse(text)
    assert raised.value.__cause__ is None


def test_a_public_key_alone_and_a_file_that_others_can_read_are_refused(keys: CredentialKeys, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CredentialKey.generate().text)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="has mode 0644"):
        keys.current()
    path.write_bytes(b"x")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="holds no key for credentials: It is no JSON Web Key"):
        keys.current()
    with pytest.raises(ValueError, match="no private key of the curve P-256"):
        CredentialKey.parse(str(CredentialKey.generate().public).replace("'", '"').encode())


def test_a_key_of_credentials_can_sign_no_checkpoint_and_what_a_credential_signs_is_no_note() -> None:
    key, log = CredentialKey.generate(), Signer.generate("caseledger/test")
    content, _, _ = key.signed({"typ": "dc+sd-jwt"}, b"{}").rpartition(".")
    assert "\n" not in content
    with pytest.raises(MalformedNote, match="ends in a newline"):
        log.sign(content)
    with pytest.raises(MalformedKey, match="A signer key reads"):
        Signer.parse(key.text.decode())
    with pytest.raises(ValueError, match="no JSON Web Key"):
        CredentialKey.parse(log.text.encode())


def test_the_same_content_is_signed_by_the_same_bytes_and_the_secret_is_not_shown() -> None:
    key = CredentialKey.generate()
    assert key.signed({}, b"{}") == key.signed({}, b"{}") != key.signed({}, b"[]")
    assert str(key.key.as_dict(private=True)["d"]) not in repr(key)
