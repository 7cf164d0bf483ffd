"""`caseledger erase`, `hold` and `rotate-master-key`: what is done to the keys of data subjects."""

import sys
from typing import Final
from uuid import uuid4

from caseledger.errors import CannotErase, MasterKeyUnusable
from caseledger.reporting import as_json, note
from caseledger.settings import Settings
from caseledger.wiring import System, catch_up, open_system
from domain.callers import Caller, Role
from domain.events import SubjectErased
from ledger import rotation
from ledger.erasure import Erasure, Named, Subject
from ledger.files import KeyFileError
from ledger.master_keys import MasterKeyError

OPERATOR: Final = Caller(role=Role.REGULATOR, holder="cli", scopes=frozenset({"personal:erase"}))
"""Who erases by the command line: whoever may work on the ledger's home. No key has this id."""


def named(subject: str | None, phone: str | None, complaint: str | None, representative_of: str | None) -> Named:
    """The person meant; a number given as `-` is read from standard input, so that no list of processes shows it."""
    return Named(subject, sys.stdin.readline().strip() if phone == "-" else phone, complaint, representative_of)


def erase(settings: Settings, who: Named, ground: str, machine: bool) -> None:
    with open_system(settings) as system:
        done = _erasure(system).erase(OPERATOR, str(uuid4()), who, ground)
        if done.refusals:
            raise CannotErase(". ".join(each.text.en for each in done.refusals) + ".")
        catch_up(system)
    event = done.events[0].event
    assert isinstance(event, SubjectErased)
    if machine:
        as_json({"subject": event.subject, "position": done.head})
    else:
        note(f"The data of subject {event.subject} are unreadable from now on; position {done.head} says so.")
        note("Backups made before now still hold the key, wrapped by the master key: let them expire.")


def hold(settings: Settings, who: Named, reason: str | None, machine: bool) -> None:
    """Puts the person's data under a hold; with None, releases it."""
    with open_system(settings) as system:
        erasure = _erasure(system)
        done = erasure.release(who) if reason is None else erasure.hold(who, reason)
    if not isinstance(done, Subject):
        raise CannotErase(". ".join(each.text.en for each in done) + ".")
    if machine:
        as_json({"subject": done.id, "events": done.events, "hold": done.hold})
    else:
        state = "released" if done.hold is None else "under a legal hold"
        note(f"Subject {done.id}, whose data {done.events} events hold, is {state}.")


def rotate_master_key(settings: Settings, machine: bool) -> None:
    with open_system(settings) as system:
        try:
            old, new, count = rotation.rotate(system.pool, settings.master_key)
        except (MasterKeyError, KeyFileError) as error:
            raise MasterKeyUnusable(str(error)) from None
    if machine:
        as_json({"old": old, "new": new, "subjects": count})
    else:
        note(
            f"{count} keys are wrapped by the master key {new} now, and none by {old}: destroy what copies there are of it."
        )


def _erasure(system: System) -> Erasure:
    return Erasure(system.ledger, system.pool, system.sealer)
