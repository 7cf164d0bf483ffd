"""An invented history for demonstrations: sixteen call-centre enterprises that do not exist, from 2019 to today.

Each story is a generator: it gives steps in order of their dates and is told what came of each. Amounts and documents
are made up. Old dates are fixed, recent ones count back from today, so that the ledger always shows somebody who is
watched, somebody who is late and somebody who has just been let in.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from caseledger.demo_firms import FIRMS, INTAKE, PHONE, Firm, M, Step, Story, T, U
from domain.callers import Caller, Role


def stories(today: date) -> Iterator[Story]:
    """Every story, as of a day."""
    for firm, tell, (year, count) in zip(FIRMS, TALES, REPORTS, strict=True):
        yield tell(firm, today)
        yield _reports(firm, year, count)


def _founded(firm: Firm, on: date, route: str = "STANDARD") -> Story:
    """What nearly every history begins with: registered, inspected, licensed, numbered, connected."""
    past = {"historical": True}
    yield firm.does(on, ("enterpriseRegistered", {"name": firm.name, "province": firm.province}))
    if route == "STANDARD":
        inspected = {"authority": firm.authority, "result": "PASSED", "note": "坐席、录音留存与号码标识均符合要求"}
        yield firm.does(on + timedelta(days=20), ("siteInspected", inspected))
    granted = on + timedelta(days=45)
    licence = {
        "licenceNo": firm.licence_no(on.year),
        "authority": firm.authority if firm.short else "MIIT",
        "business": "B24-1",
        "route": route,
        "provinces": [firm.province] if firm.short else [],
        "validFrom": str(granted),
        "validTo": str(granted.replace(year=granted.year + 5) - timedelta(days=1)),
    }
    yield firm.does(granted, ("licenceGranted", licence | past))
    filed = {
        "number": firm.number,
        "carriers": list(firm.carriers),
        "use": "客户服务热线",
        "directions": firm.directions,
        "outboundUndertaking": firm.directions != "INBOUND",
    }
    yield firm.does(granted + timedelta(days=15), ("numberFiled", filed | past))
    for place, carrier in enumerate(firm.carriers, start=1):
        access = {
            "accessId": f"{firm.number}-{place}",
            "carrier": carrier,
            "number": firm.number,
            "directions": firm.directions,
            "contractNo": f"{carrier[6:8]}-{on.year}-{firm.order:03d}",
        }
        yield firm.does(granted + timedelta(days=30 + place), ("accessGranted", access | past))


def _reports(firm: Firm, year: int, count: int) -> Story:
    """Annual reports of so many years, each in time."""
    for each in range(year, year + count):
        due = date(each + 1, 3, 31)
        demanded = {"year": each, "authority": firm.authority, "dueOn": str(due)}
        yield firm.does(date(each + 1, 1, 4), ("annualReportDemanded", demanded))
        yield firm.does(due - timedelta(days=firm.order), ("annualReportFiled", {"year": each}))


def _complaints(firm: Firm, first: date, count: int, category: str = "HARASSING", proved: int = 0) -> Story:
    """Complaints on days that follow each other, attributed by the number; the first `proved` are substantiated."""
    channels = ("HOTLINE_12321", "HOTLINE_12381", "HOTLINE_12300", "CARRIER")
    for each in range(count):
        on = first + timedelta(days=each // 3)
        number = f"{firm.number}{7_000 + each * 37}"
        received = {
            "complaintId": f"TS-{firm.order:02d}-{first:%y%m%d}-{each + 1:02d}",
            "channel": channels[each % 4],
            "displayedNumber": number,
            "calledAt": f"{on}T{9 + each % 9:02d}:{each * 7 % 60:02d}:00+08:00",
            "category": category,
            "complainantPhone": PHONE,
            "summary": "未经同意反复拨打推销贷款，要求停止后仍继续",
        }
        yield Step(on, (("complaintReceived", {**received, "effectiveOn": str(on)}),), by=INTAKE)
    for each in range(count):
        resolved = {
            "complaintId": f"TS-{firm.order:02d}-{first:%y%m%d}-{each + 1:02d}",
            "outcome": "SUBSTANTIATED" if each < proved else ("UNSUBSTANTIATED", "WITHDRAWN")[each % 2],
        }
        yield Step(first + timedelta(days=count // 3 + 2), (("complaintResolved", resolved),), by=INTAKE)


def _steady(firm: Firm, today: date) -> Story:
    """Nothing ever happens to it: inspected at random, renewed, reporting."""
    yield from _founded(firm, date(2019, 3, 4))
    yield firm.does(date(2020, 7, 20), ("selfReportFiled", {"campaign": 2020, "note": "对照通知逐项自查，未发现问题"}))
    inspected = {"inspectionId": "SJ-2023-011", "authority": "MIIT", "manner": "RANDOM", "violations": []}
    yield firm.does(date(2023, 9, 12), ("inspectionHeld", inspected))
    renewed = {"licenceNo": firm.licence_no(2019), "validTo": "2029-04-17"}
    yield firm.does(date(2024, 1, 8), ("licenceRenewed", renewed))


def _renamed(firm: Firm, today: date) -> Story:
    """Let in by commitment, renamed, its filing amended; outbound calls were added with an undertaking."""
    yield from _founded(firm, date(2021, 5, 10), "COMMITMENT")
    yield firm.does(date(2023, 6, 1), ("enterpriseRenamed", {"name": "上海申铃数字客户服务有限公司"}))
    amended = {"number": firm.number, "directions": "INBOUND_AND_OUTBOUND", "outboundUndertaking": True}
    yield firm.does(date(2023, 8, 14), ("numberFilingAmended", amended))
    renewed = {"licenceNo": firm.licence_no(2021), "validTo": "2031-06-23"}
    yield firm.does(date(2026, 2, 20), ("licenceRenewed", renewed))


def _punished_and_forgiven(firm: Firm, today: date) -> Story:
    """A burst of complaints, the whole ladder of enforcement, and the way back off the list."""
    yield from _founded(firm, date(2019, 4, 15))
    yield firm.does(date(2020, 7, 28), ("selfReportFiled", {"campaign": 2020}))
    yield from _complaints(firm, date(2022, 5, 9), 15, proved=12)
    inspected = {
        "inspectionId": "YT-2022-031",
        "authority": firm.authority,
        "manner": "COMPLAINT",
        "violations": ["MARKETING_OUTBOUND", "NO_CONSENT", "RECORDS_NOT_KEPT"],
        "note": "抽查录音留存不足三十日",
    }
    yield firm.does(date(2022, 5, 24), ("inspectionHeld", inspected))
    talked = {
        "authority": firm.authority,
        "caseId": "粤通约谈2022-17",
        "topics": "骚扰电话治理与录音留存",
        "becauseOf": "HARASSING_CALLS",
        "inspectionId": "YT-2022-031",
    }
    ordered = {
        "orderId": "粤通改〔2022〕17号",
        "authority": firm.authority,
        "demands": "停止营销外呼，补齐录音留存",
        "dueOn": "2022-06-30",
        "inspectionId": "YT-2022-031",
    }
    yield firm.does(date(2022, 5, 30), ("interviewHeld", talked), ("rectificationOrdered", ordered))
    exposed = {
        "exposureId": "BG-2022-08",
        "authority": firm.authority,
        "channel": "省通信管理局网站通报",
        "url": "https://example.org/notice/2022/08",
        "becauseOf": "HARASSING_CALLS",
    }
    yield firm.does(date(2022, 6, 6), ("exposurePublished", exposed))
    document = "粤通管罚〔2022〕9号"
    yield firm.does(date(2022, 6, 28), ("rectificationConfirmed", {"orderId": "粤通改〔2022〕17号"}))
    fine = {"kinds": ["WARNING", "FINE"], "fine": "30000.00", "violation": "未经用户同意拨打营销电话"}
    (penalty,) = (yield firm.does(date(2022, 7, 11), firm.penalised(document, **fine))).positions
    yield firm.does(date(2022, 7, 14), firm.penalty("penaltyPublicised", document))
    entry = {
        "entryId": "粤不良2022-05",
        "list": "ADVERSE",
        "authority": firm.authority,
        "ground": "PENALTY",
        "basis": [penalty],
    }
    yield firm.does(date(2022, 7, 25), ("listEntryMade", entry))
    yield firm.does(date(2022, 8, 2), firm.penalty("penaltyPerformed", document))
    removed = {"entryId": "粤不良2022-05", "authority": firm.authority, "ground": "PERIOD_ENDED"}
    yield firm.does(date(2023, 7, 26), ("listEntryRemoved", removed))


def _watched(firm: Firm, today: date) -> Story:
    """Complaints of the last weeks, an interview, an order that is still open, and a review at the gate."""
    yield from _founded(firm, date(2023, 2, 6))
    yield _renewed(firm, 2023, today)
    yield from _complaints(firm, today - timedelta(days=26), 18, "MARKETING", proved=13)
    talked = {
        "authority": firm.authority,
        "caseId": f"川通约谈{today.year}-41",
        "topics": "近期营销外呼投诉集中",
        "becauseOf": "HARASSING_CALLS",
    }
    ordered = {
        "orderId": f"川通改〔{today.year}〕41号",
        "authority": firm.authority,
        "demands": "十五日内完成外呼名单清理并提交整改报告",
        "dueOn": str(today + timedelta(days=12)),
    }
    yield firm.does(today - timedelta(days=10), ("interviewHeld", talked), ("rectificationOrdered", ordered))
    carrier = Caller(Role.CARRIER, "demo", carrier=M)
    yield Step(today - timedelta(days=2), asked=("cooperation", {"uscc": firm.code, "carrier": M}), by=carrier)


def _dishonest(firm: Firm, today: date) -> Story:
    """Fined, did not pay, listed as dishonest, and cut off."""
    yield from _founded(firm, date(2021, 8, 9))
    document = f"浙通管罚〔{today.year - 1}〕22号"
    fine = {
        "kinds": ["FINE", "CONFISCATION", "BUSINESS_SUSPENDED"],
        "fine": "200000.00",
        "confiscated": "86420.50",
        "violation": "将中继线转租给无证主体用于外呼",
    }
    (penalty,) = (yield firm.does(today - timedelta(days=420), firm.penalised(document, **fine))).positions
    yield firm.does(today - timedelta(days=415), firm.penalty("penaltyPublicised", document))
    access = {"accessId": f"{firm.number}-1", "carrier": U}
    carrier = Caller(Role.CARRIER, "demo", carrier=U)
    restricted = {"uscc": firm.code, **access, "reason": "接通管局通知，限制呼出"}
    yield Step(today - timedelta(days=410), (("accessRestricted", restricted),), by=carrier)
    entry = {
        "entryId": f"浙失信{today.year}-02",
        "list": "DISHONESTY",
        "authority": firm.authority,
        "ground": "UNPERFORMED_PENALTY",
        "basis": [penalty],
    }
    yield firm.does(today - timedelta(days=200), ("listEntryMade", entry))
    ended = {"uscc": firm.code, **access, "reason": "列入失信名单，终止合同"}
    yield Step(today - timedelta(days=190), (("accessTerminated", ended),), by=carrier)
    asked = {"uscc": firm.code, "carrier": T}
    yield Step(today - timedelta(days=30), asked=("cooperation", asked), by=Caller(Role.CARRIER, "demo", carrier=T))


def _vindicated(firm: Firm, today: date) -> Story:
    """Its penalty was annulled, and the entry that rested on it taken back."""
    yield from _founded(firm, date(2020, 2, 17))
    document = "鄂通管罚〔2023〕3号"
    fine = {"kinds": ["FINE"], "fine": "10000.00", "violation": "号码标识与备案不一致"}
    (penalty,) = (yield firm.does(date(2023, 3, 6), firm.penalised(document, becauseOf="OTHER", **fine))).positions
    yield firm.does(date(2023, 3, 9), firm.penalty("penaltyPublicised", document))
    entry = {
        "entryId": "鄂不良2023-01",
        "list": "ADVERSE",
        "authority": firm.authority,
        "ground": "PENALTY",
        "basis": [penalty],
    }
    yield firm.does(date(2023, 3, 27), ("listEntryMade", entry))
    reason = {"reason": "行政复议决定撤销：认定事实不清"}
    yield firm.does(date(2023, 7, 18), firm.penalty("penaltyAnnulled", document, **reason))
    removed = {"entryId": "鄂不良2023-01", "authority": firm.authority, "ground": "BASIS_ANNULLED"}
    yield firm.does(date(2023, 7, 20), ("listEntryRemoved", removed))


def _overdue(firm: Firm, today: date) -> Story:
    """Ordered to mend what an inspection found, and late."""
    yield from _founded(firm, date(2022, 10, 10))
    inspection = f"LT-{today.year}-07"
    inspected = {
        "inspectionId": inspection,
        "authority": firm.authority,
        "manner": "TARGETED",
        "violations": ["NUMBER_ALTERED"],
    }
    yield firm.does(today - timedelta(days=80), ("inspectionHeld", inspected))
    ordered = {
        "orderId": f"鲁通改〔{today.year}〕7号",
        "authority": firm.authority,
        "demands": "停止改号，提交呼叫记录",
        "dueOn": str(today - timedelta(days=20)),
        "inspectionId": inspection,
    }
    yield firm.does(today - timedelta(days=60), ("rectificationOrdered", ordered))


def _false_material(firm: Firm, today: date) -> Story:
    """Refused for false material, let in two years later."""
    refused = {"authority": firm.authority, "reasons": "社保缴纳证明系伪造", "falseMaterial": True}
    first = {"name": firm.name, "province": firm.province}
    yield firm.does(date(2021, 1, 11), ("enterpriseRegistered", first))
    yield firm.does(date(2021, 2, 1), ("licenceRefused", refused))
    inspected = {"authority": firm.authority, "result": "FAILED", "note": "场所与申报不符"}
    yield firm.does(date(2023, 2, 13), ("siteInspected", inspected))
    yield firm.does(date(2023, 4, 3), ("siteInspected", {"authority": firm.authority, "result": "PASSED"}))
    licence = {
        "licenceNo": firm.licence_no(2023),
        "authority": firm.authority,
        "business": "B24-1",
        "route": "STANDARD",
        "provinces": [firm.province],
        "validFrom": "2023-05-04",
        "validTo": "2028-05-03",
        "historical": True,
    }
    yield firm.does(date(2023, 5, 4), ("licenceGranted", licence))


def _revoked(firm: Firm, today: date) -> Story:
    """Two penalties, the licence revoked, the number taken back."""
    yield from _founded(firm, date(2019, 6, 3))
    yield from _complaints(firm, date(2021, 9, 6), 9, "SPOOFED_NUMBER", proved=9)
    first, second = "渝通管罚〔2021〕14号", "渝通管罚〔2022〕2号"
    warned = {"kinds": ["WARNING", "CRITICISM"], "violation": "改号隐号呼出"}
    yield firm.does(date(2021, 10, 18), firm.penalised(first, **warned))
    yield firm.does(date(2021, 10, 20), firm.penalty("penaltyPublicised", first))
    worst = {"kinds": ["LICENCE_REVOKED", "BARRED"], "violation": "整改期间继续改号呼出，情节严重"}
    (penalty,) = (yield firm.does(date(2022, 3, 14), firm.penalised(second, **worst))).positions
    yield firm.does(date(2022, 3, 16), firm.penalty("penaltyPublicised", second))
    ended = {
        "licenceNo": firm.licence_no(2019),
        "authority": firm.authority,
        "documentNo": second,
        "reason": "依处罚决定吊销",
    }
    yield firm.does(date(2022, 3, 21), ("licenceRevoked", ended))
    withdrawn = {"number": firm.number, "authority": "MIIT", "reason": "许可吊销，收回码号"}
    yield firm.does(date(2022, 4, 6), ("numberWithdrawn", withdrawn))
    terminated = {"accessId": f"{firm.number}-1", "carrier": M, "reason": "码号收回"}
    yield firm.does(date(2022, 4, 7), ("accessTerminated", terminated))
    entry = {
        "entryId": "渝失信2022-01",
        "list": "DISHONESTY",
        "authority": firm.authority,
        "ground": "PENALTY",
        "basis": [penalty],
    }
    yield firm.does(date(2022, 4, 11), ("listEntryMade", entry))


def _repaired(firm: Firm, today: date) -> Story:
    """Listed, mended, and taken off by credit repair."""
    yield from _founded(firm, date(2022, 3, 7))
    document = "粤通管罚〔2025〕31号"
    fine = {"kinds": ["FINE"], "fine": "50000.00", "violation": "向未同意用户拨打营销电话"}
    (penalty,) = (yield firm.does(date(2025, 6, 16), firm.penalised(document, **fine))).positions
    yield firm.does(date(2025, 6, 19), firm.penalty("penaltyPublicised", document))
    entry = {
        "entryId": "粤不良2025-12",
        "list": "ADVERSE",
        "authority": firm.authority,
        "ground": "PENALTY",
        "basis": [penalty],
    }
    yield firm.does(date(2025, 7, 7), ("listEntryMade", entry))
    yield firm.does(date(2025, 7, 30), firm.penalty("penaltyPerformed", document))
    removed = {"entryId": "粤不良2025-12", "authority": firm.authority, "ground": "REPAIRED"}
    yield firm.does(date(2026, 4, 20), ("listEntryRemoved", removed))


def _late_report(firm: Firm, today: date) -> Story:
    """Listed for an annual report that did not come, taken off when it did."""
    yield from _founded(firm, date(2021, 11, 1))
    demanded = {"year": 2023, "authority": firm.authority, "dueOn": "2024-03-31"}
    yield firm.does(date(2024, 1, 4), ("annualReportDemanded", demanded))
    entry = {"entryId": "苏不良2024-03", "list": "ADVERSE", "authority": firm.authority, "ground": "ANNUAL_REPORT"}
    yield firm.does(date(2024, 5, 20), ("listEntryMade", entry))
    yield firm.does(date(2024, 6, 11), ("annualReportFiled", {"year": 2023}))
    removed = {"entryId": "苏不良2024-03", "authority": firm.authority, "ground": "DUTY_PERFORMED"}
    yield firm.does(date(2024, 6, 17), ("listEntryRemoved", removed))


def _corrected(firm: Firm, today: date) -> Story:
    """A penalty recorded for the wrong enterprise is voided, an interview recorded late; listed for a missing report."""
    yield from _founded(firm, date(2020, 9, 7))
    wrong = {"kinds": ["WARNING"], "violation": "录音留存不足"}
    (position,) = (
        yield firm.does(date(2024, 9, 2), firm.penalised("津通管罚〔2024〕5号", becauseOf="OTHER", **wrong))
    ).positions
    voided = {"position": position, "reason": "录入错误：处罚对象为另一企业"}
    yield Step(date(2024, 9, 4), (("eventVoided", voided),))
    late = {
        "authority": firm.authority,
        "caseId": "津通约谈2022-02",
        "topics": "客服外包管理",
        "becauseOf": "OTHER",
        "effectiveOn": "2022-11-15",
    }
    yield firm.does(date(2024, 11, 20), ("interviewHeld", late))
    demanded = {"year": today.year - 1, "authority": firm.authority, "dueOn": str(today - timedelta(days=90))}
    yield firm.does(today - timedelta(days=140), ("annualReportDemanded", demanded))
    entry = {
        "entryId": f"津不良{today.year}-04",
        "list": "ADVERSE",
        "authority": firm.authority,
        "ground": "ANNUAL_REPORT",
    }
    yield firm.does(today - timedelta(days=50), ("listEntryMade", entry))


def _closed(firm: Firm, today: date) -> Story:
    """Gave up the business in good order."""
    yield from _founded(firm, date(2020, 4, 13))
    terminated = {"accessId": f"{firm.number}-1", "carrier": M, "reason": "企业停止经营，协商终止"}
    yield firm.does(date(2023, 11, 6), ("accessTerminated", terminated))
    withdrawn = {"number": firm.number, "authority": "MIIT", "reason": "企业申请退回"}
    yield firm.does(date(2023, 11, 20), ("numberWithdrawn", withdrawn))
    ended = {"licenceNo": firm.licence_no(2020), "authority": firm.authority, "reason": "企业申请注销"}
    yield firm.does(date(2023, 12, 4), ("licenceCancelled", ended))


def _retracted(firm: Firm, today: date) -> Story:
    """Exposed by mistake, restricted and restored; a licence annulled and granted anew."""
    yield from _founded(firm, date(2021, 3, 1))
    exposed = {
        "exposureId": "BG-2024-03",
        "authority": firm.authority,
        "channel": "省局微信公众号",
        "becauseOf": "HARASSING_CALLS",
    }
    yield firm.does(date(2024, 3, 11), ("exposurePublished", exposed))
    access = {"accessId": f"{firm.number}-1", "carrier": U}
    yield firm.does(date(2024, 3, 12), ("accessRestricted", access | {"reason": "接通报，暂停呼出"}))
    yield firm.does(
        date(2024, 3, 25), ("exposureRetracted", {"exposureId": "BG-2024-03", "reason": "号码归属认定有误"})
    )
    yield firm.does(date(2024, 3, 26), ("accessRestored", access | {"reason": "通报撤回，恢复呼出"}))
    annulled = {"licenceNo": firm.licence_no(2021), "authority": firm.authority, "reason": "注册资本材料不实，撤销许可"}
    yield firm.does(date(2025, 5, 12), ("licenceAnnulled", annulled))


def _newcomer(firm: Firm, today: date) -> Story:
    """Let in this month: each gate decides, and each fact names its decision."""
    start = today - timedelta(days=28)
    first = {"name": firm.name, "province": firm.province, "legalRepresentative": "李某"}
    yield firm.does(start - timedelta(days=40), ("enterpriseRegistered", first))
    yield Step(start, asked=("licence", _licence_request(firm)), by=firm.regulator)
    yield firm.does(start + timedelta(days=4), ("siteInspected", {"authority": firm.authority, "result": "PASSED"}))
    decided = yield Step(start + timedelta(days=6), asked=("licence", _licence_request(firm)), by=firm.regulator)
    licence = {
        "licenceNo": firm.licence_no(today.year),
        "authority": firm.authority,
        "business": "B24-1",
        "route": "STANDARD",
        "provinces": [firm.province],
        "validFrom": str(start + timedelta(days=8)),
        "validTo": str(start + timedelta(days=8 + 5 * 365)),
        "decisionId": decided.decision,
    }
    yield firm.does(start + timedelta(days=8), ("licenceGranted", licence))
    terms = {"number": firm.number, "carriers": list(firm.carriers), "directions": firm.directions}
    decided = yield Step(
        start + timedelta(days=10), asked=("numberFiling", {"uscc": firm.code, **terms}), by=firm.regulator
    )
    filed = terms | {"use": "政务服务热线外包", "decisionId": decided.decision}
    yield firm.does(start + timedelta(days=12), ("numberFiled", filed))
    yield from _live_access(firm, start + timedelta(days=15), M)


def _reviewed(firm: Firm, today: date) -> Story:
    """Interviewed for harassing calls, and let in again with a written justification."""
    yield from _founded(firm, date(2022, 6, 6))
    talked = {
        "authority": firm.authority,
        "caseId": f"苏通约谈{today.year}-09",
        "topics": "外包坐席违规外呼",
        "becauseOf": "HARASSING_CALLS",
    }
    yield firm.does(today - timedelta(days=120), ("interviewHeld", talked))
    yield _renewed(firm, 2022, today)
    why = "约谈后已清退违规坐席，近九十日无新投诉"
    yield from _live_access(firm, today - timedelta(days=9), T, access_id=f"{firm.number}-2", justification=why)


def _renewed(firm: Firm, granted_in: int, today: date) -> Step:
    """A renewal that leaves the licence in force today, whenever that is."""
    renewed = {"licenceNo": firm.licence_no(granted_in), "validTo": str(today + timedelta(days=1_500))}
    return firm.does(today - timedelta(days=100), ("licenceRenewed", renewed))


def _licence_request(firm: Firm) -> dict[str, Any]:
    return {
        "uscc": firm.code,
        "form": "CALL_CENTRE",
        "route": "STANDARD",
        "marketingOutbound": False,
        "undertakingFiled": True,
    }


def _live_access(firm: Firm, on: date, carrier: str, access_id: str | None = None, **fields: Any) -> Story:
    """A carrier asks the gate and gives access on the strength of its decision."""
    by = Caller(Role.CARRIER, "demo", carrier=carrier)
    terms = {"carrier": carrier, "number": firm.number, "directions": firm.directions}
    checked = dict.fromkeys(("businessLicence", "licence", "numberCertificate", "numberFiling", "businessPlan"), True)
    decided = yield Step(on, asked=("access", {"uscc": firm.code, **terms, "checked": checked}), by=by)
    granted = {
        "uscc": firm.code,
        "accessId": access_id or f"{firm.number}-1",
        **terms,
        "contractNo": f"{carrier[6:8]}-{on.year}-{firm.order:03d}",
        "decisionId": decided.decision,
        **fields,
    }
    yield Step(on + timedelta(days=1), (("accessGranted", granted),), by=by)


TALES: Final = (
    _steady,
    _renamed,
    _punished_and_forgiven,
    _watched,
    _dishonest,
    _vindicated,
    _overdue,
    _false_material,
    _revoked,
    _repaired,
    _late_report,
    _corrected,
    _closed,
    _retracted,
    _newcomer,
    _reviewed,
)

REPORTS: Final = (
    (2019, 4),
    (2021, 3),
    (2019, 2),
    (2023, 2),
    (2021, 2),
    (2020, 2),
    (2022, 2),
    (2023, 2),
    (2019, 2),
    (2022, 3),
    (2021, 2),
    (2020, 2),
    (2020, 3),
    (2021, 2),
    (2026, 0),
    (2022, 2),
)
"""Of each enterprise: the first year that it reported on, and how many years it did."""
