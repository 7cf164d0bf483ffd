import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from caseledger.postgres import SERVICE_USER, CarriedPostgres, PostgresError

ROOT = os.geteuid() == 0

# Starts on the home given, says how to reach it, and stays until its input ends.
USER = """
import sys
from pathlib import Path
from caseledger.postgres import CarriedPostgres
with CarriedPostgres(Path(sys.argv[1])) as postgres:
    print(postgres.pid, flush=True)
    sys.stdin.read()
"""


def start_user(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def said_pid(user: subprocess.Popen[str]) -> int:
    assert user.stdout is not None
    return int(user.stdout.readline())


def end(user: subprocess.Popen[str]) -> None:
    user.communicate("", timeout=60)


def one(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def runs(pid: int) -> bool:
    """Whether a process is there; one that has ended and whose parent has not looked yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while runs(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


@pytest.fixture
def users(home: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test starts; those that it leaves are ended before the home is removed."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for user in started:
        if user.poll() is None:
            end(user)
    with CarriedPostgres(home):
        pass  # The last one out stops what killed users left running.


@pytest.mark.parametrize("version", [18, 16])
def test_a_fresh_home_gets_a_database_of_its_version_that_is_not_owned_by_a_superuser(home: Path, version: int) -> None:
    with CarriedPostgres(home, version=version) as postgres:
        assert str(one(postgres.conninfo, "SHOW server_version")).startswith(f"{version}.")
        assert one(postgres.conninfo, "SELECT current_database() || ' ' || current_user") == "caseledger caseledger"
        assert one(postgres.conninfo, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert one(postgres.conninfo, "SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user") is True
        locale = (
            "SELECT datcollate || ' ' || pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'caseledger'"
        )
        assert one(postgres.conninfo, locale) == "C UTF8"


def test_commits_are_durable_pages_have_checksums_and_there_is_no_tcp(home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        shown = {
            name: one(postgres.conninfo, f"SHOW {name}")
            for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums", "listen_addresses")
        }
    assert shown == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
    }


def test_the_data_folder_and_the_socket_are_the_service_users_alone(home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        data = postgres.data.stat()
        assert stat.S_IMODE(data.st_mode) == 0o700
        assert data.st_uid == (pwd.getpwnam(SERVICE_USER).pw_uid if ROOT else os.geteuid())
        assert stat.S_IMODE((postgres.data / ".s.PGSQL.5432").stat().st_mode) == 0o700


@pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as another user")
def test_folders_above_the_data_get_the_traverse_bit_and_no_other(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with CarriedPostgres(closed / "home"):
        assert stat.S_IMODE(closed.stat().st_mode) == 0o701
        assert stat.S_IMODE((closed / "home").stat().st_mode) == 0o701


def test_the_log_has_no_statement_and_no_value_of_a_failed_one(home: Path) -> None:
    with CarriedPostgres(home) as postgres, psycopg.connect(postgres.conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE people (name text PRIMARY KEY)")
        conn.execute("INSERT INTO people VALUES ('Zhang San')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO people VALUES ('Zhang San')")
    log = postgres.log.read_text()
    assert "duplicate key value" in log
    assert "Zhang San" not in log


def test_a_second_start_is_quick_and_finds_what_was_written(home: Path) -> None:
    with CarriedPostgres(home) as postgres, psycopg.connect(postgres.conninfo) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    began = time.monotonic()
    with CarriedPostgres(home) as postgres:
        assert time.monotonic() - began < 3
        assert one(postgres.conninfo, "SELECT answer FROM kept") == 42


def test_start_and_stop_may_be_repeated(home: Path) -> None:
    postgres = CarriedPostgres(home)
    postgres.stop()
    assert postgres.start() == postgres.start()
    postgres.stop()
    postgres.stop()
    assert postgres.pid is None
    assert one(postgres.start(), "SELECT 1") == 1
    postgres.stop()
    assert postgres.pid is None


def test_two_users_share_one_postgresql_and_the_last_one_stops_it(
    home: Path, users: list[subprocess.Popen[str]]
) -> None:
    postgres = CarriedPostgres(home)
    postgres.start()
    pid = postgres.pid
    assert pid is not None
    users.append(start_user(home))
    assert said_pid(users[0]) == pid
    postgres.stop()
    assert postgres.pid == pid
    assert one(postgres.conninfo, "SELECT 1") == 1
    end(users[0])
    assert postgres.pid is None
    wait_until_gone(pid)


def test_users_that_start_a_fresh_home_at_once_get_the_same_postgresql(
    home: Path, users: list[subprocess.Popen[str]]
) -> None:
    users += [start_user(home) for _ in range(4)]
    pids = {said_pid(user) for user in users}
    assert len(pids) == 1
    assert CarriedPostgres(home).log.read_text().count("starting PostgreSQL") == 1


def test_a_killed_user_does_not_count(home: Path, users: list[subprocess.Popen[str]]) -> None:
    users.append(start_user(home))
    pid = said_pid(users[0])
    with CarriedPostgres(home) as postgres:
        assert postgres.pid == pid
        users[0].kill()
        users[0].wait()
    assert postgres.pid is None


def test_a_postgresql_left_by_a_killed_user_is_taken_over(home: Path, users: list[subprocess.Popen[str]]) -> None:
    users.append(start_user(home))
    pid = said_pid(users[0])
    users[0].kill()
    users[0].wait()
    assert CarriedPostgres(home).pid == pid
    with CarriedPostgres(home) as postgres:
        assert postgres.pid == pid
        assert one(postgres.conninfo, "SELECT 1") == 1
    assert postgres.pid is None


def test_a_postgresql_that_does_not_answer_in_time_is_left_to_what_it_does(
    home: Path, users: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    users.append(start_user(home))
    pid = said_pid(users[0])
    users[0].kill()
    users[0].wait()
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr("caseledger.postgres.START_SECONDS", 0.1)
    with pytest.raises(PostgresError, match=f"process {pid}.* has not answered"):
        CarriedPostgres(home).start()
    os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    with CarriedPostgres(home) as postgres:
        assert postgres.pid == pid


def test_a_forked_child_does_not_stop_what_its_parent_uses(home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        child = os.fork()
        if child == 0:
            postgres.stop()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert one(postgres.conninfo, "SELECT 1") == 1
    assert postgres.pid is None


def test_what_was_committed_outlives_a_kill_of_the_postmaster(home: Path) -> None:
    postgres = CarriedPostgres(home)
    with psycopg.connect(postgres.start(), autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    killed = postgres.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    assert (postgres.data / "postmaster.pid").exists()
    with CarriedPostgres(home) as again:
        assert again.pid not in (None, killed)
        assert one(again.conninfo, "SELECT answer FROM kept") == 42
    postgres.stop()


def test_a_start_waits_for_the_backends_of_a_killed_postmaster(home: Path) -> None:
    postgres = CarriedPostgres(home)
    conn = psycopg.connect(postgres.start(), autocommit=True)

    def work() -> None:
        # A backend that computes does not notice that the postmaster is gone.
        with suppress(psycopg.OperationalError):
            conn.execute("SELECT count(*) FROM generate_series(1, 8000000) a WHERE sqrt(a) < 0")

    backend = conn.info.backend_pid
    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.3)
    killed = postgres.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    assert runs(backend)
    with CarriedPostgres(home) as again:
        assert not runs(backend)
        assert one(again.conninfo, "SELECT 1") == 1
    worker.join()
    conn.close()
    postgres.stop()
    assert "shared memory block" in postgres.log.read_text()


def test_a_stale_pid_file_that_names_a_living_process_does_not_hinder_a_start(home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        pass
    bystander = subprocess.Popen(["sleep", "60"], user=SERVICE_USER if ROOT else None)
    try:
        pid_file = postgres.data / "postmaster.pid"
        pid_file.write_text(f"{bystander.pid}\n{postgres.data}\n1700000000\n5432\n{postgres.data}\n\n  1  1\nready\n")
        owner = postgres.data.stat()
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        pid_file.chmod(0o600)
        assert postgres.pid is None
        with CarriedPostgres(home) as again:
            assert one(again.conninfo, "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_initdb_that_was_interrupted_is_done_again(home: Path) -> None:
    half = home / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with CarriedPostgres(home) as postgres:
        assert one(postgres.conninfo, "SELECT 1") == 1
    assert not half.exists()


def test_a_path_too_long_for_a_socket_gets_a_socket_folder_elsewhere(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    with CarriedPostgres(deep) as postgres, psycopg.connect(postgres.conninfo) as conn:
        sockets = Path(conn.info.host)
        assert not sockets.is_relative_to(home)
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert one(postgres.conninfo, "SELECT 1") == 1
    sockets.rmdir()


def test_a_user_with_another_temporary_folder_finds_the_same_socket(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    with CarriedPostgres(deep) as postgres:
        first = postgres.conninfo
        monkeypatch.setattr("tempfile.tempdir", str(home))
        with CarriedPostgres(deep) as other:
            assert other.conninfo == first
            assert one(other.conninfo, "SELECT 1") == 1
        sockets = Path(str(psycopg.conninfo.conninfo_to_dict(first)["host"]))
    sockets.rmdir()


def test_a_socket_folder_that_others_can_open_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(home))
    postgres = CarriedPostgres(home / ("d" * 60) / ("e" * 60))
    with postgres:
        (sockets,) = home.glob("caseledger-*")
    sockets.chmod(0o755)
    with pytest.raises(PostgresError, match=f"{sockets} must be a folder of mode 0700"):
        postgres.start()


def test_a_path_with_blanks_quotes_and_commas_works(home: Path) -> None:
    for name in ('it\'s "a" $HOME 数据', "a, b"):
        with CarriedPostgres(home / name) as postgres:
            assert one(postgres.conninfo, "SELECT 1") == 1
            sockets = Path(str(psycopg.conninfo.conninfo_to_dict(postgres.conninfo)["host"]))
        assert postgres.pid is None
    sockets.rmdir()


def test_a_home_reached_through_a_link_is_the_same_home(home: Path) -> None:
    (home / "link").symlink_to(home / "real")
    with CarriedPostgres(home / "real") as postgres, CarriedPostgres(home / "link") as linked:
        assert linked.pid == postgres.pid


def test_a_home_that_cannot_be_written_is_refused_with_a_sentence(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(PostgresError, match=r"cannot be written .*Give a folder that this user may write"):
        CarriedPostgres(home / "file" / "home").start()


def test_a_home_of_another_major_version_is_refused_with_a_sentence(home: Path) -> None:
    with CarriedPostgres(home, version=16):
        pass
    with pytest.raises(PostgresError, match="made by PostgreSQL 16 and this is PostgreSQL 18"):
        CarriedPostgres(home).start()
    with CarriedPostgres(home, version=16) as postgres:
        with pytest.raises(PostgresError, match="made by PostgreSQL 16 and this is PostgreSQL 18"):
            CarriedPostgres(home).start()
        assert one(postgres.conninfo, "SELECT 1") == 1


def test_a_folder_of_something_else_is_refused_with_a_sentence(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "letters.txt").write_text("")
    with pytest.raises(PostgresError, match="no data folder of PostgreSQL"):
        CarriedPostgres(home).start()
    assert (home / "postgres" / "letters.txt").exists()


def test_a_start_that_fails_points_to_the_log_and_leaves_nothing_running(home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        pass
    (postgres.data / "postgresql.auto.conf").write_text("shared_buffers = 'much'\n")
    with pytest.raises(PostgresError, match="did not start") as caught:
        postgres.start()
    assert str(postgres.log) in str(caught.value)
    assert "much" not in str(caught.value)
    assert "much" in postgres.log.read_text()
    (postgres.data / "postgresql.auto.conf").write_text("")
    with postgres:
        assert one(postgres.conninfo, "SELECT 1") == 1


def test_a_version_that_is_not_carried_is_refused(home: Path) -> None:
    with pytest.raises(PostgresError, match=r"PostgreSQL 12 is not carried: the versions are \[16, 18\]"):
        CarriedPostgres(home, version=12)
