"""Hypothesis strategies for histories of candidate facts on the edges of the rules, and for the questions about them.

A candidate is (fact name in camelCase, its input by contract names); `decideGate` with {gate, request, asOf} is one
too. Any of them may be refused. A fact that names another event holds a `Ref` to the candidate that it means, a live
fact a `DecisionRef`: `resolve` puts in the positions once they are known.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Fact = dict[str, Any]
Candidate = tuple[str, Fact]
Question = tuple[dt.date, int]

EARLY = "2016-01-04"
TODAY = dt.date(2026, 9, 30)
DANGLING = 1_000_000
NO_DECISION = "00000000-0000-4000-8000-000000000000"

# From the test data of python-stdnum.
USCCS = ("91310112087994932F", "91310115MA1K3BTP2B", "91310116052958608G")
NUMBERS = ("95012", "950123", "96345")
SHOWN = (*NUMBERS, "95012345", "9501", "963456789", "0108888", "+8695012", "95012" * 4 + "1", "９５０１２")
CARRIERS = ("CHINA_TELECOM", "CHINA_UNICOM")
AUTHORITIES = ("MIIT", "CA-11", "CA-44")
DIRECTIONS = ("INBOUND", "INBOUND_AND_OUTBOUND")
CAUSES = ("HARASSING_CALLS", "HARASSING_CALLS", "OTHER")
CHECKS = ("businessLicence", "licence", "numberCertificate", "numberFiling", "businessPlan")
FORMS = ("CALL_CENTRE", "CALL_CENTRE", "SYSTEM_AND_SEAT_RENTAL", "SELF_USE", "LABOUR_OUTSOURCING", "TECHNICAL_SERVICE")
KINDS = ("WARNING", "CRITICISM", "FINE", "CONFISCATION", "LICENCE_REVOKED", "BUSINESS_SUSPENDED", "OTHER")
TIMES = ("00:00:00", "15:59:59.999999", "16:00:00", "23:59:59")
# The versions begin, the self-report falls due, days off and made-up working days, the last published calendar ends.
ANCHORS = (
    (2017, 9, 1),
    (2018, 3, 15),
    (2020, 6, 18),
    (2020, 7, 30),
    (2026, 4, 1),
    (2018, 2, 11),
    (2019, 9, 29),
    (2020, 1, 19),
    (2020, 9, 27),
    (2026, 2, 14),
    (2026, 9, 20),
    (2026, 12, 31),
)
AFTER = (0, 1, 0, 7, 9, 29, 30, 31, 89, 90, 91, 364, 365, 366, 1095, -1)
OFFSETS = (0, 0, 0, 1, -1, 2, 7, 9, 28, 29, 30, 31, -29, -30, 90, 91, 363, 364, 365, 366, -364, -365, 1095)


@dataclass(frozen=True)
class Ref:
    """Stands for the position of the event that an earlier candidate became."""

    index: int


@dataclass(frozen=True)
class DecisionRef:
    """Stands for the id of the decision that an earlier `decideGate` candidate became."""

    index: int


def resolve(fact: Fact, positions: Mapping[int, int], decisions: Mapping[int, str] | None = None) -> Fact:
    """The fact with positions and decision ids for its placeholders; those of refused candidates dangle.

    `positions` and `decisions` map the index of an accepted candidate to its position and to its decision's id.
    """

    def put(value: Any) -> Any:
        if isinstance(value, Ref):
            return positions.get(value.index, DANGLING)
        if isinstance(value, DecisionRef):
            return (decisions or {}).get(value.index, NO_DECISION)
        return [put(v) for v in value] if isinstance(value, list) else value

    return {name: put(value) for name, value in fact.items()}


def instant(date: dt.date, time: str) -> str:
    """A DateTime of the contract: UTC with microseconds and a trailing Z."""
    return f"{date.isoformat()}T{time}{'' if '.' in time else '.000000'}Z"


@dataclass
class Deck:
    """What the facts of one history are dealt from: its dates, and the candidates so far."""

    draw: st.DrawFn
    today: dt.date
    days: Sequence[dt.date]
    made: list[Candidate] = field(default_factory=list)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return self.draw(st.sampled_from(options))

    def once_in(self, n: int) -> bool:
        """True about once in n times."""
        return self.draw(st.integers(0, n - 1)) == n - 1

    def date(self, latest: dt.date | None = None) -> dt.date:
        """A date on an edge of this history, no later than `latest` (by default the last that may be recorded)."""
        date = self.pick(self.days) + dt.timedelta(days=self.pick(OFFSETS))
        return min(date, latest or self.today + dt.timedelta(days=366))

    def on(self) -> Fact:
        """`effectiveOn`: an edge, or left to the ledger."""
        return {} if self.once_in(12) else {"effectiveOn": self.date().isoformat()}

    def due(self) -> str:
        """A date to come or gone by which something is due."""
        return (self.date() + dt.timedelta(days=self.pick((0, 1, 30, 89, 90, 91)))).isoformat()

    def owned(self, name: str, prefix: str) -> Fact:
        """An id of few, and mostly the enterprise that the id goes with."""
        index = self.draw(st.integers(0, 5))
        return {"uscc": USCCS[index % 3] if not self.once_in(8) else self.pick(USCCS), name: f"{prefix}-{index}"}

    def of(self, *names: str) -> list[int]:
        """The indices of the earlier candidates of these names."""
        return [i for i, (name, _) in enumerate(self.made) if name in names]

    def ref(self, among: Sequence[int]) -> Ref:
        """One of the earlier candidates, mostly of those given, now and then one that does not exist."""
        if not self.made or self.once_in(15):
            return Ref(DANGLING)
        return Ref(self.pick(among if among and not self.once_in(6) else range(len(self.made))))

    def follow(self, names: Sequence[str], *fields: str) -> Fact:
        """Mostly these fields of an earlier candidate of these names, and an `effectiveOn` not far from its own."""
        among = self.of(*names)
        return {} if not among or self.once_in(8) else self.after(self.pick(among), *fields)

    def after(self, index: int, *fields: str) -> Fact:
        """These fields of a candidate, and an `effectiveOn` not far from its own."""
        source = self.made[index][1]
        start = dt.date.fromisoformat(source.get("effectiveOn", self.today.isoformat()))
        date = min(start + dt.timedelta(days=self.pick(AFTER)), self.today + dt.timedelta(days=366))
        return {**{n: source[n] for n in fields if n in source}, "effectiveOn": date.isoformat()}

    def inspected(self) -> Fact:
        """Now and then an inspection and its enterprise."""
        return self.follow(("inspectionHeld",), "uscc", "inspectionId") if self.once_in(2) else {}


# ── register, licence, number, access ────────────────────────────────────────────────────────────────────────────


def registered(d: Deck) -> Fact:
    return {"uscc": d.pick(USCCS), "name": d.pick(("甲", "乙", "丙")), "province": d.pick(("31", "11"))}


def renamed(d: Deck) -> Fact:
    return {"uscc": d.pick(USCCS), "name": d.pick(("丁", "戊", "己"))}


def site_inspected(d: Deck) -> Fact:
    return {"uscc": d.pick(USCCS), "authority": d.pick(AUTHORITIES), "result": d.pick(("PASSED", "FAILED"))}


def licence_granted(d: Deck) -> Fact:
    first = d.date()
    last = first + dt.timedelta(days=d.pick((1826, 90, 364, 365, 0, 3650)))
    return {
        **d.owned("licenceNo", "L"),
        "authority": d.pick(AUTHORITIES),
        "business": "B24-1",
        "route": d.pick(("STANDARD", "COMMITMENT")),
        "provinces": d.pick(([], ["31"], ["11", "44"])),
        "validFrom": first.isoformat(),
        "validTo": last.isoformat() if not d.once_in(15) else (first - dt.timedelta(days=1)).isoformat(),
        "historical": not d.once_in(6),
        "effectiveOn": min(first, d.today + dt.timedelta(days=366)).isoformat() if d.once_in(2) else d.due(),
    }


def licence_refused(d: Deck) -> Fact:
    said = {"reasons": "材料不实", "falseMaterial": not d.once_in(3)}
    return {"uscc": d.pick(USCCS), "authority": d.pick(AUTHORITIES), **said}


def licence_renewed(d: Deck) -> Fact:
    last = d.date() + dt.timedelta(days=d.pick((1826, 3650, 90, 0)))
    return {**d.owned("licenceNo", "L"), "validTo": last.isoformat(), **d.follow(LICENCES, "uscc", "licenceNo")}


def licence_ended(d: Deck) -> Fact:
    why = {"authority": d.pick(AUTHORITIES), "reason": "依法"}
    return {**d.owned("licenceNo", "L"), **why, **d.follow(LICENCES, "uscc", "licenceNo")}


def number_filed(d: Deck) -> Fact:
    return {
        "uscc": d.pick(USCCS),
        "number": d.pick(NUMBERS),
        "carriers": d.pick((["CHINA_TELECOM"], ["CHINA_UNICOM"], list(CARRIERS))),
        "use": "客服",
        "directions": d.pick(DIRECTIONS),
        "historical": not d.once_in(6),
        **({"outboundUndertaking": d.once_in(2)} if d.once_in(2) else {}),
        **(d.follow(("numberWithdrawn",), "number") if d.once_in(3) else {}),
    }


def filing_amended(d: Deck) -> Fact:
    changes: Fact = {
        "carriers": d.pick((["CHINA_UNICOM"], ["CHINA_TELECOM"], list(CARRIERS))),
        "directions": d.pick(DIRECTIONS),
        "use": d.pick(("客服", "回访")),
        "outboundUndertaking": d.once_in(2),
    }
    given = {name: value for name, value in changes.items() if not d.once_in(2)}
    which = {"uscc": d.pick(USCCS), "number": d.pick(NUMBERS)}
    return {**which, **given, **d.follow(("numberFiled",), "uscc", "number")}


def number_withdrawn(d: Deck) -> Fact:
    why = {"authority": d.pick(AUTHORITIES), "reason": "收回"}
    which = {"uscc": d.pick(USCCS), "number": d.pick(NUMBERS)}
    return {**which, **why, **d.follow(("numberFiled",), "uscc", "number")}


def access_granted(d: Deck) -> Fact:
    return {
        **d.owned("accessId", "A"),
        "carrier": d.pick(CARRIERS),
        "number": d.pick(NUMBERS),
        "directions": d.pick(DIRECTIONS),
        "contractNo": "合同-1",
        "historical": not d.once_in(6),
        **d.follow(("numberFiled",), "uscc", "number", *(() if d.once_in(3) else ("directions",))),
    }


def access_changed(d: Deck) -> Fact:
    which = {**d.owned("accessId", "A"), "carrier": d.pick(CARRIERS)}
    return {**which, "reason": "核查", **d.follow(("accessGranted", "accessRestricted"), "uscc", "accessId", "carrier")}


# ── complaints, conduct, interviews, exposures, penalties, lists, reports, voids ─────────────────────────────────


def complaint_received(d: Deck) -> Fact:
    called = d.date(latest=d.today - dt.timedelta(days=1))
    return {
        "complaintId": f"C-{d.draw(st.integers(0, 11))}",
        "channel": d.pick(("HOTLINE_12321", "CARRIER")),
        "displayedNumber": d.pick(SHOWN),
        "calledAt": instant(called, d.pick(TIMES)),
        "category": d.pick(("MARKETING", "HARASSING", "NO_CONSENT", "OTHER")),
        **({"uscc": d.pick(USCCS)} if d.once_in(4) else {}),
    }


def complaint_resolved(d: Deck) -> Fact:
    outcome = d.pick(("SUBSTANTIATED", "SUBSTANTIATED", "UNSUBSTANTIATED", "WITHDRAWN"))
    which = {"complaintId": f"C-{d.draw(st.integers(0, 11))}"}
    return {**which, "outcome": outcome, **d.follow(("complaintReceived",), "complaintId")}


def inspection_held(d: Deck) -> Fact:
    found = d.pick((["NO_CONSENT"], [], ["OTHER", "UNFILED_NUMBER"]))
    draw = {"drawId": "draw-1"} if d.once_in(12) else {}
    said = {"authority": d.pick(AUTHORITIES), "manner": d.pick(("RANDOM", "TARGETED")), "violations": found}
    return {**d.owned("inspectionId", "I"), **said, **draw}


def self_report_filed(d: Deck) -> Fact:
    return {"uscc": d.pick(USCCS), "campaign": 2020 if not d.once_in(10) else 2021}


def interview_held(d: Deck) -> Fact:
    said = {"caseId": "case-1", "topics": "骚扰电话", "becauseOf": d.pick(CAUSES)}
    return {"uscc": d.pick(USCCS), "authority": d.pick(AUTHORITIES), **said, **d.inspected()}


def rectification_ordered(d: Deck) -> Fact:
    said = {"authority": d.pick(AUTHORITIES), "demands": "整改", "dueOn": d.due()}
    return {**d.owned("orderId", "O"), **said, **d.inspected()}


def rectification_confirmed(d: Deck) -> Fact:
    return {**d.owned("orderId", "O"), **d.follow(("rectificationOrdered",), "uscc", "orderId")}


def exposure_published(d: Deck) -> Fact:
    said = {"authority": d.pick(AUTHORITIES), "channel": "网站", "becauseOf": d.pick(CAUSES)}
    return {**d.owned("exposureId", "X"), **said, **d.inspected()}


def exposure_retracted(d: Deck) -> Fact:
    return {**d.owned("exposureId", "X"), "reason": "更正", **d.follow(("exposurePublished",), "uscc", "exposureId")}


def penalty_imposed(d: Deck) -> Fact:
    kinds = d.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True))
    sums: Fact = {
        **({"fine": d.pick(("2000.00", "0.00"))} if "FINE" in kinds and not d.once_in(8) else {}),
        **({"confiscated": "0.00"} if "CONFISCATION" in kinds and not d.once_in(8) else {}),
    }
    said = {"violation": "骚扰电话", "basis": "办法", "becauseOf": d.pick(CAUSES)}
    return {**penalty_number(d), "kinds": kinds, **sums, **said, **d.inspected()}


def penalty_number(d: Deck) -> Fact:
    return {**d.owned("documentNo", "P"), "authority": d.pick(("MIIT", "MIIT", "CA-11"))}


def penalty_changed(d: Deck) -> Fact:
    return {**penalty_number(d), **d.follow(("penaltyImposed",), "uscc", "authority", "documentNo")}


def penalty_annulled(d: Deck) -> Fact:
    return {**penalty_changed(d), "reason": "复议"}


def list_entry_made(d: Deck) -> Fact:
    which = d.owned("entryId", "E")
    said = {"list": d.pick(("ADVERSE", "DISHONESTY")), "authority": d.pick(AUTHORITIES), "ground": "PENALTY"}
    bases = d.of("penaltyImposed", "interviewHeld")
    if not bases or d.once_in(5):
        return {**which, **said, **({"basis": [d.ref(bases)]} if d.once_in(2) else {})}
    index = d.pick(bases)
    basis = [Ref(index), *([d.ref(bases)] if d.once_in(4) else [])]
    return {**which, **said, "basis": basis, **d.after(index, "uscc")}


def list_entry_removed(d: Deck) -> Fact:
    ground = d.pick(("PERIOD_ENDED", "BASIS_ANNULLED", "REPAIRED"))
    return {
        **d.owned("entryId", "E"),
        "authority": d.pick(AUTHORITIES),
        "ground": ground,
        **d.follow(("listEntryMade",), "uscc", "entryId"),
    }


def report_demanded(d: Deck) -> Fact:
    said = {"year": d.pick((2019, 2020)), "authority": d.pick(AUTHORITIES), "dueOn": d.due()}
    return {"uscc": d.pick(USCCS), **said}


def report_filed(d: Deck) -> Fact:
    which = {"uscc": d.pick(USCCS), "year": d.pick((2019, 2020))}
    return {**which, **d.follow(("annualReportDemanded",), "uscc", "year")}


def event_voided(d: Deck) -> Fact:
    among = d.of(*MANY, "enterpriseRegistered", "rectificationConfirmed") if d.once_in(2) else range(len(d.made))
    return {"position": d.ref(among), "reason": "误录"}


FACTS: dict[str, Callable[[Deck], Fact]] = {
    "enterpriseRegistered": registered,
    "enterpriseRenamed": renamed,
    "siteInspected": site_inspected,
    "licenceGranted": licence_granted,
    "licenceRefused": licence_refused,
    "licenceRenewed": licence_renewed,
    "licenceRevoked": licence_ended,
    "licenceAnnulled": licence_ended,
    "licenceCancelled": licence_ended,
    "numberFiled": number_filed,
    "numberFilingAmended": filing_amended,
    "numberWithdrawn": number_withdrawn,
    "accessGranted": access_granted,
    "accessRestricted": access_changed,
    "accessRestored": access_changed,
    "accessTerminated": access_changed,
    "complaintReceived": complaint_received,
    "complaintResolved": complaint_resolved,
    "inspectionHeld": inspection_held,
    "selfReportFiled": self_report_filed,
    "interviewHeld": interview_held,
    "rectificationOrdered": rectification_ordered,
    "rectificationConfirmed": rectification_confirmed,
    "exposurePublished": exposure_published,
    "exposureRetracted": exposure_retracted,
    "penaltyImposed": penalty_imposed,
    "penaltyPublicised": penalty_changed,
    "penaltyPerformed": penalty_changed,
    "penaltyAnnulled": penalty_annulled,
    "listEntryMade": list_entry_made,
    "listEntryRemoved": list_entry_removed,
    "annualReportDemanded": report_demanded,
    "annualReportFiled": report_filed,
    "eventVoided": event_voided,
}
LICENCES = ("licenceGranted", "licenceRenewed")
MANY = ("eventVoided", "penaltyImposed", "listEntryMade", "numberFiled", "accessGranted", "licenceRenewed")


# ── histories ────────────────────────────────────────────────────────────────────────────────────────────────────


def deal(d: Deck, name: str, **given: Any) -> None:
    """One fact of a kind, with these fields as given."""
    d.made.append((name, {**d.on(), **FACTS[name](d), **given}))


def single(d: Deck) -> None:
    """One fact of any kind."""
    deal(d, d.pick((*FACTS, *MANY)))


def burst(d: Deck) -> None:
    """Complaints around the threshold, most of them substantiated, on the edges of the days that count."""
    last, start = d.date(latest=d.today), len(d.made)
    shown, whose = d.pick(SHOWN[:4]), {"uscc": USCCS[0]} if d.once_in(3) else {}
    for n in range(d.pick((10, 9, 11, 12))):
        received = last - dt.timedelta(days=d.pick((0, 0, 1, 29, 29, 30)))
        called = instant(min(received, d.today - dt.timedelta(days=1)), "04:00:00")
        which = {"complaintId": f"B-{start}-{n}"}
        said = {"channel": "CARRIER", "displayedNumber": shown, "calledAt": called, "category": "MARKETING"}
        d.made.append(("complaintReceived", {**which, **said, **whose, "effectiveOn": received.isoformat()}))
        outcome = "SUBSTANTIATED" if not d.once_in(20) else "WITHDRAWN"
        d.made.append(("complaintResolved", {**which, "outcome": outcome, "effectiveOn": last.isoformat()}))
    asked = {"uscc": USCCS[0] if whose else d.pick(USCCS[:2]), "carrier": d.pick(CARRIERS)}
    as_of = min(last + dt.timedelta(days=d.pick((0, 0, 1, 29, 30))), d.today)
    d.made.append(("decideGate", {"gate": "COOPERATION", "request": asked, "asOf": as_of.isoformat()}))


def case(d: Deck) -> None:
    """A penalty and what may come of it: publicity, an entry on its basis, annulment, removal."""
    deal(d, "penaltyImposed", kinds=["WARNING"])
    steps = ("penaltyPublicised", "listEntryMade", "penaltyAnnulled", "listEntryRemoved", "penaltyImposed")
    for name in d.draw(st.lists(st.sampled_from(steps), min_size=1, max_size=5)):
        deal(d, name)


def check(d: Deck) -> None:
    """An inspection and what may come of it."""
    deal(d, "inspectionHeld", violations=["NO_CONSENT"])
    steps = ("rectificationOrdered", "rectificationConfirmed", "interviewHeld", "exposurePublished")
    for name in d.draw(st.lists(st.sampled_from(steps), min_size=1, max_size=4)):
        deal(d, name)


def turns(d: Deck) -> None:
    """What becomes of a licence, a number or an access, in any order of dates."""
    licence = ("licenceRenewed", "licenceRenewed", "licenceCancelled", "licenceRevoked", "licenceAnnulled")
    number = ("numberFilingAmended", "numberFilingAmended", "numberWithdrawn", "numberFiled", "accessGranted")
    access = ("accessGranted", "accessRestricted", "accessRestored", "accessTerminated")
    steps = d.pick((licence, number, access))
    for name in d.draw(st.lists(st.sampled_from(steps), min_size=2, max_size=5)):
        deal(d, name)


def again(d: Deck) -> None:
    """A registration or a filing voided and made anew from another date on."""
    index = d.pick(d.of("enterpriseRegistered", "numberFiled"))
    name, fact = d.made[index]
    d.made.append(("eventVoided", {"position": Ref(index), "reason": "误录", **d.on()}))
    d.made.append((name, {**fact, **d.after(index)}))


def live(d: Deck) -> None:
    """A decision and a live fact that cites it, mostly one that matches."""
    name = d.pick(("accessGranted", "numberFiled", "licenceGranted"))
    as_of = d.date(latest=d.today)
    fact = FACTS[name](d)
    filings = d.of("numberFiled")
    if name == "accessGranted" and filings and not d.once_in(6):
        filing = d.made[d.pick(filings)][1]
        fact |= {"uscc": filing["uscc"], "number": filing["number"], "carrier": filing["carriers"][0]}
        fact |= {"directions": filing["directions"]}
    stated: Fact = {n: fact[n] for n in ("uscc", "carrier", "number", "directions", "carriers", "route") if n in fact}
    if d.once_in(6):
        stated["uscc"] = d.pick(USCCS)
    more: dict[str, Fact] = {
        "accessGranted": {"checked": checked(d)},
        "numberFiled": {"outboundUndertaking": bool(fact.get("outboundUndertaking", False))},
        "licenceGranted": {"form": d.pick(FORMS[:3]), "marketingOutbound": d.once_in(8), "undertakingFiled": True},
    }
    gate = {"accessGranted": "ACCESS", "numberFiled": "NUMBER_FILING", "licenceGranted": "LICENCE"}[name]
    on = as_of + dt.timedelta(days=d.pick((0, 1, 29, 30, 31, -1)))
    cited = {
        "decisionId": DecisionRef(len(d.made)),
        "historical": d.once_in(12),
        "effectiveOn": min(on, d.today + dt.timedelta(days=366)).isoformat(),
        **({"justification": "已核查"} if d.once_in(3) else {}),
    }
    d.made.append(("decideGate", {"gate": gate, "request": {**stated, **more[name]}, "asOf": as_of.isoformat()}))
    d.made.append((name, {**fact, **cited, **(otherwise(d, fact) if d.once_in(5) else {})}))
    if d.once_in(6):
        d.made.append((name, {**fact, **cited, **({"accessId": "A-9"} if name == "accessGranted" else {})}))


def otherwise(d: Deck, fact: Fact) -> Fact:
    """One thing that a decision no longer matches: another decision, or something else stated."""
    other: Fact = {
        "decisionId": DecisionRef(d.pick(d.of("decideGate"))),
        "number": d.pick(NUMBERS),
        "carrier": d.pick(CARRIERS),
        "carriers": d.pick((list(CARRIERS), ["CHINA_UNICOM"], ["CHINA_UNICOM", "CHINA_TELECOM"])),
        "directions": d.pick(DIRECTIONS),
        "outboundUndertaking": d.once_in(2),
        "route": d.pick(("COMMITMENT", "STANDARD")),
    }
    name = d.pick([name for name in other if name in fact or name == "decisionId"])
    return {name: other[name]}


def checked(d: Deck) -> dict[str, bool]:
    """The five checks, mostly all done."""
    missing = d.pick(CHECKS) if d.once_in(8) else None
    return {name: name != missing for name in CHECKS}


def opening(d: Deck) -> None:
    """Enterprises with a licence, a number and an access each, most of them there from the first."""
    early = {"effectiveOn": EARLY, "historical": True}
    for index, uscc in enumerate(USCCS):
        deal(d, "enterpriseRegistered", uscc=uscc, effectiveOn=EARLY if not d.once_in(8) else d.date().isoformat())
        if not d.once_in(8):
            last = d.pick(("2030-12-31", "2030-12-31", "2021-01-03", "2020-06-18"))
            deal(d, "licenceGranted", uscc=uscc, licenceNo=f"L-{index}", validFrom=EARLY, validTo=last, **early)
        if index < 2 and not d.once_in(4):
            deal(d, "numberFiled", uscc=uscc, number=NUMBERS[index], **early)
            if d.once_in(2):
                deal(d, "accessGranted", uscc=uscc, accessId=f"A-{index}", number=NUMBERS[index], **early)


DEALS = (*[single] * 10, burst, *[case] * 3, *[check] * 2, *[turns] * 3, *[again] * 2, *[live] * 3)


@st.composite
def edges(draw: st.DrawFn, today: dt.date = TODAY) -> dt.date:
    """A date on which something begins, ends or counts differently."""
    return draw(st.sampled_from([today, *[dt.date(*a) for a in ANCHORS]]))


@st.composite
def histories(draw: st.DrawFn, today: dt.date = TODAY, longest: int = 15) -> list[Candidate]:
    """Candidates to be recorded in turn on `today`: an opening, then up to `longest` facts or short runs of them."""
    days = draw(st.lists(edges(today), min_size=1, max_size=4, unique=True))
    deck = Deck(draw, today, days)
    opening(deck)
    for _ in range(draw(st.integers(longest // 3, longest))):
        deck.pick(DEALS)(deck)
    return deck.made


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Fact]:
    """A gate and a request of it, as the inner object of the contract."""
    d = Deck(draw, TODAY, [TODAY])
    gate = d.pick(("ACCESS", "NUMBER_FILING", "LICENCE", "COOPERATION"))
    whose = {"uscc": d.pick(USCCS)}
    routed = {"carrier": d.pick(CARRIERS)}
    number = {"number": d.pick(NUMBERS), "directions": d.pick(DIRECTIONS)}
    if gate == "ACCESS":
        return gate, {**whose, **routed, **number, "checked": checked(d)}
    if gate == "COOPERATION":
        return gate, {**whose, **routed}
    if gate == "NUMBER_FILING":
        return gate, {**whose, **number, "carriers": [d.pick(CARRIERS)], "outboundUndertaking": d.once_in(2)}
    said = {"marketingOutbound": d.once_in(4), "undertakingFiled": not d.once_in(4)}
    return gate, {**whose, "form": d.pick(FORMS), "route": d.pick(("STANDARD", "COMMITMENT")), **said}


@st.composite
def questions(draw: st.DrawFn, head: int, today: dt.date = TODAY, near: Sequence[dt.date] = ()) -> Question:
    """(D, P): a date on an edge, mostly of one of the dates `near`, and a position up to the head, 0 among them."""
    anchored = not near or draw(st.integers(0, 3)) == 0
    start = draw(edges(today)) if anchored else draw(st.sampled_from(list(near)))
    return start + dt.timedelta(days=draw(st.sampled_from(OFFSETS))), head - draw(st.integers(0, head))
