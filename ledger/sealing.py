"""Personal fields, sealed before the entry is formed: AES-256-GCM under a key of the data subject's own.

A sealed field reads `sealed:1:SUBJECT:BASE64`, the subject by its random id. What is authenticated with it is the
event's type and id and the field's name, so that it opens in its own place only. The subject's key is wrapped by the
master key; who erases the subject deletes it, and then no one opens the field again, while every hash stays as it was.

A subject is found by HMAC-SHA256 of who it is, under a key that the master key wraps; the hash is deleted with the key.
"""

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from eventsourcing.dcb.api import DCBQueryItem
from msgspec.structs import replace

from domain.events import Event, SubjectErased
from domain.recorded import Recorded
from domain.shape import fields_of
from domain.subjects import subject_of
from ledger.master_keys import (
    KEY_SIZE,
    Keyring,
    MasterKeyError,
    make_keyring,
    opened_under,
    parse_keyring,
    read_keyring,
    sealed_under,
)
from ledger.migrations import Database, Pool

ERASED: Final = "[erased]"
"""What stands for a personal field whose subject's key was destroyed."""

SUBJECT_TAG: Final = "subject:"

_SEALED: Final = re.compile(r"sealed:1:([0-9a-f]{32}):([A-Za-z0-9+/]+=*)")
_LOOKUP: Final = "lookup"
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event as it is stored: its personal fields sealed, and the id of whose they are, if it has any."""

    event: Event
    subject: str | None = None


class Seals(Protocol):
    """What the ledger needs to keep personal data."""

    def seal(self, events: Sequence[tuple[str, Event]]) -> list[Sealed]:
        """Seals the personal fields of events, each given with its random id."""

    @property
    def digest(self) -> Callable[[bytes], bytes]:
        """Gives 32 bytes that stand for what was asked, and tell nothing of it to who has them alone."""


class Discarding:
    """Leaves personal fields out: for rehearsals and ledgers in memory, which keep nothing."""

    def __init__(self, digest: Callable[[bytes], bytes] = lambda asked: sha256(asked).digest()) -> None:
        self.digest = digest

    def seal(self, events: Sequence[tuple[str, Event]]) -> list[Sealed]:
        return [Sealed(replace(event, **dict.fromkeys(personal_names(type(event))))) for _, event in events]


@cache
def personal_names(cls: type[Event]) -> tuple[str, ...]:
    return tuple(field.name for field in fields_of(cls) if field.personal)


class KeyPlace:
    """Where the master keys are: a text of the environment, or a file, which is made with the ledger's first start."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self._text = text

    @property
    def is_file(self) -> bool:
        return self._text is None

    def read(self, known: str | None) -> Keyring:
        """The keys, among them that of the ledger where it knows one. Raises MasterKeyError, KeyFileError and OSError."""
        if self._text is not None:
            keyring = parse_keyring(self._text, "CASELEDGER_MASTER_KEY")
        elif self.path.exists():
            keyring = read_keyring(self.path)
        elif known is None:
            keyring = make_keyring(self.path)
        else:
            raise MasterKeyError(
                f"The master key of this ledger, {known}, is not at {self.path}. Give its file by "
                "CASELEDGER_MASTER_KEY_FILE, or the key by CASELEDGER_MASTER_KEY: without it no personal field can be read."
            )
        if known is not None:
            keyring.named(known)
        return keyring


class Sealer:
    """Seals and opens personal fields of one ledger. Safe for many threads; no subject's key is kept in memory.

    Raises MasterKeyError when the master key is missing or another, psycopg.Error when the database is away.
    """

    def __init__(self, pool: Pool, place: KeyPlace) -> None:
        self._pool = pool
        self.place = place
        with pool.connection() as database:
            known = master_of(database)
            self._keyring = place.read(known[0] if known else None)
            if known is None:
                current = self._keyring.current
                wrapped = current.wrap(secrets.token_bytes(KEY_SIZE), _LOOKUP)
                database.execute(_FIRST_MASTER, [current.id, wrapped])
                known = master_of(database)
            assert known is not None
            self._lookup_key = self._keyring.named(known[0]).unwrap(known[1], _LOOKUP)

    def lookup(self, who: str) -> bytes:
        """The keyed hash that a subject of `domain.subjects` is found by."""
        return hmac.digest(self._lookup_key, b"subject\x00" + who.encode(), "sha256")

    def digest(self, asked: bytes) -> bytes:
        """HMAC-SHA256: an unkeyed hash of a telephone number is guessed in a moment."""
        return hmac.digest(self._lookup_key, b"asked\x00" + asked, "sha256")

    def seal_secret(self, secret: bytes, place: str) -> bytes:
        """Seals what has to be had again and is nobody's personal data, so that it opens in its own place only."""
        return sealed_under(self._secrets_key, secret, place.encode())

    def open_secret(self, sealed: bytes, place: str) -> bytes:
        """What `seal_secret` sealed for this place. Raises InvalidTag when it was altered."""
        return opened_under(self._secrets_key, sealed, place.encode())

    @property
    def _secrets_key(self) -> bytes:
        # Of the key that a rotation wraps anew, so that a rotation has nothing else to do.
        return hmac.digest(self._lookup_key, b"secrets\x00", "sha256")

    def find(self, who: str) -> str | None:
        """The random id of a subject; None where nothing is kept of it, or not any more."""
        with self._pool.connection() as database:
            row = database.execute("SELECT id FROM subjects WHERE lookup = %s", [self.lookup(who)]).fetchone()
        return row[0] if row else None

    def seal(self, events: Sequence[tuple[str, Event]]) -> list[Sealed]:
        """Seals by two statements for all events, and by none where no event has a personal field."""
        of = [subject_of(event) for _, event in events]
        keys = self._keys_for({who for who in of if who is not None})
        return [
            Sealed(event) if who is None else _sealed(id_, event, *keys[who])
            for (id_, event), who in zip(events, of, strict=True)
        ]

    def open(self, known: Sequence[Recorded]) -> list[Event]:
        """The events with their personal fields in the clear, ERASED where the key is no more; by one statement."""
        named = {found[1] for each in known for _, found in _tokens(each.event)}
        keys = self._keys_of(named) if named else {}
        return [_opened(each, keys) for each in known]

    def _keys_for(self, subjects: set[str]) -> dict[str, tuple[str, bytes]]:
        """Id and key of each subject, which gets them now if it has none."""
        if not subjects:
            return {}
        lookups = {self.lookup(who): who for who in sorted(subjects)}
        for _ in range(_TRIES):
            master = self._keyring.current
            ids = {lookup: uuid4().hex for lookup in lookups}
            fresh = [master.wrap(secrets.token_bytes(KEY_SIZE), id_) for id_ in ids.values()]
            with self._pool.connection() as database:
                database.execute(_ADD, [list(ids.values()), list(ids), fresh, master.id])
                rows = database.execute(_FOUND, [list(lookups)], binary=True).fetchall()
            if len(rows) == len(lookups):
                return {lookups[lookup]: (id_, self._unwrap(id_, *kept)) for lookup, id_, *kept in rows}
            # The master key was changed meanwhile: nothing is wrapped by an old one any more.
            self._read_again()
        raise MasterKeyError(f"This ledger's master key is not {self._keyring.current.id}, the first that was given.")

    def _keys_of(self, ids: Iterable[str]) -> dict[str, bytes]:
        with self._pool.connection() as database:
            rows = database.execute(_KEYS, [sorted(ids)], binary=True).fetchall()
        return {id_: self._unwrap(id_, master, wrapped) for id_, master, wrapped in rows}

    def _unwrap(self, id_: str, master: str, wrapped: bytes) -> bytes:
        if all(key.id != master for key in self._keyring.keys):
            self._read_again()
        return self._keyring.named(master).unwrap(wrapped, id_)

    def _read_again(self) -> None:
        with self._pool.connection() as database:
            known = master_of(database)
        self._keyring = self.place.read(known[0] if known else None)


def subject_tag(id_: str) -> str:
    """The tag of every event that holds data of a subject, and of the one that says it was erased."""
    return f"{SUBJECT_TAG}{id_}"


def erasure_of(id_: str) -> DCBQueryItem:
    """Matches the event that says that a subject was erased."""
    return DCBQueryItem(tags=[subject_tag(id_)], types=[SubjectErased.__name__])


def master_of(database: Database) -> tuple[str, bytes] | None:
    """The id of the master key that wraps what is new, and the wrapped key of the lookups; None in a fresh ledger."""
    row = database.execute("SELECT id, lookup_key FROM master_key").fetchone()
    return (row[0], row[1]) if row else None


def _context(type_: str, id_: str, name: str) -> bytes:
    return f"{type_}\x00{id_}\x00{name}".encode()


def _sealed(id_: str, event: Event, subject: str, key: bytes) -> Sealed:
    fields: dict[str, Any] = {}
    for name in personal_names(type(event)):
        if (value := getattr(event, name)) is not None:
            blob = sealed_under(key, value.encode("utf-8", "surrogatepass"), _context(type(event).__name__, id_, name))
            fields[name] = f"sealed:1:{subject}:{b64encode(blob).decode()}"
    return Sealed(replace(event, **fields), subject)


def _tokens(event: Event) -> list[tuple[str, re.Match[str]]]:
    values = ((name, getattr(event, name)) for name in personal_names(type(event)))
    return [(name, found) for name, value in values if value and (found := _SEALED.fullmatch(value))]


def in_the_clear(event: Event) -> bool:
    """Whether the event has a personal field that is not sealed, as those older than sealing have."""
    given = [name for name in personal_names(type(event)) if getattr(event, name) is not None]
    return len(given) > len(_tokens(event))


def _opened(known: Recorded, keys: dict[str, bytes]) -> Event:
    """Fields of events older than sealing are in the clear, and stay as they are."""
    tokens = _tokens(known.event)
    fields = {name: ERASED for name, _ in tokens}
    for name, found in tokens:
        if key := keys.get(found[1]):
            # What was altered opens for no one; `verify` names it.
            with suppress(InvalidTag):
                blob = opened_under(key, b64decode(found[2]), _context(known.type, known.id, name))
                fields[name] = blob.decode("utf-8", "surrogatepass")
    return replace(known.event, **fields) if fields else known.event


_FIRST_MASTER: Final = "INSERT INTO master_key (id, lookup_key) VALUES (%s, %s) ON CONFLICT DO NOTHING"
# FOR SHARE: a rotation that is about to look for the last keys under the old one waits for this, or is seen by it.
_ADD: Final = """
INSERT INTO subjects (id, lookup, wrapped, master)
SELECT new.id, new.lookup, new.wrapped, current.id
FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS new (id, lookup, wrapped)
CROSS JOIN (SELECT id FROM master_key WHERE id = %s FOR SHARE) AS current
ORDER BY new.lookup
ON CONFLICT (lookup) DO NOTHING
"""
_FOUND: Final = "SELECT lookup, id, master, wrapped FROM subjects WHERE lookup = ANY(%s::bytea[])"
_KEYS: Final = "SELECT id, master, wrapped FROM subjects WHERE id = ANY(%s::text[])"
