"""given(facts).when(fact).then_…(): the domain's decisions over small histories, without a database.

    given(registered(), licensed()).when(*renewed(validTo="2020-01-01")).then_refused("WRONG_STATE validTo")

Every fact goes the ledger's way (shape, what it reads, `decide`), and a decision is handed the folds that
`domain.decide.reads` asks for and nothing else. Refusals are written “CODE path”.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from domain import gates
from domain.commands import Command, Known, Reads, Refusal, command
from domain.decide import LEDGER, Acceptance, decide, reads, reads_further
from domain.events import DrawnEnterprise, Event, GateDecided, InspectionDrawn, RulebookAdopted
from domain.facts import Facts, Moment, fold
from domain.live import ask
from domain.recorded import Recorded, tags_of
from domain.requests import ALL_CHECKED, AccessRequest, LicenceRequest, NumberFilingRequest, Request
from domain.rulebook import RULEBOOK
from domain.vocabulary import BusinessForm, Directions, LicenceRoute
from ledger.entry import data_of

A, B, C = "91110000100012345L", "91310000MA1FL0000N", "91310000MA1FL0001R"
"""Three codes with right check characters."""
NOW = datetime(2026, 6, 1, 2, tzinfo=UTC)
TODAY = date(2026, 6, 1)
Fields = dict[str, Any]


class Stated(NamedTuple):
    """A fact as a client states it: the field of FactInput, and its fields."""

    name: str
    fields: Fields


class Judged(NamedTuple):
    """A gate decision that the ledger made on what was known then."""

    decision_id: str
    request: Request
    on: date


class Drawn(NamedTuple):
    """A random draw that the ledger made."""

    draw_id: str
    usccs: tuple[str, ...]
    on: date


class Adopted(NamedTuple):
    """A rulebook version that the ledger adopted by itself."""

    version: str


Given = Stated | Judged | Drawn | Adopted


def d(text: str) -> date:
    return date.fromisoformat(text)


@dataclass
class Book:
    """What was recorded so far, in position order."""

    history: list[Recorded] = field(default_factory=list)

    @property
    def head(self) -> int:
        return len(self.history)

    def facts(self, tag: str) -> Facts:
        """The fold of one tag."""
        return fold(recorded for recorded in self.history if tag in recorded.tags)

    def enterprise(self, uscc: str = A) -> Facts:
        return self.facts(f"enterprise:{uscc}")

    def number(self, number: str = "95012") -> Facts:
        return self.facts(f"number:{number}")

    def known(self, *wanted: Reads) -> Known:
        """What the wanted reads give at the head, and nothing besides."""
        streams = {tag: self.facts(tag) for read in wanted for tag in read.tags}
        places = {position for read in wanted for position in read.positions}
        return Known(self.head, streams, {one.position: one for one in self.history if one.position in places})

    def add(self, given: Given) -> Recorded:
        """Records what is given; an AssertionError says why it is refused."""
        if isinstance(given, Stated):
            return self.when(*given).then_recorded()
        if isinstance(given, Judged):
            return self._append(self._judged(given), given.on, LEDGER)
        if isinstance(given, Drawn):
            return self._append(_drawn(given), given.on, LEDGER)
        version = RULEBOOK.named(given.version)
        assert version is not None
        adopted = RulebookAdopted(
            version=version.version, in_force_from=version.in_force_from, sha256=RULEBOOK.sha256(version)
        )
        return self._append(adopted, TODAY, LEDGER)

    def when(self, name: str, fields: object, now: datetime = NOW) -> "Verdict":
        """Weighs one fact on what was recorded so far."""
        return self.when_together([(name, fields)], now)

    def when_together(self, facts: Sequence[tuple[str, object]], now: datetime = NOW) -> "Verdict":
        """Weighs facts of one request, each knowing those before it; the verdict is the last one's or the refused one's."""
        commands: list[Command] = []
        for name, fields in facts:
            made, flaws = command(name, fields, now)
            if made is None:
                return Verdict(self, [], flaws)
            commands.append(made)
        known = self.known(*map(reads, commands))
        known = self.known(*map(reads, commands), *(Reads(reads_further(one, known)) for one in commands))
        book = Book([*self.history])
        for one in commands:
            verdict = decide(one, known)
            if isinstance(verdict, list):
                return Verdict(self, [], verdict, known)
            known.evolve(book._accept(verdict, one, now))
        return Verdict(self, book.history[self.head :], [], known)

    def _accept(self, verdict: Acceptance, one: Command, now: datetime) -> Recorded:
        recorded = Recorded(
            position=self.head + 1,
            id=f"id-{self.head + 1}",
            type=type(verdict.event).__name__,
            effective_on=one.effective_on,
            recorded_at=now,
            recorded_by="regulator:MIIT:test",
            historical=one.historical,
            tags=verdict.tags,
            event=verdict.event,
        )
        self.history.append(recorded)
        return recorded

    def _append(self, event: Event, on: date, recorded_by: str) -> Recorded:
        self.history.append(
            Recorded(
                self.head + 1,
                f"id-{self.head + 1}",
                type(event).__name__,
                on,
                NOW,
                recorded_by,
                False,
                tags_of(event),
                event,
            )
        )
        return self.history[-1]

    def _judged(self, asked: Judged) -> GateDecided:
        version = RULEBOOK.in_force_on(asked.on)
        enterprise, numbers, days = gates.reads(asked.request, Moment(asked.on), version)
        streams = {tag: self.facts(tag) for tag in (enterprise, *numbers, *days)}
        answer = ask(asked.request, Moment(asked.on, self.head), streams, RULEBOOK)
        return GateDecided(
            decision_id=asked.decision_id,
            gate=asked.request.gate,
            uscc=asked.request.uscc,
            request=data_of(asked.request),
            as_of=asked.on,
            known_at=self.head,
            rulebook=version.version,
            outcome=answer.outcome,
            reasons=answer.reasons,
            requested_by="regulator:MIIT:test",
        )


@dataclass
class Verdict:
    """What came of a fact: what it was recorded as, or every refusal of it."""

    book: Book
    recorded: list[Recorded]
    refusals: list[Refusal]
    known: Known | None = None

    def then_recorded(self) -> Recorded:
        """The fact is accepted; it is recorded in the book that weighed it."""
        assert self.refusals == [], self.refusals
        self.book.history += self.recorded
        return self.recorded[-1]

    def then_refused(self, *expected: str) -> list[Refusal]:
        """The fact is refused for exactly the expected “CODE path” pairs, each said in both languages."""
        assert {f"{one.code} {one.path}".rstrip() for one in self.refusals} == set(expected), self.refusals
        for one in self.refusals:
            assert_said_in_both_languages(one)
        return self.refusals

    def then_tags(self, *expected: str) -> None:
        assert self.refusals == [], self.refusals
        assert set(self.recorded[-1].tags) == set(expected)
        assert len(self.recorded[-1].tags) == len(expected)


def assert_said_in_both_languages(refusal: Refusal) -> None:
    assert any("\u4e00" <= character <= "\u9fff" for character in refusal.text.zh)
    assert any("a" <= character <= "z" for character in refusal.text.en)
    assert len(refusal.text.zh) < 500
    assert len(refusal.text.en) < 500
    for said in refusal.text:
        said.encode("utf-8")


def given(*facts: Given) -> Book:
    """A book of the facts, recorded one by one at the positions 1, 2, 3 …"""
    book = Book()
    for fact in facts:
        book.add(fact)
    return book


def _drawn(drawn: Drawn) -> InspectionDrawn:
    return InspectionDrawn(
        draw_id=drawn.draw_id,
        authority="MIIT",
        request={},
        as_of=drawn.on,
        known_at=0,
        root="0" * 64,
        pool_size=len(drawn.usccs),
        pool_root="0" * 64,
        drawn=tuple(DrawnEnterprise(uscc, "GOOD", 1, "0" * 64, ("甲", "乙")) for uscc in drawn.usccs),
    )


# Facts with all that they need; what is given replaces it. `on` is effectiveOn, by default the day of recording.


def stated(name: str, on: str | None, defaults: Fields, given: Fields) -> Stated:
    effective = {} if on is None else {"effectiveOn": on}
    return Stated(name, {"uscc": A, **defaults, **effective, **given})


def registered(on: str | None = "2017-01-01", **given: Any) -> Stated:
    return stated("enterpriseRegistered", on, {"name": "甲呼叫中心", "province": "11"}, given)


def renamed(on: str | None = None, **given: Any) -> Stated:
    return stated("enterpriseRenamed", on, {"name": "乙呼叫中心"}, given)


def site_inspected(on: str | None = None, **given: Any) -> Stated:
    return stated("siteInspected", on, {"authority": "CA-11", "result": "PASSED"}, given)


LICENCE = {
    "licenceNo": "L-1",
    "authority": "CA-11",
    "business": "B24-1",
    "route": "STANDARD",
    "provinces": [],
    "validFrom": "2018-01-01",
    "validTo": "2027-12-31",
}
FILING = {"number": "95012", "carriers": ["CHINA_TELECOM", "CHINA_MOBILE"], "use": "客服", "directions": "INBOUND"}
ACCESS = {
    "accessId": "A-1",
    "carrier": "CHINA_TELECOM",
    "number": "95012",
    "directions": "INBOUND",
    "contractNo": "K-1",
}


def granted(on: str | None = None, **given: Any) -> Stated:
    """A live grant of a licence."""
    return stated("licenceGranted", on, LICENCE, given)


def licensed(on: str | None = "2018-01-01", **given: Any) -> Stated:
    """A historical grant of a licence."""
    return granted(on, **{"historical": True, **given})


def licence_refused(on: str | None = None, **given: Any) -> Stated:
    return stated("licenceRefused", on, {"authority": "CA-11", "reasons": "材料不实", "falseMaterial": True}, given)


def renewed(on: str | None = None, **given: Any) -> Stated:
    return stated("licenceRenewed", on, {"licenceNo": "L-1", "validTo": "2030-12-31"}, given)


def ended(by: str, on: str | None = None, **given: Any) -> Stated:
    """The ending of a licence: “Revoked”, “Annulled” or “Cancelled”."""
    return stated(f"licence{by}", on, {"licenceNo": "L-1", "authority": "CA-11", "reason": "违规"}, given)


def number_filed(on: str | None = None, **given: Any) -> Stated:
    """A live filing of a number."""
    return stated("numberFiled", on, FILING, given)


def filed(on: str | None = "2018-02-01", **given: Any) -> Stated:
    """A historical filing of a number."""
    return number_filed(on, **{"historical": True, **given})


def amended(on: str | None = None, **given: Any) -> Stated:
    return stated("numberFilingAmended", on, {"number": "95012"}, given)


def withdrawn(on: str | None = None, **given: Any) -> Stated:
    return stated("numberWithdrawn", on, {"number": "95012", "authority": "MIIT", "reason": "不再使用"}, given)


def access_granted(on: str | None = None, **given: Any) -> Stated:
    """A live grant of access."""
    return stated("accessGranted", on, ACCESS, given)


def accessed(on: str | None = "2018-03-01", **given: Any) -> Stated:
    """A historical grant of access."""
    return access_granted(on, **{"historical": True, **given})


def access(change: str, on: str | None = None, **given: Any) -> Stated:
    """A change of an access: “Restricted”, “Restored” or “Terminated”."""
    defaults = {"accessId": "A-1", "carrier": "CHINA_TELECOM", "reason": "核查"}
    return stated(f"access{change}", on, defaults, given)


def complained(on: str | None = None, **given: Any) -> Stated:
    """A complaint that names nobody, about a call from 95012 on 2020-01-02, Shanghai."""
    defaults = {
        "uscc": None,
        "complaintId": "C-1",
        "channel": "HOTLINE_12321",
        "displayedNumber": "95012",
        "calledAt": "2020-01-02T04:00:00Z",
        "category": "HARASSING",
    }
    return stated("complaintReceived", on, defaults, given)


def resolved(on: str | None = None, **given: Any) -> Stated:
    return Stated(
        "complaintResolved",
        {"complaintId": "C-1", "outcome": "SUBSTANTIATED", **({"effectiveOn": on} if on else {}), **given},
    )


def inspected(on: str | None = None, **given: Any) -> Stated:
    defaults = {"inspectionId": "I-1", "authority": "CA-11", "manner": "TARGETED", "violations": ["NO_CONSENT"]}
    return stated("inspectionHeld", on, defaults, given)


def self_reported(on: str | None = None, **given: Any) -> Stated:
    return stated("selfReportFiled", on, {"campaign": 2020}, given)


def interviewed(on: str | None = None, **given: Any) -> Stated:
    defaults = {"authority": "CA-11", "caseId": "Y-1", "topics": "骚扰电话", "becauseOf": "HARASSING_CALLS"}
    return stated("interviewHeld", on, defaults, given)


def ordered(on: str | None = None, **given: Any) -> Stated:
    defaults = {"orderId": "O-1", "authority": "CA-11", "demands": "停止外呼", "dueOn": "2026-12-31"}
    return stated("rectificationOrdered", on, defaults, given)


def confirmed(on: str | None = None, **given: Any) -> Stated:
    return stated("rectificationConfirmed", on, {"orderId": "O-1"}, given)


def exposed(on: str | None = None, **given: Any) -> Stated:
    defaults = {"exposureId": "X-1", "authority": "MIIT", "channel": "官网", "becauseOf": "HARASSING_CALLS"}
    return stated("exposurePublished", on, defaults, given)


def retracted(on: str | None = None, **given: Any) -> Stated:
    return stated("exposureRetracted", on, {"exposureId": "X-1", "reason": "有误"}, given)


def punished(on: str | None = None, **given: Any) -> Stated:
    defaults = {
        "documentNo": "京通罚〔2020〕1号",
        "authority": "CA-11",
        "kinds": ["WARNING"],
        "violation": "未经同意外呼",
        "basis": "办法第二十条",
        "becauseOf": "OTHER",
    }
    return stated("penaltyImposed", on, defaults, given)


def penalty(change: str, on: str | None = None, **given: Any) -> Stated:
    """What follows a penalty: “Publicised”, “Performed” or “Annulled”."""
    defaults = {"authority": "CA-11", "documentNo": "京通罚〔2020〕1号"}
    reason = {"reason": "复议撤销"} if change == "Annulled" else {}
    return stated(f"penalty{change}", on, {**defaults, **reason}, given)


def listed(on: str | None = None, **given: Any) -> Stated:
    defaults = {"entryId": "E-1", "list": "ADVERSE", "authority": "CA-11", "ground": "HARASSING_CALLS"}
    return stated("listEntryMade", on, defaults, given)


def unlisted(on: str | None = None, **given: Any) -> Stated:
    return stated("listEntryRemoved", on, {"entryId": "E-1", "authority": "CA-11", "ground": "PERIOD_ENDED"}, given)


def report_demanded(on: str | None = None, **given: Any) -> Stated:
    return stated("annualReportDemanded", on, {"year": 2025, "authority": "CA-11", "dueOn": "2026-06-30"}, given)


def report_filed(on: str | None = None, **given: Any) -> Stated:
    return stated("annualReportFiled", on, {"year": 2025}, given)


def voided(position: int, on: str | None = None, reason: str = "误录") -> Stated:
    effective = {} if on is None else {"effectiveOn": on}
    return Stated("eventVoided", {"position": position, "reason": reason, **effective})


def adopted(**given: Any) -> Stated:
    fields = {"version": "2027.1", "inForceFrom": "2027-01-01", "sha256": "0" * 64, **given}
    return Stated("rulebookAdopted", fields)


EVERY_EVENT: dict[str, Stated] = {
    one.name: one
    for one in (
        registered(legalRepresentative="张三"),
        renamed(),
        site_inspected(note="现场"),
        granted(provinces=["11", "31"], decisionId="D-1", justification="已核实"),
        licence_refused(),
        renewed(),
        ended("Revoked", documentNo="文-1"),
        ended("Annulled", documentNo="文-1"),
        ended("Cancelled", documentNo="文-1"),
        number_filed(outboundUndertaking=True, decisionId="D-1", justification="已核实"),
        amended(carriers=["CHINA_UNICOM"], use="热线", directions="INBOUND", outboundUndertaking=False),
        withdrawn(),
        access_granted(decisionId="D-1", justification="已核实"),
        access("Restricted"),
        access("Restored"),
        access("Terminated"),
        complained(complainantPhone="13800001111", summary="推销贷款", uscc=A),
        resolved(),
        inspected(drawId="R-1", note="现场"),
        self_reported(note="已整改"),
        interviewed(inspectionId="I-1"),
        ordered(inspectionId="I-1"),
        confirmed(),
        exposed(url="https://www.miit.gov.cn/", inspectionId="I-1"),
        retracted(),
        punished(kinds=["FINE", "CONFISCATION"], fine="100.00", confiscated="0.00", inspectionId="I-1"),
        penalty("Publicised"),
        penalty("Performed"),
        penalty("Annulled"),
        listed(basis=[1]),
        unlisted(),
        report_demanded(),
        report_filed(),
        voided(1),
        adopted(),
    )
}
"""Every event that a client may record, with every field given and well-formed."""


def asks_licence(**given: Any) -> LicenceRequest:
    defaults: Fields = {
        "uscc": A,
        "form": BusinessForm.CALL_CENTRE,
        "route": LicenceRoute.STANDARD,
        "marketing_outbound": False,
        "undertaking_filed": True,
    }
    return LicenceRequest(**{**defaults, **given})


def asks_filing(**given: Any) -> NumberFilingRequest:
    carriers = ("CHINA_TELECOM", "CHINA_MOBILE")
    defaults: Fields = {"uscc": A, "number": "95012", "carriers": carriers, "directions": Directions.INBOUND}
    return NumberFilingRequest(**{**defaults, **given})


def asks_access(**given: Any) -> AccessRequest:
    defaults: Fields = {
        "uscc": A,
        "carrier": "CHINA_TELECOM",
        "number": "95012",
        "directions": Directions.INBOUND,
        "checked": ALL_CHECKED,
    }
    return AccessRequest(**{**defaults, **given})
