"""Whether a fact may be recorded: the column “refused when” of rulebook §3.

`decide(command, known) -> Acceptance | refusals` is pure: what it knows is handed to it, `reads(command)` says what that
has to be. One small check an event; “no such …”, “now” and [E] read the visible events at (effectiveOn of the new event,
head), “in use” reads every position and survives a void.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from domain.commands import Code, Command, Known, Reads, Refusal, refusal
from domain.complaints import attribution, candidates
from domain.events import (
    AccessChange,
    AccessGranted,
    AccessRestored,
    AccessRestricted,
    AccessTerminated,
    ComplaintReceived,
    ComplaintResolved,
    EnterpriseRegistered,
    Event,
    EventVoided,
    ExposurePublished,
    ExposureRetracted,
    InspectionDrawn,
    InspectionHeld,
    LicenceAnnulled,
    LicenceCancelled,
    LicenceEnding,
    LicenceGranted,
    LicenceRenewed,
    LicenceRevoked,
    ListEntryMade,
    ListEntryRemoved,
    NumberFiled,
    NumberFilingAmended,
    NumberWithdrawn,
    PenaltyAnnulled,
    PenaltyEvent,
    PenaltyImposed,
    PenaltyPerformed,
    PenaltyPublicised,
    RectificationConfirmed,
    RectificationOrdered,
    RulebookAdopted,
)
from domain.facts import Fact, Facts, Moment
from domain.live import decided_request, decision_of, live_refusals, request_of, tags_read
from domain.recorded import complaint_tags, tags_of
from domain.register import accesses, entries, filing, is_registered, licence, orders, standing_penalties
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import RemovalGround

LEDGER: Final = "ledger"
"""recordedBy of what the ledger records by itself."""


class Acceptance(NamedTuple):
    """What will be recorded: the event with what the ledger adds to it, and its tags."""

    event: Event
    tags: tuple[str, ...]


class Weighing(msgspec.Struct, frozen=True):
    """A command beside what is known."""

    command: Command
    known: Known
    rulebook: Rulebook

    @property
    def at(self) -> Moment:
        return Moment(self.command.effective_on)

    @property
    def event(self) -> Any:
        """The event; each check knows of which type."""
        return self.command.event

    @property
    def enterprise(self) -> Facts:
        return self.known.streams[f"enterprise:{self.event.uscc}"]

    def stream(self, kind: str, name: str) -> Facts:
        return self.known.streams[f"{kind}:{name}"]


def reads(command: Command, rulebook: Rulebook = RULEBOOK) -> Reads:
    """What `decide` has to know of a command before it can be weighed."""
    event = command.event
    tags, positions = set(tags_of(event)), frozenset[int]()
    if isinstance(event, ComplaintReceived):
        tags |= set(candidates(event))
    if isinstance(event, EventVoided):
        positions = frozenset((event.position,))
    if isinstance(event, ListEntryMade):
        positions = frozenset(event.basis)
        tags |= {f"void:{position}" for position in event.basis}
    if _is_live(command):
        tags |= tags_read(request_of(event), Moment(command.effective_on), rulebook)
    return Reads(frozenset(tags), positions)


def reads_further(command: Command, known: Known, rulebook: Rulebook = RULEBOOK) -> frozenset[str]:
    """What has to be known besides, once the decision that a live fact names is: its own request is asked again."""
    found = decision_of(command, known.streams) if _is_live(command) else None
    return tags_read(decided_request(found.event), Moment(command.effective_on), rulebook) if found else frozenset()


def _is_live(command: Command) -> bool:
    return type(command.event).gated and not command.historical


def decide(command: Command, known: Known, rulebook: Rulebook = RULEBOOK) -> Acceptance | list[Refusal]:
    """Accepts the fact, or gives every reason of state why it is refused."""
    weighing = Weighing(command, known, rulebook)
    refusals = [*_unregistered(weighing), *_named_inspection(weighing)]
    refusals += CHECKS.get(type(command.event), _nothing)(weighing)
    if _is_live(command):
        refusals += live_refusals(command, known, rulebook)
    return refusals or _accept(weighing)


def _accept(weighing: Weighing) -> Acceptance:
    event, known = weighing.event, weighing.known
    if isinstance(event, ComplaintReceived):
        numbers = [known.streams[tag] for tag in candidates(event)]
        belongs = attribution(event, numbers, known.next_position - 1)
        return Acceptance(event, complaint_tags(event, weighing.at.on, belongs.uscc if belongs else None))
    if isinstance(event, ComplaintResolved):
        received = weighing.stream("complaint", event.complaint_id).ever(ComplaintReceived)[0]
        return Acceptance(event, complaint_tags(received.event, received.effective_on, received.uscc))
    if isinstance(event, EventVoided):
        voided = known.events[event.position]
        completed = replace(event, type=voided.type, uscc=voided.uscc)
        return Acceptance(completed, tuple(dict.fromkeys((*voided.tags, *tags_of(completed)))))
    return Acceptance(event, tags_of(event))


def _nothing(_: Weighing) -> Iterator[Refusal]:
    return iter(())


def _not_found(path: str, zh: str, en: str) -> Refusal:
    return refusal(Code.NOT_FOUND, path, zh, en)


def _wrong_state(path: str, zh: str, en: str) -> Refusal:
    return refusal(Code.WRONG_STATE, path, zh, en)


def _unregistered(w: Weighing) -> Iterator[Refusal]:
    if type(w.event).by_enterprise and not is_registered(w.enterprise, w.at):
        yield refusal(
            Code.UNKNOWN_ENTERPRISE,
            "uscc",
            f"企业 {w.event.uscc} 在 {w.at.on} 尚未登记；请先记录 enterpriseRegistered",
            f"Enterprise {w.event.uscc} is not registered on {w.at.on}; record enterpriseRegistered first",
        )


def _named_inspection(w: Weighing) -> Iterator[Refusal]:
    named = None if isinstance(w.event, InspectionHeld) else getattr(w.event, "inspection_id", None)
    if named and not any(f.event.inspection_id == named for f in w.enterprise.visible(InspectionHeld, w.at)):
        yield _not_found(
            "inspectionId",
            f"{w.at.on} 时该企业没有编号为 {named} 的检查",
            f"This enterprise has no inspection {named} on {w.at.on}",
        )


def _in_use(w: Weighing, holder: Fact[Event] | None, path: str, value: str) -> Iterator[Refusal]:
    if holder is None:
        return
    if holder.position > w.known.head:
        zh, en = "本次请求中前面的事实已使用它", "an earlier fact of this request uses it"
    else:
        zh, en = f"位置 {holder.position} 的事件已使用它", f"the event at position {holder.position} holds it"
    yield refusal(Code.ALREADY_EXISTS, path, f"{value} 已被占用：{zh}", f"{value} is in use: {en}")


def _unused(kind: str, field: str, path: str, *holders: type[Event]) -> Callable[[Weighing], Iterator[Refusal]]:
    """The check of ids that are never used again: any event of the holding types at any position, voided or not."""

    def check(w: Weighing) -> Iterator[Refusal]:
        value = getattr(w.event, field)
        stream = w.stream(kind, value)
        held = [fact for cls in holders for fact in stream.ever(cls)]
        yield from _in_use(w, min(held, key=lambda fact: fact.position, default=None), path, value)

    return check


def _register(w: Weighing) -> Iterator[Refusal]:
    standing = w.enterprise.standing(EnterpriseRegistered)
    yield from _in_use(w, standing[0] if standing else None, "uscc", w.event.uscc)


def _renew(w: Weighing) -> Iterator[Refusal]:
    held = licence(w.enterprise, w.at, w.event.licence_no)
    if held is None:
        yield _no_such_licence(w)
        return
    if held.endings:
        yield _wrong_state(
            "licenceNo",
            f"许可 {w.event.licence_no} 已终止（{held.ended_by}）",
            f"Licence {w.event.licence_no} has ended ({held.ended_by})",
        )
    if w.event.valid_to <= held.valid_to:
        yield _wrong_state(
            "validTo",
            f"续期后的有效期至应晚于现有的 {held.valid_to}，收到 {w.event.valid_to}",
            f"A renewal ends later than the present {held.valid_to}; got {w.event.valid_to}",
        )


def _no_such_licence(w: Weighing) -> Refusal:
    return _not_found(
        "licenceNo",
        f"{w.at.on} 时该企业没有许可 {w.event.licence_no}",
        f"This enterprise has no licence {w.event.licence_no} on {w.at.on}",
    )


def _end_licence(*endings: type[LicenceEnding]) -> Callable[[Weighing], Iterator[Refusal]]:
    def check(w: Weighing) -> Iterator[Refusal]:
        held = licence(w.enterprise, w.at, w.event.licence_no)
        if held is None:
            yield _no_such_licence(w)
        elif ended := next((e for e in held.endings if isinstance(e.event, endings)), None):
            yield _wrong_state(
                "licenceNo",
                f"许可 {w.event.licence_no} 已由位置 {ended.position} 的 {type(ended.event).__name__} 终止",
                f"Licence {w.event.licence_no} was ended by {type(ended.event).__name__} at position {ended.position}",
            )

    return check


def _file_number(w: Weighing) -> Iterator[Refusal]:
    held = filing(w.stream("number", w.event.number), w.at)
    yield from _in_use(w, held.filed if held else None, "number", w.event.number)


def _filed_by_this(w: Weighing) -> Iterator[Refusal]:
    held = filing(w.stream("number", w.event.number), w.at)
    if held is None or held.uscc != w.event.uscc:
        yield _not_found(
            "number",
            f"{w.at.on} 时号码 {w.event.number} 不在该企业名下备案",
            f"Number {w.event.number} is not filed by this enterprise on {w.at.on}",
        )


_LEAVES: Final[dict[type[AccessChange], tuple[str, ...]]] = {
    AccessRestricted: ("GRANTED",),
    AccessRestored: ("RESTRICTED",),
    AccessTerminated: ("GRANTED", "RESTRICTED"),
}


def _change_access(w: Weighing) -> Iterator[Refusal]:
    event: AccessChange = w.event
    held = next((a for a in accesses(w.enterprise, w.at) if a.granted.event.access_id == event.access_id), None)
    if held is None or held.granted.event.carrier != event.carrier:
        yield _not_found(
            "accessId",
            f"{w.at.on} 时该企业没有由 {event.carrier} 提供的接入 {event.access_id}",
            f"This enterprise has no access {event.access_id} of {event.carrier} on {w.at.on}",
        )
    elif held.state not in _LEAVES[type(event)]:
        legal = "、".join(_LEAVES[type(event)]), " or ".join(_LEAVES[type(event)])
        yield _wrong_state(
            "accessId",
            f"接入 {event.access_id} 当前状态为 {held.state}，该事件要求 {legal[0]}",
            f"Access {event.access_id} is {held.state}; this event needs {legal[1]}",
        )


def _resolve(w: Weighing) -> Iterator[Refusal]:
    if not w.stream("complaint", w.event.complaint_id).visible(ComplaintReceived, w.at):
        yield _not_found(
            "complaintId",
            f"{w.at.on} 时没有编号为 {w.event.complaint_id} 的投诉",
            f"There is no complaint {w.event.complaint_id} on {w.at.on}",
        )


def _inspect(w: Weighing) -> Iterator[Refusal]:
    yield from _unused("inspection", "inspection_id", "inspectionId", InspectionHeld)(w)
    named = w.event.draw_id
    if named:
        draws = w.stream("draw", named).visible(InspectionDrawn, w.at)
        if not any(drawn.uscc == w.event.uscc for draw in draws for drawn in draw.event.drawn):
            yield _not_found(
                "drawId",
                f"抽取 {named} 没有抽中该企业",
                f"The draw {named} did not draw this enterprise",
            )


def _confirm(w: Weighing) -> Iterator[Refusal]:
    held = next((o for o in orders(w.enterprise, w.at) if o.ordered.event.order_id == w.event.order_id), None)
    if held is None:
        yield _not_found(
            "orderId",
            f"{w.at.on} 时该企业没有整改要求 {w.event.order_id}",
            f"This enterprise has no order {w.event.order_id} on {w.at.on}",
        )
    elif held.confirmed:
        yield _wrong_state(
            "orderId",
            f"整改要求 {w.event.order_id} 已在位置 {held.confirmed.position} 确认完成",
            f"Order {w.event.order_id} was confirmed at position {held.confirmed.position}",
        )


def _retract(w: Weighing) -> Iterator[Refusal]:
    same = w.event.exposure_id
    if not any(fact.event.exposure_id == same for fact in w.enterprise.visible(ExposurePublished, w.at)):
        yield _not_found(
            "exposureId", f"{w.at.on} 时该企业没有曝光 {same}", f"This enterprise has no exposure {same} on {w.at.on}"
        )
    elif any(fact.event.exposure_id == same for fact in w.enterprise.visible(ExposureRetracted, w.at)):
        yield _wrong_state("exposureId", f"曝光 {same} 已撤回", f"Exposure {same} is retracted already")


def _impose(w: Weighing) -> Iterator[Refusal]:
    stream = w.stream("penalty", f"{w.event.authority}:{w.event.document_no}")
    held = stream.ever(PenaltyImposed)
    yield from _in_use(w, min(held, key=lambda f: f.position, default=None), "documentNo", w.event.document_no)


def _on_penalty(w: Weighing) -> Iterator[Refusal]:
    event: PenaltyEvent = w.event
    same = (event.authority, event.document_no)
    imposed = w.enterprise.visible(PenaltyImposed, w.at)
    if not any((f.event.authority, f.event.document_no) == same for f in imposed):
        yield _not_found(
            "documentNo",
            f"{w.at.on} 时该企业没有 {event.authority} 的处罚决定 {event.document_no}",
            f"This enterprise has no penalty {event.document_no} of {event.authority} on {w.at.on}",
        )
    elif not any((f.event.authority, f.event.document_no) == same for f in standing_penalties(w.enterprise, w.at)):
        yield _wrong_state(
            "documentNo", f"处罚决定 {event.document_no} 已撤销", f"Penalty {event.document_no} is annulled already"
        )


def _list(w: Weighing) -> Iterator[Refusal]:
    yield from _unused("entry", "entry_id", "entryId", ListEntryMade)(w)
    for place, position in enumerate(w.event.basis):
        basis = w.known.event(position)
        if (
            basis is None
            or basis.uscc != w.event.uscc
            or basis.effective_on > w.at.on
            or w.stream("void", str(position)).ever(EventVoided)
        ):
            yield _not_found(
                f"basis.{place}",
                f"位置 {position} 没有在 {w.at.on} 有效且属于该企业的事件",
                f"Position {position} holds no event of this enterprise that is visible on {w.at.on}",
            )


def _unlist(w: Weighing) -> Iterator[Refusal]:
    held = next((e for e in entries(w.enterprise, w.at) if e.made.event.entry_id == w.event.entry_id), None)
    if held is None:
        yield _not_found(
            "entryId",
            f"{w.at.on} 时该企业没有名单记录 {w.event.entry_id}",
            f"This enterprise has no entry {w.event.entry_id} on {w.at.on}",
        )
    elif held.removed:
        yield _wrong_state(
            "entryId",
            f"名单记录 {w.event.entry_id} 已在位置 {held.removed.position} 移出",
            f"Entry {w.event.entry_id} was removed at position {held.removed.position}",
        )
    repair = w.rulebook.in_force_on(w.at.on).parameters.repair_from
    if w.event.ground is RemovalGround.REPAIRED and (repair is None or w.at.on < repair):
        yield _wrong_state(
            "ground",
            f"信用修复自 2026-04-01 起方可作为移出事由，生效日期为 {w.at.on}",
            f"REPAIRED is a ground from 2026-04-01 on; effectiveOn is {w.at.on}",
        )


def _void(w: Weighing) -> Iterator[Refusal]:
    event: EventVoided = w.event
    voided = w.known.event(event.position)
    if voided is None:
        yield _not_found(
            "position",
            f"没有位置为 {event.position} 的事件；当前最新位置为 {w.known.head}",
            f"There is no event at position {event.position}; the head is {w.known.head}",
        )
    elif isinstance(voided.event, EventVoided):
        yield _wrong_state("position", "作废事件本身不能作废", "A void cannot be voided")
    elif type(voided.event).by_ledger or voided.recorded_by == LEDGER:
        yield _wrong_state(
            "position",
            f"{voided.type} 由账本自行记录，不能作废",
            f"{voided.type} is made by the ledger and cannot be voided",
        )
    elif earlier := w.stream("void", str(event.position)).ever(EventVoided):
        yield _wrong_state(
            "position",
            f"位置 {event.position} 的事件已由位置 {earlier[0].position} 作废",
            f"The event at position {event.position} was voided at position {earlier[0].position}",
        )


def _adopt(w: Weighing) -> Iterator[Refusal]:
    adopted = w.stream("rulebook", w.event.version).standing(RulebookAdopted)
    yield from _in_use(w, adopted[0] if adopted else None, "version", w.event.version)


CHECKS: Final[dict[type[Event], Callable[[Weighing], Iterator[Refusal]]]] = {
    EnterpriseRegistered: _register,
    LicenceGranted: _unused("licence", "licence_no", "licenceNo", LicenceGranted),
    LicenceRenewed: _renew,
    LicenceRevoked: _end_licence(LicenceRevoked, LicenceAnnulled, LicenceCancelled),
    LicenceAnnulled: _end_licence(LicenceRevoked, LicenceAnnulled, LicenceCancelled),
    LicenceCancelled: _end_licence(LicenceCancelled),
    NumberFiled: _file_number,
    NumberFilingAmended: _filed_by_this,
    NumberWithdrawn: _filed_by_this,
    AccessGranted: _unused("access", "access_id", "accessId", AccessGranted),
    AccessRestricted: _change_access,
    AccessRestored: _change_access,
    AccessTerminated: _change_access,
    ComplaintReceived: _unused("complaint", "complaint_id", "complaintId", ComplaintReceived),
    ComplaintResolved: _resolve,
    InspectionHeld: _inspect,
    RectificationOrdered: _unused("order", "order_id", "orderId", RectificationOrdered),
    RectificationConfirmed: _confirm,
    ExposurePublished: _unused("exposure", "exposure_id", "exposureId", ExposurePublished),
    ExposureRetracted: _retract,
    PenaltyImposed: _impose,
    PenaltyPublicised: _on_penalty,
    PenaltyPerformed: _on_penalty,
    PenaltyAnnulled: _on_penalty,
    ListEntryMade: _list,
    ListEntryRemoved: _unlist,
    EventVoided: _void,
    RulebookAdopted: _adopt,
}
"""What each event is refused for besides [E]; an event that is not here is refused for nothing else."""
