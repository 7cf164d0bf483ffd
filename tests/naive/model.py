"""The state of the ledger by the letter of the rulebook: every question reads the whole list of events again.

A second implementation, written from the rulebook alone, that the real one is tested against. It shares no code with
it and knows no speed: lists in, lists out.

Everywhere `on` is the legal date D and `at` the position P of the rulebook; dates inside `data` are ISO text, amounts
decimal text with two places, fields carry the names of the contract.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
ENDINGS = ("LicenceRevoked", "LicenceAnnulled", "LicenceCancelled")
ACCESS_STATES = {
    "AccessGranted": "GRANTED",
    "AccessRestricted": "RESTRICTED",
    "AccessRestored": "GRANTED",
    "AccessTerminated": "TERMINATED",
}
ENFORCEMENT = (
    "InspectionHeld",
    "InterviewHeld",
    "RectificationOrdered",
    "RectificationConfirmed",
    "ExposurePublished",
    "ExposureRetracted",
    "PenaltyImposed",
    "PenaltyPublicised",
    "PenaltyPerformed",
    "PenaltyAnnulled",
    "ListEntryMade",
    "ListEntryRemoved",
)
LONG_PUBLICITY = {"LICENCE_REVOKED", "CLOSURE", "BARRED", "LICENCE_SUSPENDED", "BUSINESS_SUSPENDED"}
CREDIT_REPAIR_FROM = dt.date(2026, 4, 1)


@dataclass(frozen=True)
class E:
    """One recorded event: `type` as the rulebook names it, `recorded_at` an instant in UTC."""

    position: int
    type: str
    effective_on: dt.date
    recorded_at: dt.datetime
    historical: bool
    data: dict[str, Any]


@dataclass(frozen=True)
class Filing:
    """A number filed now (§3): the filing, its terms as amended, and the amendments in order."""

    filing: E
    terms: dict[str, Any]
    amendments: list[E]


def day(text: str) -> dt.date:
    """The date that an ISO text states."""
    return dt.date.fromisoformat(text)


def legal_date(instant: dt.datetime) -> dt.date:
    """The calendar date of an instant in Asia/Shanghai (§1)."""
    return instant.astimezone(SHANGHAI).date()


def called_on(complaint: E) -> dt.date:
    """The legal date of the call that a ComplaintReceived is about."""
    return legal_date(dt.datetime.fromisoformat(complaint.data["calledAt"]))


def key(e: E) -> tuple[dt.date, int]:
    """What "later" between visible events compares (§1)."""
    return (e.effective_on, e.position)


def head(events: Sequence[E]) -> int:
    """The last position, 0 for an empty ledger."""
    return max([e.position for e in events], default=0)


def voided_by(events: Sequence[E], position: int, at: int) -> int | None:
    """The position of the void of an event, known at `at`."""
    voids = [v.position for v in events if v.type == "EventVoided" and v.data["position"] == position]
    return min([p for p in voids if p <= at], default=None)


def visible(events: Sequence[E], on: dt.date, at: int) -> list[E]:
    """The visible events at (on, at), by (effectiveOn, position) (§1)."""
    known = [e for e in events if e.position <= at and e.effective_on <= on]
    return sorted([e for e in known if voided_by(events, e.position, at) is None], key=key)


def known(events: Sequence[E], at: int) -> list[E]:
    """The events of any date that are known at `at` and not voided, by (effectiveOn, position)."""
    return visible(events, dt.date.max, at)


def pick(events: Sequence[E], types: str | Sequence[str], **fields: Any) -> list[E]:
    """Those of the given types whose data holds all the given fields, in the order given."""
    wanted = [types] if isinstance(types, str) else types
    return [e for e in events if e.type in wanted and all(e.data.get(n) == v for n, v in fields.items())]


# ── whose event (§3) ─────────────────────────────────────────────────────────────────────────────────────────────


def complaint_number(events: Sequence[E], complaint: E) -> Filing | None:
    """The filing a complaint's displayed number belongs to, on the date of the call, known at its own position."""
    shown = complaint.data["displayedNumber"]
    if not (3 <= len(shown) <= 20 and all(c in "0123456789" for c in shown)):
        return None
    numbers = {e.data["number"] for e in pick(events, "NumberFiled")}
    filings = [filed(events, n, called_on(complaint), complaint.position) for n in numbers if shown.startswith(n)]
    return max([f for f in filings if f is not None], key=lambda f: len(f.filing.data["number"]), default=None)


def complaint_owner(events: Sequence[E], complaint: E) -> str | None:
    """The enterprise that a ComplaintReceived names, or the one its displayed number belongs to (§5)."""
    if complaint.data.get("uscc") is not None:
        return str(complaint.data["uscc"])
    found = complaint_number(events, complaint)
    return None if found is None else str(found.filing.data["uscc"])


def bearer(events: Sequence[E], e: E) -> str | None:
    """The enterprise that an event bears ("Whose event", §3)."""
    if e.type == "ComplaintReceived":
        return complaint_owner(events, e)
    if e.type == "ComplaintResolved":
        return complaint_owner(events, pick(events, "ComplaintReceived", complaintId=e.data["complaintId"])[0])
    if e.type == "EventVoided":
        return bearer(events, next(x for x in events if x.position == e.data["position"]))
    if e.type in ("RulebookAdopted", "InspectionDrawn", "SubjectErased"):
        return None
    return str(e.data["uscc"])


def history(
    events: Sequence[E], uscc: str, at: int, types: Sequence[str] | None = None
) -> list[tuple[int, int | None]]:
    """(position, voidedBy) of the events that bear the code, of any date, newest first (§8)."""
    mine = [e for e in events if e.position <= at and bearer(events, e) == uscc and (types is None or e.type in types)]
    return [(e.position, voided_by(events, e.position, at)) for e in sorted(mine, key=key, reverse=True)]


# ── numbers, licences, accesses (§3) ─────────────────────────────────────────────────────────────────────────────


def terms_of(filing: E, amendments: Sequence[E]) -> dict[str, Any]:
    """The filing's fields with each given field of the amendments replaced, in order."""
    given = {"outboundUndertaking": False}
    for e in [filing, *amendments]:
        given = given | {n: v for n, v in e.data.items() if v is not None}
    return given


def filed(events: Sequence[E], number: str, on: dt.date, at: int) -> Filing | None:
    """The filing of a number that is filed now, by whichever enterprise; None if it is not filed now."""
    seen = visible(events, on, at)
    turns = pick(seen, ("NumberFiled", "NumberWithdrawn"), number=number)
    if not turns or turns[-1].type == "NumberWithdrawn":
        return None
    filing = turns[-1]
    changes = pick(seen, "NumberFilingAmended", number=number, uscc=filing.data["uscc"])
    amendments = [e for e in changes if key(e) > key(filing)]
    return Filing(filing, terms_of(filing, amendments), amendments)


def licence_endings(events: Sequence[E], grant: E, on: dt.date, at: int) -> list[E]:
    """The visible Revoked, Annulled and Cancelled of a licence, in order."""
    return pick(visible(events, on, at), ENDINGS, licenceNo=grant.data["licenceNo"], uscc=grant.data["uscc"])


def valid_to(events: Sequence[E], grant: E, on: dt.date, at: int) -> dt.date:
    """A licence's validTo as last set by a visible renewal."""
    licence = {"licenceNo": grant.data["licenceNo"], "uscc": grant.data["uscc"]}
    return day([grant, *pick(visible(events, on, at), "LicenceRenewed", **licence)][-1].data["validTo"])


def licences_in_force(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[E]:
    """The LicenceGranted of the licences in force on `on`, by (effectiveOn, position)."""
    grants = pick(visible(events, on, at), "LicenceGranted", uscc=uscc)
    return [
        g
        for g in grants
        if day(g.data["validFrom"]) <= on <= valid_to(events, g, on, at) and not licence_endings(events, g, on, at)
    ]


def access_state(events: Sequence[E], access_id: str, on: dt.date, at: int) -> str | None:
    """GRANTED, RESTRICTED or TERMINATED by the last visible access event; None without a visible grant."""
    turns = pick(visible(events, on, at), tuple(ACCESS_STATES), accessId=access_id)
    return ACCESS_STATES[turns[-1].type] if pick(turns, "AccessGranted") else None


# ── entries, orders, standing events, complaints (§3) ────────────────────────────────────────────────────────────


def removals(events: Sequence[E], entry: E, on: dt.date, at: int) -> list[E]:
    """The visible removals of a list entry, in order: the first one counts."""
    same = {"entryId": entry.data["entryId"], "uscc": entry.data["uscc"]}
    return pick(visible(events, on, at), "ListEntryRemoved", **same)


def active_entries(events: Sequence[E], uscc: str, which: str, on: dt.date, at: int) -> list[E]:
    """The active entries of an enterprise on the list ADVERSE or DISHONESTY."""
    made = pick(visible(events, on, at), "ListEntryMade", uscc=uscc, list=which)
    return [e for e in made if not removals(events, e, on, at)]


def confirmations(events: Sequence[E], order: E, on: dt.date, at: int) -> list[E]:
    """The visible confirmations of a rectification order, in order."""
    same = {"orderId": order.data["orderId"], "uscc": order.data["uscc"]}
    return pick(visible(events, on, at), "RectificationConfirmed", **same)


def open_orders(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[E]:
    """The visible orders without a visible confirmation."""
    orders = pick(visible(events, on, at), "RectificationOrdered", uscc=uscc)
    return [o for o in orders if not confirmations(events, o, on, at)]


def overdue_orders(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[E]:
    """The open orders with on > dueOn."""
    return [o for o in open_orders(events, uscc, on, at) if on > day(o.data["dueOn"])]


def penalty_events(events: Sequence[E], types: str, penalty: E, on: dt.date, at: int) -> list[E]:
    """The visible events of a type about a penalty: same authority, document number and code."""
    same = {n: penalty.data[n] for n in ("authority", "documentNo", "uscc")}
    return pick(visible(events, on, at), types, **same)


def undone(events: Sequence[E], e: E, on: dt.date, at: int) -> bool:
    """Whether a visible event retracts the exposure or annuls the penalty."""
    if e.type == "ExposurePublished":
        same = {"exposureId": e.data["exposureId"], "uscc": e.data["uscc"]}
        return bool(pick(visible(events, on, at), "ExposureRetracted", **same))
    return e.type == "PenaltyImposed" and bool(penalty_events(events, "PenaltyAnnulled", e, on, at))


def standing(events: Sequence[E], uscc: str, on: dt.date, at: int, types: Sequence[str]) -> list[E]:
    """The standing interviews, exposures or penalties (whichever `types` names) of an enterprise."""
    return [e for e in pick(visible(events, on, at), types, uscc=uscc) if not undone(events, e, on, at)]


def last_resolution(events: Sequence[E], complaint: E, on: dt.date, at: int) -> E | None:
    """The last visible resolution of a complaint."""
    found = pick(visible(events, on, at), "ComplaintResolved", complaintId=complaint.data["complaintId"])
    return found[-1] if found else None


def substantiated(events: Sequence[E], complaint: E, on: dt.date, at: int) -> bool:
    """Whether the last visible resolution of a complaint is SUBSTANTIATED."""
    last = last_resolution(events, complaint, on, at)
    return last is not None and last.data["outcome"] == "SUBSTANTIATED"


def complaints(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[E]:
    """The visible complaints that belong to an enterprise."""
    return [e for e in pick(visible(events, on, at), "ComplaintReceived") if complaint_owner(events, e) == uscc]


# ── what is shown (§8) ───────────────────────────────────────────────────────────────────────────────────────────


def licence_view(events: Sequence[E], grant: E, on: dt.date, at: int) -> dict[str, Any]:
    """A licence as `Licence` shows it."""
    endings = licence_endings(events, grant, on, at)
    return {
        **{n: grant.data[n] for n in ("licenceNo", "validFrom", "route", "authority")},
        "validTo": valid_to(events, grant, on, at).isoformat(),
        "endedBy": endings[0].type if endings else None,
        "position": grant.position,
    }


def number_view(events: Sequence[E], filing: E, on: dt.date, at: int) -> dict[str, Any]:
    """A filing, ended or not, as `NumberFiling` shows it: its terms last to the next filing or withdrawal of the number.

    One that was followed by another filing of the same enterprise was withdrawn when the number was.
    """
    seen = visible(events, on, at)
    number, uscc = filing.data["number"], filing.data["uscc"]
    later = [e for e in pick(seen, ("NumberFiled", "NumberWithdrawn"), number=number) if key(e) > key(filing)]
    changes = pick(seen, "NumberFilingAmended", number=number, uscc=uscc)
    amendments = [e for e in changes if key(e) > key(filing) and all(key(e) < key(end) for end in later)]
    terms = terms_of(filing, amendments)
    withdrawn = pick(later, "NumberWithdrawn", uscc=uscc)
    return {
        **{n: terms[n] for n in ("number", "carriers", "use", "directions")},
        "filedOn": filing.effective_on.isoformat(),
        "withdrawnOn": withdrawn[0].effective_on.isoformat() if withdrawn else None,
        "position": filing.position,
    }


def access_view(events: Sequence[E], grant: E, on: dt.date, at: int) -> dict[str, Any]:
    """An access as `Access` shows it."""
    return {
        **{n: grant.data[n] for n in ("accessId", "carrier", "number", "directions")},
        "state": access_state(events, grant.data["accessId"], on, at),
        "grantedOn": grant.effective_on.isoformat(),
        "position": grant.position,
    }


def enterprise(events: Sequence[E], uscc: str, on: dt.date, at: int) -> dict[str, Any] | None:
    """The register view of an enterprise; None when no registration is visible."""
    seen = visible(events, on, at)
    registered = pick(seen, "EnterpriseRegistered", uscc=uscc)
    if not registered:
        return None
    return {
        "uscc": uscc,
        "name": pick(seen, ("EnterpriseRegistered", "EnterpriseRenamed"), uscc=uscc)[-1].data["name"],
        "province": registered[-1].data["province"],
        "licences": [licence_view(events, e, on, at) for e in pick(seen, "LicenceGranted", uscc=uscc)],
        "numbers": [number_view(events, e, on, at) for e in pick(seen, "NumberFiled", uscc=uscc)],
        "accesses": [access_view(events, e, on, at) for e in pick(seen, "AccessGranted", uscc=uscc)],
    }


def complaint_counts(
    events: Sequence[E], uscc: str, first: dt.date, last: dt.date, on: dt.date, at: int
) -> list[tuple[dt.date, int, int]]:
    """(date, received, substantiated) for each date from first to last on which a complaint was received."""
    mine = [e for e in complaints(events, uscc, on, at) if first <= e.effective_on <= last]
    return [
        (
            date,
            len([e for e in mine if e.effective_on == date]),
            len([e for e in mine if e.effective_on == date and substantiated(events, e, on, at)]),
        )
        for date in sorted({e.effective_on for e in mine})
    ]


def known_name(events: Sequence[E], uscc: str, at: int) -> str | None:
    """The last name by (effectiveOn, position) known at `at`, of any date; None if none is left."""
    names = pick(known(events, at), ("EnterpriseRegistered", "EnterpriseRenamed"), uscc=uscc)
    return str(names[-1].data["name"]) if names else None


def list_entries(events: Sequence[E], which: str | None, on: dt.date, at: int) -> list[dict[str, Any]]:
    """The entries active on `on`, of one list or of both, as `ListEntry` shows them; removedOn is as known at `at`."""
    made = pick(visible(events, on, at), "ListEntryMade")
    active = [e for e in made if which in (None, e.data["list"]) and not removals(events, e, on, at)]
    return [_list_entry(events, e, at) for e in active]


def _list_entry(events: Sequence[E], entry: E, at: int) -> dict[str, Any]:
    removed = removals(events, entry, dt.date.max, at)
    return {
        **{n: entry.data[n] for n in ("entryId", "list", "uscc", "authority", "ground")},
        "name": known_name(events, entry.data["uscc"], at),
        "from": entry.effective_on.isoformat(),
        "removedOn": removed[0].effective_on.isoformat() if removed else None,
        "position": entry.position,
    }


def publicity_days(kinds: Sequence[str]) -> int:
    """`publicityDays` of a penalty by its kinds (§8)."""
    if set(kinds) & LONG_PUBLICITY:
        return 1095
    return 90 if set(kinds) <= {"WARNING", "CRITICISM"} else 365


def public_until(penalty: E, publicised: E, on: dt.date) -> dt.date | None:
    """The last public day of a penalty as version 2026.1 has it; None on dates judged by an earlier version."""
    if on < CREDIT_REPAIR_FROM:
        return None
    return publicised.effective_on + dt.timedelta(days=publicity_days(penalty.data["kinds"]) - 1)


def public_penalties(events: Sequence[E], uscc: str | None, on: dt.date, at: int) -> list[tuple[int, dt.date | None]]:
    """(position, publicUntil) of the standing publicised penalties whose publicity has not ended on `on`."""
    codes = sorted({e.data["uscc"] for e in pick(events, "PenaltyImposed") if uscc in (None, e.data["uscc"])})
    imposed = [e for code in codes for e in standing(events, code, on, at, ["PenaltyImposed"])]
    announced = [(e, penalty_events(events, "PenaltyPublicised", e, on, at)) for e in imposed]
    shown = [(e, public_until(e, first[0], on)) for e, first in announced if first]
    return sorted([(e.position, until) for e, until in shown if until is None or on <= until], key=lambda row: row[0])
