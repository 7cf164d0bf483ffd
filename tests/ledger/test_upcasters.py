"""Old versions of events, each by an entry as it was stored, are read as today's."""

import msgspec
import pytest

from domain.events import EVENTS, ComplaintReceived, EnterpriseRegistered
from ledger.entry import opened
from ledger.upcasters import UPCASTERS, UnknownVersion, upcast

SAMPLES = {
    ("EnterpriseRegistered", 1): (
        '{"data":{"legalRepresentative":"张三","name":"甲公司","province":"11","uscc":"91110000100012345L"},'
        '"effectiveOn":"2020-06-18","historical":false,"id":"7d9a2c1e-4f0b-4e6a-9a51-2b6f0f6d1c11","position":5,'
        '"recordedAt":"2026-06-01T02:00:00.000000Z","recordedBy":"regulator:MIIT:abcdefgh",'
        '"tags":["enterprise:91110000100012345L"],"type":"EnterpriseRegistered"}'
    ),
    ("ComplaintReceived", 1): (
        '{"data":{"calledAt":"2026-05-31T02:00:00.000000Z","category":"HARASSING","channel":"HOTLINE_12321",'
        '"complainantPhone":"13800001111","complaintId":"C-1","displayedNumber":"95123","summary":"推销贷款"},'
        '"effectiveOn":"2026-06-01","historical":false,"id":"a3b1c7de-0000-4e6a-9a51-2b6f0f6d1c12","position":6,'
        '"recordedAt":"2026-06-01T02:00:00.000000Z","recordedBy":"intake:abcdefgh",'
        '"tags":["complaint:C-1"],"type":"ComplaintReceived"}'
    ),
}
"""An entry of each old version, by type and version."""


def test_every_old_version_has_an_upcaster_and_a_sample() -> None:
    old = {(name, version) for name, cls in EVENTS.items() for version in range(1, cls.schema_version)}
    assert UPCASTERS.keys() == SAMPLES.keys() == old


def test_an_old_registration_is_read() -> None:
    recorded = opened(SAMPLES["EnterpriseRegistered", 1].encode())
    assert recorded.event == EnterpriseRegistered(
        uscc="91110000100012345L", name="甲公司", province="11", legal_representative="张三"
    )
    assert (recorded.position, recorded.uscc) == (5, "91110000100012345L")


def test_an_old_complaint_is_read() -> None:
    event = opened(SAMPLES["ComplaintReceived", 1].encode()).event
    assert isinstance(event, ComplaintReceived)
    assert (event.complainant_phone, event.summary, event.displayed_number) == ("13800001111", "推销贷款", "95123")


def test_an_upcaster_changes_nothing_that_it_is_given() -> None:
    for (type_, version), sample in SAMPLES.items():
        data = msgspec.json.decode(sample)["data"]
        before = dict(data)
        upcast(type_, version, data)
        assert data == before


@pytest.mark.parametrize("change", ['"version":99', '"version":0', '"type":"LicenceLost"'])
def test_an_entry_of_a_later_program_is_refused_and_not_guessed_at(change: str) -> None:
    sample = SAMPLES["ComplaintReceived", 1]
    text = sample.replace(
        '"type":"ComplaintReceived"', change if "type" in change else f'"type":"ComplaintReceived",{change}'
    )
    with pytest.raises(UnknownVersion, match="written by a later one"):
        opened(text.encode())
