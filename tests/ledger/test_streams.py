"""Folds of tags at one head: the same as folding the log afresh, whatever is kept and whoever writes meanwhile."""

import random
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice

import pytest
from eventsourcing.dcb.api import DCBEvent, DCBSequencedEvent

from domain.credit import credit, timeline
from domain.events import ComplaintReceived, ComplaintResolved, EnterpriseRegistered, Event, EventVoided, InterviewHeld
from domain.facts import HEAD, Fact, Facts, Moment, fold
from domain.live import ask, tags_read
from domain.recorded import Recorded, complaint_tags, tags_of
from domain.requests import CooperationRequest
from domain.vocabulary import Cause, ComplaintCategory, ComplaintChannel, ComplaintOutcome, CreditStatus
from given import A, B, C, d
from ledger.entry import draft, opened, seal
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.streams import FACT_BYTES, FOLD_BYTES, Streams

TAGS = [f"enterprise:{code}" for code in (A, B, C)]
DAY = d("2021-01-01")


class Watched:
    """The real log, and from which position each tag was last asked for."""

    def __init__(self, log: PostgresRecorder) -> None:
        self._log = log
        self.asked: Mapping[str, int] = {}
        self.upto: int | None = None

    def read_streams(self, wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        self.asked, self.upto = dict(wanted), upto
        return self._log.read_streams(wanted, upto)


@pytest.fixture
def log(pool: Pool) -> PostgresRecorder:
    return PostgresRecorder(pool, seal=seal)


def interview(chance: random.Random, *tags: str) -> DCBEvent:
    """An interview that bears the tags, on a day that need not follow the one before it."""
    event = InterviewHeld(uscc=A, authority="MIIT", case_id="Y", topics="整改", because_of=Cause.HARASSING_CALLS)
    return draft(event, tags, DAY + timedelta(days=chance.randrange(99)), "tester")


def void(of: Recorded) -> DCBEvent:
    event = EventVoided(position=of.position, reason="误录")
    return draft(event, (*of.tags, *tags_of(event)), DAY, "tester")


def write(log: PostgresRecorder, chance: random.Random) -> None:
    """Appends an event or two: of one enterprise, of two, or the void of an earlier one."""
    earlier = [opened(found.event.data) for found in log.read()]
    standing = [one for one in earlier if not isinstance(one.event, EventVoided)]
    if standing and chance.random() < 0.3:
        log.append([void(chance.choice(standing))])
    else:
        log.append([interview(chance, *chance.sample(TAGS, chance.choice((1, 1, 2)))) for _ in range(2)])


def folds_of(*facts: int) -> int:
    """The memory that folds of so many facts take."""
    return sum(FOLD_BYTES + FACT_BYTES * each for each in facts)


def seen(facts: Facts) -> tuple[int, int, list[Fact[Event]]]:
    return facts.position, facts.size, list(facts.all())


def afresh(history: Iterable[Recorded], tag: str, head: int) -> Facts:
    """The fold of a tag's events in the whole history up to a head."""
    return fold(one for one in history if tag in one.tags and one.position <= head)


def assert_as_afresh(log: PostgresRecorder, read: Sequence[tuple[int, Mapping[str, Facts]]]) -> None:
    history = [opened(found.event.data) for found in log.read()]
    for head, folds in read:
        for tag, facts in folds.items():
            assert seen(facts) == seen(afresh(history, tag, head)), (tag, head)


@pytest.mark.parametrize("kept", [0, 5, 1_000])
def test_a_fold_is_what_folding_the_log_afresh_gives(log: PostgresRecorder, kept: int) -> None:
    chance, streams, read = random.Random(kept), Streams(log, most=folds_of(kept)), []
    for _ in range(25):
        write(log, chance)
        read.append(streams.read(chance.sample(TAGS, chance.randrange(1, 4))))
    assert [head for head, _ in read] == sorted({head for head, _ in read})
    assert_as_afresh(log, read)


def test_readers_beside_writers_see_every_event_up_to_their_head_and_none_after(log: PostgresRecorder) -> None:
    streams = Streams(log)

    def writes(seed: int) -> list[tuple[int, dict[str, Facts]]]:
        for _ in range(12):
            write(log, random.Random(f"{seed}-{log.head()}"))
        return []

    def reads(seed: int) -> list[tuple[int, dict[str, Facts]]]:
        chance = random.Random(seed)
        return [streams.read(chance.sample(TAGS, 2)) for _ in range(30)]

    with ThreadPoolExecutor(8) as threads:
        work = [threads.submit(each, seed) for seed in range(4) for each in (writes, reads)]
        read = [one for done in work for one in done.result()]
    assert len({head for head, _ in read}) > 4
    assert_as_afresh(log, read)


def test_who_holds_a_fold_goes_on_seeing_its_own_head(log: PostgresRecorder) -> None:
    chance, streams = random.Random(1), Streams(log)
    log.append([interview(chance, TAGS[0])])
    _, before = streams.read(TAGS)
    held = seen(before[TAGS[0]])
    log.append([interview(chance, TAGS[0])])
    _, after = streams.read(TAGS)
    assert seen(before[TAGS[0]]) == held
    assert after[TAGS[0]].size == 2


def test_what_is_folded_into_a_copy_does_not_reach_what_is_kept(log: PostgresRecorder) -> None:
    streams = Streams(log)
    log.append([interview(random.Random(1), TAGS[0])])
    (found,) = [opened(found.event.data) for found in log.read()]
    twin = streams.read(TAGS)[1][TAGS[0]].copy()
    log.append([void(found)])
    for one in log.read(after=1):
        twin.evolve(opened(one.event.data))
    assert [fact.voided_by for fact in twin.ever(InterviewHeld)] == [2]
    assert_as_afresh(log, [streams.read(TAGS)])


def test_only_what_is_newer_than_a_kept_fold_is_asked_of_the_log(log: PostgresRecorder) -> None:
    chance, watched = random.Random(1), Watched(log)
    streams = Streams(watched)
    log.append([interview(chance, TAGS[0]), interview(chance, TAGS[1])])
    streams.read(TAGS)
    assert watched.asked == dict.fromkeys(TAGS, 0)
    streams.read(TAGS)
    assert watched.asked == {TAGS[0]: 1, TAGS[1]: 2, TAGS[2]: 0}


@pytest.mark.parametrize("kept", [0, 10**8])
def test_the_folds_of_a_batch_are_what_folding_the_log_afresh_up_to_it_gives(log: PostgresRecorder, kept: int) -> None:
    chance = random.Random(11)
    for _ in range(60):
        write(log, chance)
    history = [opened(found.event.data) for found in log.read()]
    streams, after = Streams(log, most=kept), 0
    while after < len(history):
        upto = min(len(history), after + chance.randrange(1, 9))
        batch = history[after:upto]
        for tags in (TAGS[:1], TAGS):
            folds = streams.upto(batch, tags)
            assert {tag: seen(facts) for tag, facts in folds.items()} == {
                tag: seen(afresh(history, tag, upto)) for tag in tags
            }
        after = upto


def test_of_a_batch_that_lacks_nothing_only_what_was_before_it_is_asked_of_the_log(log: PostgresRecorder) -> None:
    chance = random.Random(12)
    log.append([interview(chance, TAGS[0]) for _ in range(4)])
    history = [opened(found.event.data) for found in log.read()]
    watched = Watched(log)
    Streams(watched).upto(history, TAGS)
    assert watched.asked == {}
    Streams(watched).upto(history[2:], TAGS)
    assert (watched.asked, watched.upto) == (dict.fromkeys(TAGS, 0), 2)


def test_what_a_batch_lacks_is_read_from_the_log(log: PostgresRecorder) -> None:
    chance = random.Random(13)
    log.append([interview(chance, TAGS[0]) for _ in range(5)])
    history = [opened(found.event.data) for found in log.read()]
    for batch in ([history[0], history[3]], history[1:2], [history[0], *history[2:]]):
        (facts,) = Streams(log).upto(batch, TAGS[:1]).values()
        upto = facts.position
        assert upto >= batch[-1].position
        assert seen(facts) == seen(afresh(history, TAGS[0], upto))


def test_the_bound_of_memory_drops_what_was_asked_for_longest_ago(
    log: PostgresRecorder,
) -> None:
    chance, watched = random.Random(1), Watched(log)
    streams = Streams(watched, most=folds_of(2, 2))
    log.append([interview(chance, tag) for tag in TAGS for _ in range(2)])
    for tag in (TAGS[0], TAGS[1], TAGS[0], TAGS[2]):
        streams.read([tag])
    streams.read(TAGS)
    assert watched.asked == {TAGS[0]: 2, TAGS[1]: 0, TAGS[2]: 6}


def test_a_fold_larger_than_the_bound_is_kept_alone(log: PostgresRecorder) -> None:
    chance, watched = random.Random(1), Watched(log)
    streams = Streams(watched, most=folds_of(3))
    log.append([interview(chance, tag) for tag in (TAGS[0], *[TAGS[1]] * 5)])
    for tag in TAGS[:2]:
        streams.read([tag])
    streams.read(TAGS[:2])
    assert watched.asked == {TAGS[0]: 0, TAGS[1]: 6}


def test_folds_take_the_memory_that_they_are_counted_for(log: PostgresRecorder) -> None:
    chance, tags = random.Random(1), [f"enterprise:{number}" for number in range(200)]
    log.append([interview(chance, tag) for tag in tags for _ in range(5)])
    streams = Streams(log)
    tracemalloc.start()
    try:
        streams.read(tags)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.6 < taken / folds_of(*[5] * 200) < 1.2


def test_the_past_is_folded_from_the_log_and_not_from_what_is_kept(log: PostgresRecorder) -> None:
    chance, watched = random.Random(1), Watched(log)
    streams = Streams(watched)
    log.append([interview(chance, TAGS[0]) for _ in range(4)])
    streams.read(TAGS)
    folds, read = streams.at(TAGS, 3)
    assert watched.asked == dict.fromkeys(TAGS, 0)
    assert read == 3
    assert_as_afresh(log, [(3, folds)])


def test_an_event_that_names_a_tag_twice_is_folded_once(log: PostgresRecorder) -> None:
    log.append([interview(random.Random(1), TAGS[0], TAGS[0])])
    streams = Streams(log)
    assert streams.at(TAGS, 9)[0][TAGS[0]].size == streams.read(TAGS)[1][TAGS[0]].size == 1


def complaints(code: str, number: int) -> Iterator[DCBEvent]:
    """Complaints of an enterprise: ten substantiated ones of DAY, the others of the years before the days that count."""
    registration = EnterpriseRegistered(uscc=code, name="甲", province="11")
    yield draft(registration, tags_of(registration), d("2017-01-01"), "tester")
    for place in range(number):
        on = DAY if place < 10 else DAY - timedelta(days=100 + place % 1_000)
        received = ComplaintReceived(
            complaint_id=f"{code}-{place}",
            channel=ComplaintChannel.HOTLINE_12321,
            displayed_number="95012",
            called_at=f"{on}T04:00:00Z",
            category=ComplaintCategory.HARASSING,
            uscc=code,
        )
        tags = complaint_tags(received, on, code)
        yield draft(received, tags, on, "tester")
        if place < 10:
            resolved = ComplaintResolved(complaint_id=received.complaint_id, outcome=ComplaintOutcome.SUBSTANTIATED)
            yield draft(resolved, tags, on, "tester")


def peak(log: PostgresRecorder, code: str) -> int:
    """Bytes at the peak of deciding about an enterprise and giving its credit, from nothing but the log."""
    request, at = CooperationRequest(uscc=code, carrier="CHINA_TELECOM"), Moment(DAY)
    tracemalloc.start()
    try:
        _, folds = Streams(log).read(tags_read(request, at))
        answer = ask(request, at, folds)
        assert len(answer.reasons[0].positions) == 20
        assert credit(folds[f"enterprise:{code}"], at).status is CreditStatus.GOOD
        assert timeline(folds[f"enterprise:{code}"], HEAD)[-1].status is CreditStatus.GOOD
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_complaints(log: PostgresRecorder) -> None:
    for code, number in ((A, 1_000), (B, 50_000)):
        rest = complaints(code, number)
        while batch := list(islice(rest, 5_000)):
            log.append(batch)
    few, many = (min(peak(log, code) for _ in range(3)) for code in (A, B))
    assert many < 1.1 * few
