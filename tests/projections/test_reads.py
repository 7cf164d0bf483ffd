"""What a search finds, whatever index it goes by."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from given import TODAY, filed, registered
from projections.reads import Reads, Search
from running import code, started

NAMES = (
    "北京云呼科技有限公司",
    "Acme Call 中心 (Beijing)",
    "9111000000000 0001 通信",
    "ABCDE12345 话务",
    "企业12345",
    "0000 000012",
    "'%_\\ 100% 通信",
    "911100000000000012",
    "Ａｂｃ12345 Électricité",
    "云9111呼",
)
ENTERPRISES = {code(number * 1_237): NAMES[number % len(NAMES)] for number in range(60)}
NUMBERS = {uscc: f"95{place:03d}" for place, uscc in enumerate(list(ENTERPRISES)[:20])}


@pytest.fixture(scope="module")
def reads(database: str) -> Iterator[Reads]:
    with started(database) as system:
        system.known(*(registered(uscc=uscc, name=name) for uscc, name in ENTERPRISES.items()))
        system.known(*(filed(uscc=uscc, number=number) for uscc, number in NUMBERS.items()))
        yield Reads(system.pool)


def plainly(text: str, by_number: bool) -> list[str]:
    """The codes of which a search is to find: looked at one by one, without any index."""
    asked = text.strip()
    return sorted(
        uscc
        for uscc, name in ENTERPRISES.items()
        if asked.lower() in name.lower()
        or "".join(asked.upper().split()) in uscc
        or (by_number and asked.isdigit() and NUMBERS.get(uscc, "").startswith(asked))
    )


def drawn(chance: Random) -> str:
    """A part of a name, a code or a number, as somebody may type it, or something that is near it."""
    whole = chance.choice([*ENTERPRISES, *ENTERPRISES, *NAMES, *NUMBERS.values()])
    begin = chance.choice((0, chance.randrange(len(whole))))
    text = whole[begin : begin + chance.randint(1, len(whole))]
    place = chance.randrange(len(text) + 1)
    text = text[:place] + chance.choice(("", "", "", "", " ", "0", "云", "x")) + text[place:]
    return chance.choice((str, str.lower, str.upper))(chance.choice(("", " ")) + text)


def test_a_search_finds_what_looking_at_all_of_them_would(reads: Reads) -> None:
    chance, lengths = Random(7), set()
    nearly = [part for uscc in ENTERPRISES for part in (uscc, uscc[:17], uscc[1:], f" {uscc[:17].lower()}", f"{uscc}0")]
    for text in [*nearly, *(drawn(chance) for _ in range(400))]:
        by_number = chance.random() < 0.5
        if not text.strip():
            continue
        expected, asked = plainly(text, by_number), Search(TODAY, text, by_number=by_number)
        assert reads.search(asked, 100, "") == expected, text
        assert reads.search_count(asked) == len(expected), text
        if expected:
            middle = expected[len(expected) // 2]
            assert reads.search(asked, 2, middle) == [each for each in expected if each > middle][:2], text
        lengths.add(min(len(expected), 3))
    assert lengths == {0, 1, 2, 3}


MANY: Final = """
INSERT INTO register (uscc, valid_from, valid_to, name, province, folded, grams)
SELECT '91110000' || lpad(n::text, 9, '0') || 'X', '2020-01-01', 'infinity', n, '11', '企业' || n, string_to_array(n::text, NULL)
FROM generate_series(1000, 9000) AS n
"""


class Planned(Reads):
    """Says of a question how it would be answered if there were thousands of enterprises."""

    plan = ""

    def _rows(self, statement: str, parameters: dict[str, Any], **_: Any) -> list[tuple[Any, ...]]:
        with self._pool.connection() as database, database.transaction(force_rollback=True):
            database.execute("SET LOCAL ROLE NONE")
            database.execute(MANY.encode())
            database.execute("ANALYZE register")
            explained = database.execute(f"EXPLAIN {statement}".encode(), parameters)
            self.plan = " ".join(line for (line,) in explained)
        return []


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        (code(1), {"register_pkey on register coded", "register_letters"}),
        (code(1)[:17], {"register_pkey on register coded", "register_letters"}),
        (code(123_456_789)[9:], {"register_code_parts", "register_letters"}),
        ("云呼科技", {"register_grams"}),
    ],
)
def test_a_search_among_many_goes_by_indexes(reads: Reads, text: str, indexes: set[str]) -> None:
    planned = Planned(reads._pool)
    planned.search(Search(TODAY, text), 11, "")
    assert {index for index in indexes if f" {index} " in planned.plan} == indexes
    assert "Seq Scan on register" not in planned.plan
