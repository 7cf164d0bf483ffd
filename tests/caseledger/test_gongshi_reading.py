"""双公示 files: headers, encodings, sheets, and files that are refused whole or by the row."""

import gzip
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles.numbers import FORMAT_DATE_YYYYMMDD2

from benchmarks.gongshi_file import LICENCE, PENALTY, Values, licence, penalty, table, write
from caseledger import gongshi_reading
from caseledger.errors import Unreadable
from caseledger.formats import format_of
from caseledger.gongshi_columns import column_of
from caseledger.items import Item
from caseledger.lines import Unpacking, open_source
from running import code

Cells = list[list[object]]


def cells(*rows: Values, columns: Sequence[str] = PENALTY) -> Cells:
    return list(table(columns, rows or (penalty(1), penalty(2))))


def items(path: Path, unpacking: Unpacking | None = None) -> list[Item]:
    with open_source(str(path), unpacking or Unpacking()) as source:
        found = format_of(None, source)
        assert found.name == "gongshi"
        return list(found.items(source))


def facts(path: Path) -> list[tuple[int, Any]]:
    return [(each.number, each.facts) for each in items(path)]


def why(path: Path, unpacking: Unpacking | None = None) -> str:
    """Why a file is refused whole."""
    with pytest.raises(Unreadable) as refused:
        items(path, unpacking)
    return str(refused.value)


def refusals(path: Path) -> list[tuple[int, str, str]]:
    return [(each.number, one.path, one.text.en) for each in items(path) for one in each.refusals]


def workbook(path: Path, rows: Iterable[Sequence[object]], change: Callable[[Any], None] = lambda _: None) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    change(book.active)
    book.save(path)
    return path


# One content in every shape


def labelled(columns: Sequence[str]) -> list[str]:
    """The Chinese labels of columns, as files write them, some with what is in brackets."""
    brackets = {"fine": "（万元）", "uscc": "", "confiscated": "(万元)"}
    named = [column_of(column) for column in columns]
    return [each.column.label + brackets.get(each.column.key, "") for each in named if each]


def dated(row: Sequence[object]) -> list[object]:
    """A row as Excel keeps it: dates as dates and amounts as numbers."""
    typed: list[object] = []
    for cell in row:
        text = str(cell)
        if len(text) == 10 and text[4] == "-":
            typed.append(datetime.fromisoformat(text))
        else:
            typed.append(float(text) if text.replace(".", "").isdigit() and len(text) < 18 else cell)
    return typed


@pytest.mark.parametrize("columns", [PENALTY, LICENCE], ids=["penalties", "licences"])
def test_every_encoding_delimiter_and_kind_of_file_says_the_same(tmp_path: Path, columns: Sequence[str]) -> None:
    made = penalty if columns is PENALTY else licence
    rows = cells(*map(made, range(1, 8)), columns=columns)
    expected = facts(write(tmp_path / "a.csv", rows))
    assert [number for number, _ in expected] == [2, 3, 4, 5, 6, 7, 8]
    turned = [list(reversed(row)) for row in rows]
    by_label: Cells = [list(labelled(columns)), *rows[1:]]
    same = [
        write(tmp_path / "bom.csv", rows, "utf-8-sig"),
        write(tmp_path / "gb.csv", rows, "gb18030"),
        write(tmp_path / "gb.txt", by_label, "gb18030", "\t"),
        write(tmp_path / "semicolon.csv", by_label, delimiter=";"),
        write(tmp_path / "bar.csv", turned, delimiter="|"),
        write(tmp_path / "packed.csv.gz", rows, "gb18030"),
        write(tmp_path / "a.xlsx", rows),
        write(tmp_path / "typed.xlsx", [by_label[0], *map(dated, rows[1:])]),
    ]
    for path in same:
        assert facts(path) == expected, path.name


def test_a_packed_workbook_is_read_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", cells())
    (tmp_path / "b.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert facts(tmp_path / "b.gz") == facts(path)


def test_a_file_of_the_older_model_is_mapped(tmp_path: Path) -> None:
    new = dict(penalty(1))
    renamed: dict[str, str] = {"CF_CFLB": "CF_CFLB1", "CF_CFJG": "CF_XZJG", "CF_NR": "CF_JG", "CF_FRDB": "CF_FR"}
    old: dict[str, object] = {
        renamed.get(name, name): value for name, value in new.items() if name not in ("CF_XDR_LB", "CF_SJLY")
    }
    old |= {
        "CF_CFLB1": "警告",
        "CF_CFLB2": "罚款",
        "CF_CFMC": "某案",
        "CF_ZT": "0",
        "DFBM": "500000",
        "SJC": "2017-01-01",
    }
    old |= {"CF_XDR_ZDM": "123456789", "CF_XDR_GSDJ": "5001", "CF_XDR_SFZ": "", "GSQX": "1年"}
    assert facts(write(tmp_path / "old.csv", cells(old, columns=list(old)))) == facts(
        write(tmp_path / "new.csv", cells(new))
    )
    licensed: dict[str, object] = {
        "XK_XMMC": "国内呼叫中心业务",
        "XK_SPLB": "普通",
        "XK_XDR": "甲",
        "XK_JZQ": "2099-12-31",
        "XK_XZJG": "工信部",
    }
    licensed |= {
        "XK_XDR_SHXYM": new["CF_XDR_SHXYM"],
        "XK_WSH": "1",
        "XK_NR": "呼叫中心",
        "XK_JDRQ": "20170102",
        "XK_ZT": "0",
    }
    (item,) = items(write(tmp_path / "l.csv", cells(licensed, columns=list(licensed))))
    assert item.facts[1][1]["validTo"] == "2099-12-31"
    assert item.facts[0][1]["name"] == "甲"
    (annulled,) = items(write(tmp_path / "l.csv", cells(licensed | {"XK_ZT": "1"}, columns=list(licensed))))
    assert annulled.refusals[0].path == "当前状态 XK_ZT"


# Where the header and the rows are


def test_titles_may_stand_above_the_header_and_codes_below_labels(tmp_path: Path) -> None:
    rows = cells()
    above = [["行政处罚公示表"], [], ["制表单位：", "某局"]]
    path = write(tmp_path / "a.csv", [*above, labelled(PENALTY), PENALTY, *rows[1:]])
    assert [each.number for each in items(path)] == [6, 7]
    merged = workbook(tmp_path / "a.xlsx", [*above, *rows], lambda sheet: sheet.merge_cells("A1:F1"))
    assert [each.refusals for each in items(merged)] == [(), ()]


def test_a_cell_may_hold_line_ends_and_a_row_is_where_it_begins(tmp_path: Path) -> None:
    first = {**penalty(1), "CF_SY": '第一行\n第二行，含"引号"\r\n第三行'}
    path = write(tmp_path / "a.csv", cells(first, penalty(2)))
    found = items(path)
    assert [each.number for each in found] == [2, 5]
    assert found[0].facts[1][1]["violation"] == '第一行\n第二行，含"引号"\r\n第三行'


def test_a_new_enterprise_is_registered_as_of_the_earliest_decision_in_the_file(tmp_path: Path) -> None:
    late, early = {**penalty(1), "CF_JDRQ": "2022-05-01"}, {**penalty(2), "CF_JDRQ": "2019-03-04"}
    found = items(write(tmp_path / "a.csv", cells(late, early)))
    assert [each.facts[0][1]["effectiveOn"] for each in found] == ["2019-03-04", "2019-03-04"]


def test_columns_that_are_not_known_are_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[*row, "x", "y"] for row in cells()]
    rows[0][-2:] = ["内部编号", "颜色"]
    assert len(items(write(tmp_path / "a.csv", rows))) == 2
    assert capsys.readouterr().err == "These columns are not known and are left out: “内部编号”, “颜色”.\n"


def test_other_sheets_are_named_and_hidden_ones_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(sheet: Any) -> None:
        sheet.parent.create_sheet("隐藏", 0).sheet_state = "hidden"
        sheet.parent.create_sheet("附表").append(["x"])

    assert len(items(workbook(tmp_path / "a.xlsx", cells(), change))) == 2
    assert "Only the sheet “Sheet” is read; there are also “隐藏”, “附表”." in capsys.readouterr().err


# Rows that are refused


def test_a_row_in_another_encoding_is_refused_by_its_line(tmp_path: Path) -> None:
    for own, other in (("utf-8", "gb18030"), ("gb18030", "utf-8")):
        lines = write(tmp_path / "a.csv", cells(*map(penalty, range(1, 6)))).read_text().splitlines(keepends=True)
        (tmp_path / "b.csv").write_bytes(
            b"".join(line.encode(other if n == 3 else own) for n, line in enumerate(lines))
        )
        found = items(tmp_path / "b.csv")
        assert [each.number for each in found if each.refusals] == [4]
        assert f"Line 4 is not in {own.upper()}" in found[2].refusals[0].text.en


def test_a_formula_an_error_and_merged_cells_are_refused_by_the_row(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet["T2"] = "=0.1*2"
        sheet["T3"] = "#N/A"
        sheet.merge_cells("H4:I5")

    rows = cells(*map(penalty, range(1, 6)))
    found = items(workbook(tmp_path / "a.xlsx", rows, change))
    assert [each.number for each in found if each.refusals] == [2, 3, 4, 5]
    said = [each.refusals[0].text.en for each in found[:4]]
    assert said[0].startswith("Cell T2 is a formula")
    assert said[1] == "Cell T3 holds an error and no value"
    assert said[2] == said[3]
    assert said[2].startswith("Cells of this row are merged")


def test_a_date_is_a_number_in_a_sheet_and_in_no_text(tmp_path: Path) -> None:
    assert refusals(write(tmp_path / "a.csv", cells({**penalty(1), "CF_JDRQ": "43832"})))[0][:2] == (
        2,
        "处罚决定日期 CF_JDRQ",
    )
    rows = cells(
        *({**penalty(n), "CF_JDRQ": value} for n, value in enumerate((43832, "43832", 20200102, date(2020, 1, 2))))
    )
    found = items(workbook(tmp_path / "a.xlsx", rows))
    assert [each.facts[1][1]["effectiveOn"] if each.facts else "" for each in found] == [
        "2020-01-02",
        "",
        "2020-01-02",
        "2020-01-02",
    ]


def test_a_workbook_that_counts_from_1904_means_other_days(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet.parent.epoch = datetime(1904, 1, 1)
        sheet["W2"].number_format = FORMAT_DATE_YYYYMMDD2

    (item,) = items(workbook(tmp_path / "a.xlsx", cells({**penalty(1), "CF_JDRQ": 42370}), change))
    assert item.facts[1][1]["effectiveOn"] == "2020-01-02"


def test_a_number_of_a_sheet_is_what_was_typed_in(tmp_path: Path) -> None:
    rows = cells(*({**penalty(n), "CF_NR_FK": value} for n, value in enumerate((0.2, 0.29, 1e-06, 20, 1 / 3))))
    found = items(write(tmp_path / "a.xlsx", rows))
    assert [each.facts[1][1]["fine"] for each in found[:4]] == ["2000.00", "2900.00", "0.01", "200000.00"]
    assert "0.3333333333333333" in found[4].refusals[0].text.en


def test_one_number_with_two_contents_is_refused_with_the_line_that_has_it(tmp_path: Path) -> None:
    rows = cells(
        penalty(1),
        penalty(2),
        {**penalty(1), "CF_NR_FK": "9"},
        penalty(2),
        {**penalty(1), "CF_XDR_SHXYM": penalty(7)["CF_XDR_SHXYM"]},
    )
    found = refusals(write(tmp_path / "a.csv", rows))
    assert [(line, path) for line, path, _ in found] == [
        (4, "行政处罚决定书文号 CF_WSH"),
        (6, "行政处罚决定书文号 CF_WSH"),
    ]
    assert "stands in line 2 with other content" in found[0][2]


def test_a_row_that_is_wider_than_the_header_is_refused(tmp_path: Path) -> None:
    rows = cells()
    rows[1] += ["", ""]
    rows[2] += ["x"]
    assert [(line, path) for line, path, _ in refusals(write(tmp_path / "a.csv", rows))] == [(3, "")]


def test_wrong_quotation_marks_are_refused_by_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", cells(*map(penalty, range(1, 4))))
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = '"第"x"公司,' + lines[2]
    path.write_text("".join(lines))
    assert [(line, path) for line, path, _ in refusals(path)] == [(3, "")]
    assert 'a “公司”有限 "公司"' in str(facts(write(path, cells({**penalty(1), "CF_XDR_MC": 'a “公司”有限 "公司"'}))))


def test_an_authority_has_one_code_in_a_file(tmp_path: Path) -> None:
    codes = [code(1, "100000", "11"), "", code(2, "100000", "11")]
    rows = [{**penalty(n), "CF_CFJG": "工信部", "CF_CFJGDM": code} for n, code in enumerate(codes)]
    ((line, path, said),) = refusals(write(tmp_path / "a.csv", cells(*rows)))
    assert (line, path) == (4, "处罚机关统一社会信用代码 CF_CFJGDM")
    assert said.startswith(f"In line 2, {codes[0]} goes with MIIT")


# Files that are refused whole


def without(column: str) -> Cells:
    return cells(columns=[each for each in PENALTY if each != column])


@pytest.mark.parametrize("column", ["CF_XDR_MC", "CF_XDR_SHXYM", "CF_WSH", "CF_CFLB", "CF_YJ", "CF_JDRQ", "CF_CFJG"])
def test_a_file_without_a_needed_column_is_refused_with_what_it_lacks_and_has(tmp_path: Path, column: str) -> None:
    rows = without(column)
    rows[0] = ["" if header == "CF_CFJGDM" else header for header in rows[0]]
    said = why(write(tmp_path / "a.csv", rows))
    assert f" {column}" in said.partition("line 1 has")[0]
    assert "line 1 has “CF_" in said
    assert said.endswith("Nothing was recorded.")


def test_one_of_violation_and_its_type_is_enough(tmp_path: Path) -> None:
    assert [each.refusals for each in items(write(tmp_path / "a.csv", without("CF_WFXW")))] == [(), ()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"BZ": "CF_NR_FK"}, "column 罚款金额 CF_NR_FK comes twice", id="twice"),
        pytest.param({"CF_NR_FK": "罚款金额（元）"}, "headed 元", id="yuan"),
    ],
)
def test_a_header_that_cannot_be_relied_on_is_refused(tmp_path: Path, change: dict[str, str], said: str) -> None:
    rows = cells()
    rows[0] = [change.get(str(header), header) for header in rows[0]]
    assert said in why(write(tmp_path / "a.csv", rows))


def test_a_workbook_with_a_merged_header_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", cells(), lambda sheet: sheet.merge_cells("B1:B2"))
    assert "cells of its header, row 1, are merged" in why(path)


def test_a_table_of_something_else_is_told_what_a_header_has(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["姓名", "年龄"], ["甲", 3]])
    said = why(path)
    assert "行政处罚决定书文号 CF_WSH" in said
    assert "“姓名”, “年龄”" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"PK\x03\x04" + b"\0" * 900, "damaged XLSX or ZIP", id="no zip"),
        pytest.param("\ufeffCF_WSH,CF_CFLB,CF_JDRQ\n".encode("utf-16-le"), "UTF-16", id="UTF-16"),
        pytest.param(b'CF_WSH,CF_CFLB,CF_JDRQ\n"a,b,c\n', "lacks the column", id="few columns"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with open_source(str(tmp_path / "a")) as source, pytest.raises(Unreadable) as refused:
        list(gongshi_reading.items(source))
    assert said in str(refused.value)


def test_a_zip_that_is_no_workbook_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "x")
    assert "is no XLSX workbook" in why(tmp_path / "a.zip")
    whole = write(tmp_path / "a.xlsx", cells(*map(penalty, range(300)))).read_bytes()
    (tmp_path / "b.xlsx").write_bytes(whole[: len(whole) // 2])
    assert "damaged XLSX" in why(tmp_path / "b.xlsx")
    broken = bytearray(whole)
    broken[len(whole) // 3 : len(whole) // 3 + 64] = bytes(64)
    (tmp_path / "c.xlsx").write_bytes(broken)
    assert "Nothing was recorded" in why(tmp_path / "c.xlsx")


def test_a_quotation_mark_that_is_not_closed_refuses_the_file_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", cells(*map(penalty, range(9))))
    lines = path.read_text().splitlines(keepends=True)
    lines[4] = '"' + lines[4]
    path.write_text("".join(lines))
    assert "a quotation mark that is opened in line 5 is not closed" in why(path)


def test_of_a_gzip_file_that_was_cut_nothing_goes_in(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", cells(*map(penalty, range(2_000))))
    path.write_bytes(path.read_bytes()[:-2_000])
    assert why(path).startswith(f"{path} is a gzip file that ends too early: nothing was recorded.")


def test_a_file_unpacks_only_so_far(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    header = ",".join(PENALTY).encode() + b"\n"
    bomb.write_bytes(gzip.compress(header + (b"0" * 99_999 + b"\n") * 300, 9))
    assert "more than 200 times its size, as a zip bomb does" in why(bomb)
    assert "more than 1,000 bytes: import it in parts" in why(write(tmp_path / "a.xlsx", cells()), Unpacking(1_000))
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 20_000_000)
    assert "as a zip bomb does" in why(tmp_path / "b.xlsx")


def test_entities_of_a_workbook_are_not_unfolded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", cells())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    name = next(name for name in parts if "sheet1" in name)
    parts[name] = parts[name].replace(b"<worksheet", laughs + b"<worksheet", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    assert "is no XLSX workbook that can be read" in why(path)


def test_a_full_temporary_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gongshi_reading, "TemporaryFile", lambda: open("/dev/full", "wb", buffering=0))  # noqa: SIM115, PTH123
    assert "cannot be unfolded in the temporary folder (No space left on device)" in why(
        write(tmp_path / "a.csv", cells())
    )
