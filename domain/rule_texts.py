"""The rulebook's words: what each rule says in Chinese and in English, and the documents that it rests on.

Texts are part of a rulebook version: they enter its canonical text and its sha256 (see `domain.rulebook`). They are static
and hold no personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from domain.text import Language, Text


@dataclass(frozen=True)
class Citation:
    """What a rule rests on: a document, the article or part of it, and the document's date.

    `part` is None where the rulebook names the document alone. `date` is the day from which the document applies (of a notice,
    its date), None where the rulebook gives no day. `secondary` marks what rests on secondary sources (the rulebook's †).
    """

    document: Text
    part: Text | None
    date: date | None
    secondary: bool = False

    def in_language(self, language: Language) -> str:
        """The citation as one line, for instance 'Document, Art. 4, 2017-09-01'."""
        space, comma, mark = (
            (" ", "，", "（据二手资料）") if language == "zh" else (", ", ", ", " (from secondary sources)")
        )
        named = [text.said_in(language) for text in (self.document, self.part) if text is not None]
        dated = "" if self.date is None else comma + self.date.isoformat()
        return space.join(named) + dated + (mark if self.secondary else "")


@dataclass(frozen=True)
class Wording:
    """What one rule says: when it fires, what has fired (one sentence), and what to do about it."""

    condition: Text
    message: Text
    remedy: Text


NOTICE: Final = Text(
    "工信部信管〔2020〕81号《关于加强呼叫中心业务管理的通知》",
    "MIIT Notice Xinguan [2020] No. 81 on strengthening the management of call-centre business",
)
ORDER_42: Final = Text(
    "《电信业务经营许可管理办法》（工业和信息化部令第42号）",
    "Measures for the Administration of Telecommunications Business Licences (MIIT Order No. 42)",
)
LIST_NOTICE: Final = Text("名单通知", "List notice")
PENALTY_LAW: Final = Text("《中华人民共和国行政处罚法》（2021年修订）", "Administrative Penalty Law (2021 revision)")
PUBLICITY_OPINION: Final = Text(
    "发改办财金〔2018〕424号《关于进一步完善行政许可和行政处罚等信用信息公示工作的指导意见》",
    "NDRC General Office Caijin [2018] No. 424, guiding opinions on publicising licences and penalties as credit information",
)
REPAIR_RULES: Final = Text("信用修复规则", "Credit-repair rules")
NUMBER_RULES: Final = Text("码号管理规定", "Number rules")
PRACTICE_2019: Final = Text("2019年监管实践", "Supervisory practice of 2019")


def in_notice(zh: str, en: str, *, secondary: bool = False) -> Citation:
    """A part of the Notice of 2020-06-18."""
    return Citation(NOTICE, Text(zh, en), date(2020, 6, 18), secondary)


def in_order_42(zh: str = "", en: str = "", *, secondary: bool = False) -> Citation:
    """An article of Order 42, in force from 2017-09-01, or, without one, the Order."""
    return Citation(ORDER_42, Text(zh, en) if zh else None, date(2017, 9, 1), secondary)


def in_penalty_law(zh: str, en: str) -> Citation:
    """An article of the Administrative Penalty Law as revised in 2021, in force from 2021-07-15 (its Art. 86)."""
    return Citation(PENALTY_LAW, Text(zh, en), date(2021, 7, 15))


def _wording(zh_condition: str, condition: str, zh_message: str, message: str, zh_remedy: str, remedy: str) -> Wording:
    return Wording(Text(zh_condition, condition), Text(zh_message, message), Text(zh_remedy, remedy))


_GATE_WORDINGS: Final[dict[str, Wording]] = {
    "REG-1": _wording(
        "该企业没有有效登记（信用状态为 UNKNOWN）。",
        "No registration of the enterprise is visible (its credit status is UNKNOWN).",
        "该企业未在台账登记，无法核实其经营资格和信用状况。",
        "The enterprise is not registered in the ledger, so its licences and its credit cannot be established.",
        "请核对统一社会信用代码；无误的，由电信管理机构先登记该企业，再重新申请。",
        "Check the unified social credit code; if it is right, have a regulator register the enterprise and ask again.",
    ),
    "ADM-1": _wording(
        "按一般方式（STANDARD）申请，且最近一次实地查验未通过，或者未经实地查验。",
        "The route is STANDARD, and the last on-site inspection was not passed or there has been none.",
        "按一般方式申请许可的企业未通过实地查验，或者尚未接受实地查验。",
        "An applicant by the standard route has not passed an on-site inspection.",
        "请在完成整改后接受电信管理机构的实地查验，查验通过后重新申请。",
        "Have the regulator inspect the site, put right what it finds, and apply again once the inspection is passed.",
    ),
    "ADM-2": _wording(
        "申请的业务包含商业营销类电话呼出服务。",
        "The application includes outbound marketing calls.",
        "申请的业务包含商业营销类电话呼出服务，呼叫中心业务不得提供此类服务。",
        "The application includes outbound marketing calls, which a call-centre business may not provide.",
        "请删除商业营销类电话呼出服务后重新申请。",
        "Take outbound marketing calls out of the planned business and apply again.",
    ),
    "ADM-3": _wording(
        "在截至该日的 falseMaterialBarDays 日内，该企业曾因提供虚假材料被不予许可。",
        "In the falseMaterialBarDays to the date, a licence was refused to the enterprise because of false material.",
        "该企业曾因提供虚假材料被不予许可，尚在限制申请期内。",
        "The enterprise was refused a licence because of false material and is still barred from applying.",
        "请在限制申请期届满后，以真实、完整的材料重新申请。",
        "Apply again with true and complete material after the bar has ended.",
    ),
    "ADM-4": _wording(
        "申请人未提交承诺书。",
        "The applicant has not filed the undertaking.",
        "申请人未提交办理许可所需的承诺书。",
        "The applicant has not filed the undertaking that a licence requires.",
        "请补交经签署的承诺书后重新申请。",
        "File the signed undertaking and apply again.",
    ),
    "SCP-1": _wording(
        "业务形态为自用（SELF_USE）、人力外包（LABOUR_OUTSOURCING）或者技术服务（TECHNICAL_SERVICE）。",
        "The form is own use (SELF_USE), LABOUR_OUTSOURCING or TECHNICAL_SERVICE.",
        "自用、人力外包和技术服务不属于经营呼叫中心业务，无需取得该业务的经营许可。",
        "Own use, labour outsourcing and technical service are not a call-centre business and need no licence for one.",
        "无需申请许可；实际经营呼叫中心业务或者出租系统和坐席的，请按实际业务形态重新申请。",
        "No licence is needed; if a call centre is in fact run, or systems and seats are rented out, apply in that form.",
    ),
    "CRD-1": _wording(
        "该企业有有效的失信名单（DISHONESTY）列入记录。",
        "The enterprise has an active entry on the DISHONESTY list.",
        "该企业已被列入电信业务经营失信名单。",
        "The enterprise is on the list of dishonest telecommunications operators.",
        "请依法履行义务，并在列入机关将该企业移出失信名单后重新申请。",
        "Meet the duties that led to the entry, and ask again once the listing authority has removed it.",
    ),
    "CRD-2": _wording(
        "该企业有有效的不良名单（ADVERSE）列入记录；应当予以考量，但不当然禁止。",
        "The enterprise has an active entry on the ADVERSE list; it is weighed and is not an automatic bar.",
        "该企业已被列入电信业务经营不良名单，应当作为重要因素审慎考量。",
        "The enterprise is on the list of telecommunications operators with an adverse record, which must be weighed.",
        "确需办理的，应当书面说明理由；也可以在列入机关将该企业移出不良名单后再办理。",
        "Proceed only with a written justification, or wait until the listing authority has removed the entry.",
    ),
    "CRD-3": _wording(
        "在截至该日的 signalDays 日内，该企业有因骚扰电话作出且未撤销的约谈、曝光（通报）或者行政处罚。",
        "In the signalDays to the date there is a standing interview, exposure or penalty because of harassing calls.",
        "该企业近期因骚扰电话问题被约谈、曝光（通报）或者行政处罚，应当审慎与其合作。",
        "The enterprise was lately interviewed, exposed or penalised because of harassing calls, so prudence is required.",
        "请核实整改情况；确需接入或者合作的，应当书面说明理由。",
        "Verify what has been put right; grant access or cooperate only with a written justification.",
    ),
    "LIC-1": _wording(
        "该企业在该日没有有效的经营许可证。",
        "The enterprise holds no licence in force on the date.",
        "该企业没有有效的呼叫中心业务经营许可证。",
        "The enterprise holds no call-centre licence that is in force.",
        "请在取得许可证或者办理延续后重新申请。",
        "Ask again once a licence has been granted or renewed.",
    ),
    "NUM-1": _wording(
        "该号码现未由该企业备案。",
        "The number is not filed now by this enterprise.",
        "申请接入的号码未由该企业备案。",
        "The number for which access is asked is not filed by this enterprise.",
        "请先由该企业办理该号码的备案，再申请接入。",
        "Have the enterprise file the number first, then ask for access.",
    ),
    "NUM-2": _wording(
        "该号码现由该企业备案，但备案的接入企业不包括该基础电信企业。",
        "The number is filed now by this enterprise, and the carrier is not among the filing's carriers.",
        "该基础电信企业不在该号码备案的接入企业之内，申请材料与备案不一致。",
        "The carrier is not among those in the number's filing, so the material does not agree with the filing.",
        "请先变更备案、增加该基础电信企业，或者向备案载明的基础电信企业申请。",
        "Amend the filing to include this carrier, or ask one of the carriers in the filing.",
    ),
    "NUM-3": _wording(
        "该号码现由该企业备案，申请包含呼出，而备案仅为呼入（INBOUND）。",
        "The number is filed now by this enterprise, outbound calls are asked, and the filing is INBOUND.",
        "申请开通呼出功能，但该号码仅备案呼入。",
        "Outbound calls are asked for a number that is filed for inbound calls only.",
        "请先将备案变更为呼入和呼出，或者仅申请呼入。",
        "Amend the filing to inbound and outbound, or ask for inbound calls only.",
    ),
    "NUM-4": _wording(
        "该号码现由其他企业备案。",
        "The number is filed now by another enterprise.",
        "该号码已由其他企业备案。",
        "The number is already filed by another enterprise.",
        "请核对号码；现有备案撤回后，方可重新办理备案。",
        "Check the number; it can be filed again only after the present filing has been withdrawn.",
    ),
    "NUM-5": _wording(
        "申请备案呼出，但未作出呼出承诺。",
        "Outbound calls are asked without the outbound undertaking.",
        "申请备案呼出功能，但未提交呼出承诺。",
        "Outbound calls are to be filed, but the undertaking on outbound calls has not been given.",
        "请提交呼出承诺，或者仅备案呼入。",
        "Give the undertaking on outbound calls, or file the number for inbound calls only.",
    ),
    "ACC-1": _wording(
        "营业执照、经营许可证、码号使用证书、号码备案、业务方案五项中有任何一项未经核实。",
        "Any of the five checks (business licence, licence, number certificate, number filing, business plan) is false.",
        "提供接入前应当核实的材料未全部核实。",
        "Not all the material that must be checked before access is granted has been checked.",
        "请逐项核实营业执照、经营许可证、码号使用证书、号码备案和业务方案，留存记录后重新申请。",
        "Check business licence, licence, number certificate, number filing and business plan, keep the record, ask again.",
    ),
    "ENF-1": _wording(
        "该企业有尚未完成且未逾期的责令整改。",
        "The enterprise has an open rectification order that is not overdue.",
        "该企业被责令整改，整改尚未完成。",
        "The enterprise has been ordered to rectify and has not yet been confirmed to have done so.",
        "请在主管机关确认整改完成后办理；确需提前办理的，应当书面说明理由。",
        "Wait until the authority confirms the rectification, or proceed with a written justification.",
    ),
    "ENF-2": _wording(
        "该企业有逾期未完成的责令整改。",
        "The enterprise has an overdue open rectification order.",
        "该企业逾期未完成责令整改。",
        "The enterprise has not completed an ordered rectification by its due date.",
        "请完成整改，并在主管机关确认整改完成后重新申请。",
        "Complete the rectification and ask again once the authority has confirmed it.",
    ),
    "CMP-1": _wording(
        "在截至该日的 complaintDays 日内收到、且最近一次处理结果为属实（SUBSTANTIATED）的投诉达到 complaintThreshold 件。",
        "At least complaintThreshold complaints received in the complaintDays to the date were last found SUBSTANTIATED.",
        "近期针对该企业的属实投诉达到规定件数，应当审慎与其合作。",
        "Substantiated complaints about the enterprise have lately reached the threshold, so prudence is required.",
        "请核实投诉原因和整改情况；确需接入或者合作的，应当书面说明理由。",
        "Verify causes and rectification; grant access or cooperate only with a written justification.",
    ),
}

_CREDIT_WORDINGS: Final[dict[str, Wording]] = {
    "CST-1": _wording(
        "有有效的失信名单（DISHONESTY）列入记录：信用状态为 DISHONEST。",
        "There is an active entry on the DISHONESTY list: the status is DISHONEST.",
        "该企业在电信业务经营失信名单内。",
        "The enterprise is on the list of dishonest telecommunications operators.",
        "依法履行义务后，可以请求列入机关移出失信名单。",
        "Meet the duties that led to the entry, then ask the listing authority to remove it.",
    ),
    "CST-2": _wording(
        "无有效的失信名单列入记录，但有有效的不良名单（ADVERSE）列入记录：信用状态为 ADVERSE。",
        "There is no active DISHONESTY entry but an active ADVERSE entry: the status is ADVERSE.",
        "该企业在电信业务经营不良名单内。",
        "The enterprise is on the list of telecommunications operators with an adverse record.",
        "完成整改后，可以请求列入机关移出不良名单。",
        "Put right what led to the entry, then ask the listing authority to remove it.",
    ),
    "CST-3": _wording(
        "无有效的列入记录，但在截至该日的 signalDays 日内有因骚扰电话作出且未撤销的约谈、曝光（通报）或者行政处罚："
        "信用状态为 WATCH。",
        "There is no active entry, but a standing interview, exposure or penalty because of harassing calls in the "
        "signalDays to the date: the status is WATCH.",
        "该企业近期因骚扰电话问题被约谈、曝光（通报）或者行政处罚。",
        "The enterprise was lately interviewed, exposed or penalised because of harassing calls.",
        "请停止骚扰电话并完成整改；期满未再发生的，不再因此列为关注。",
        "Stop the harassing calls and rectify; without a new case the enterprise leaves the watch when the period ends.",
    ),
    "CST-4": _wording(
        "无有效的列入记录，但有逾期未完成的责令整改：信用状态为 WATCH。",
        "There is no active entry, but an overdue open rectification order: the status is WATCH.",
        "该企业逾期未完成责令整改。",
        "The enterprise has not completed an ordered rectification by its due date.",
        "请完成整改，并由主管机关确认。",
        "Complete the rectification and have the authority confirm it.",
    ),
}

_OBLIGATION_WORDINGS: Final[dict[str, Wording]] = {
    "OBL-LIST": _wording(
        "作出未被撤销的行政处罚，且处罚种类不只是其他（OTHER）。",
        "A penalty stands whose kinds are not OTHER alone.",
        "作出行政处罚的机关应当自处罚决定之日起三十日内将该企业列入名单。",
        "The authority that imposed a penalty must list the enterprise within 30 days of the decision.",
        "请以该处罚为依据作出列入名单的决定；处罚被撤销的，本项义务终止。",
        "Make a list entry that names the penalty as its basis; annulment of the penalty ends the duty.",
    ),
    "OBL-PUBLICITY": _wording(
        "作出未被撤销的行政处罚。",
        "A penalty stands.",
        "作出行政处罚的机关应当自处罚决定之日起七个工作日内公示该处罚。",
        "The authority that imposed a penalty must publicise it within 7 working days of the decision.",
        "请公示该处罚决定；处罚被撤销的，本项义务终止。",
        "Publicise the penalty; its annulment ends the duty.",
    ),
    "OBL-WITHDRAW": _wording(
        "行政处罚被撤销，而此前有效的列入记录仅以该处罚为依据。",
        "A penalty is annulled while an entry, active just before, has it as its only basis.",
        "仅以被撤销的行政处罚为依据的列入记录，应当在三个工作日内移出。",
        "A list entry that rests on an annulled penalty alone must be removed within 3 working days.",
        "请以依据已撤销（BASIS_ANNULLED）为由移出该列入记录。",
        "Remove the entry on the ground BASIS_ANNULLED.",
    ),
    "OBL-REVIEW": _wording(
        "作出列入名单的决定；期限（adverseReviewDays 或者 dishonestyReviewDays）自列入之日起算，"
        "移出前又受到未被撤销的行政处罚的，重新起算。",
        "A list entry is made; the period (adverseReviewDays or dishonestyReviewDays) runs from the entry and starts "
        "again with every later standing penalty before its removal.",
        "列入期限届满，列入机关应当复核并办理移出。",
        "The period of a list entry ends, and the listing authority must review and remove it.",
        "请复核列入期间的情况，符合条件的，将该企业移出名单。",
        "Review the conduct during the period and, where the conditions are met, remove the entry.",
    ),
    "OBL-RECTIFY": _wording(
        "作出责令整改的决定。",
        "Rectification is ordered.",
        "该企业应当在责令整改载明的期限内完成整改。",
        "The enterprise must rectify by the due date of the order.",
        "请完成整改，并由主管机关确认。",
        "Complete the rectification and have the authority confirm it.",
    ),
    "OBL-REPORT": _wording(
        "电信管理机构要求该企业限期报告年报信息。",
        "A regulator demands the annual report.",
        "该企业应当在要求的期限内报告年报信息。",
        "The enterprise must file its annual report by the date demanded.",
        "请提交该年度的年报；此前已提交的，以提交之日视为履行。",
        "File the report for that year; an earlier filing meets the duty on its own date.",
    ),
    "OBL-FOLLOW": _wording(
        "检查发现违法违规行为。",
        "An inspection found violations.",
        "检查发现违法违规行为的，应当在九十日内作出处理。",
        "Violations found in an inspection must be followed up within 90 days.",
        "请依法责令整改、约谈、曝光或者作出行政处罚，并载明该次检查。",
        "Order rectification, hold an interview, publish an exposure or impose a penalty that names the inspection.",
    ),
    "OBL-SELF": _wording(
        "在《通知》发布之日持有有效的经营许可证。",
        "A licence was in force on the day of the Notice.",
        "该企业应当完成自查整改并提交自查整改报告。",
        "The enterprise must examine and rectify itself and file the report on it.",
        "请提交2020年自查整改报告。",
        "File the self-examination report of the 2020 campaign.",
    ),
    "OBL-RENEW": _wording(
        "颁发经营许可证或者延续其有效期；每一有效期各为一项。",
        "A licence is granted or renewed; each term counts by itself.",
        "许可证有效期届满九十日前，该企业应当办理延续或者注销。",
        "The licence must be renewed or cancelled by 90 days before its term ends.",
        "请办理许可证延续；不再经营的，办理注销。",
        "Have the licence renewed, or cancelled if the business ends.",
    ),
}

_FINDING_WORDINGS: Final[dict[str, Wording]] = {
    "FND-GATE": _wording(
        "历史记录的接入、号码备案或者许可，按其发生之日和当时所知的情况判断应予拒绝（REFUSE）。",
        "A historical access, number filing or licence that its gate would have refused, on its own date and as known then.",
        "记录的事项在其发生之日为规则所禁止。",
        "A recorded fact was forbidden by the rules on its own date.",
        "请核查该事项，并依法处理；记录有误的，应当作废后重新记录。",
        "Examine the fact and act on it; if it was recorded wrongly, void it and record it again.",
    ),
    "FND-OUT": _wording(
        "未指明企业的营销（MARKETING）或者未经同意（NO_CONSENT）类投诉最近一次处理结果为属实，"
        "且通话之日该投诉所涉号码的备案仅为呼入。",
        "A complaint of MARKETING or NO_CONSENT that names no enterprise was last found SUBSTANTIATED, and its number "
        "was filed INBOUND on the day of the call.",
        "仅备案呼入的号码被用于呼出，且相关投诉属实。",
        "A number filed for inbound calls only was used to call out, as a substantiated complaint shows.",
        "请核查该号码的使用情况，并依法处理。",
        "Examine how the number is used and act on it.",
    ),
    "FND-LIVE": _wording(
        "现行有效（GRANTED）的接入，按该日的情况重新判断应予拒绝（REFUSE）。",
        "An access is GRANTED that the gate ACCESS would refuse on the date.",
        "现行接入已不符合提供接入的条件。",
        "A live access no longer meets the conditions on which access may be granted.",
        "请限制或者终止该接入，或者消除所列各项原因。",
        "Restrict or terminate the access, or remove the causes listed.",
    ),
}

WORDINGS: Final[Mapping[str, Wording]] = MappingProxyType(
    _GATE_WORDINGS | _CREDIT_WORDINGS | _OBLIGATION_WORDINGS | _FINDING_WORDINGS
)
"""The wording of every rule, by rule id."""
