"""The made-up 双公示 file: the same for the same number of rows, in every kind of file."""

from pathlib import Path

from benchmarks.gongshi_file import main
from caseledger.formats import format_of
from caseledger.items import Item
from caseledger.lines import open_source


def items(path: Path) -> list[Item]:
    with open_source(str(path)) as source:
        return list(format_of("gongshi", source).items(source))


def test_every_row_states_facts_whatever_the_kind_of_file(tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "a.xlsx"):
        main(tmp_path / name, rows=40)
    main(tmp_path / "gb.csv", rows=40, encoding="gb18030")
    found = [items(tmp_path / name) for name in ("a.csv", "a.csv.gz", "a.xlsx", "gb.csv")]
    assert all(each == found[0] for each in found)
    assert [each.refusals for each in found[0]] == [()] * 40
    main(tmp_path / "l.csv", rows=40, licences=True)
    assert {each.facts[1][0] for each in items(tmp_path / "l.csv")} == {"licenceGranted"}
