"""The ledger: records facts and gate decisions, each all or none, on what is known at the head.

The way of a fact: shape, role, what it reads, `domain.decide`, append on the condition that nothing it read has come
since. Who loses that race reads the newcomers and weighs again, a bounded number of times.
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property, partial
from typing import Any, Final
from uuid import uuid4

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from domain.callers import Caller, may_decide, may_record, may_record_type
from domain.commands import Code, Command, Known, Reads, Refusal, command, refusal
from domain.decide import LEDGER, Acceptance, decide, reads, reads_further
from domain.events import RECORDABLE, GateDecided, RulebookAdopted
from domain.facts import Facts, Moment
from domain.identifiers import Malformed, legal_date, legal_date_of
from domain.live import ask, tags_read
from domain.recorded import Recorded, tags_of
from domain.requests import REQUESTS, Request, parse_request
from domain.rulebook import RULEBOOK, Rulebook
from domain.subjects import subject_of
from ledger.appends import AlreadyAppended, Append, Appended, Once
from ledger.entry import Draft, data_of, draft, new_id, opened
from ledger.recorder import PostgresRecorder
from ledger.sealing import Sealed, Seals, erasure_of, subject_tag
from ledger.snapshots import Snapshots
from ledger.streams import KEPT_BYTES, SNAPPED, Streams, opened_all

MOST_FACTS: Final = 1_000
MANY: Final = 100
"""Facts of a request from which on it pays to ask only whether anything at all has come since."""
TRIES: Final = 20
PAUSE: Final = 0.002
"""Seconds; the first pause after a lost race, doubled with each further one up to 32 times as long."""

LOST: Final = refusal(
    Code.CONFLICT,
    "",
    f"连续 {TRIES} 次被同一企业或号码的其他写入抢先；没有记录任何事实，请稍后以同一 idempotencyKey 重试",
    f"Other writers to the same enterprise or number came first {TRIES} times; nothing was recorded: "
    "try again with the same idempotencyKey",
)


@dataclass(frozen=True)
class Recording:
    """What came of a request: the events it recorded (now, or before under the same key), or why it recorded none."""

    entries: tuple[bytes, ...] = ()
    """The bytes of each event's entry, in order."""
    head: int = 0
    replayed: bool = False
    refusals: tuple[Refusal, ...] = ()
    appended: Appended | None = None
    """What was appended now, with its receipts; it holds the entries of its whole group, so it is not to be kept."""

    @cached_property
    def events(self) -> tuple[Recorded, ...]:
        """The events, read when they are asked for: an import records many that nobody looks at."""
        return tuple(opened(entry) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Drafts ready to append on a condition, or the refusals of the first fact that was refused."""

    drafts: tuple[Draft, ...] = ()
    condition: DCBAppendCondition | None = None
    refusals: tuple[Refusal, ...] = ()
    head: int = 0
    destroys: str | None = None
    """The subject whose key is destroyed in the same transaction."""
    folds: Mapping[str, Facts] = field(default_factory=dict)
    """What was read of enterprises, with the drafts folded in at the positions that they get if nothing comes in between."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    def __init__(
        self,
        recorder: PostgresRecorder,
        sealer: Seals,
        clock: Callable[[], datetime] = utc_now,
        rulebook: Rulebook = RULEBOOK,
        snapshots: Snapshots | None = None,
        kept: int = KEPT_BYTES,
    ) -> None:
        self.recorder = recorder
        self.sealer = sealer
        self.clock = clock
        self.rulebook = rulebook
        self.streams = Streams(recorder, snapshots, kept)
        self._is_still = True
        """Whether nothing came in between when the last large request was appended."""

    @property
    def today(self) -> date:
        return legal_date_of(self.clock())

    def adopt(self) -> None:
        """Records RulebookAdopted for every version that the ledger does not know yet, in order of their dates."""
        for version in self.rulebook.versions:
            event = RulebookAdopted(
                version=version.version, in_force_from=version.in_force_from, sha256=self.rulebook.sha256(version)
            )
            self.until_won(partial(self._weigh, [Command(event, self.today)], LEDGER), None)

    def record(
        self, caller: Caller, key: str, facts: Sequence[tuple[str, Any]], stands_for: bytes | None = None
    ) -> Recording:
        """Records facts, given as (field of FactInput, what was sent), all of them or none.

        `stands_for`: 32 bytes that tell these facts from others under the key, where the caller has them at hand. Refusals have paths from `facts.0` on; the first refused fact is reported with all its refusals.
        """
        if not 1 <= len(facts) <= MOST_FACTS:
            return self.refuse(
                refusal(
                    Code.INVALID,
                    "facts",
                    f"一次可记录 1 至 {MOST_FACTS} 条事实，收到 {len(facts)} 条；请分批发送",
                    f"One request records 1 to {MOST_FACTS} facts; got {len(facts)}: send them in parts",
                )
            )
        if wrong := bad_key(key):
            return self.refuse(wrong)
        once = Once(caller.holder, key, stands_for or self.digest(["record", facts]))
        commands, refused = self._commands(caller, facts)
        # The append looks for the key by itself. It is looked for sooner where there may be no append, and where weighing
        # leaves something behind: sealing gives a subject a key, also one that was erased since.
        if (not commands or any(subject_of(one.event) for one in commands)) and (earlier := self.earlier(once)):
            return earlier
        if not commands:
            return self.refuse(*refused)
        # To hope that nothing at all comes in between costs next to nothing, and is hoped once: others may write all the time.
        hopes = iter([self._is_still and len(commands) >= MANY])
        return self.until_won(lambda: self._weigh(commands, caller.signature, facts, refused, next(hopes, False)), once)

    def decide_gate(self, caller: Caller, key: str, sent: object, as_of: object = None) -> Recording:
        """Decides a gate and records the decision as one step; the request and the date are given as they were sent."""
        request, flaws = parse_request(sent)
        refusals = [Refusal(Code.INVALID, f"request.{flaw.path}".rstrip("."), flaw.text) for flaw in flaws]
        on = self._decided_on(as_of, refusals)
        if wrong := bad_key(key):
            refusals.append(wrong)
        if refusals or request is None or on is None:
            return self.refuse(*refusals)
        if forbidden := may_decide(caller, request):
            return self.refuse(forbidden.under(f"request.{_field_of(request)}"))
        once = Once(caller.holder, key, self.digest(["decideGate", sent, as_of]))
        return self.earlier(once) or self.until_won(lambda: self._judge(caller, request, on), once)

    def _decided_on(self, as_of: object, refusals: list[Refusal]) -> date | None:
        if as_of is None:
            return self.today
        try:
            on = legal_date(as_of)
        except Malformed as wrong:
            refusals.append(Refusal(Code.INVALID, "asOf", wrong.text))
            return None
        if on > self.today:
            refusals.append(_future(on, self.today))
        return on

    def _commands(self, caller: Caller, facts: Sequence[tuple[str, Any]]) -> tuple[list[Command], tuple[Refusal, ...]]:
        """The commands before the first fact that its shape or the caller's role refuses, and why that one is."""
        now = self.clock()
        commands: list[Command] = []
        for place, (name, sent) in enumerate(facts):
            made, refusals = self._command(caller, name, sent, now)
            if made is None:
                return commands, tuple(one.under(f"facts.{place}.{name}") for one in refusals)
            commands.append(made)
        return commands, ()

    def _command(self, caller: Caller, name: str, sent: Any, now: datetime) -> tuple[Command | None, list[Refusal]]:
        if name not in RECORDABLE:
            legal = ", ".join(RECORDABLE)
            return None, [
                refusal(Code.INVALID, "", f"没有事件 {name}；可记录：{legal}", f"No event {name}; there are {legal}")
            ]
        if forbidden := may_record_type(caller, RECORDABLE[name]):
            return None, [forbidden]
        made, refusals = command(name, sent, now)
        if made is not None and (forbidden := may_record(caller, made)):
            return None, [forbidden]
        return made, refusals

    def _weigh(
        self,
        commands: Sequence[Command],
        recorded_by: str,
        facts: Sequence[tuple[str, Any]] = (),
        refused: tuple[Refusal, ...] = (),
        is_still: bool = False,
    ) -> Weighed:
        """Weighs commands in order, each knowing those before it; `refused` is what stopped the one after the last.

        `is_still`: the condition is that nothing at all comes in between.
        """
        wanted, known = self._learn(commands)
        accepted = []
        for place, one in enumerate(commands):
            verdict = decide(one, known, self.rulebook)
            if isinstance(verdict, list):
                named = f"facts.{place}.{facts[place][0]}" if facts else ""
                return Weighed(refusals=tuple(each.under(named) for each in verdict), head=known.head)
            accepted.append((one, verdict))
            known.evolve(_tentative(verdict, one, known.next_position, recorded_by))
        if refused:
            return Weighed(refusals=refused, head=known.head)
        drafts, subjects = self._drafts(accepted, recorded_by)
        # What is kept holds no personal field that is not sealed.
        folds = {} if subjects else known.fresh(SNAPPED)
        condition = _nothing_since(known) if is_still else _condition(wanted, known, subjects)
        return Weighed(drafts, condition, head=known.head, folds=folds)

    def _drafts(
        self, accepted: Sequence[tuple[Command, Acceptance]], recorded_by: str
    ) -> tuple[tuple[Draft, ...], set[str]]:
        """What was accepted with its personal fields sealed, and whose they are."""
        ids = [new_id() for _ in accepted]
        sealed = self.sealer.seal([(id_, verdict.event) for id_, (_, verdict) in zip(ids, accepted, strict=True)])
        drafts = (
            draft(each.event, _with_subject(verdict.tags, each), one.effective_on, recorded_by, one.historical, id_)
            for id_, each, (one, verdict) in zip(ids, sealed, accepted, strict=True)
        )
        return tuple(drafts), {each.subject for each in sealed if each.subject}

    def _learn(self, commands: Sequence[Command]) -> tuple[list[Reads], Known]:
        """What the commands read, at one head; read again as a whole where a decision that they name asks for more."""
        wanted = [reads(one, self.rulebook) for one in commands]
        known = self._known(wanted)
        further = [reads_further(one, known, self.rulebook) for one in commands]
        if any(not more <= known.streams.keys() for more in further):
            wanted = [Reads(read.tags | more, read.positions) for read, more in zip(wanted, further, strict=True)]
            known = self._known(wanted)
        return wanted, known

    def _known(self, wanted: Sequence[Reads]) -> Known:
        positions = sorted({position for read in wanted for position in read.positions})
        head, streams = self.streams.read({tag for read in wanted for tag in read.tags})
        asked = [position for position in positions if 1 <= position <= head]
        events = opened_all(self.recorder.read_positions(asked)) if asked else []
        return Known(head, streams, {recorded.position: recorded for recorded in events})

    def _judge(self, caller: Caller, request: Request, on: date) -> Weighed:
        version = self.rulebook.in_force_on(on)
        tags = tags_read(request, Moment(on), self.rulebook, version)
        head, streams = self.streams.read(tags)
        answer = ask(request, Moment(on, head), streams, self.rulebook, version)
        decided = GateDecided(
            decision_id=f"decision-{uuid4()}",
            gate=request.gate,
            uscc=request.uscc,
            request=data_of(request),
            as_of=on,
            known_at=head,
            rulebook=version.version,
            outcome=answer.outcome,
            reasons=answer.reasons,
            requested_by=caller.signature,
        )
        made = draft(decided, tags_of(decided), on, caller.signature)
        return Weighed((made,), _condition([Reads(tags)], Known(head)), head=head)

    def until_won(self, weigh: Callable[[], Weighed], once: Once | None, lost: Refusal = LOST) -> Recording:
        """Weighs and appends until the race is won, at most TRIES times; then refuses by `lost`."""
        lost_before = False
        for pause in _pauses():
            weighed = weigh()
            if weighed.refusals:
                # The same request may have come twice at once, and its twin have been recorded meanwhile.
                earlier = self.earlier(once) if once else None
                return earlier or Recording(head=weighed.head, refusals=weighed.refusals)
            try:
                append = Append(weighed.drafts, weighed.condition, once, weighed.destroys)
                appended = self.recorder.append_with_receipts(append)
            except AlreadyAppended as kept:
                return self._replayed(kept, once)
            except IntegrityError:
                lost_before = True
                time.sleep(pause)
                continue
            self._know(weighed, appended, lost_before)
            entries = tuple(made.entry for made in weighed.drafts)
            return Recording(entries, appended.last, appended=appended)
        return self.refuse(lost)

    def _know(self, weighed: Weighed, appended: Appended, lost_before: bool) -> None:
        """Keeps what was weighed, so that it is not read back, where it has the positions that it was weighed under."""
        is_still = appended.first == weighed.head + 1
        if is_still:
            self.streams.keep(weighed.folds)
        if len(weighed.drafts) >= MANY:
            self._is_still = is_still and not lost_before

    def earlier(self, once: Once) -> Recording | None:
        found = self.recorder.appended(once.holder, once.key)
        return self._replayed(found, once) if found else None

    def _replayed(self, earlier: AlreadyAppended, once: Once | None) -> Recording:
        if once is None or earlier.input_sha256 != once.input_sha256:
            return self.refuse(
                refusal(
                    Code.IDEMPOTENCY_MISMATCH,
                    "idempotencyKey",
                    f"该键已用于另一输入（位置 {earlier.first_position} 起）；新的请求请用新的键",
                    f"This key stands for another input (recorded from position {earlier.first_position} on); a new "
                    "request needs a new key",
                )
            )
        count = earlier.last_position - earlier.first_position + 1
        entries = tuple(e.event.data for e in self.recorder.read(after=earlier.first_position - 1, limit=count))
        return Recording(entries, earlier.last_position, replayed=True)

    def digest(self, asked: object) -> bytes:
        text = json.dumps(_given(asked), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
        return self.sealer.digest(text.encode("utf-8", "surrogatepass"))

    def refuse(self, *refusals: Refusal) -> Recording:
        return Recording(head=self.recorder.head(), refusals=refusals)


def _pauses() -> Iterator[float]:
    for lost in range(TRIES):
        yield PAUSE * 2 ** min(lost, 5) * random.uniform(0.5, 1.5)  # noqa: S311  # spreads rivals; no secret hangs on it


def bad_key(key: str) -> Refusal | None:
    if 1 <= len(key) <= 200 and key.isprintable():
        return None
    return refusal(
        Code.INVALID,
        "idempotencyKey",
        f"idempotencyKey 应为 1 至 200 个可打印字符，收到 {len(key)} 个",
        f"An idempotencyKey has 1 to 200 printable characters; got {len(key)}",
    )


def _future(on: date, today: date) -> Refusal:
    return refusal(
        Code.INVALID,
        "asOf",
        f"决定日期最晚为今天 {today}，收到 {on}；将来的情形请用 previewGate",
        f"A decision's date is today, {today}, or before; got {on}: ask previewGate about the future",
    )


def _field_of(request: Request) -> str:
    return next(name for name, cls in REQUESTS.items() if isinstance(request, cls))


def _given(value: Any) -> Any:
    """The canonical input: what was left out and what was sent as null are the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, Mapping)):
        return {key: _given(inner) for key, inner in value.items() if inner is not None}
    return [_given(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _tentative(verdict: Acceptance, one: Command, position: int, recorded_by: str) -> Recorded:
    """The event as later facts of the same request see it."""
    return Recorded(
        position=position,
        id="",
        type=type(verdict.event).__name__,
        effective_on=one.effective_on,
        recorded_at=_LATER,
        recorded_by=recorded_by,
        historical=one.historical,
        tags=verdict.tags,
        event=verdict.event,
    )


_LATER: Final = datetime.max.replace(tzinfo=UTC)


def _with_subject(tags: tuple[str, ...], sealed: Sealed) -> tuple[str, ...]:
    return (*tags, subject_tag(sealed.subject)) if sealed.subject else tags


def _nothing_since(known: Known) -> DCBAppendCondition:
    return DCBAppendCondition(DCBQuery(), after=known.head)


def _condition(wanted: Sequence[Reads], known: Known, subjects: Iterable[str] = ()) -> DCBAppendCondition:
    """Nothing that was read may have come since; nothing at all, where a fact leans on the positions of this request.

    Nor may a subject have been erased whose key a fact was sealed under: no one could open it, from the first.
    """
    if known.leans_on_positions:
        return _nothing_since(known)
    tags = sorted({tag for read in wanted for tag in read.tags})
    tags += sorted({f"void:{position}" for read in wanted for position in read.positions} - set(tags))
    items = [DCBQueryItem(tags=[tag]) for tag in tags]
    if items:
        items += [erasure_of(each) for each in sorted(subjects)]
    return DCBAppendCondition(DCBQuery(items=items), after=known.head)
