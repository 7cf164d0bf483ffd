"""The entry: what is stored of an event is what it states."""

from datetime import UTC, datetime

import pytest

from domain.commands import command
from domain.recorded import tags_of
from given import Stated
from ledger.entry import canonical, data_of, draft
from projecting import A_ROW_IN_EVERY_TABLE

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("fact", A_ROW_IN_EVERY_TABLE, ids=lambda fact: fact.name)
def test_a_draft_states_what_its_event_states_and_nothing_that_was_not_given(fact: Stated) -> None:
    made, refusals = command(fact.name, fact.fields, NOW)
    assert made is not None, refusals
    data = draft(made.event, tags_of(made.event), made.effective_on, "tester").data
    assert data == canonical(data_of(made.event))
    assert b"null" not in data
