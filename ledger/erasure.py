"""Erasing a data subject: its key is destroyed, and in the same transaction an event says so.

No entry changes, so every receipt, proof, decision and replay holds as before; no rule reads a personal field. A subject
under a legal hold is not erased until the hold is released.
"""

from dataclasses import dataclass
from typing import Final

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem
from psycopg.errors import RestrictViolation

from domain import identifiers
from domain.callers import Caller
from domain.commands import Code, Refusal, refusal
from domain.events import ComplaintReceived, EnterpriseRegistered, SubjectErased
from domain.identifiers import Malformed
from domain.subjects import complainant
from ledger.appends import Once
from ledger.entry import draft
from ledger.ledger import Ledger, Recording, Weighed, bad_key
from ledger.migrations import Pool
from ledger.sealing import SUBJECT_TAG, Sealer, erasure_of, subject_tag


@dataclass(frozen=True, slots=True)
class Named:
    """How a data subject is named, in one of four ways."""

    subject: str | None = None
    """The random id, as events that hold its data show it in their tags and sealed fields."""
    complainant_phone: str | None = None
    complaint_id: str | None = None
    legal_representative_of: str | None = None
    """The code of an enterprise."""

    @property
    def given(self) -> list[str]:
        return [name for name in self.__slots__ if getattr(self, name) is not None]


@dataclass(frozen=True, slots=True)
class Subject:
    """A data subject whose key there is. `events` counts those that hold its data, `hold` is why it is kept."""

    id: str
    events: int
    hold: str | None


class Erasure:
    def __init__(self, ledger: Ledger, pool: Pool, sealer: Sealer) -> None:
        self._ledger = ledger
        self._pool = pool
        self._sealer = sealer

    def find(self, named: Named) -> Subject | Refusal:
        """The subject, or NOT_FOUND, INVALID, or WRONG_STATE where it was erased before."""
        if len(named.given) != 1:
            return refusal(
                Code.INVALID,
                "",
                f"须以 subject、complainantPhone、complaintId、legalRepresentativeOf 之一指明个人，收到 {len(named.given)} 项",
                "Name the person by one of subject, complainantPhone, complaintId and legalRepresentativeOf; got "
                f"{len(named.given)} of them",
            )
        try:
            id_ = self._id_of(named)
        except Malformed as wrong:
            return Refusal(Code.INVALID, _path(named), wrong.text)
        return (self._kept(id_) if id_ else None) or self._absent(id_, _path(named))

    def erase(self, caller: Caller, key: str, named: Named, ground: str) -> Recording:
        """Destroys the subject's key and records SubjectErased; the same key and input give the first answer again."""
        refused = [wrong] if (wrong := bad_key(key)) else []
        checked = _prose(ground, "ground", named.complainant_phone, refused)
        if refused:
            return self._ledger.refuse(*refused)
        asked = {name: getattr(named, name) for name in named.given}
        once = Once(caller.holder, key, self._ledger.digest(["eraseSubject", asked, checked]))
        if earlier := self._ledger.earlier(once):
            return earlier
        try:
            return self._ledger.until_won(lambda: self._weigh(caller, named, checked), once)
        except RestrictViolation:
            return self._ledger.refuse(_held("", _path(named)))

    def hold(self, named: Named, reason: str) -> Subject | list[Refusal]:
        """Puts the subject under a legal hold, or gives the one that it is under another reason."""
        refused: list[Refusal] = []
        checked = _prose(reason, "reason", named.complainant_phone, refused)
        return refused or self._set_hold(named, checked)

    def release(self, named: Named) -> Subject | list[Refusal]:
        return self._set_hold(named, None)

    def _set_hold(self, named: Named, reason: str | None) -> Subject | list[Refusal]:
        found = self.find(named)
        if isinstance(found, Refusal):
            return [found]
        with self._pool.connection() as database:
            done = database.execute("UPDATE subjects SET hold = %s WHERE id = %s", [reason, found.id]).rowcount
        return Subject(found.id, found.events, reason) if done else [self._absent(found.id, _path(named))]

    def _weigh(self, caller: Caller, named: Named, ground: str) -> Weighed:
        head = self._ledger.recorder.head()
        found = self.find(named)
        if isinstance(found, Refusal):
            return Weighed(refusals=(found,), head=head)
        if found.hold is not None:
            return Weighed(refusals=(_held(found.hold, _path(named)),), head=head)
        event = SubjectErased(subject=found.id, requested_by=caller.signature, ground=ground)
        made = draft(event, (subject_tag(found.id),), self._ledger.today, caller.signature)
        # Data that come in meanwhile are erased as well; another erasure of the same subject is not made twice.
        condition = DCBAppendCondition(DCBQuery([erasure_of(found.id)]), after=head)
        return Weighed((made,), condition, head=head, destroys=found.id)

    def _id_of(self, named: Named) -> str | None:
        """The subject's id, if there is one. Raises Malformed for what names nothing that the ledger could hold."""
        if named.complainant_phone is not None:
            return self._sealer.find(complainant(named.complainant_phone.strip()))
        if named.complaint_id is not None:
            return self._borne(f"complaint:{identifiers.identifier(named.complaint_id)}", ComplaintReceived)
        if named.legal_representative_of is not None:
            return self._borne(f"enterprise:{identifiers.uscc(named.legal_representative_of)}", EnterpriseRegistered)
        return identifiers.identifier(named.subject)

    def _borne(self, tag: str, cls: type) -> str | None:
        """The subject of the last event of this type with this tag."""
        found = list(self._ledger.recorder.read(DCBQuery([DCBQueryItem(tags=[tag], types=[cls.__name__])])))
        tags = [each for known in found for each in known.event.tags if each.startswith(SUBJECT_TAG)]
        return tags[-1].removeprefix(SUBJECT_TAG) if tags else None

    def _kept(self, id_: str) -> Subject | None:
        with self._pool.connection() as database:
            row = database.execute(_KEPT, [subject_tag(id_), id_]).fetchone()
        return Subject(*row) if row else None

    def _absent(self, id_: str | None, path: str) -> Refusal:
        if id_ and (done := list(self._ledger.recorder.read(DCBQuery([erasure_of(id_)])))):
            at = done[0].position
            return refusal(Code.WRONG_STATE, path, f"该个人已于位置 {at} 销毁", f"Erased already, at position {at}")
        return refusal(
            Code.NOT_FOUND,
            path,
            "账本中没有该个人的信息，或已销毁",
            "The ledger holds no personal data of this person, or not any more",
        )


def _path(named: Named) -> str:
    words = named.given[0].split("_") if named.given else [""]
    return words[0] + "".join(word.title() for word in words[1:])


def _prose(text: str, path: str, phone: str | None, refused: list[Refusal]) -> str:
    """The text, checked: what says why a person was erased must not say who it was."""
    try:
        checked = identifiers.prose(text)
    except Malformed as wrong:
        refused.append(Refusal(Code.INVALID, path, wrong.text))
        return ""
    if phone and phone.strip() in checked:
        refused.append(
            refusal(
                Code.INVALID,
                path,
                "该文字会长期保留，不得写入要销毁的信息",
                "This text stays in the ledger: it must not repeat what is to be erased",
            )
        )
    return checked


def _held(reason: str, path: str) -> Refusal:
    because = f"：{reason}" if reason else ""
    said = f": {reason}" if reason else ""
    return refusal(
        Code.WRONG_STATE,
        path,
        f"该个人信息处于法定保全中{because}；解除后方可销毁",
        f"The person's data are under a legal hold{said}; release it first",
    )


_KEPT: Final = """
SELECT id, (SELECT count(*) FROM tags WHERE tag = %s), hold FROM subjects WHERE id = %s
"""
