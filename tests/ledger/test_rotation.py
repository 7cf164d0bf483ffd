"""A rotation of the master key wraps every key anew, and whoever goes on meanwhile goes on."""

from datetime import date
from pathlib import Path

import pytest

from domain.commands import command
from domain.events import ComplaintReceived, Event
from domain.recorded import Recorded
from given import NOW, complained
from ledger.master_keys import MasterKeyError, new_key, read_keyring, write_keyring
from ledger.migrations import Pool
from ledger.rotation import rotate
from ledger.sealing import KeyPlace, Sealer


@pytest.fixture
def place(tmp_path: Path) -> KeyPlace:
    return KeyPlace(tmp_path / "master.key")


def complaint(phone: str) -> Event:
    fact = complained(complainantPhone=phone, summary="推销")
    made, refusals = command(fact.name, fact.fields, NOW)
    assert made is not None, refusals
    return made.event


def recorded(event: Event) -> Recorded:
    return Recorded(1, "id", type(event).__name__, date(2026, 6, 1), NOW, "x", False, (), event)


def phone_of(sealer: Sealer, event: Event) -> str:
    (found,) = sealer.open([recorded(event)])
    assert isinstance(found, ComplaintReceived)
    assert found.complainant_phone is not None
    return found.complainant_phone


def masters(pool: Pool) -> set[str]:
    with pool.connection() as conn:
        return {id_ for (id_,) in conn.execute("SELECT master FROM subjects UNION SELECT id FROM master_key")}


def test_after_a_rotation_all_is_wrapped_by_the_new_key_and_reads_as_before(pool: Pool, place: KeyPlace) -> None:
    sealer = Sealer(pool, place)
    sealed = [sealer.seal([("id", complaint(f"1380000{n:04}"))])[0].event for n in range(5)]
    old, new, count = rotate(pool, place)
    assert (count, masters(pool)) == (5, {new})
    assert [key.id for key in read_keyring(place.path).keys] == [new]
    assert old != new
    for user in (Sealer(pool, place), sealer):
        assert [phone_of(user, event) for event in sealed] == [f"1380000{n:04}" for n in range(5)]


def test_who_was_running_seals_under_the_new_key_and_finds_the_same_subject(pool: Pool, place: KeyPlace) -> None:
    running = Sealer(pool, place)
    (before,) = running.seal([("id", complaint("13800001111"))])
    _, new, _ = rotate(pool, place)
    again, other = running.seal([("a", complaint("13800001111")), ("b", complaint("13900002222"))])
    assert again.subject == before.subject != other.subject
    assert masters(pool) == {new}


def test_a_rotation_that_was_cut_off_is_finished_by_the_next(pool: Pool, place: KeyPlace) -> None:
    sealer = Sealer(pool, place)
    (sealed,) = sealer.seal([("id", complaint("13800001111"))])
    # It had put the new key first and made it current, and wrapped nothing yet.
    fresh = new_key()
    known = read_keyring(place.path).current
    write_keyring(place.path, (fresh, known))
    with pool.connection() as conn:
        (wrapped,) = conn.execute("SELECT lookup_key FROM master_key").fetchone() or (b"",)
        lookup = fresh.wrap(known.unwrap(wrapped, "lookup"), "lookup")
        conn.execute("UPDATE master_key SET id = %s, lookup_key = %s", [fresh.id, lookup])
    _, new, _ = rotate(pool, place)
    assert masters(pool) == {new}
    assert phone_of(Sealer(pool, place), sealed.event) == "13800001111"


def test_a_key_of_the_environment_is_rotated_to_the_one_put_first(pool: Pool, tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    sealer = Sealer(pool, KeyPlace(tmp_path / "none", old.text))
    (sealed,) = sealer.seal([("id", complaint("13800001111"))])
    with pytest.raises(MasterKeyError, match="put a new one before it"):
        rotate(pool, KeyPlace(tmp_path / "none", old.text))
    both = KeyPlace(tmp_path / "none", f"{new.text},{old.text}")
    assert rotate(pool, both) == (old.id, new.id, 1)
    alone = Sealer(pool, KeyPlace(tmp_path / "none", new.text))
    assert phone_of(alone, sealed.event) == "13800001111"
    assert not (tmp_path / "none").exists()


def test_another_master_key_is_refused_and_both_are_named(pool: Pool, place: KeyPlace, tmp_path: Path) -> None:
    Sealer(pool, place)
    known = read_keyring(place.path).current
    with pytest.raises(MasterKeyError) as raised:
        Sealer(pool, KeyPlace(tmp_path / "x", (other := new_key()).text))
    assert known.id in str(raised.value)
    assert other.id in str(raised.value)


def test_a_missing_master_key_is_not_made_anew_for_a_ledger_that_has_one(pool: Pool, place: KeyPlace) -> None:
    Sealer(pool, place)
    known = read_keyring(place.path).current
    place.path.unlink()
    with pytest.raises(MasterKeyError, match=f"{known.id}, is not at"):
        Sealer(pool, place)
    assert not place.path.exists()
