"""Master keys: what wraps the keys of data subjects. They are in a file for its owner alone, or in the environment.

A keyring is one key a line (in the environment: separated by commas), the current one first; the others open what was
wrapped before it. A key reads `caseledger-master-1:BASE64` of 32 bytes.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.files import OWNERS_ONLY, create_owners_only, read_owners_only, replace_whole

PREFIX: Final = "caseledger-master-1:"
KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12


class MasterKeyError(Exception):
    """The master key is missing, is not this ledger's or cannot be read; the message says which and what to do."""


def sealed_under(key: bytes, plain: bytes, context: bytes) -> bytes:
    """AES-256-GCM: nonce (12 bytes), ciphertext, tag (16); `context` is authenticated and not kept."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def opened_under(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """What `sealed_under` sealed. Raises InvalidTag when the key, the bytes or the context are others."""
    return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], context)


@dataclass(frozen=True, slots=True)
class MasterKey:
    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Eight hex digits that tell master keys apart and say nothing of them."""
        return sha256(b"caseledger master key\x00" + self.secret).hexdigest()[:8]

    @property
    def text(self) -> str:
        return PREFIX + b64encode(self.secret).decode()

    def wrap(self, key: bytes, name: str) -> bytes:
        return sealed_under(self.secret, key, name.encode())

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Raises MasterKeyError when this key did not wrap it under this name."""
        try:
            return opened_under(self.secret, wrapped, name.encode())
        except InvalidTag:
            raise MasterKeyError(
                f"What is kept as wrapped by the master key {self.id} is not: it was altered."
            ) from None


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys, the current one first."""

    keys: tuple[MasterKey, ...]

    @property
    def current(self) -> MasterKey:
        return self.keys[0]

    def named(self, id_: str) -> MasterKey:
        """Raises MasterKeyError where there is none of this id."""
        for key in self.keys:
            if key.id == id_:
                return key
        held = ", ".join(key.id for key in self.keys)
        raise MasterKeyError(
            f"The personal fields of this ledger are sealed under the master key {id_}; given is {held}. Give that key by "
            "CASELEDGER_MASTER_KEY_FILE or CASELEDGER_MASTER_KEY."
        )


def parse_keyring(text: str, place: str) -> Keyring:
    """The keyring of its text. Raises MasterKeyError, which names the place and never the text."""
    keys = [_parse(part.strip(), place) for part in text.replace(",", "\n").splitlines() if part.strip()]
    if not keys:
        raise MasterKeyError(f"There is no master key in {place}; a key reads {PREFIX}BASE64 of {KEY_SIZE} bytes.")
    return Keyring(tuple(keys))


def _parse(text: str, place: str) -> MasterKey:
    secret = b""
    with suppress(ValueError):
        secret = b64decode(text.removeprefix(PREFIX), validate=True)
    if not text.startswith(PREFIX) or len(secret) != KEY_SIZE:
        raise MasterKeyError(f"What {place} holds is no master key; one reads {PREFIX}BASE64 of {KEY_SIZE} bytes.")
    return MasterKey(secret)


def new_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(KEY_SIZE))


def read_keyring(path: Path) -> Keyring:
    """The keyring of a file. Raises MasterKeyError, KeyFileError where others may read it, and OSError."""
    return parse_keyring(read_owners_only(path).decode("ascii", "replace"), f"the file {path}")


def make_keyring(path: Path) -> Keyring:
    """A new keyring, written to the file; of processes that find none at once, one makes it and all use it."""
    create_owners_only(path, f"{new_key().text}\n".encode())
    return read_keyring(path)


def write_keyring(path: Path, keys: Sequence[MasterKey]) -> None:
    """Puts these keys in the place of the file's, durable before it returns; no one ever sees half of them."""
    replace_whole(path, "".join(f"{key.text}\n" for key in keys).encode(), OWNERS_ONLY)
