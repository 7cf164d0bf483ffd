"""An independent witness of a ledger: it cosigns a checkpoint that continues the last one it saw, and no other.

It looks at the ledger over HTTP itself, or is sent checkpoints with a proof (c2sp.org/tlog-witness). It needs no database
and no key of the ledger's. What it saw last stands in its state, on the disk before it cosigns, under one lock for whoever
works with that state: so it never cosigns two histories.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import httpx
import msgspec

from caseledger.errors import LogNotRead, NotWitnessed, Unusable
from caseledger.reporting import note as say
from ledger.files import KeyFileError, replace_whole
from ledger.merkle import Tile
from ledger.notes import (
    Checkpoint,
    Cosigner,
    MalformedKey,
    MalformedNote,
    Note,
    OpenedCheckpoint,
    Signature,
    UnverifiedNote,
    Verifier,
    open_checkpoint,
)
from ledger.submissions import NotAccepted, accepted
from ledger.witnessing import NotContinued, check_continuation

TIMEOUT_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 64 * 1024
"""Bytes: more than any checkpoint or tile has."""
MOST_KEPT: Final = 100
"""Files of proof beside a state, so that no one can fill the disk with them."""
_TRIES: Final = 5


class State(msgspec.Struct, frozen=True):
    """The log's verifier key, and the note that was seen last; none before the first."""

    log: str
    note: str | None = None


class Witness:
    """One witness of one log. Threads and processes may share its state: each change is made under its lock."""

    def __init__(self, url: str, cosigner: Cosigner, state_file: Path, log: Verifier) -> None:
        self._url = url
        self._cosigner = cosigner
        self._state_file = state_file
        self.log = log

    @classmethod
    def opened(cls, url: str, key_file: Path, log_key: str | None = None, state_file: Path | None = None) -> Self:
        """The witness of the ledger at this URL. Its key is made where there is none.

        `log_key` is a verifier key or a file that holds one; without it the ledger's own word is taken once and pinned in
        the state (default: KEY.state). Raises LogNotRead where the ledger is asked and does not answer, and Unusable for
        files and keys.
        """
        cosigner = _cosigner(key_file)
        state_file = state_file or key_file.with_name(f"{key_file.name}.state")
        state, stated = _read(state_file), _stated(log_key)
        if state is not None and stated is not None and str(stated) != state.log:
            raise Unusable(f"The state {state_file} is of the log {state.log}; give that --log-key or another --state.")
        url = url.rstrip("/")
        if state is not None:
            return cls(url, cosigner, state_file, _pinned(state, state_file))
        return cls(url, cosigner, state_file, stated or _on_trust(url))

    @property
    def verifier(self) -> Verifier:
        """The key of its cosignatures."""
        return self._cosigner.verifier

    def look(self) -> tuple[Checkpoint, Note]:
        """The newest checkpoint of the ledger, and its note cosigned.

        Raises NotWitnessed for a ledger that is not the one that was seen before, LogNotRead where it does not answer,
        and Unusable for the state.
        """
        for _ in range(_TRIES):
            before = self._state()
            with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
                log = _Log(http, self._url)
                message = log.get("checkpoint")
                try:
                    found = self._continued(before, message, log)
                except (NotContinued, MalformedNote, UnverifiedNote) as error:
                    kept = _kept_as_proof(self._state_file, before, message)
                    raise NotWitnessed(f"NOT COSIGNED. {error} {kept}") from None
            with self._alone():
                if self._state() == before:
                    return found.checkpoint, found.note.signed_with(self._cosign(found.checkpoint, found.note))
        raise Unusable(f"Others go on changing the state {self._state_file}: let one witness have it.")

    def add(self, body: bytes) -> Signature:
        """The cosignature of a checkpoint that was submitted: an add-checkpoint request's body.

        Raises NotAccepted, after it was said aloud if it speaks against the log; and Unusable for the state.
        """
        with self._alone():
            state = self._state()
            try:
                checkpoint, note = accepted(body, self.log, self._seen(state))
            except NotAccepted as refused:
                if refused.suspicious:
                    # A proof that does not hold is kept nowhere: anyone may send one, as often as they like.
                    kept = _kept_as_proof(self._state_file, state, refused.split.encoded) if refused.split else ""
                    say(f"NOT COSIGNED. {refused} {kept}".rstrip())
                raise
            return self._cosign(checkpoint, note)

    def _continued(self, state: State, message: bytes, log: "_Log") -> OpenedCheckpoint:
        opened = open_checkpoint(message, self.log.name, self.log)
        if seen := self._seen(state):
            check_continuation(seen, opened.checkpoint, log.tile)
        return opened

    def _cosign(self, checkpoint: Checkpoint, note: Note) -> Signature:
        """Under the lock: the state is on the disk before there is a cosignature."""
        signed = Note(note.text, (note.verified_by([self.log])[self.log],))
        _write(self._state_file, msgspec.json.encode(State(str(self.log), signed.encoded.decode())))
        return self._cosigner.cosign(checkpoint, int(time.time()))

    def _seen(self, state: State) -> Checkpoint | None:
        if state.note is None:
            return None
        try:
            return open_checkpoint(state.note.encode(), self.log.name, self.log).checkpoint
        except (MalformedNote, UnverifiedNote):
            raise _damaged(self._state_file, "it holds no checkpoint of its log") from None

    def _state(self) -> State:
        state = _read(self._state_file) or State(str(self.log))
        if state.log != str(self.log):
            raise Unusable(
                f"The state {self._state_file} has become that of the log {state.log}; give another --state."
            )
        return state

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time works with a state."""
        lock_file = self._state_file.with_name(f"{self._state_file.name}.lock")
        try:
            lock = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unusable(
                f"The state {self._state_file} cannot be kept ({error.strerror}); give another --state."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class _Log:
    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http = http
        self._url = url

    def get(self, path: str) -> bytes:
        content, ends = b"", time.monotonic() + TIMEOUT_SECONDS
        try:
            with self._http.stream("GET", f"{self._url}/tlog/{path}") as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        break
                    # Each chunk may come in time and the last one never.
                    if time.monotonic() > ends:
                        raise httpx.ReadTimeout("the answer takes too long")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LogNotRead(
                f"There is no answer from {self._url} ({type(error).__name__}); nothing is cosigned."
            ) from None
        if answer.status_code != 200 or len(content) > LARGEST_ANSWER:
            raise LogNotRead(
                f"{self._url}/tlog/{path} answers {answer.status_code} with {len(content)} bytes, not what was asked for; "
                "nothing is cosigned. Give the ledger's own address, or try again."
            )
        return content

    def tile(self, tile: Tile) -> bytes:
        return self.get(tile.path)


def _cosigner(path: Path) -> Cosigner:
    try:
        return Cosigner.read_or_made(path, f"caseledger-witness/{secrets.token_hex(6)}")
    except KeyFileError as error:
        raise Unusable(str(error)) from None
    except OSError as error:
        raise Unusable(
            f"The key {path} cannot be kept ({error.strerror}): give a --key that this user may write."
        ) from None


def _stated(log_key: str | None) -> Verifier | None:
    if log_key is None:
        return None
    try:
        return Verifier.given(log_key)
    except MalformedKey as error:
        raise Unusable(f"--log-key is a verifier key or a file of one: {error}") from None


def _on_trust(url: str) -> Verifier:
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        given = _Log(http, url).get("key")
    try:
        key = Verifier.parse(given.decode().removesuffix("\n"))
    except (MalformedKey, UnicodeDecodeError):
        raise LogNotRead("The ledger gives no verifier key at /tlog/key; give --log-key.") from None
    say(
        f"The log key {key} is taken on the ledger's own word, and pinned from now on; compare it with one from elsewhere."
    )
    return key


def _pinned(state: State, path: Path) -> Verifier:
    try:
        return Verifier.parse(state.log)
    except MalformedKey:
        raise _damaged(path, "it holds no verifier key") from None


def _read(path: Path) -> State | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, type(error).__name__) from None


def _damaged(path: Path, why: str) -> Unusable:
    return Unusable(
        f"The state {path} cannot be read ({why}). It is what keeps this witness from cosigning two histories: restore it, "
        "or begin anew with another --key and --state."
    )


def _write(path: Path, content: bytes) -> None:
    """The file whole and on the disk, or as it was."""
    try:
        replace_whole(path, content)
    except OSError as error:
        raise Unusable(f"{path} cannot be written ({error.strerror}); nothing is cosigned.") from None


def _kept_as_proof(state_file: Path, state: State, message: bytes) -> str:
    """Both notes beside the state, where one was seen before: signed by one key, they convict it."""
    kept = state_file.with_name(f"{state_file.name}.refused-{sha256(message).hexdigest()[:16]}")
    if len(list(state_file.parent.glob(f"{state_file.name}.refused-*"))) >= MOST_KEPT:
        return f"It is not kept: {MOST_KEPT} files {state_file.name}.refused-* are there already; move them away."
    _write(kept, message)
    if state.note is None:
        return f"What it gave is kept in {kept}."
    seen = kept.with_name(f"{kept.name}.seen")
    _write(seen, state.note.encode())
    return f"What it gave is kept in {kept}, what was seen before in {seen}."
