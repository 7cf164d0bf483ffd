"""The keys that credentials are signed by: one private key in a file, and every public one that ever signed in the database.

ES256 (ECDSA on P-256, RFC 7518 §3.4) and a key of its own, not the log's: it is what verifiers of SD-JWT VCs take
(OpenID4VC HAIP asks for it), while those of Ed25519 part into the names EdDSA and, since RFC 9864, Ed25519. The log's key is
for ever, since a ledger is never signed by two; this one can be rotated, and withdrawn where others got hold of it. And
nothing that either signs could be taken for what the other does: they are of different curves, and what a JWS signs
(RFC 7515 §5.1) is one line without a newline, while a C2SP note ends in one.

A key is published before it signs. Losing the file costs nothing: another is made, and what the lost one signed stays
verifiable by its public key.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ledger.entry import canonical
from ledger.files import OWNERS_ONLY, KeyFileError, create_owners_only, read_owners_only, replace_whole
from ledger.migrations import Database, Migration, Pool

CREDENTIAL_MIGRATIONS: Final = (
    Migration("credentials_0001", (Path(__file__).parent / "sql" / "credential_keys.sql",)),
)
ALGORITHM: Final = "ES256"
CURVE: Final = "P-256"
_COORDINATE: Final = 32
"""Bytes of a number in a signature (RFC 7518 §3.4)."""
_PUBLIC: Final = ("crv", "kty", "x", "y")
# By RFC 6979: the same content is signed by the same bytes, and no random number can give the key away.
_DETERMINISTIC: Final = ec.ECDSA(SHA256(), deterministic_signing=True)

Jwk = dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class CredentialKey:
    """A private key of P-256. `kid` is its JWK thumbprint (RFC 7638)."""

    key: ECKey = field(repr=False)
    kid: str

    @classmethod
    def of(cls, key: ECKey) -> Self:
        return cls(key, key.thumbprint())

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The key of a private JSON Web Key. Raises ValueError, which never says what the text was."""
        try:
            key = ECKey.import_key(msgspec.json.decode(text, type=dict[str, Any]))
        except (msgspec.MsgspecError, JoseError, ValueError, TypeError, KeyError):
            raise ValueError("It is no JSON Web Key of an elliptic curve.") from None
        if key.curve_name != CURVE or not key.is_private:
            raise ValueError(f"It is no private key of the curve {CURVE}.")
        return cls.of(key)

    @classmethod
    def generate(cls) -> Self:
        return cls.of(ECKey.generate_key(CURVE))

    @property
    def public(self) -> Jwk:
        """What is published of it (RFC 7517)."""
        stated = self.key.as_dict(private=False)
        return {**{name: str(stated[name]) for name in _PUBLIC}, "alg": ALGORITHM, "kid": self.kid, "use": "sig"}

    @property
    def text(self) -> bytes:
        """The secret, as it is kept."""
        return canonical({name: str(value) for name, value in self.key.as_dict(private=True).items()}) + b"\n"

    def signed(self, header: dict[str, str], payload: bytes) -> str:
        """The JWS Compact Serialization (RFC 7515 §7.1) of a payload; the same for the same."""
        content = f"{_base64url(canonical({**header, 'alg': ALGORITHM, 'kid': self.kid}))}.{_base64url(payload)}"
        private = self.key.private_key
        assert isinstance(private, ec.EllipticCurvePrivateKey), "a key that was read or made is private"
        numbers = decode_dss_signature(private.sign(content.encode(), _DETERMINISTIC))
        return f"{content}.{_base64url(b''.join(number.to_bytes(_COORDINATE) for number in numbers))}"


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


class CredentialKeys:
    """The keys of one ledger's credentials. Safe for many threads; processes of one home share the file.

    All methods raise KeyFileError for the file, OSError of the file system, and psycopg.Error when the database is away.
    """

    def __init__(self, pool: Pool, path: Path) -> None:
        self._pool = pool
        self._path = path
        self._lock = Lock()
        self._known: tuple[tuple[int, int], CredentialKey] | None = None

    def current(self) -> CredentialKey:
        """The key to sign by; made where there is none, and read again after a rotation by whichever process."""
        with self._lock:
            if self._known is None or self._stamp() not in (None, self._known[0]):
                self._known = self._read()
            return self._known[1]

    def published(self) -> list[Jwk]:
        """The public keys whose signatures are to be believed, newest first."""
        with self._pool.connection() as database:
            rows = database.execute(_PUBLISHED).fetchall()
        return [msgspec.json.decode(jwk, type=Jwk) for (jwk,) in rows]

    def rotate(self, *, withdraw: bool = False) -> tuple[str, int]:
        """Signs by a new key from now on; gives its id, and of how many older ones the signatures are believed still.

        `withdraw` takes all older ones out of what is published: what they signed is believed no more.
        """
        made = CredentialKey.generate()
        with self._pool.connection() as database, database.transaction():
            _publish(database, made)
            if withdraw:
                database.execute(_WITHDRAW, [made.kid])
            row = database.execute(_OLDER, [made.kid]).fetchone()
        # After it was published: whoever reads the file signs by what it holds.
        replace_whole(self._path, made.text, OWNERS_ONLY)
        return made.kid, row[0] if row else 0

    def _stamp(self) -> tuple[int, int] | None:
        """What tells a file from the one that took its place; None where there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _read(self) -> tuple[tuple[int, int], CredentialKey]:
        if not self._path.exists():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_owners_only(self._path, CredentialKey.generate().text)
        stamp = self._stamp() or (0, 0)
        try:
            found = CredentialKey.parse(read_owners_only(self._path))
        except ValueError as wrong:
            raise KeyFileError(f"The key file {self._path} holds no key for credentials: {wrong}") from None
        with self._pool.connection() as database:
            if not _publish(database, found):
                raise KeyFileError(
                    f"The key {found.kid} in {self._path} was withdrawn: let `caseledger rotate-credential-key` make "
                    "another, or give the file of one that was not by CASELEDGER_CREDENTIAL_KEY_FILE."
                )
        return stamp, found


def _publish(database: Database, key: CredentialKey) -> bool:
    """Publishes a key, unless it is so already; whether it is believed."""
    database.execute(_PUBLISH, [key.kid, canonical(key.public).decode()])
    row = database.execute(_WITHDRAWN, [key.kid]).fetchone()
    return row is not None and not row[0]


_PUBLISH: Final = "INSERT INTO credential_keys (kid, jwk) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_WITHDRAWN: Final = "SELECT withdrawn_at IS NOT NULL FROM credential_keys WHERE kid = %s"
_PUBLISHED: Final = "SELECT jwk FROM credential_keys WHERE withdrawn_at IS NULL ORDER BY made_at DESC, kid"
_WITHDRAW: Final = "UPDATE credential_keys SET withdrawn_at = now() WHERE kid <> %s AND withdrawn_at IS NULL"
_OLDER: Final = "SELECT count(*) FROM credential_keys WHERE kid <> %s AND withdrawn_at IS NULL"
