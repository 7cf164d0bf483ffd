"""The permission matrix: what each role sees, records and decides (rulebook §3 “Who records”, §8), as one table.

A row says for each role how far it reaches: to ALL that is there, to its OWN (rows of others are left out, facts of others
are refused), or to NONE, which is FORBIDDEN. Every field of the published schema has a row, every event type and every gate;
the API guards its fields by them, and the ledger what is recorded. A field without a row does not start.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from domain.vocabulary import Gate


class Reach(StrEnum):
    ALL = "all"
    OWN = "own"
    NONE = "none"


ALL, OWN, NONE = Reach.ALL, Reach.OWN, Reach.NONE
READS_PERSONAL: Final = "personal:read"
ERASES_PERSONAL: Final = "personal:erase"


class Row(NamedTuple):
    """How far each role reaches, and the scope that it needs besides."""

    regulator: Reach
    auditor: Reach
    carrier: Reach
    intake: Reach
    public: Reach
    scope: str | None = None

    def reach(self, role: str, scopes: Iterable[str] = ()) -> Reach:
        """How far a role with these scopes reaches."""
        reach: Reach = getattr(self, role)
        return reach if self.scope is None or self.scope in scopes else NONE


#                   regulator auditor carrier intake public
EVERYONE: Final = Row(ALL, ALL, ALL, ALL, ALL)
WITH_CARRIERS: Final = Row(ALL, ALL, ALL, NONE, NONE)
CARRIERS_OWN: Final = Row(ALL, ALL, OWN, NONE, NONE)
"""Own: what names the carrier, or what it asked for."""
INSIDERS: Final = Row(ALL, ALL, NONE, NONE, NONE)
AUDITORS: Final = Row(NONE, ALL, NONE, NONE, NONE)
PUBLISHED: Final = Row(ALL, ALL, OWN, OWN, OWN)
"""Own: what is published, and of a carrier what it sees elsewhere."""
RECORDING: Final = Row(ALL, NONE, OWN, OWN, NONE)
"""Own: events of its kinds, of a carrier under its own code. A regulator's authority is looked at in each fact."""
RECORDED: Final = Row(ALL, ALL, OWN, OWN, NONE)
"""Own: in the answer to what it recorded."""
ANSWERED: Final = Row(ALL, OWN, OWN, OWN, OWN)
"""Own: the answer to what it sent, which is data where that is refused."""
DECIDING: Final = Row(ALL, NONE, OWN, NONE, NONE)
REGULATORS: Final = Row(ALL, NONE, NONE, NONE, NONE)
INTAKES: Final = Row(ALL, NONE, NONE, ALL, NONE)
ERASERS: Final = REGULATORS._replace(scope=ERASES_PERSONAL)
NOBODY: Final = Row(NONE, NONE, NONE, NONE, NONE)


def _connection(node: str, row: Row) -> dict[str, dict[Row, str]]:
    return {f"{node}Connection": {row: "edges pageInfo totalCount"}, f"{node}Edge": {row: "cursor node"}}


_FIELDS: Final[Mapping[str, Mapping[Row, str]]] = {
    "Query": {
        EVERYONE: "listEntries penalties rulebooks ledger",
        WITH_CARRIERS: "enterprise enterprises creditStatus creditStatuses creditChanges",
        CARRIERS_OWN: "node previewGate decision decisions",
        PUBLISHED: "draw draws",
        INSIDERS: "obligations findings drawPool",
        AUDITORS: "reads",
        REGULATORS: "keys",
    },
    "Mutation": {
        RECORDING: "record",
        DECIDING: "decideGate",
        REGULATORS: "drawInspection",
        ERASERS: "eraseSubject holdSubject releaseSubject",
    },
    "Subscription": {WITH_CARRIERS: "creditChanges", INSIDERS: "events"},
    "Enterprise": {
        WITH_CARRIERS: "id uscc name province credit",
        CARRIERS_OWN: "numbers accesses",
        INSIDERS: "licences history enforcementHistory complaintCounts activity obligations findings",
    },
    **_connection("Enterprise", WITH_CARRIERS),
    "Read": {AUDITORS: "readAt role reader field operation uscc everyEnterprise"},
    **_connection("Read", AUDITORS),
    "Ledger": {
        EVERYONE: "head headOn checkpoint consistencyProof",
        PUBLISHED: "receipt",
        INSIDERS: "events event recordedLately readModels",
    },
    "ReadModel": {INSIDERS: "name position lag stopped"},
    "ApiKey": {REGULATORS: "keyId role name carrier authority scopes createdAt revokedAt expiresAt lastUsedAt"},
    "Decision": {
        CARRIERS_OWN: "id gate uscc outcome reasons request rulebook asOf knownAt requestedBy recordedAt position basis replay now receipt credential"
    },
    **_connection("Decision", CARRIERS_OWN),
    "Draw": {
        PUBLISHED: "id drawId authority asOf knownAt root poolRoot poolSize pool drawn recordedAt position",
        INSIDERS: "followUp",
    },
    **_connection("Draw", PUBLISHED),
    "Drawn": {PUBLISHED: "uscc name status tickets key inspectors", INSIDERS: "inspections"},
    "PoolPage": {PUBLISHED: "members next"},
    "PoolMember": {PUBLISHED: "uscc status tickets"},
    "PoolShare": {INSIDERS: "province status enterprises"},
    "DrawFollowUp": {INSIDERS: "drawn inspected notInspected withViolations open overdue met metLate"},
    "DrawnInspection": {
        INSIDERS: "inspectionId authority heldOn violations position followUp followUpDueOn followedOn"
    },
    "DrawInspectionPayload": {ANSWERED: "draw replayed errors"},
    "DecideGatePayload": {ANSWERED: "decision replayed errors"},
    "RecordPayload": {ANSWERED: "events head replayed errors receipts"},
    "RecordError": {ANSWERED: "code message path reasons"},
    "EraseSubjectPayload": {ERASERS: "event replayed errors"},
    "SubjectPayload": {ERASERS: "subject events hold errors"},
    "Node": {CARRIERS_OWN: "id"},
    "CreditReport": {WITH_CARRIERS: "uscc status asOf knownAt reasons timeline"},
    "CreditSpan": {WITH_CARRIERS: "from status"},
    "CreditChange": {WITH_CARRIERS: "uscc position timeline"},
    "Reason": {WITH_CARRIERS: "rule outcome citation message positions remedy"},
    "GateAnswer": {CARRIERS_OWN: "gate uscc outcome reasons rulebook asOf knownAt"},
    "Replay": {CARRIERS_OWN: "outcome reasons matches rulebook knownAt eventsRead"},
    "Rulebook": {EVERYONE: "version inForceFrom sha256"},
    "PageInfo": {EVERYONE: "hasNextPage hasPreviousPage startCursor endCursor"},
    "Licence": {INSIDERS: "licenceNo validFrom validTo inForce endedBy route authority position"},
    "NumberFiling": {CARRIERS_OWN: "number carriers use directions filedOn withdrawnOn position"},
    "Access": {CARRIERS_OWN: "accessId carrier number directions state grantedOn position"},
    "Activity": {INSIDERS: "month area type events position"},
    "ComplaintCount": {INSIDERS: "date received substantiated"},
    "Obligation": {INSIDERS: "rule uscc owedBy dueOn state metOn arisesFrom"},
    **_connection("Obligation", INSIDERS),
    "Finding": {INSIDERS: "rule uscc position effectiveOn reasons"},
    **_connection("Finding", INSIDERS),
    "ListEntry": {EVERYONE: "entryId list uscc name authority ground from removedOn position"},
    **_connection("ListEntry", EVERYONE),
    "Penalty": {
        EVERYONE: "documentNo authority uscc name kinds fine confiscated violation basis decidedOn publicUntil position"
    },
    **_connection("Penalty", EVERYONE),
    "LedgerEvent": {
        RECORDED: "position id type area uscc effectiveOn recordedAt recordedBy historical data voidedBy leafHash"
    },
    **_connection("Event", INSIDERS),
    "Checkpoint": {EVERYONE: "size rootHash note signedAt"},
    "Receipt": {PUBLISHED: "position entry leafHash proof checkpoint"},
}
FIELDS: Final[Mapping[str, Row]] = {
    f"{owner}.{name}": row for owner, rows in _FIELDS.items() for row, names in rows.items() for name in names.split()
}
"""By “Type.field” of the published schema, but for the types of events, which have the rows of EVENTS and PERSONAL."""


class EventRow(NamedTuple):
    """Who records an event, and who sees it anywhere besides the answer to its own recording."""

    records: Row
    sees: Row


_EVENTS: Final[Mapping[EventRow, str]] = {
    EventRow(REGULATORS, INSIDERS): """
        EnterpriseRegistered EnterpriseRenamed SiteInspected LicenceGranted LicenceRefused LicenceRenewed LicenceRevoked
        LicenceAnnulled LicenceCancelled NumberFilingAmended NumberWithdrawn InspectionHeld SelfReportFiled InterviewHeld
        RectificationOrdered RectificationConfirmed ExposurePublished ExposureRetracted PenaltyPublicised PenaltyPerformed
        PenaltyAnnulled ListEntryRemoved AnnualReportDemanded AnnualReportFiled EventVoided RulebookAdopted""",
    EventRow(REGULATORS, CARRIERS_OWN): "NumberFiled",
    EventRow(DECIDING, CARRIERS_OWN): "AccessGranted",
    EventRow(DECIDING, INSIDERS): "AccessRestricted AccessRestored AccessTerminated",
    EventRow(INTAKES, INSIDERS): "ComplaintReceived ComplaintResolved",
    EventRow(REGULATORS, PUBLISHED): "ListEntryMade PenaltyImposed",
    EventRow(NOBODY, CARRIERS_OWN): "GateDecided",
    EventRow(NOBODY, PUBLISHED): "InspectionDrawn",
    EventRow(NOBODY, INSIDERS): "SubjectErased",
}
EVENTS: Final[Mapping[str, EventRow]] = {name: row for row, names in _EVENTS.items() for name in names.split()}
"""By the name that an event is recorded under."""

PERSONAL: Final = frozenset(
    ("EnterpriseRegistered.legalRepresentative", "ComplaintReceived.complainantPhone", "ComplaintReceived.summary")
)
"""Fields that are masked for all but those who see the event and hold READS_PERSONAL."""


class GateRow(NamedTuple):
    """Who decides a gate, and who previews it."""

    decides: Row
    previews: Row


GATES: Final[Mapping[Gate, GateRow]] = {
    Gate.LICENCE: GateRow(REGULATORS, INSIDERS),
    Gate.NUMBER_FILING: GateRow(REGULATORS, INSIDERS),
    Gate.ACCESS: GateRow(DECIDING, CARRIERS_OWN),
    Gate.COOPERATION: GateRow(DECIDING, CARRIERS_OWN),
}
