"""Rotation of the master key: every key of a subject is wrapped anew, while the ledger goes on.

The steps may be cut off anywhere and begun again: a key is wrapped by a master key whose id stands beside it, and the
keyring holds the old master key until nothing is wrapped by it any more.
"""

from collections.abc import Callable
from typing import Final

from ledger.master_keys import Keyring, MasterKeyError, new_key, write_keyring
from ledger.migrations import Pool
from ledger.sealing import KeyPlace, master_of

AT_A_TIME: Final = 1_000


def rotate(pool: Pool, place: KeyPlace, progress: Callable[[int], None] = lambda count: None) -> tuple[str, str, int]:
    """Wraps all by a new master key; gives the ids of the old and the new one, and how many keys were wrapped anew.

    In a file, the new key is made here, and the old one taken out at the end. In the environment, the new one must have
    been put first by whoever keeps it there. Raises MasterKeyError, KeyFileError, OSError and psycopg.Error.
    """
    with pool.connection() as database:
        known = master_of(database)
    if known is None:
        raise MasterKeyError("This ledger has no master key yet: start it once.")
    keyring = place.read(known[0])
    if place.is_file and keyring.current.id == known[0]:
        write_keyring(place.path, (new_key(), *keyring.keys))
        keyring = place.read(known[0])
    if keyring.current.id == known[0] and not _wrapped_by_others(pool, known[0]):
        raise MasterKeyError(
            f"The first key of CASELEDGER_MASTER_KEY is {known[0]}, which is in use already: put a new one before it, "
            "separated by a comma, restart the servers, and run this again."
        )
    _make_current(pool, keyring)
    count = 0
    # Nothing is wrapped by the old one any more: what was being added has been waited for (`_ADD` of `ledger.sealing`).
    while done := _wrap_some(pool, keyring):
        count += done
        progress(count)
    if place.is_file:
        write_keyring(place.path, (keyring.current,))
    return known[0], keyring.current.id, count


def _wrapped_by_others(pool: Pool, master: str) -> bool:
    with pool.connection() as database:
        return database.execute("SELECT 1 FROM subjects WHERE master <> %s LIMIT 1", [master]).fetchone() is not None


def _make_current(pool: Pool, keyring: Keyring) -> None:
    with pool.connection() as database, database.transaction():
        database.execute("SELECT FROM master_key FOR UPDATE")
        known = master_of(database)
        if known is not None and known[0] != keyring.current.id:
            key = keyring.named(known[0]).unwrap(known[1], "lookup")
            wrapped = keyring.current.wrap(key, "lookup")
            database.execute("UPDATE master_key SET id = %s, lookup_key = %s", [keyring.current.id, wrapped])


def _wrap_some(pool: Pool, keyring: Keyring) -> int:
    current = keyring.current
    with pool.connection() as database, database.transaction():
        rows = database.execute(_OLD, [current.id, AT_A_TIME], binary=True).fetchall()
        fresh = [current.wrap(keyring.named(master).unwrap(wrapped, id_), id_) for id_, master, wrapped in rows]
        database.execute(_WRAP_ANEW, [current.id, [id_ for id_, *_ in rows], fresh])
    return len(rows)


_OLD: Final = "SELECT id, master, wrapped FROM subjects WHERE master <> %s ORDER BY id LIMIT %s FOR UPDATE"
_WRAP_ANEW: Final = """
UPDATE subjects SET master = %s, wrapped = fresh.wrapped
FROM unnest(%s::text[], %s::bytea[]) AS fresh (id, wrapped) WHERE subjects.id = fresh.id
"""
