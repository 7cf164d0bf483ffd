"""What `record` refuses (§2, §3, "Codes of refusals"), and what it records when it refuses nothing.

A refusal is (code, field): the field of the input that is at fault, "" when it is the fact as a whole.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from naive.model import (
    ENDINGS,
    E,
    access_state,
    bearer,
    confirmations,
    day,
    filed,
    head,
    known,
    legal_date,
    licence_endings,
    pick,
    removals,
    undone,
    valid_to,
    visible,
    voided_by,
)
from naive.rules import Reason, gate, version_on

Refusals = set[tuple[str, str]]
Data = dict[str, Any]

GATED = {"AccessGranted": "ACCESS", "NumberFiled": "NUMBER_FILING", "LicenceGranted": "LICENCE"}
LEDGER_MADE = ("GateDecided", "InspectionDrawn", "SubjectErased")
WITHOUT_E = ("EnterpriseRegistered", "ComplaintReceived", "ComplaintResolved", "EventVoided", "RulebookAdopted")
INSPECTED = ("InterviewHeld", "RectificationOrdered", "ExposurePublished", "PenaltyImposed")
IDS = {
    "LicenceGranted": "licenceNo",
    "AccessGranted": "accessId",
    "ComplaintReceived": "complaintId",
    "InspectionHeld": "inspectionId",
    "RectificationOrdered": "orderId",
    "ExposurePublished": "exposureId",
    "ListEntryMade": "entryId",
}
MATCHING = {
    "ACCESS": ("carrier", "number", "directions"),
    "NUMBER_FILING": ("number", "directions"),
    "LICENCE": ("route",),
}
PROVINCES = [
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65))
    for code in range(first, last + 1)
]
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True)
class Case:
    """A fact of type `type` that takes effect on `on`, put to the events so far at instant `now`."""

    events: Sequence[E]
    type: str
    fact: Data
    on: dt.date
    now: dt.datetime

    @property
    def at(self) -> int:
        """The head that the fact is judged at."""
        return head(self.events)

    def seen(self, types: str | Sequence[str], **fields: Any) -> list[E]:
        """The visible events at (effectiveOn of the new event, head) that fit."""
        return pick(visible(self.events, self.on, self.at), types, **fields)

    def such(self, types: str | Sequence[str], *fields: str) -> list[E]:
        """Those seen with the same uscc and the same given fields as the fact."""
        return self.seen(types, uscc=self.fact["uscc"], **{n: self.fact[n] for n in fields})


def type_of(fact_name: str) -> str:
    """The rulebook's name of a fact: licenceGranted is LicenceGranted."""
    return fact_name[0].upper() + fact_name[1:]


def effective(fact: Data, now: dt.datetime) -> dt.date:
    """`effectiveOn`, by default the legal date of recording."""
    return legal_date(now) if fact.get("effectiveOn") is None else day(fact["effectiveOn"])


# ── shape ────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_uscc(text: str) -> bool:
    """18 characters of GB 32100-2015, the last of them the check character."""
    if len(text) != 18 or any(c not in USCC_ALPHABET for c in text):
        return False
    total = sum(USCC_ALPHABET.index(c) * 3**i % 31 for i, c in enumerate(text[:17]))
    return USCC_ALPHABET[(31 - total % 31) % 31] == text[17]


def is_authority(text: str) -> bool:
    """MIIT or CA-nn."""
    return text == "MIIT" or (text.startswith("CA-") and text[3:] in PROVINCES)


def is_carrier(text: str) -> bool:
    """A carrier's code."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]{1,31}", text) is not None


def is_number(text: str) -> bool:
    """95 or 96 followed by 3 or 4 digits."""
    return re.fullmatch(r"9[56][0-9]{3,4}", text) is not None


FORMS: dict[str, Callable[[Any], bool]] = {
    "uscc": is_uscc,
    "authority": is_authority,
    "carrier": is_carrier,
    "number": is_number,
    "province": lambda v: v in PROVINCES,
    "provinces": lambda v: all(p in PROVINCES for p in v),
    "carriers": lambda v: bool(v) and all(is_carrier(c) for c in v),
    "kinds": bool,
    "business": lambda v: v == "B24-1",
    "campaign": lambda v: v == 2020,
}


def shape(fact_name: str, fact: Data, *, now: dt.datetime) -> Refusals:
    """The refusals INVALID that need no events."""
    found = {("INVALID", n) for n, fits in FORMS.items() if fact.get(n) is not None and not fits(fact[n])}
    if (effective(fact, now) - legal_date(now)).days > 366:
        found.add(("INVALID", "effectiveOn"))
    special = {
        "LicenceGranted": _licence_shape,
        "NumberFilingAmended": _amendment_shape,
        "ComplaintReceived": _complaint_shape,
        "PenaltyImposed": _penalty_shape,
    }
    name = type_of(fact_name)
    if name in special:
        found |= special[name](fact, now)
    if name in GATED and fact.get("historical"):
        found |= {("INVALID", n) for n in ("decisionId", "justification") if fact.get(n) is not None}
    return found


def _licence_shape(fact: Data, now: dt.datetime) -> Refusals:
    return {("INVALID", "validTo")} if day(fact["validTo"]) < day(fact["validFrom"]) else set()


def _amendment_shape(fact: Data, now: dt.datetime) -> Refusals:
    given = [n for n in ("carriers", "use", "directions", "outboundUndertaking") if fact.get(n) is not None]
    return set() if given else {("INVALID", "")}


def _complaint_shape(fact: Data, now: dt.datetime) -> Refusals:
    return {("INVALID", "calledAt")} if dt.datetime.fromisoformat(fact["calledAt"]) > now else set()


def _penalty_shape(fact: Data, now: dt.datetime) -> Refusals:
    found: Refusals = set()
    if "FINE" in fact["kinds"] and Decimal(fact.get("fine") or "0") == 0:
        found.add(("INVALID", "fine"))
    if "CONFISCATION" in fact["kinds"] and fact.get("confiscated") is None:
        found.add(("INVALID", "confiscated"))
    return found


# ── state ────────────────────────────────────────────────────────────────────────────────────────────────────────


def absent_or(found: Sequence[E], field: str, wrong: bool) -> Refusals:
    """NOT_FOUND for nothing found, WRONG_STATE for what is there but in another state."""
    if not found:
        return {("NOT_FOUND", field)}
    return {("WRONG_STATE", field)} if wrong else set()


def registration(c: Case) -> Refusals:
    """Already registered: a registration that is not voided, at any date."""
    taken = pick(known(c.events, c.at), "EnterpriseRegistered", uscc=c.fact["uscc"])
    return {("ALREADY_EXISTS", "uscc")} if taken else set()


def renewal(c: Case) -> Refusals:
    """Of a licence that is there, not ended, to a later validTo."""
    grants = c.such("LicenceGranted", "licenceNo")
    found = absent_or(grants, "licenceNo", bool(c.such(ENDINGS, "licenceNo")))
    if grants and day(c.fact["validTo"]) <= valid_to(c.events, grants[0], c.on, c.at):
        found.add(("WRONG_STATE", "validTo"))
    return found


def ending(c: Case) -> Refusals:
    """Of a licence that is there; a cancellation may follow a revocation or an annulment."""
    grants = c.such("LicenceGranted", "licenceNo")
    ended = [e.type for g in grants for e in licence_endings(c.events, g, c.on, c.at)]
    return absent_or(grants, "licenceNo", "LicenceCancelled" in ended or (bool(ended) and c.type != "LicenceCancelled"))


def filing(c: Case) -> Refusals:
    """The number is filed now by any enterprise."""
    return {("ALREADY_EXISTS", "number")} if filed(c.events, c.fact["number"], c.on, c.at) else set()


def filing_change(c: Case) -> Refusals:
    """The number is not filed now by this enterprise."""
    found = filed(c.events, c.fact["number"], c.on, c.at)
    mine = found is not None and found.filing.data["uscc"] == c.fact["uscc"]
    return set() if mine else {("NOT_FOUND", "number")}


def access_change(c: Case) -> Refusals:
    """The access is there, of this carrier, and in the state it leaves."""
    leaves = {
        "AccessRestricted": ("GRANTED",),
        "AccessRestored": ("RESTRICTED",),
        "AccessTerminated": ("GRANTED", "RESTRICTED"),
    }
    grants = c.such("AccessGranted", "accessId", "carrier")
    state = access_state(c.events, c.fact["accessId"], c.on, c.at)
    return absent_or(grants, "accessId", state not in leaves[c.type])


def resolution(c: Case) -> Refusals:
    """The complaint is there."""
    return absent_or(c.seen("ComplaintReceived", complaintId=c.fact["complaintId"]), "complaintId", False)


def inspection(c: Case) -> Refusals:
    """A named draw drew this enterprise."""
    if c.fact.get("drawId") is None:
        return set()
    draws = c.seen("InspectionDrawn", drawId=c.fact["drawId"])
    drew = [d for d in draws if c.fact["uscc"] in [drawn["uscc"] for drawn in d.data["drawn"]]]
    return absent_or(drew, "drawId", False)


def confirmation(c: Case) -> Refusals:
    """The order is there and open."""
    orders = c.such("RectificationOrdered", "orderId")
    return absent_or(orders, "orderId", any(confirmations(c.events, o, c.on, c.at) for o in orders))


def retraction(c: Case) -> Refusals:
    """The exposure is there and not retracted."""
    exposures = c.such("ExposurePublished", "exposureId")
    return absent_or(exposures, "exposureId", any(undone(c.events, e, c.on, c.at) for e in exposures))


def penalty(c: Case) -> Refusals:
    """The document number is in use by the authority."""
    same = {n: c.fact[n] for n in ("authority", "documentNo")}
    return {("ALREADY_EXISTS", "documentNo")} if pick(c.events, "PenaltyImposed", **same) else set()


def penalty_change(c: Case) -> Refusals:
    """The penalty is there and not annulled."""
    penalties = c.such("PenaltyImposed", "authority", "documentNo")
    return absent_or(penalties, "documentNo", any(undone(c.events, p, c.on, c.at) for p in penalties))


def entry(c: Case) -> Refusals:
    """Every basis is a visible event that bears this code."""
    mine = [e.position for e in visible(c.events, c.on, c.at) if bearer(c.events, e) == c.fact["uscc"]]
    return {("NOT_FOUND", "basis") for p in c.fact.get("basis") or [] if p not in mine}


def removal(c: Case) -> Refusals:
    """The entry is there and active; REPAIRED only since credit repair is in force."""
    entries = c.such("ListEntryMade", "entryId")
    found = absent_or(entries, "entryId", any(removals(c.events, e, c.on, c.at) for e in entries))
    if c.fact["ground"] == "REPAIRED" and c.on < dt.date(2026, 4, 1):
        found.add(("WRONG_STATE", "ground"))
    return found


def void(c: Case) -> Refusals:
    """Reads positions only: the event is there, may be voided and is not voided yet."""
    events = [e for e in c.events if e.position == c.fact["position"]]
    fixed = [e for e in events if e.type in ("EventVoided", *LEDGER_MADE)]
    return absent_or(events, "position", bool(fixed) or voided_by(c.events, c.fact["position"], c.at) is not None)


def adoption(c: Case) -> Refusals:
    """The version is adopted already: at any date, and not voided."""
    taken = pick(known(c.events, c.at), "RulebookAdopted", version=c.fact["version"])
    return {("ALREADY_EXISTS", "version")} if taken else set()


# ── live facts (§5) ──────────────────────────────────────────────────────────────────────────────────────────────


def cited(c: Case) -> list[E]:
    """The decision that a live fact cites, if there is such a one."""
    return c.such("GateDecided", "decisionId")


def matches(decision: E, c: Case) -> bool:
    """Same gate, and the request asked for what the fact states."""
    asked = decision.data["request"]
    if decision.data["gate"] != GATED[c.type]:
        return False
    same = all(asked[n] == c.fact[n] for n in MATCHING[GATED[c.type]])
    if c.type != "NumberFiled":
        return same
    undertaken = bool(asked.get("outboundUndertaking")) == bool(c.fact.get("outboundUndertaking"))
    return same and undertaken and set(asked["carriers"]) == set(c.fact["carriers"])


def live(c: Case) -> Refusals:
    """What a live fact lacks: a decision of its gate that fits, is fresh, unused, and is not refused when asked again."""
    if c.type not in GATED or c.fact.get("historical"):
        return set()
    if c.fact.get("decisionId") is None:
        return {("DECISION_REQUIRED", "decisionId")}
    found: Refusals = set()
    for decision in cited(c):
        used = pick(c.events, tuple(GATED), decisionId=c.fact["decisionId"])
        if used or not matches(decision, c) or (c.on - decision.effective_on).days > 30:
            found.add(("WRONG_STATE", "decisionId"))
        if decision.data["outcome"] == "REVIEW" and not c.fact.get("justification"):
            found.add(("DECISION_REQUIRED", "justification"))
        if "REFUSE" in (decision.data["outcome"], asked_again(decision, c)[0]):
            found.add(("GATE_REFUSED", "decisionId"))
    return found if cited(c) else {("NOT_FOUND", "decisionId")}


def asked_again(decision: E, c: Case) -> tuple[str, list[Reason]]:
    """The decision's request at (the fact's effectiveOn, head)."""
    return gate(c.events, decision.data["gate"], decision.data["request"], c.on, c.at)


def refusing_rules(
    events: Sequence[E], fact_name: str, fact: Data, *, now: dt.datetime, known_in_batch: Sequence[E] = ()
) -> list[str]:
    """The ids of the rules that a GATE_REFUSED carries: those of asking again, or else those of the decision."""
    c = Case([*events, *known_in_batch], type_of(fact_name), fact, effective(fact, now), now)
    decision = cited(c)[0]
    outcome, fired = asked_again(decision, c)
    if outcome == "REFUSE":
        return [rule for rule, _, _ in fired]
    return [str(r["rule"]) for r in decision.data["reasons"]]


# ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────────

RULES: dict[str, Callable[[Case], Refusals]] = {
    "EnterpriseRegistered": registration,
    "LicenceRenewed": renewal,
    "LicenceRevoked": ending,
    "LicenceAnnulled": ending,
    "LicenceCancelled": ending,
    "NumberFiled": filing,
    "NumberFilingAmended": filing_change,
    "NumberWithdrawn": filing_change,
    "AccessRestricted": access_change,
    "AccessRestored": access_change,
    "AccessTerminated": access_change,
    "ComplaintResolved": resolution,
    "InspectionHeld": inspection,
    "RectificationConfirmed": confirmation,
    "ExposureRetracted": retraction,
    "PenaltyImposed": penalty,
    "PenaltyPublicised": penalty_change,
    "PenaltyPerformed": penalty_change,
    "PenaltyAnnulled": penalty_change,
    "ListEntryMade": entry,
    "ListEntryRemoved": removal,
    "EventVoided": void,
    "RulebookAdopted": adoption,
}


def state(
    events: Sequence[E], fact_name: str, fact: Data, *, now: dt.datetime, known_in_batch: Sequence[E] = ()
) -> Refusals:
    """The refusals that rest on the events so far, those of the same batch among them."""
    c = Case([*events, *known_in_batch], type_of(fact_name), fact, effective(fact, now), now)
    found = RULES[c.type](c) if c.type in RULES else set()
    if c.type not in WITHOUT_E and not c.such("EnterpriseRegistered"):
        found.add(("UNKNOWN_ENTERPRISE", "uscc"))
    if c.type in IDS and pick(c.events, c.type, **{IDS[c.type]: fact[IDS[c.type]]}):
        found.add(("ALREADY_EXISTS", IDS[c.type]))
    if c.type in INSPECTED and fact.get("inspectionId") is not None and not c.such("InspectionHeld", "inspectionId"):
        found.add(("NOT_FOUND", "inspectionId"))
    return found | live(c)


def refuse(
    events: Sequence[E], fact_name: str, fact: Data, *, now: dt.datetime, known_in_batch: Sequence[E] = ()
) -> Refusals:
    """All refusals of one fact: of its shape, and of its state."""
    return shape(fact_name, fact, now=now) | state(events, fact_name, fact, now=now, known_in_batch=known_in_batch)


def refuse_decision(as_of: dt.date | None, *, now: dt.datetime) -> Refusals:
    """A decision's date is any date to today."""
    return {("INVALID", "asOf")} if as_of is not None and as_of > legal_date(now) else set()


@dataclass(frozen=True)
class Recorder:
    """Who records: a role, and the authority or carrier code of the key, if it has one."""

    role: str
    authority: str | None = None
    carrier: str | None = None


def forbidden(who: Recorder, fact_name: str, fact: Data) -> bool:
    """Whether the role, or its own code, forbids the fact ("Who records", §3)."""
    name = type_of(fact_name)
    if who.role == "regulator":
        named = fact.get("authority")
        return who.authority not in (None, "MIIT") and named is not None and named != who.authority
    if who.role == "carrier":
        historical = name == "AccessGranted" and bool(fact.get("historical"))
        return not name.startswith("Access") or historical or fact["carrier"] != who.carrier
    return who.role != "intake" or name not in ("ComplaintReceived", "ComplaintResolved")


# ── recording ────────────────────────────────────────────────────────────────────────────────────────────────────


def recorded(events: Sequence[E], fact_name: str, fact: Data, *, now: dt.datetime) -> E:
    """The event that an accepted fact becomes, at the next position."""
    name = type_of(fact_name)
    data = {n: v for n, v in fact.items() if n not in ("effectiveOn", "historical") and v is not None}
    if name == "EventVoided":
        voided = next(e for e in events if e.position == fact["position"])
        owner = bearer(events, voided)
        data |= {"type": voided.type} | ({} if owner is None else {"uscc": owner})
    historical = name in GATED and bool(fact.get("historical"))
    return E(head(events) + 1, name, effective(fact, now), now, historical, data)


def decided(events: Sequence[E], asked: str, request: Data, as_of: dt.date, *, now: dt.datetime, decision_id: str) -> E:
    """The GateDecided that a gate asked at (as_of, head) becomes; as_of is no later than today."""
    outcome, fired = gate(events, asked, request, as_of, head(events))
    data = {
        "gate": asked,
        "uscc": request["uscc"],
        "request": request,
        "asOf": as_of.isoformat(),
        "knownAt": head(events),
        "rulebook": version_on(as_of).version,
        "outcome": outcome,
        "reasons": [{"rule": r, "outcome": o, "positions": p} for r, o, p in fired],
        "requestedBy": "regulator",
        "decisionId": decision_id,
    }
    return E(head(events) + 1, "GateDecided", as_of, now, False, data)
