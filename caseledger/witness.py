"""An independent witness of a ledger: it looks at the newest checkpoint over HTTP and cosigns what continues the last one.

It needs no database and no key of the ledger's. What it saw last stands in its state, on the disk before it cosigns, so
that it never cosigns two histories (c2sp.org/tlog-witness).
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import msgspec

from caseledger.errors import LogNotRead, NotWitnessed, Unusable
from caseledger.reporting import note as say
from ledger.files import KeyFileError, replace_whole
from ledger.merkle import Tile
from ledger.notes import (
    Cosigner,
    MalformedKey,
    MalformedNote,
    OpenedCheckpoint,
    UnverifiedNote,
    Verifier,
    open_checkpoint,
)
from ledger.witnessing import NotContinued, check_continuation

TIMEOUT_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 64 * 1024
"""Bytes: more than any checkpoint or tile has."""


class State(msgspec.Struct, frozen=True):
    """The log's verifier key, and the note that was seen last; none before the first."""

    log: str
    note: str | None = None


def witness(url: str, key_file: Path, log_key: str | None = None, state_file: Path | None = None) -> bytes:
    """The newest checkpoint of the ledger at this URL, cosigned. The key is made where there is none.

    `log_key` is a verifier key or a file that holds one; without it the ledger's own word is taken once and pinned in
    the state (default: KEY.state). Raises NotWitnessed for a ledger that is not the one that was seen before, LogNotRead
    where it does not answer, and Unusable for files and keys.
    """
    cosigner = _cosigner(key_file)
    state_file = state_file or key_file.with_name(f"{key_file.name}.state")
    with _alone(state_file), httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        log = _Log(http, url.rstrip("/"))
        state = _read(state_file) or State(str(_stated(log_key) or _on_trust(log)))
        if log_key is not None and str(_stated(log_key)) != state.log:
            raise Unusable(f"The state {state_file} is of the log {state.log}; give that --log-key or another --state.")
        message = log.get("checkpoint")
        try:
            opened = _continued(state, message, log)
        except (NotContinued, MalformedNote, UnverifiedNote) as found:
            raise NotWitnessed(f"NOT COSIGNED. {found} {_kept_as_proof(state_file, state, message)}") from None
        _write(state_file, msgspec.json.encode(State(state.log, opened.note.encoded.decode())))
        return opened.note.signed_with(cosigner.cosign(opened.checkpoint, int(time.time()))).encoded


class _Log:
    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http = http
        self._url = url

    def get(self, path: str) -> bytes:
        content = b""
        try:
            with self._http.stream("GET", f"{self._url}/tlog/{path}") as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        break
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


def _continued(state: State, message: bytes, log: _Log) -> OpenedCheckpoint:
    key = Verifier.parse(state.log)
    opened = open_checkpoint(message, key.name, key)
    if state.note is not None:
        check_continuation(open_checkpoint(state.note.encode(), key.name, key).checkpoint, opened.checkpoint, log.tile)
    return opened


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


def _on_trust(log: _Log) -> Verifier:
    try:
        key = Verifier.parse(log.get("key").decode().removesuffix("\n"))
    except (MalformedKey, UnicodeDecodeError):
        raise LogNotRead("The ledger gives no verifier key at /tlog/key; give --log-key.") from None
    say(
        f"The log key {key} is taken on the ledger's own word, and pinned from now on; compare it with one from elsewhere."
    )
    return key


def _read(path: Path) -> State | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(
            f"The state {path} cannot be read ({type(error).__name__}). It is what keeps this witness from cosigning two "
            "histories: restore it, or begin anew with another --key and --state."
        ) from None


def _write(path: Path, content: bytes) -> None:
    """The file whole and on the disk, or as it was."""
    try:
        replace_whole(path, content)
    except OSError as error:
        raise Unusable(f"{path} cannot be written ({error.strerror}); nothing is cosigned.") from None


def _kept_as_proof(state_file: Path, state: State, message: bytes) -> str:
    """Both notes beside the state, where one was seen before: signed by one key, they convict it."""
    kept = state_file.with_name(f"{state_file.name}.refused-{sha256(message).hexdigest()[:16]}")
    _write(kept, message)
    if state.note is None:
        return f"What it gave is kept in {kept}."
    seen = kept.with_name(f"{kept.name}.seen")
    _write(seen, state.note.encode())
    return f"What it gave is kept in {kept}, what was seen before in {seen}."


@contextmanager
def _alone(state_file: Path) -> Iterator[None]:
    """One witness at a time works with a state."""
    try:
        lock = os.open(state_file.with_name(f"{state_file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unusable(f"The state {state_file} cannot be kept ({error.strerror}); give another --state.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
