"""Every projection, in the order in which a batch is applied."""

from collections.abc import Sequence

from domain.rulebook import RULEBOOK, Rulebook
from ledger.streams import Streams
from projections.complaints import Complaints
from projections.credit import CreditChanges
from projections.decisions import Decisions
from projections.draws import Draws
from projections.history import History
from projections.projection import Projection
from projections.register import Register, Timelines
from projections.supervision import Supervision


def all_projections(streams: Streams, rulebook: Rulebook = RULEBOOK) -> Sequence[Projection]:
    timelines = Timelines(rulebook)
    return (
        History(),
        Register(streams, rulebook, timelines),
        CreditChanges(streams, rulebook, timelines),
        Complaints(),
        Decisions(),
        Draws(streams),
        Supervision(streams, rulebook),
    )
