"""Every event of rulebook §3, one definition each: area, fields with their kinds, and the tags it is found by.

The docstring's first line is the Chinese term of the field; GraphQL types and inputs, JSON schema, import columns and
the documentation table are made from these classes. Adding an event is one class here, one line in `domain.decide`
and its tests.
"""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec

from domain.identifiers import legal_date_of
from domain.kinds import (
    AccessId,
    AtLeastOne,
    Authority,
    BelongsTo,
    Business,
    Campaign,
    Carrier,
    ComplaintId,
    DecisionId,
    DisplayedNumber,
    DrawId,
    EntryId,
    ExposureId,
    Identifier,
    InspectionId,
    Instant,
    LegalDate,
    LicenceNo,
    Name,
    OrderId,
    Personal,
    Position,
    Prose,
    Province,
    ServiceNumber,
    Sha256,
    Uscc,
    UsedNumber,
    Version,
    Year,
    Yuan,
)
from domain.vocabulary import (
    Area,
    Cause,
    ComplaintCategory,
    ComplaintChannel,
    ComplaintOutcome,
    CreditList,
    Directions,
    Gate,
    InspectionManner,
    LicenceRoute,
    ListGround,
    Outcome,
    PenaltyKind,
    RemovalGround,
    SiteResult,
    Violation,
)


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False, gc=False):
    """What happened, without when it was recorded and by whom: that is `domain.recorded.Recorded`."""

    area: ClassVar[Area]
    schema_version: ClassVar[int] = 1
    """Raised when what is stored of the type changes; `ledger.upcasters` reads the older ones."""
    by_ledger: ClassVar[bool] = False
    """Made by the ledger itself: no client may record it and no void may take it out."""
    by_enterprise: ClassVar[bool] = True
    """Needs an earlier EnterpriseRegistered: the [E] of §3."""
    gated: ClassVar[bool] = False
    """Recorded live only with a gate decision (§5); `historical` facts are exempt."""

    added_by_ledger: ClassVar[frozenset[str]] = frozenset()
    """Fields that no client states: the ledger adds them."""

    def own_tags(self) -> tuple[str, ...]:
        """Tags that no single field gives."""
        return ()


class EnterpriseRegistered(Event, frozen=True, kw_only=True):
    """企业登记: an enterprise enters the ledger."""

    area = Area.REGISTER
    schema_version = 2
    by_enterprise = False
    uscc: Uscc
    name: Name
    province: Province
    legal_representative: Personal | None = None


class EnterpriseRenamed(Event, frozen=True, kw_only=True):
    """企业更名"""

    area = Area.REGISTER
    uscc: Uscc
    name: Name


class SiteInspected(Event, frozen=True, kw_only=True):
    """实地查验"""

    area = Area.LICENCE
    uscc: Uscc
    authority: Authority
    result: SiteResult
    note: Prose | None = None


class LicenceGranted(Event, frozen=True, kw_only=True):
    """准予许可"""

    area = Area.LICENCE
    gated = True
    uscc: Uscc
    licence_no: LicenceNo
    authority: Authority
    business: Business
    route: LicenceRoute
    provinces: tuple[Province, ...]
    valid_from: LegalDate
    valid_to: LegalDate
    decision_id: DecisionId | None = None
    justification: Prose | None = None


class LicenceRefused(Event, frozen=True, kw_only=True):
    """不予许可"""

    area = Area.LICENCE
    uscc: Uscc
    authority: Authority
    reasons: Prose
    false_material: bool


class LicenceRenewed(Event, frozen=True, kw_only=True):
    """许可续期"""

    area = Area.LICENCE
    uscc: Uscc
    licence_no: LicenceNo
    valid_to: LegalDate


class LicenceEnding(Event, frozen=True, kw_only=True):
    """What the three endings of a licence state."""

    area = Area.LICENCE
    uscc: Uscc
    licence_no: LicenceNo
    authority: Authority
    document_no: Identifier | None = None
    reason: Prose


class LicenceRevoked(LicenceEnding, frozen=True, kw_only=True):
    """吊销许可"""


class LicenceAnnulled(LicenceEnding, frozen=True, kw_only=True):
    """撤销许可"""


class LicenceCancelled(LicenceEnding, frozen=True, kw_only=True):
    """注销许可"""


class NumberFiled(Event, frozen=True, kw_only=True):
    """码号备案"""

    area = Area.NUMBER
    gated = True
    uscc: Uscc
    number: ServiceNumber
    carriers: Annotated[tuple[Carrier, ...], AtLeastOne()]
    use: Prose
    directions: Directions
    outbound_undertaking: bool = False
    decision_id: DecisionId | None = None
    justification: Prose | None = None


class NumberFilingAmended(Event, frozen=True, kw_only=True):
    """备案变更: each given field replaces what was filed."""

    area = Area.NUMBER
    uscc: Uscc
    number: ServiceNumber
    carriers: Annotated[tuple[Carrier, ...], AtLeastOne()] | None = None
    use: Prose | None = None
    directions: Directions | None = None
    outbound_undertaking: bool | None = None


class NumberWithdrawn(Event, frozen=True, kw_only=True):
    """收回码号"""

    area = Area.NUMBER
    uscc: Uscc
    number: ServiceNumber
    authority: Authority
    reason: Prose


class AccessGranted(Event, frozen=True, kw_only=True):
    """提供接入"""

    area = Area.ACCESS
    gated = True
    uscc: Uscc
    access_id: AccessId
    carrier: Carrier
    number: UsedNumber
    directions: Directions
    contract_no: Identifier
    decision_id: DecisionId | None = None
    justification: Prose | None = None


class AccessChange(Event, frozen=True, kw_only=True):
    """What the three later events of an access state."""

    area = Area.ACCESS
    uscc: Uscc
    access_id: AccessId
    carrier: Carrier
    reason: Prose


class AccessRestricted(AccessChange, frozen=True, kw_only=True):
    """限制接入"""


class AccessRestored(AccessChange, frozen=True, kw_only=True):
    """恢复接入"""


class AccessTerminated(AccessChange, frozen=True, kw_only=True):
    """终止接入"""


class ComplaintReceived(Event, frozen=True, kw_only=True):
    """收到投诉"""

    area = Area.COMPLAINT
    schema_version = 2
    by_enterprise = False
    complaint_id: ComplaintId
    channel: ComplaintChannel
    displayed_number: DisplayedNumber
    called_at: Instant
    category: ComplaintCategory
    complainant_phone: Personal | None = None
    summary: Personal | None = None
    uscc: BelongsTo | None = None

    @property
    def called_on(self) -> date:
        return legal_date_of(datetime.fromisoformat(self.called_at))


class ComplaintResolved(Event, frozen=True, kw_only=True):
    """投诉办结"""

    area = Area.COMPLAINT
    by_enterprise = False
    complaint_id: ComplaintId
    outcome: ComplaintOutcome


class InspectionHeld(Event, frozen=True, kw_only=True):
    """监督检查"""

    area = Area.CONDUCT
    uscc: Uscc
    inspection_id: InspectionId
    authority: Authority
    manner: InspectionManner
    violations: tuple[Violation, ...]
    draw_id: DrawId | None = None
    note: Prose | None = None


class SelfReportFiled(Event, frozen=True, kw_only=True):
    """自查整改报告"""

    area = Area.CONDUCT
    uscc: Uscc
    campaign: Campaign
    note: Prose | None = None


class InterviewHeld(Event, frozen=True, kw_only=True):
    """约谈"""

    area = Area.INTERVIEW
    uscc: Uscc
    authority: Authority
    case_id: Identifier
    topics: Prose
    because_of: Cause
    inspection_id: Identifier | None = None


class RectificationOrdered(Event, frozen=True, kw_only=True):
    """责令整改"""

    area = Area.INTERVIEW
    uscc: Uscc
    order_id: OrderId
    authority: Authority
    demands: Prose
    due_on: LegalDate
    inspection_id: Identifier | None = None


class RectificationConfirmed(Event, frozen=True, kw_only=True):
    """确认整改完成"""

    area = Area.INTERVIEW
    uscc: Uscc
    order_id: OrderId


class ExposurePublished(Event, frozen=True, kw_only=True):
    """曝光、通报"""

    area = Area.EXPOSURE
    uscc: Uscc
    exposure_id: ExposureId
    authority: Authority
    channel: Prose
    url: Prose | None = None
    because_of: Cause
    inspection_id: Identifier | None = None


class ExposureRetracted(Event, frozen=True, kw_only=True):
    """撤回曝光"""

    area = Area.EXPOSURE
    uscc: Uscc
    exposure_id: ExposureId
    reason: Prose


class PenaltyEvent(Event, frozen=True, kw_only=True):
    """What names a penalty: its document number, unique per authority."""

    area = Area.PENALTY
    uscc: Uscc
    document_no: Identifier
    authority: Authority

    def own_tags(self) -> tuple[str, ...]:
        return (f"penalty:{self.authority}:{self.document_no}",)


class PenaltyImposed(PenaltyEvent, frozen=True, kw_only=True):
    """行政处罚决定"""

    kinds: Annotated[tuple[PenaltyKind, ...], AtLeastOne()]
    fine: Yuan | None = None
    confiscated: Yuan | None = None
    violation: Prose
    basis: Prose
    because_of: Cause
    inspection_id: Identifier | None = None


class PenaltyPublicised(PenaltyEvent, frozen=True, kw_only=True):
    """处罚公示"""


class PenaltyPerformed(PenaltyEvent, frozen=True, kw_only=True):
    """处罚履行完毕"""


class PenaltyAnnulled(PenaltyEvent, frozen=True, kw_only=True):
    """处罚撤销"""

    reason: Prose


class ListEntryMade(Event, frozen=True, kw_only=True):
    """列入名单"""

    area = Area.LIST
    uscc: Uscc
    entry_id: EntryId
    list: CreditList
    authority: Authority
    ground: ListGround
    basis: tuple[Position, ...] = ()


class ListEntryRemoved(Event, frozen=True, kw_only=True):
    """移出名单"""

    area = Area.LIST
    uscc: Uscc
    entry_id: EntryId
    authority: Authority
    ground: RemovalGround


class AnnualReportDemanded(Event, frozen=True, kw_only=True):
    """要求报送年报"""

    area = Area.REPORT
    uscc: Uscc
    year: Year
    authority: Authority
    due_on: LegalDate


class AnnualReportFiled(Event, frozen=True, kw_only=True):
    """报送年报"""

    area = Area.REPORT
    uscc: Uscc
    year: Year


class EventVoided(Event, frozen=True, kw_only=True):
    """作废事件: to those who know the void, the voided event never was (§1).

    `type` and `uscc` are the voided event's; the ledger adds them.
    """

    area = Area.LEDGER
    by_enterprise = False
    added_by_ledger = frozenset(("type", "uscc"))
    position: Position
    reason: Prose
    type: str = ""
    uscc: BelongsTo | None = None

    def own_tags(self) -> tuple[str, ...]:
        return (f"void:{self.position}",)


class RulebookAdopted(Event, frozen=True, kw_only=True):
    """采用规则版本"""

    area = Area.LEDGER
    by_enterprise = False
    version: Version
    in_force_from: LegalDate
    sha256: Sha256


class FiredRule(msgspec.Struct, frozen=True, rename="camel"):
    """A rule that fired, as a decision keeps it: positions of the events it rests on, ascending."""

    rule: str
    outcome: Outcome
    positions: tuple[int, ...]


class GateDecided(Event, frozen=True, kw_only=True):
    """准入、备案、接入、合作决定 (§5)"""

    area = Area.LEDGER
    by_ledger = True
    by_enterprise = False
    decision_id: DecisionId
    gate: Gate
    uscc: BelongsTo
    request: dict[str, Any]
    as_of: LegalDate
    known_at: int
    rulebook: str
    outcome: Outcome
    reasons: tuple[FiredRule, ...]
    requested_by: str

    def own_tags(self) -> tuple[str, ...]:
        return (f"decisions:{self.uscc}",)


class DrawnEnterprise(msgspec.Struct, frozen=True, rename="camel"):
    """One enterprise that a draw chose (§9)."""

    uscc: str
    status: str
    tickets: int
    key: str
    inspectors: tuple[str, ...]


class InspectionDrawn(Event, frozen=True, kw_only=True):
    """随机抽取 (§9)"""

    area = Area.LEDGER
    by_ledger = True
    by_enterprise = False
    draw_id: DrawId
    authority: Authority
    request: dict[str, Any]
    as_of: LegalDate
    known_at: int
    root: Sha256
    pool_size: int
    pool_root: Sha256
    """Over the lines of the pool (`domain.draws.pool_line`): §9 does not name it, a check of an export rests on it."""
    drawn: tuple[DrawnEnterprise, ...]


class SubjectErased(Event, frozen=True, kw_only=True):
    """销毁个人信息密钥"""

    area = Area.LEDGER
    by_ledger = True
    by_enterprise = False
    subject: Identifier
    requested_by: Prose
    ground: Prose


def _leaves(cls: type[Event]) -> list[type[Event]]:
    below = [leaf for child in cls.__subclasses__() for leaf in _leaves(child)]
    return below or [cls]


EVENTS: Final[dict[str, type[Event]]] = {cls.__name__: cls for cls in _leaves(Event)}
"""Every event type by the name it is recorded under, in the order of §3."""

RECORDABLE: Final = {name[0].lower() + name[1:]: cls for name, cls in EVENTS.items() if not cls.by_ledger}
"""The events that a client may record, by their field of the contract's FactInput."""
