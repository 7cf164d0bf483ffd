import eventsourcing.dcb.tests as library
import pytest
from eventsourcing.dcb.api import DCBEvent

from ledger.appends import AlreadyAppended, Once
from memory import MemoryRecorder


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder(seal=lambda event, position, recorded_at: event.data)


def event(*tags: str) -> DCBEvent:
    return DCBEvent(type="A", data=b"", tags=list(tags))


def test_it_appends_and_reads_as_the_library_demands(recorder: MemoryRecorder) -> None:
    library.DCBRecorderTestCase()._test_append_read(recorder)


def test_it_subscribes_as_the_library_demands(recorder: MemoryRecorder) -> None:
    library.DCBRecorderTestCase()._test_append_subscribe(recorder)


def test_streams_are_read_each_after_its_own_position_and_each_event_once(recorder: MemoryRecorder) -> None:
    recorder.append([event("a"), event("b"), event("a", "b"), event("c"), event("a")])
    read = [recorder.read_streams({"a": 1, "b": 3}), recorder.read_streams({"a": 0, "b": 0}, upto=3)]
    assert [(head, [one.position for one in found]) for head, found in read] == [(5, [3, 5]), (5, [1, 2, 3])]


def test_positions_are_read_in_order_and_once(recorder: MemoryRecorder) -> None:
    recorder.append([event("a"), event("b")])
    assert [one.position for one in recorder.read_positions([2, 1, 2, 0, 9])] == [1, 2]


def test_a_key_appends_once(recorder: MemoryRecorder) -> None:
    once = Once("holder", "key", b"input")
    recorder.append([event("a"), event("b")], once=once)
    with pytest.raises(AlreadyAppended) as kept:
        recorder.append([event("a")], once=once)
    assert (kept.value.first_position, kept.value.last_position, kept.value.input_sha256) == (1, 2, b"input")
    assert recorder.head() == 2
