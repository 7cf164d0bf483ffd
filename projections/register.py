"""The register that a search looks in: names, provinces, credit status and filed numbers, each by dates."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from domain import credit, register
from domain.events import EnterpriseRegistered, EnterpriseRenamed, Event, NumberFiled, NumberWithdrawn
from domain.facts import Fact, Facts, Moment
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Rulebook
from ledger.rows import Texts, columns
from ledger.streams import Streams
from projections.projection import Database, Moves

TAG: Final = "enterprise:"
NAMES: Final = (EnterpriseRegistered, EnterpriseRenamed)
Row = tuple[object, ...]


class Table(NamedTuple):
    """A table whose rows of an enterprise follow from its facts: how they are read, cleared and written."""

    select: str
    delete: str
    insert: str


class Timelines:
    """The credit timelines of a batch's enterprises (`domain.credit`), each made once, whoever asks for it."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._upto = 0
        self._made: dict[tuple[str, int], tuple[credit.Span, ...]] = {}

    def begin(self, batch: Sequence[Recorded]) -> None:
        """Forgets those of other batches."""
        if batch[-1].position != self._upto:
            self._upto = batch[-1].position
            self._made.clear()

    def of(self, tag: str, facts: Facts, position: int) -> tuple[credit.Span, ...]:
        """The timeline as known at a position of the batch, which nothing that is recorded later changes."""
        if (made := self._made.get((tag, position))) is None:
            made = self._made[tag, position] = credit.timeline(facts, position, self._rulebook)
        return made


class Register:
    name = "register"
    version = 1

    def __init__(self, streams: Streams, rulebook: Rulebook = RULEBOOK, timelines: Timelines | None = None) -> None:
        self._streams = streams
        self._timelines = timelines or Timelines(rulebook)

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        """Brings the rows of every enterprise that the batch touches to what is known at its end."""
        self._timelines.begin(batch)
        moves = Moves.of_batch(batch)
        for table, types, rows in self._tables():
            if touched := moves.touching(TAG, types):
                folds = self._streams.upto(batch, touched)
                # After the last event of the batch that touches an enterprise, its rows stay as they are.
                wanted = {tag.removeprefix(TAG): list(rows(tag, folds[tag], at[-1])) for tag, at in touched.items()}
                bring(database, table, wanted)

    def _tables(self) -> Iterator[tuple[Table, Sequence[type[Event]], Callable[[str, Facts, int], Iterable[Row]]]]:
        """Each table with the events that its rows are made from, and how."""
        yield REGISTER, NAMES, _names
        yield CREDIT_SPANS, credit.READ, self._ratings
        yield FILED_NUMBERS, (NumberFiled, NumberWithdrawn), _filings

    def _ratings(self, tag: str, facts: Facts, known_at: int) -> Iterator[Row]:
        uscc, spans = tag.removeprefix(TAG), self._timelines.of(tag, facts, known_at)[1:]
        ends = [*(span.begins for span in spans[1:]), date.max]
        for span, ends_on in zip(spans, ends, strict=False):
            yield uscc, span.begins, ends_on, span.status.value


def bring(database: Database, table: Table, wanted: Mapping[str, list[Row]]) -> None:
    """Replaces the rows of those enterprises alone whose rows differ from the wanted ones."""
    present: dict[str, list[Row]] = {uscc: [] for uscc in wanted}
    for row in database.execute(table.select.encode(), [Texts.packed(wanted)], binary=True):
        present[row[0]].append(row)
    changed = [uscc for uscc, rows in wanted.items() if rows != present[uscc]]
    if not changed:
        return
    if had := [uscc for uscc in changed if present[uscc]]:
        database.execute(table.delete.encode(), [Texts.packed(had)])
    rows = [row for uscc in changed for row in wanted[uscc]]
    if rows:
        database.execute(table.insert.encode(), columns(rows))


def _names(tag: str, facts: Facts, known_at: int) -> Iterator[Row]:
    """A row a span of dates on which name and province stay; none before the first registration."""
    uscc = tag.removeprefix(TAG)
    everything = Moment(date.max, known_at)
    named: list[Fact[EnterpriseRegistered | EnterpriseRenamed]] = [
        *facts.visible(EnterpriseRegistered, everything),
        *facts.visible(EnterpriseRenamed, everything),
    ]
    turns: list[tuple[date, str, str]] = []
    province = ""
    for day, of_day in groupby(register.in_order(named), key=attrgetter("effective_on")):
        for fact in of_day:
            name = fact.event.name
            if isinstance(fact.event, EnterpriseRegistered):
                province = fact.event.province
        if province and (not turns or turns[-1][1:] != (name, province)):
            turns.append((day, name, province))
    ends = [*(begins for begins, _, _ in turns[1:]), date.max]
    for (begins, name, province), ends_on in zip(turns, ends, strict=False):
        yield uscc, begins, ends_on, name, province, folded(name), "\x1f".join(grams(name + " " + uscc))


def _filings(tag: str, facts: Facts, known_at: int) -> Iterator[Row]:
    uscc = tag.removeprefix(TAG)
    rows: list[Row] = []
    for filing, withdrawn_on in register.filings(facts, Moment(date.max, known_at)):
        begins = filing.filed.effective_on
        if withdrawn_on is None or begins < withdrawn_on:
            rows.append((uscc, filing.filed.event.number, filing.filed.position, begins, withdrawn_on or date.max))
    yield from sorted(rows, key=lambda row: str(row[2]).zfill(20))


def folded(text: str) -> str:
    """A text without regard to case. Folded here, since a database of locale C knows the case of ASCII alone."""
    return text.lower()


def grams(text: str) -> list[str]:
    """What a text is found by: its characters and pairs of neighbouring characters, in lower case, without blanks."""
    whole = "".join(folded(text).split())
    return sorted({*whole, *map(str.__add__, whole, whole[1:])})


# Grams travel as one text: their separator is no character of a name that was trimmed and split.
REGISTER: Final = Table(
    "SELECT uscc, valid_from, valid_to, name, province, folded, array_to_string(grams, E'\\x1f') FROM register"
    " WHERE uscc = ANY(%s) ORDER BY uscc, valid_from",
    "DELETE FROM register WHERE uscc = ANY(%s)",
    "INSERT INTO register (uscc, valid_from, valid_to, name, province, folded, grams)"
    " SELECT uscc, valid_from, valid_to, name, province, folded, string_to_array(grams, E'\\x1f')"
    " FROM unnest(%s::text[], %s::date[], %s::date[], %s::text[], %s::text[], %s::text[], %s::text[])"
    " AS new (uscc, valid_from, valid_to, name, province, folded, grams)",
)
CREDIT_SPANS: Final = Table(
    "SELECT uscc, valid_from, valid_to, status FROM credit_spans WHERE uscc = ANY(%s) ORDER BY uscc, valid_from",
    "DELETE FROM credit_spans WHERE uscc = ANY(%s)",
    "INSERT INTO credit_spans (uscc, valid_from, valid_to, status)"
    " SELECT * FROM unnest(%s::text[], %s::date[], %s::date[], %s::text[])",
)
FILED_NUMBERS: Final = Table(
    "SELECT uscc, number, position, valid_from, valid_to FROM filed_numbers WHERE uscc = ANY(%s) ORDER BY uscc, position",
    "DELETE FROM filed_numbers WHERE uscc = ANY(%s)",
    "INSERT INTO filed_numbers (uscc, number, position, valid_from, valid_to)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::date[], %s::date[])",
)
