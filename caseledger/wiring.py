"""Wiring: from settings to a working system, and back in order."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from caseledger.errors import CredentialKeyUnusable, DatabaseError, MasterKeyUnusable, SigningKeyError
from caseledger.postgres import CarriedPostgres
from caseledger.reporting import note
from caseledger.settings import Settings, described
from domain.text import shown
from ledger.credential_keys import CREDENTIAL_MIGRATIONS, CredentialKeys
from ledger.entry import seal
from ledger.files import KeyFileError
from ledger.imports import IMPORT_MIGRATIONS
from ledger.keys import KEY_MIGRATIONS, Keys
from ledger.ledger import Ledger
from ledger.master_keys import MasterKeyError
from ledger.migrations import LEDGER_MIGRATIONS, Pool, migrate, open_pool
from ledger.observed import UNOBSERVED, Observer
from ledger.read_log import READ_LOG_MIGRATIONS, ReadLog
from ledger.recorder import PostgresRecorder
from ledger.sealing import KeyPlace, Sealer
from ledger.sessions import SESSION_MIGRATIONS
from ledger.snapshots import Snapshots
from ledger.streams import KEPT_BYTES
from ledger.tree import CutTree, LedgerTree, WrongKey, check_tree, signer_at
from ledger.webhooks import WEBHOOK_MIGRATIONS
from projections.all import all_projections
from projections.migrations import PROJECTION_MIGRATIONS
from projections.runner import Runner

MIGRATIONS: Final = (
    LEDGER_MIGRATIONS
    + KEY_MIGRATIONS
    + SESSION_MIGRATIONS
    + READ_LOG_MIGRATIONS
    + IMPORT_MIGRATIONS
    + PROJECTION_MIGRATIONS
    + CREDENTIAL_MIGRATIONS
    + WEBHOOK_MIGRATIONS
)
OLDEST_SERVER: Final = 15
POOL_SIZE: Final = 16
"""Connections of one process; the carried PostgreSQL takes 200."""


@dataclass(frozen=True, slots=True)
class System:
    """The parts of a running ledger. `runner` keeps the projections once it is started; `credential_keys` are read, and
    made where there are none, when they are first asked for."""

    settings: Settings
    pool: Pool
    ledger: Ledger
    sealer: Sealer
    keys: Keys
    runner: Runner
    read_log: ReadLog
    credential_keys: CredentialKeys


@contextmanager
def open_system(settings: Settings, observer: Observer = UNOBSERVED, kept: int = KEPT_BYTES) -> Iterator[System]:
    """The system on the database of the settings, migrated, with its rulebook adopted; closed when the block is left.

    `observer` is told what is appended and projected; `kept` is how many bytes of memory its folds take.

    Starts or joins the carried PostgreSQL of the home where no URL is set. Raises PostgresError, MigrationError or
    DatabaseError when that cannot be.
    """
    with ExitStack() as stack:
        conninfo = settings.database_url or stack.enter_context(CarriedPostgres(settings.home)).conninfo
        with _reached(conninfo):
            migrate(conninfo, settings.schema, MIGRATIONS)
        pool = stack.enter_context(open_pool(conninfo, settings.schema, max_size=POOL_SIZE))
        tree = _tree(pool, settings.signing_key)
        sealer = _sealer(pool, settings.master_key)
        recorder = PostgresRecorder(pool, seal=seal, tree=tree, observer=observer)
        ledger = Ledger(recorder, sealer, snapshots=Snapshots(pool), kept=kept)
        ledger.adopt()
        runner = Runner(pool, recorder, all_projections(ledger.streams, ledger.rulebook), observer)
        stack.callback(runner.stop)
        credential_keys = CredentialKeys(pool, settings.credential_key)
        yield System(settings, pool, ledger, sealer, Keys(pool), runner, ReadLog(pool), credential_keys)


@contextmanager
def open_to_look(settings: Settings) -> Iterator[Pool]:
    """The database of the settings as it is: nothing is migrated, made, signed or recorded, and no key file is needed.

    Raises PostgresError, and DatabaseError where it cannot be reached or holds no ledger.
    """
    with ExitStack() as stack:
        conninfo = settings.database_url or stack.enter_context(CarriedPostgres(settings.home)).conninfo
        with _reached(conninfo), psycopg.connect(conninfo) as conn:
            found = conn.execute("SELECT to_regclass(%s)", [f"{settings.schema}.log_key"]).fetchone()
        if found is None or found[0] is None:
            raise DatabaseError(
                f"The {described(conninfo)} holds no ledger of this program in the schema {settings.schema}: give the "
                "settings of the one that is meant, or start it once with `caseledger serve`."
            )
        yield stack.enter_context(open_pool(conninfo, settings.schema, max_size=POOL_SIZE))


def _sealer(pool: Pool, place: KeyPlace) -> Sealer:
    """What seals personal fields, under the ledger's own master key."""
    try:
        if place.is_file:
            place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Sealer(pool, place)
    except (MasterKeyError, KeyFileError) as error:
        raise MasterKeyUnusable(str(error)) from None
    except OSError as error:
        raise MasterKeyUnusable(
            f"The master key cannot be kept at {place.path} ({error.strerror}): give a folder that this user may write, "
            "its file by CASELEDGER_MASTER_KEY_FILE, or the key by CASELEDGER_MASTER_KEY."
        ) from None


def _tree(pool: Pool, key_file: Path) -> LedgerTree:
    """The tree under the ledger's own key, with every entry in it."""
    try:
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        tree = LedgerTree(signer_at(pool, key_file))
        check_tree(pool)
    except CutTree as cut:
        raise DatabaseError(str(cut)) from None
    except (WrongKey, KeyFileError) as error:
        raise SigningKeyError(str(error)) from None
    except OSError as error:
        raise SigningKeyError(
            f"The signing key cannot be kept at {key_file} ({error.strerror}): give a folder that this user may write, or "
            "its file by CASELEDGER_SIGNING_KEY_FILE."
        ) from None
    return tree


@contextmanager
def usable_credential_key(settings: Settings) -> Iterator[None]:
    """Runs a block that reads or makes the key of credentials, and says in words why it cannot."""
    try:
        yield
    except KeyFileError as error:
        raise CredentialKeyUnusable(str(error)) from None
    except OSError as error:
        raise CredentialKeyUnusable(
            f"The key of credentials cannot be kept at {settings.credential_key} ({error.strerror}): give a folder that this "
            "user may write, or its file by CASELEDGER_CREDENTIAL_KEY_FILE."
        ) from None


@contextmanager
def _reached(conninfo: str) -> Iterator[None]:
    """Runs the block on a server that answers and is not too old, and says in words why it fails if it does."""
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as conn:
            version = conn.info.server_version // 10_000
        if version < OLDEST_SERVER:
            raise DatabaseError(
                f"PostgreSQL {OLDEST_SERVER} or later is needed; the {described(conninfo)} is of PostgreSQL {version}."
            )
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"The user of the {described(conninfo)} may not make what the ledger needs in it; let the owner of the "
            f"database run: GRANT CREATE ON DATABASE … TO that user;"
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"The {described(conninfo)} cannot be used: {_reason(error, conninfo)}. Look at CASELEDGER_DATABASE_URL and "
            "at the database server."
        ) from None


def _reason(error: psycopg.OperationalError, conninfo: str) -> str:
    """The cause at the end of libpq's first line; never the password, even if a server repeats it."""
    first = next(iter(str(error).splitlines()), "")
    said = first.rpartition(" failed: ")[2].removeprefix("FATAL:").strip() or "no reason was given"
    password = conninfo_to_dict(conninfo).get("password")
    return shown(said.replace(str(password), "…") if password else said, limit=200)


def catch_up(system: System) -> None:
    """Brings the projections to the head, or leaves it to a server where that fails: what was recorded is recorded."""
    try:
        system.runner.catch_up()
    except Exception as error:
        note(f"The read models are behind ({type(error).__name__}); a running server brings them on.")
