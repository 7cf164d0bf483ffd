"""A 双公示 file made up: `python -m benchmarks.gongshi_file --rows 100000 --out FILE.csv` (or .xlsx, or .csv.gz).

Penalties of invented enterprises, five of each, with all columns of the 2018 model; the same number of rows is the same file.
`--licences` makes licences, and `--encoding gb18030` another encoding.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import openpyxl
import typer

from benchmarks.enterprises import code
from domain.identifiers import PROVINCES

EACH: Final = 5
"""Rows of one enterprise."""
FIRST: Final = date(2019, 1, 1)
DAYS: Final = 1_500

PENALTY: Final = (
    "CF_XDR_MC", "CF_XDR_LB", "CF_XDR_SHXYM", "CF_XDR_GSZC", "CF_XDR_ZZJG", "CF_XDR_SWDJ", "CF_XDR_SYDW", "CF_XDR_SHZZ",
    "CF_FRDB", "CF_FR_ZJLX", "CF_FR_ZJHM", "CF_XDR_ZJLX", "CF_XDR_ZJHM", "CF_WSH", "CF_WFXW", "CF_SY", "CF_YJ", "CF_CFLB",
    "CF_NR", "CF_NR_FK", "CF_NR_WFFF", "CF_NR_ZKDX", "CF_JDRQ", "CF_YXQ", "CF_GSJZQ", "CF_CFJG", "CF_CFJGDM", "CF_SJLY",
    "CF_SJLYDM", "BZ",
)  # fmt: skip
"""The codes of a penalty's columns in the order of the 2018 model."""
LICENCE: Final = (
    "XK_XDR_MC", "XK_XDR_LB", "XK_XDR_SHXYM", "XK_FRDB", "XK_FR_ZJLX", "XK_FR_ZJHM", "XK_XKWS", "XK_WSH", "XK_XKLB",
    "XK_XKZS", "XK_XKBH", "XK_NR", "XK_JDRQ", "XK_YXQZ", "XK_YXQZI", "XK_XKJG", "XK_XKJGDM", "XK_ZT", "XK_LYDW",
    "XK_LYDWDM", "BZ",
)  # fmt: skip

Values = Mapping[str, object]


def penalty(number: int) -> Values:
    on = FIRST + timedelta(days=number * 7 % DAYS)
    bureau = f"{list(PROVINCES.values())[number % 31]}通信管理局"
    return {
        "CF_XDR_MC": f"第{number // EACH}呼叫中心有限公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": code(number // EACH),
        "CF_FRDB": f"法人{number // EACH}",
        "CF_FR_ZJLX": "身份证",
        "CF_WSH": f"通管罚〔{on.year}〕{number}号",
        "CF_WFXW": "违规拨打骚扰电话" if number % 10 == 0 else "未按规定使用码号",
        "CF_SY": f"该公司在{on.year}年的经营活动中未落实码号管理要求，经核查属实，编号{number}。",
        "CF_YJ": "《电信业务经营许可管理办法》第四十六条",
        "CF_CFLB": "警告;罚款",
        "CF_NR": "警告，并处罚款",
        "CF_NR_FK": "0.2" if number % 2 else "1.000001",
        "CF_NR_WFFF": "0",
        "CF_JDRQ": on.isoformat(),
        "CF_YXQ": "2099-12-31",
        "CF_GSJZQ": (on + timedelta(days=365)).isoformat(),
        "CF_CFJG": bureau,
        "CF_SJLY": bureau,
    }


def licence(number: int) -> Values:
    on = FIRST + timedelta(days=number * 7 % DAYS)
    return {
        "XK_XDR_MC": f"第{number}呼叫中心有限公司",
        "XK_XDR_LB": "法人及非法人组织",
        "XK_XDR_SHXYM": code(number),
        "XK_FRDB": f"法人{number}",
        "XK_XKWS": "增值电信业务经营许可决定书",
        "XK_WSH": f"许可〔{on.year}〕{number}号",
        "XK_XKLB": "普通",
        "XK_XKZS": "增值电信业务经营许可证",
        "XK_XKBH": f"B2-{on.year}{number:06d}",
        "XK_NR": "国内呼叫中心业务",
        "XK_JDRQ": on.isoformat(),
        "XK_YXQZ": on.isoformat(),
        "XK_YXQZI": (on + timedelta(days=5 * 365)).isoformat(),
        "XK_XKJG": "工业和信息化部",
        "XK_ZT": "1",
    }


def table(columns: Sequence[str], rows: Iterable[Values]) -> Iterator[list[object]]:
    """The header and the cells of rows that are given by their columns; empty where a row says nothing."""
    yield list(columns)
    for row in rows:
        yield [row.get(column, "") for column in columns]


def write(path: Path, cells: Iterable[Sequence[object]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """Writes rows of cells as the name says: a workbook for .xlsx, else delimited text, packed for .gz."""
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("公示")
        for row in cells:
            sheet.append(row)
        book.save(path)
        return path
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(cells)
    return path


def main(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    rows: Annotated[int, typer.Option(min=1)] = 100_000,
    licences: Annotated[bool, typer.Option("--licences")] = False,
    encoding: Annotated[str, typer.Option()] = "utf-8",
) -> None:
    columns, one = (LICENCE, licence) if licences else (PENALTY, penalty)
    write(out, table(columns, map(one, range(rows))), encoding)


if __name__ == "__main__":
    typer.run(main)
