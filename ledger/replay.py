"""Deciding recorded decisions again, from the log alone: no projection and no snapshot is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.events import GateDecided
from domain.facts import Moment
from domain.gates import Answer
from domain.live import ask, decided_request, tags_read
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Rulebook, Version
from ledger.entry import opened
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded decision beside what the rules say of the same request again."""

    position: int
    decision: GateDecided
    again: Answer
    version: Version
    known_at: int
    events_read: int

    @property
    def matches(self) -> bool:
        """Same outcome, same rules, same positions (§8)."""
        return self.again.outcome is self.decision.outcome and self.again.reasons == self.decision.reasons

    @property
    def flips(self) -> bool:
        return self.again.outcome is not self.decision.outcome


class UnknownVersion(Exception):
    """A decision names a rulebook version that this program does not have."""


def recorded_decision(recorder: PostgresRecorder, decision_id: str) -> Recorded | None:
    """The recorded decision of that id, or None."""
    query = DCBQuery(items=[DCBQueryItem(types=[GateDecided.__name__], tags=[f"decision:{decision_id}"])])
    return next((opened(found.event.data) for found in recorder.read(query, limit=1)), None)


def replay(
    streams: Streams,
    decisions: Sequence[Recorded],
    version: Version | None = None,
    known_at: int | None = None,
    rulebook: Rulebook = RULEBOOK,
) -> list[Replayed]:
    """Decides each again on its own date: as known then (or at `known_at`), under its own version (or another).

    All of them are read by one statement; each is answered from the folds as they were at its own position. So
    `events_read` of one of many is the number of events that all of them read.
    """
    asked = [
        (
            recorded.position,
            decision,
            decided_request(decision),
            *_asked(recorded.position, decision, version, known_at, rulebook),
        )
        for recorded, decision in ((recorded, _decision(recorded)) for recorded in decisions)
    ]
    tags = {tag for _, _, request, at, under in asked for tag in tags_read(request, at, rulebook, under)}
    folds, events_read = streams.at(tags, max((at.known_at for *_, at, _ in asked), default=0))
    return [
        Replayed(
            position=position,
            decision=decision,
            again=ask(request, at, folds, rulebook, under),
            version=under,
            known_at=at.known_at,
            events_read=events_read,
        )
        for position, decision, request, at, under in asked
    ]


def _decision(recorded: Recorded) -> GateDecided:
    assert isinstance(recorded.event, GateDecided)
    return recorded.event


def _asked(
    position: int, decision: GateDecided, version: Version | None, known_at: int | None, rulebook: Rulebook
) -> tuple[Moment, Version]:
    under = version or rulebook.named(decision.rulebook)
    if under is None:
        raise UnknownVersion(
            f"the decision at position {position} was made under {decision.rulebook}, which this program does "
            f"not have; replay it with a program that does"
        )
    return Moment(decision.as_of, decision.known_at if known_at is None else known_at), under
