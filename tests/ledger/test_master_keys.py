"""Master keys in a file and in the environment, and what is said of those that cannot be used."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from ledger.files import KeyFileError
from ledger.master_keys import (
    Keyring,
    MasterKeyError,
    make_keyring,
    new_key,
    opened_under,
    parse_keyring,
    read_keyring,
    sealed_under,
    write_keyring,
)


def test_a_keyring_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    made = make_keyring(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_keyring(file) == made == make_keyring(file)


def test_the_first_key_of_a_keyring_is_the_current_one(tmp_path: Path) -> None:
    keys = (new_key(), new_key())
    write_keyring(tmp_path / "master.key", keys)
    found = read_keyring(tmp_path / "master.key")
    assert (found.current, found.named(keys[1].id)) == keys
    assert parse_keyring(",".join(key.text for key in keys), "here") == Keyring(keys)


def test_a_key_is_in_no_repr_and_no_message() -> None:
    key = new_key()
    assert key.text not in repr(Keyring((key,)))
    with pytest.raises(MasterKeyError) as raised:
        Keyring((key,)).named("00000000")
    assert key.id in str(raised.value)
    assert "00000000" in str(raised.value)
    assert key.text not in str(raised.value)


@pytest.mark.parametrize("text", ["", "secret", "caseledger-master-1:", "caseledger-master-1:c2hvcnQ=", "x:y"])
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(MasterKeyError) as raised:
        parse_keyring(text, "CASELEDGER_MASTER_KEY")
    assert "CASELEDGER_MASTER_KEY" in str(raised.value)
    assert not text or text not in str(raised.value).replace("caseledger-master-1:BASE64", "")


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_keyring(tmp_path / "master.key")
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_keyring(tmp_path / "master.key")


def test_what_is_sealed_opens_under_its_key_and_in_its_place_alone() -> None:
    key, other = new_key().secret, new_key().secret
    sealed = sealed_under(key, b"13800001111", b"here")
    assert opened_under(key, sealed, b"here") == b"13800001111"
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong in ((other, sealed, b"here"), (key, sealed, b"there"), (key, altered, b"here")):
        with pytest.raises(InvalidTag):
            opened_under(*wrong)


def test_a_wrapped_key_that_was_altered_is_reported() -> None:
    master = new_key()
    wrapped = master.wrap(b"k" * 32, "subject")
    assert master.unwrap(wrapped, "subject") == b"k" * 32
    with pytest.raises(MasterKeyError, match="altered"):
        master.unwrap(wrapped, "another")
