"""Settings: environment variables, or the same names in a file `.env` of the folder that the program is started in.

The real environment wins over the file. A name that begins with CASELEDGER_ and is not known is refused, so that a
slip in spelling does not leave a default in force unnoticed.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict

from caseledger.errors import SettingsError
from caseledger.lines import Unpacking
from domain.text import shown
from ledger.cosignatures import MalformedWitnesses, WitnessAt, witnesses_of
from ledger.migrations import DEFAULT_SCHEMA
from ledger.sealing import KeyPlace
from ledger.trust import Trust

PREFIX: Final = "CASELEDGER_"
KNOWN: Final = (
    "CASELEDGER_DATABASE_URL",
    "CASELEDGER_HOME",
    "CASELEDGER_READ_URL",
    "CASELEDGER_SCHEMA",
    "CASELEDGER_OIDC_ISSUER",
    "CASELEDGER_OIDC_AUDIENCE",
    "CASELEDGER_OIDC_ROLE_CLAIM",
    "CASELEDGER_OIDC_CARRIER_CLAIM",
    "CASELEDGER_OIDC_AUTHORITY_CLAIM",
    "CASELEDGER_OIDC_SCOPE_CLAIM",
    "CASELEDGER_SIGNING_KEY_FILE",
    "CASELEDGER_CREDENTIAL_KEY_FILE",
    "CASELEDGER_PUBLIC_URL",
    "CASELEDGER_MASTER_KEY_FILE",
    "CASELEDGER_MASTER_KEY",
    "CASELEDGER_WITNESSES",
    "CASELEDGER_WITNESS_SECONDS",
    "CASELEDGER_SUBSCRIPTIONS",
    "CASELEDGER_SUBSCRIPTIONS_PER_CONNECTION",
    "CASELEDGER_SUBSCRIPTIONS_PER_KEY",
    "CASELEDGER_SUBSCRIPTION_QUEUE",
    "CASELEDGER_DOCUMENTS",
    "CASELEDGER_CORS_ORIGINS",
    "CASELEDGER_LIMIT_BODY",
    "CASELEDGER_LIMIT_TOKENS",
    "CASELEDGER_LIMIT_DEPTH",
    "CASELEDGER_LIMIT_ALIASES",
    "CASELEDGER_LIMIT_COST",
    "CASELEDGER_LIMIT_SECONDS",
    "CASELEDGER_LIMIT_RATE",
    "CASELEDGER_LIMIT_PUBLIC_RATE",
    "CASELEDGER_LIMIT_CONNECTIONS",
    "CASELEDGER_LIMIT_IMPORT_BYTES",
    "CASELEDGER_LIMIT_IMPORT_RATIO",
    "CASELEDGER_WEBHOOK_ADDRESSES",
    "CASELEDGER_WEBHOOK_SECONDS",
    "CASELEDGER_WEBHOOK_AT_ONCE",
    "CASELEDGER_WEBHOOK_DAYS",
    "CASELEDGER_LOG",
    "CASELEDGER_LOG_SLOW",
    "CASELEDGER_READY_LAG",
)
"""The names that may be set."""

HOME: Final = "./.caseledger"
PUBLIC_URL: Final = "http://127.0.0.1:8000"
WITNESS_SECONDS: Final = 10.0
SUBSCRIPTIONS: Final = 5_000
SUBSCRIPTIONS_PER_CONNECTION: Final = 100
SUBSCRIPTIONS_PER_KEY: Final = 2_000
SUBSCRIPTION_QUEUE: Final = 1_000
MOST: Final = 100_000
MOST_BYTES: Final = 1_000_000_000
MOST_UNPACKED: Final = 9_999_999_999
MOST_COST: Final = 1_000_000_000
MOST_LAG: Final = 1_000_000_000
DOCUMENTS: Final = ("any", "only")
ADDRESSES: Final = ("public", "any")
MOST_DAYS: Final = 365
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LOG: Final = "info"
LOG_SLOW: Final = 1.0
READY_LAG: Final = 10_000
_ORIGIN: Final = re.compile(r"\*|https?://[^\s/,]{1,253}")
_SECONDS: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
_ISSUER: Final = re.compile(r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)(/[^\s?#]*)?")
_PUBLIC_URL: Final = re.compile(r"https://[a-z0-9.:\[\]-]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
_SCHEMA: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask, and one process takes."""

    body: int = 2 * 1024 * 1024
    """Bytes of a request's body."""
    tokens: int = 2_000
    depth: int = 12
    aliases: int = 15
    cost: int = 100_000
    """Rows that are asked for times fields."""
    seconds: float = 10.0
    rate: int = 10_000
    """Requests a second of one key."""
    public_rate: int = 500
    """Requests a second of one address without a key."""
    connections: int = 10_000


@dataclass(frozen=True, slots=True)
class Hooks:
    """How webhooks are sent to."""

    private: bool = False
    """Whether http, and addresses that are not of the Internet at large, will do."""
    seconds: float = 10.0
    """Longest time of an attempt."""
    at_once: int = 8
    """Attempts at one receiver at the same time."""
    days: int = 3
    """For how long an attempt that fails is made again."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this program finds its ledger. URLs may hold a password: `repr` leaves them out."""

    home: Path
    database_url: str | None = field(default=None, repr=False)
    """A PostgreSQL 15+; None for the carried one in `home`."""
    read_url: str | None = field(default=None, repr=False)
    schema: str = DEFAULT_SCHEMA
    signing_key_file: Path | None = None
    """The key that checkpoints are signed with; None for `signing.key` in `home`."""

    credential_key_file: Path | None = None
    """The key that credentials are signed with; None for `credential.key` in `home`."""
    public_url: str = PUBLIC_URL
    """Where others reach this ledger, without a path: who issues its credentials."""

    master_key_file: Path | None = None
    """The keys that personal fields are sealed under; None for `master.key` in `home`."""
    master_key_text: str | None = field(default=None, repr=False)
    """Those keys themselves, in the place of a file."""

    witnesses: tuple[WitnessAt, ...] = field(default=(), repr=False)
    """Who is asked to cosign the ledger's checkpoints."""
    witness_seconds: float = WITNESS_SECONDS
    """How often each is sent the newest checkpoint at most."""

    subscriptions: int = SUBSCRIPTIONS
    """Most subscriptions, and most connections that can have any, of one process."""
    subscriptions_per_connection: int = SUBSCRIPTIONS_PER_CONNECTION
    subscriptions_per_key: int = SUBSCRIPTIONS_PER_KEY
    subscription_queue: int = SUBSCRIPTION_QUEUE
    """How many events a subscriber may be behind while it takes nothing of what is sent."""

    trust: Trust | None = None
    """The issuer whose tokens are taken beside keys; None for keys alone."""
    trusted_only: bool = False
    """Whether carriers and the public may ask nothing but the documents that ship with the program."""
    origins: tuple[str, ...] = ()
    """Whose pages may read answers in a browser; `*` for all."""
    limits: Limits = Limits()
    unpacking: Unpacking = field(default_factory=Unpacking)
    """How far packed files are unpacked that are imported."""
    hooks: Hooks = Hooks()

    log_level: int = LEVELS[LOG]
    """The least level of what `serve` logs; with that of `debug` every request has a line."""
    log_slow: float = LOG_SLOW
    """Seconds from which on a request is logged as slow."""
    ready_lag: int = READY_LAG
    """Events that a read model may be behind while /readyz says that the process is ready."""

    @property
    def master_key(self) -> KeyPlace:
        return KeyPlace(self.master_key_file or self.home / "master.key", self.master_key_text)

    @property
    def signing_key(self) -> Path:
        return self.signing_key_file or self.home / "signing.key"

    @property
    def credential_key(self) -> Path:
        return self.credential_key_file or self.home / "credential.key"

    @property
    def place(self) -> str:
        """Where the ledger is, in words that hold no secret."""
        if self.database_url is None:
            return str(self.home)
        return described(self.database_url)


def read_settings(environment: Mapping[str, str] | None = None, file: Path = Path(".env")) -> Settings:
    """The settings of an environment (default: the process's own) and a file, which need not be there.

    Raises SettingsError for an unknown name and for a value that cannot be used.
    """
    given = {**_in_file(file), **(os.environ if environment is None else environment)}
    named = {name: value.strip() for name, value in given.items() if name.startswith(PREFIX)}
    if unknown := sorted(set(named) - set(KNOWN)):
        raise SettingsError(f"There is no setting {', '.join(unknown)}; there are {', '.join(KNOWN)}.")
    return Settings(
        home=Path(named.get("CASELEDGER_HOME") or HOME),
        database_url=_url("CASELEDGER_DATABASE_URL", named),
        read_url=_url("CASELEDGER_READ_URL", named),
        signing_key_file=_file("CASELEDGER_SIGNING_KEY_FILE", named),
        credential_key_file=_file("CASELEDGER_CREDENTIAL_KEY_FILE", named),
        public_url=_public_url(named.get("CASELEDGER_PUBLIC_URL") or PUBLIC_URL),
        master_key_file=_file("CASELEDGER_MASTER_KEY_FILE", named),
        master_key_text=named.get("CASELEDGER_MASTER_KEY") or None,
        schema=_schema(named.get("CASELEDGER_SCHEMA") or DEFAULT_SCHEMA),
        witnesses=_witnesses(named.get("CASELEDGER_WITNESSES") or ""),
        witness_seconds=_seconds("CASELEDGER_WITNESS_SECONDS", named, WITNESS_SECONDS),
        subscriptions=_number("CASELEDGER_SUBSCRIPTIONS", named, SUBSCRIPTIONS),
        subscriptions_per_connection=_number(
            "CASELEDGER_SUBSCRIPTIONS_PER_CONNECTION", named, SUBSCRIPTIONS_PER_CONNECTION
        ),
        subscriptions_per_key=_number("CASELEDGER_SUBSCRIPTIONS_PER_KEY", named, SUBSCRIPTIONS_PER_KEY),
        subscription_queue=_number("CASELEDGER_SUBSCRIPTION_QUEUE", named, SUBSCRIPTION_QUEUE),
        trust=_trust(named),
        trusted_only=_documents(named.get("CASELEDGER_DOCUMENTS") or DOCUMENTS[0]) == "only",
        origins=_origins(named.get("CASELEDGER_CORS_ORIGINS") or ""),
        limits=_limits(named),
        unpacking=_unpacking(named),
        hooks=_hooks(named),
        log_level=_level(named.get("CASELEDGER_LOG") or LOG),
        log_slow=_seconds("CASELEDGER_LOG_SLOW", named, LOG_SLOW),
        ready_lag=_number("CASELEDGER_READY_LAG", named, READY_LAG, MOST_LAG),
    )


def _limits(named: Mapping[str, str]) -> Limits:
    usual = Limits()
    return Limits(
        body=_number("CASELEDGER_LIMIT_BODY", named, usual.body, MOST_BYTES),
        tokens=_number("CASELEDGER_LIMIT_TOKENS", named, usual.tokens),
        depth=_number("CASELEDGER_LIMIT_DEPTH", named, usual.depth, 100),
        aliases=_number("CASELEDGER_LIMIT_ALIASES", named, usual.aliases),
        cost=_number("CASELEDGER_LIMIT_COST", named, usual.cost, MOST_COST),
        seconds=_seconds("CASELEDGER_LIMIT_SECONDS", named, usual.seconds),
        rate=_number("CASELEDGER_LIMIT_RATE", named, usual.rate),
        public_rate=_number("CASELEDGER_LIMIT_PUBLIC_RATE", named, usual.public_rate),
        connections=_number("CASELEDGER_LIMIT_CONNECTIONS", named, usual.connections),
    )


def _unpacking(named: Mapping[str, str]) -> Unpacking:
    usual = Unpacking()
    return Unpacking(
        most=_number("CASELEDGER_LIMIT_IMPORT_BYTES", named, usual.most, MOST_UNPACKED),
        ratio=_number("CASELEDGER_LIMIT_IMPORT_RATIO", named, usual.ratio),
    )


def _hooks(named: Mapping[str, str]) -> Hooks:
    usual, addresses = Hooks(), named.get("CASELEDGER_WEBHOOK_ADDRESSES") or ADDRESSES[0]
    if addresses not in ADDRESSES:
        raise SettingsError(
            "CASELEDGER_WEBHOOK_ADDRESSES is public: https to addresses of the Internet at large; or any: then http, this "
            f"machine and private networks too; got {shown(addresses)}."
        )
    return Hooks(
        private=addresses == "any",
        seconds=_seconds("CASELEDGER_WEBHOOK_SECONDS", named, usual.seconds),
        at_once=_number("CASELEDGER_WEBHOOK_AT_ONCE", named, usual.at_once, 100),
        days=_number("CASELEDGER_WEBHOOK_DAYS", named, usual.days, MOST_DAYS),
    )


def _documents(given: str) -> str:
    if given in DOCUMENTS:
        return given
    raise SettingsError(
        f"CASELEDGER_DOCUMENTS is any, or only: then carriers and the public may ask nothing but the documents that ship; "
        f"got {shown(given)}."
    )


def _level(given: str) -> int:
    if given in LEVELS:
        return LEVELS[given]
    raise SettingsError(
        f"CASELEDGER_LOG is the least level that is logged, one of {', '.join(LEVELS)}; got {shown(given)}."
    )


def _origins(given: str) -> tuple[str, ...]:
    named = tuple(given.replace(",", " ").split())
    for each in named:
        if not _ORIGIN.fullmatch(each):
            raise SettingsError(
                "CASELEDGER_CORS_ORIGINS is origins between commas, such as https://console.example, or * for all; "
                f"got {shown(each)}."
            )
    return named


def _file(name: str, named: Mapping[str, str]) -> Path | None:
    return Path(named[name]) if named.get(name) else None


def described(url: str) -> str:
    """Database, host and user of a URL, without its password."""
    parts = conninfo_to_dict(url)
    database, host, user = (parts.get(name) for name in ("dbname", "host", "user"))
    found = [f"database {database}" if database else "the default database", f"on {host or 'the local socket'}"]
    return " ".join([*found, *([f"as {user}"] if user else [])])


def _in_file(file: Path) -> dict[str, str]:
    try:
        # No interpolation: a password may hold a dollar sign.
        found = dotenv_values(file, interpolate=False) if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The file {file} cannot be read ({type(error).__name__}); let it be text in UTF-8 that this user may read."
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def _url(name: str, named: Mapping[str, str]) -> str | None:
    url = named.get(name)
    if not url:
        return None
    try:
        conninfo_to_dict(url)
    except (ValueError, psycopg.ProgrammingError):
        # Without the cause: libpq quotes what it was given, the password too.
        raise SettingsError(
            f"{name} is no PostgreSQL URL: it is written postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    return url


def _schema(name: str) -> str:
    if _SCHEMA.fullmatch(name):
        return name
    raise SettingsError(
        f"CASELEDGER_SCHEMA is 1 to 50 of a-z, 0-9 and _ and begins with neither a digit nor pg_; got {shown(name)}."
    )


def _witnesses(given: str) -> tuple[WitnessAt, ...]:
    """The witnesses of a file's lines, or of lines themselves."""
    text = given
    # A witness's line has a blank in it, and what has none is the name of a file.
    if given and not re.search(r"\s", given):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"CASELEDGER_WITNESSES is lines of VERIFIER_KEY URL, or a file of such lines; {shown(given)} cannot be read "
                f"({type(error).__name__})."
            ) from None
    try:
        return witnesses_of(text)
    except MalformedWitnesses as error:
        raise SettingsError(
            f"CASELEDGER_WITNESSES is lines of VERIFIER_KEY URL, or a file of such lines. {error}"
        ) from None


def _trust(named: Mapping[str, str]) -> Trust | None:
    """The issuer of CASELEDGER_OIDC_ISSUER, with what the other settings say of its tokens."""
    prefix = "CASELEDGER_OIDC_"
    given = {name.removeprefix(prefix).lower(): value for name, value in named.items() if name.startswith(prefix)}
    said = {name: value for name, value in given.items() if value}
    if not said:
        return None
    if not _ISSUER.fullmatch(said.get("issuer", "")):
        raise SettingsError(
            "CASELEDGER_OIDC_ISSUER is the URL of an issuer as its tokens have it in iss, https://HOST/PATH (http:// for this "
            f"machine alone), and the other settings of {prefix}… need it; got {shown(said.get('issuer', ''))}."
        )
    return Trust(**said)


def _public_url(given: str) -> str:
    if _PUBLIC_URL.fullmatch(given.removesuffix("/").lower()):
        return given.removesuffix("/").lower()
    raise SettingsError(
        "CASELEDGER_PUBLIC_URL is where others reach this ledger, https://HOST or https://HOST:PORT without a path (http:// for "
        f"this machine alone); got {shown(given)}."
    )


def _seconds(name: str, named: Mapping[str, str], default: float) -> float:
    text = named.get(name)
    if not text:
        return default
    if _SECONDS.fullmatch(text) and float(text) >= 0.1:
        return float(text)
    raise SettingsError(f"{name} is a number of seconds from 0.1 to 99999, such as {default:g}; got {shown(text)}.")


def _number(name: str, named: Mapping[str, str], default: int, most: int = MOST) -> int:
    text = named.get(name)
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most:
        return int(text)
    raise SettingsError(f"{name} is a number from 1 to {most}, such as {default}; got {shown(text)}.")
