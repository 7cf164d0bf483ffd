"""Checkpoints of the log: C2SP signed-note, tlog-checkpoint and tlog-cosignature (cosignature/v1), with Ed25519.

A note is text, a blank line and one line for each signature. A checkpoint is a note whose text says how many entries the
log named in its first line has, and their root. The log signs it; a witness that has seen it to be the continuation of
what it saw before cosigns it, with the time. The specifications: c2sp.org/signed-note, c2sp.org/tlog-checkpoint,
c2sp.org/tlog-cosignature.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.text import shown
from ledger.files import KeyFileError, create_owners_only, read_owners_only
from ledger.merkle import HASH_SIZE

MOST_SIGNATURES: Final = 100
"""To a note; the specification asks for at least 16."""
LARGEST_SIZE: Final = 2**63 - 1
LATEST_TIMESTAMP: Final = 2**63 - 1

_KEY_SIZE: Final = 32
_TIMESTAMP_SIZE: Final = 8
_SIGNATURE_START: Final = "— "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class KeyType(IntEnum):
    """The signature type identifiers of signed-note that this log speaks."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


class MalformedNote(ValueError):
    """Text that is no signed note, or no checkpoint, to the letter of the specification."""


class MalformedKey(ValueError):
    """Text that is no verifier key or signer key, a name that no key can have, or keys that cannot be told apart."""


class UnverifiedNote(Exception):
    """A well-formed note that must not be believed: no known key signed it, or a known key did not make its signature."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `value` is what the key type makes of it: 64 bytes, or 8 of time and 64."""

    name: str
    key_id: int
    value: bytes

    @classmethod
    def parse(cls, line: str) -> Self:
        """The signature of a line without its newline. Raises MalformedNote."""
        name, blank, encoded = line.removeprefix(_SIGNATURE_START).partition(" ")
        blob = _base64(encoded)
        if not (line.startswith(_SIGNATURE_START) and blank and _is_name(name) and blob and len(blob) > 4):
            raise MalformedNote(f"A signature line reads “— NAME BASE64”, of 5 bytes or more; got {shown(line)}.")
        return cls(name, int.from_bytes(blob[:4]), blob[4:])

    @property
    def line(self) -> str:
        return f"{_SIGNATURE_START}{self.name} {_base64_of(self.key_id.to_bytes(4) + self.value)}"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name. Its text, the “vkey” that others are given, is NAME+ID+BASE64."""

    name: str
    key_type: KeyType
    public_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public_key) != _KEY_SIZE:
            raise MalformedKey(f"An Ed25519 public key has {_KEY_SIZE} bytes; got {len(self.public_key)}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of a vkey. Raises MalformedKey."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise MalformedKey(f"A verifier key reads NAME+ID+BASE64; got {shown(text)}.")
        name, key_id, encoded = parts
        key_type, public_key = _typed_key(encoded)
        verifier = cls(name, key_type, public_key)
        _check_key_id(key_id, verifier)
        return verifier

    @classmethod
    def given(cls, text_or_file: str) -> Self:
        """The key of a vkey, or of the file of this name that holds one. Raises MalformedKey."""
        text = text_or_file
        with suppress(OSError, ValueError):
            text = Path(text_or_file).read_text(encoding="utf-8").strip()
        return cls.parse(text)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id:08x}+{_base64_of(bytes([self.key_type]) + self.public_key)}"

    @property
    def key_id(self) -> int:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key): it tells keys apart and proves nothing."""
        material = self.name.encode() + b"\n" + bytes([self.key_type]) + self.public_key
        return int.from_bytes(sha256(material).digest()[:4])

    def verifies(self, text: str, signature: Signature) -> bool:
        """Whether this key made this signature of a note's text."""
        if (signature.name, signature.key_id) != (self.name, self.key_id):
            return False
        message, value = text, signature.value
        if self.key_type is KeyType.COSIGNATURE_V1:
            timestamp, value = timestamp_of(signature), value[_TIMESTAMP_SIZE:]
            if timestamp > LATEST_TIMESTAMP:
                return False
            message = _cosigned(text, timestamp)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(value, message.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _PrivateKey:
    """An Ed25519 private key under a name. Its text is the signer key of Go's notes: PRIVATE+KEY+NAME+ID+BASE64."""

    key_type: ClassVar[KeyType]
    name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    verifier: Verifier = field(init=False, repr=False)
    """Made once: it takes as long as a signature."""

    def __post_init__(self) -> None:
        public_key = self.private_key.public_key().public_bytes_raw()
        object.__setattr__(self, "verifier", Verifier(self.name, self.key_type, public_key))

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key. Raises MalformedKey if no key can have this name."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of its text. Raises MalformedKey, which never says what the text was."""
        parts = text.split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise MalformedKey("A signer key reads PRIVATE+KEY+NAME+ID+BASE64; got something else.")
        name, key_id, encoded = parts[2:]
        key_type, seed = _typed_key(encoded)
        if key_type is not cls.key_type:
            raise MalformedKey(f"A key of type {cls.key_type:#04x} is needed here; got one of type {key_type:#04x}.")
        key = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        _check_key_id(key_id, key.verifier)
        return key

    @classmethod
    def kept_at(cls, path: Path, name: str) -> Self:
        """The key in this file; if there is no such file, a new one under this name, written there first.

        The file is one line, for its owner's eyes alone. Of several processes that find none, one makes it and all use
        it; no one ever sees half of it. Raises KeyFileError, MalformedKey for the name, and OSError of the file system.
        """
        key = cls.read_or_made(path, name)
        if key.name != name:
            raise KeyFileError(f"The key file {path} holds the key of {shown(key.name)}; {shown(name)} was asked for.")
        return key

    @classmethod
    def read_or_made(cls, path: Path, name: str) -> Self:
        """The key in this file under whatever name it has, and else as `kept_at` makes it. Raises what that raises."""
        if not path.exists():
            create_owners_only(path, f"{cls.generate(name).text}\n".encode())
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in this file. Raises KeyFileError, and OSError of the file system."""
        try:
            return cls.parse(read_owners_only(path).decode().removesuffix("\n"))
        except ValueError as error:
            reason = str(error) if isinstance(error, MalformedKey) else "It is not text."
            raise KeyFileError(f"The key file {path} holds no usable key: {reason}") from None

    @property
    def text(self) -> str:
        """The secret, as it is kept."""
        encoded = _base64_of(bytes([self.key_type]) + self.private_key.private_bytes_raw())
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id:08x}+{encoded}"


class Signer(_PrivateKey):
    """The key of a log."""

    __slots__ = ()
    key_type = KeyType.ED25519

    def sign(self, text: str) -> Signature:
        """Its signature of a note's text. Raises MalformedNote."""
        _check_text(text)
        return Signature(self.name, self.verifier.key_id, self.private_key.sign(text.encode()))


class Cosigner(_PrivateKey):
    """The key of a witness."""

    __slots__ = ()
    key_type = KeyType.COSIGNATURE_V1

    def cosign(self, checkpoint: "Checkpoint", timestamp: int) -> Signature:
        """Its statement that at this POSIX time (seconds) this was the largest tree of that log that it had seen.

        The log's earlier checkpoints must have been found consistent before. Raises ValueError for the time.
        """
        if not 0 <= timestamp <= LATEST_TIMESTAMP:
            raise ValueError(f"A cosignature's time is 0 to {LATEST_TIMESTAMP} seconds; got {timestamp}.")
        signed = self.private_key.sign(_cosigned(checkpoint.text, timestamp).encode())
        return Signature(self.name, self.verifier.key_id, timestamp.to_bytes(_TIMESTAMP_SIZE) + signed)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures that stand under it, which only `verified_by` says anything of."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _check_text(self.text)
        if not 1 <= len(self.signatures) <= MOST_SIGNATURES:
            raise MalformedNote(f"A note has 1 to {MOST_SIGNATURES} signatures; got {len(self.signatures)}.")

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """The note of these bytes, none of its signatures verified. Raises MalformedNote."""
        try:
            decoded = message.decode()
        except UnicodeDecodeError as error:
            raise MalformedNote(f"A note is UTF-8; byte {error.start} is not.") from None
        text, blank, signatures = decoded.rpartition("\n\n")
        if not blank or not signatures.endswith("\n"):
            raise MalformedNote("A note is text, a blank line and signature lines, each ended by a newline.")
        lines = signatures.removesuffix("\n").split("\n", MOST_SIGNATURES)
        return cls(f"{text}\n", tuple(map(Signature.parse, lines)))

    @property
    def encoded(self) -> bytes:
        return "".join([self.text, "\n", *(f"{signature.line}\n" for signature in self.signatures)]).encode()

    def signed_with(self, *signatures: Signature) -> Self:
        """The same text with these signatures last, each in the place of any other by the same key."""
        new = {(signature.name, signature.key_id) for signature in signatures}
        kept = (signature for signature in self.signatures if (signature.name, signature.key_id) not in new)
        return type(self)(self.text, (*kept, *signatures))

    def verified_by(self, verifiers: Iterable[Verifier]) -> dict[Verifier, Signature]:
        """Which of these keys signed the text, each with its first signature. Unknown keys' signatures are passed over.

        Raises UnverifiedNote when a signature that names one of the keys is not its own, and when none signed; MalformedKey
        when two of the keys have one name and one ID.
        """
        known: dict[tuple[str, int], Verifier] = {}
        for verifier in verifiers:
            if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
                raise MalformedKey(f"Two verifier keys are both named {verifier.name}+{verifier.key_id:08x}: drop one.")
        verified: dict[Verifier, Signature] = {}
        for signature in self.signatures:
            named = known.get((signature.name, signature.key_id))
            if named is None:
                continue
            if not named.verifies(self.text, signature):
                raise UnverifiedNote(f"The signature of {named.name}+{named.key_id:08x} is not its own.")
            verified.setdefault(named, signature)
        if not verified:
            raise UnverifiedNote(f"None of the {len(known)} known keys signed this note.")
        return verified


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root at one time. `text` is what is signed."""

    origin: str
    """Which log: a line of its own, by custom a URL without its scheme."""
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines, which the specification advises against: no one can check them."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= LARGEST_SIZE:
            raise MalformedNote(f"A checkpoint's size is 0 to {LARGEST_SIZE}; got {self.size}.")
        if len(self.root) != HASH_SIZE:
            raise MalformedNote(f"A checkpoint's root has {HASH_SIZE} bytes; got {len(self.root)}.")
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise MalformedNote(
                    f"The origin and each extension of a checkpoint is one full line; got {shown(line)}."
                )
        _check_text(self.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint of a note's text. Raises MalformedNote."""
        *lines, rest = text.split("\n")
        if rest or len(lines) < 3:
            raise MalformedNote("A checkpoint has three lines or more, each ended by a newline: origin, size, root.")
        origin, size, encoded, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise MalformedNote(f"A checkpoint's size is a decimal number without leading zeroes; got {shown(size)}.")
        root = _base64(encoded)
        if root is None:
            raise MalformedNote(f"A checkpoint's root is written in base64; got {shown(encoded)}.")
        return cls(origin, int(size), root, tuple(extensions))

    @property
    def text(self) -> str:
        lines = (self.origin, str(self.size), _base64_of(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint that its log signed, and when each of the asked-for witnesses that cosigned it did (POSIX seconds)."""

    checkpoint: Checkpoint
    note: Note
    cosigned_at: dict[Verifier, int]


def open_checkpoint(message: bytes, origin: str, log: Verifier, witnesses: Iterable[Verifier] = ()) -> OpenedCheckpoint:
    """The checkpoint of these bytes, if it is one of the log `origin` and the log's key signed it.

    How many witnesses are enough, and whether a time is too long ago or yet to come, is for the caller to say. Raises
    MalformedNote, UnverifiedNote, and MalformedKey for keys of the wrong type.
    """
    keys = [(log, KeyType.ED25519), *((witness, KeyType.COSIGNATURE_V1) for witness in witnesses)]
    for key, needed in keys:
        if key.key_type is not needed:
            raise MalformedKey(
                f"The key {key.name}+{key.key_id:08x} is of type {key.key_type:#04x}, not {needed:#04x}."
            )
    note = Note.parse(message)
    verified = note.verified_by(key for key, _ in keys)
    if verified.pop(log, None) is None:
        raise UnverifiedNote(f"The log's key {log.name}+{log.key_id:08x} did not sign this checkpoint.")
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise UnverifiedNote(f"This is a checkpoint of {shown(checkpoint.origin)}; {shown(origin)} was asked for.")
    cosigned_at = {witness: timestamp_of(signature) for witness, signature in verified.items()}
    return OpenedCheckpoint(checkpoint, note, cosigned_at)


def timestamp_of(cosignature: Signature) -> int:
    """The POSIX time (seconds) that a cosignature states, true or not."""
    return int.from_bytes(cosignature.value[:_TIMESTAMP_SIZE])


def _cosigned(text: str, timestamp: int) -> str:
    return f"cosignature/v1\ntime {timestamp}\n{text}"


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name) and _is_written(name)


def _is_written(text: str) -> bool:
    """Whether the text can stand in a note: UTF-8 has bytes for it, and none is a control character but the newline."""
    return not _CONTROL.search(text) and (text.isascii() or text.encode("utf-8", "ignore").decode() == text)


def _check_name(name: str) -> None:
    if not _is_name(name):
        raise MalformedKey(f"A key's name is text without blanks and without “+”; got {shown(name)}.")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise MalformedNote("A note's text ends in a newline.")
    if not _is_written(text):
        raise MalformedNote("A note is UTF-8 text without control characters other than the newline.")


def _check_key_id(written: str, verifier: Verifier) -> None:
    if not _KEY_ID.fullmatch(written) or int(written, 16) != verifier.key_id:
        raise MalformedKey(f"The ID of this key of {shown(verifier.name)} is not {shown(written)}: a part was changed.")


def _typed_key(encoded: str) -> tuple[KeyType, bytes]:
    """The type and the 32 bytes of an encoded key, which may be secret: no error says what it is."""
    blob = _base64(encoded)
    if blob is None or len(blob) != 1 + _KEY_SIZE:
        raise MalformedKey(f"A key is base64 of its type and {_KEY_SIZE} bytes; got something else.")
    if blob[0] not in list(KeyType):
        raise MalformedKey(f"A key's type is 0x01 (Ed25519) or 0x04 (cosignature/v1); got {blob[0]:#04x}.")
    return KeyType(blob[0]), blob[1:]


def _base64_of(value: bytes) -> str:
    return b64encode(value).decode()


def _base64(text: str) -> bytes | None:
    """The bytes of standard base64 (RFC 4648 §4) in the one way to write them, or None."""
    try:
        value = b64decode(text, validate=True)
    except ValueError:
        return None
    return value if _base64_of(value) == text else None
