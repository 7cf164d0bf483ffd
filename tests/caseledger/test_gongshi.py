"""双公示 rows as facts: readings, refusals, and nothing of a person."""

from datetime import date
from typing import Any

import pytest

from benchmarks.gongshi_file import LICENCE, PENALTY, licence, penalty
from caseledger.cells import Cell, Numeric
from caseledger.gongshi import Refused, Stated, day_of, read, yuan_of
from caseledger.gongshi_columns import COLUMNS, KINDS, NEEDED, Kind, authority_named, column_of
from domain.commands import command
from domain.identifiers import PROVINCES, Malformed
from domain.vocabulary import PenaltyKind
from given import NOW, A
from running import code

CARD = "11010519491231002X"
"""The number of an identity card with its right check character, as in the standard's own example."""


def row(kind: Kind = Kind.PENALTY, **values: Cell) -> Stated | Refused:
    """What a usual row states, with other values by the keys of the columns; an empty one is left out."""
    usual = penalty(1) if kind is Kind.PENALTY else licence(1)
    cells: dict[str, Cell] = {}
    for header, value in usual.items():
        named = column_of(header)
        assert named
        cells.setdefault(named.column.key, str(value))
    return read(kind, cells | values)


def stated(kind: Kind = Kind.PENALTY, **values: Cell) -> Stated:
    found = row(kind, **values)
    assert isinstance(found, Stated), [(each.path, each.text.en) for each in found.refusals]
    return found


def refused(kind: Kind = Kind.PENALTY, **values: Cell) -> list[tuple[str, str]]:
    found = row(kind, **values)
    assert isinstance(found, Refused)
    return [(each.path, each.text.en) for each in found.refusals]


def test_a_penalty_row_is_a_penalty_and_an_enterprise() -> None:
    found = stated()
    assert found.fact == {
        "uscc": code(0), "authority": "CA-12", "effectiveOn": "2019-01-08", "documentNo": "通管罚〔2019〕1号",
        "kinds": ["WARNING", "FINE"], "fine": "2000.00", "becauseOf": "OTHER",
        "violation": "该公司在2019年的经营活动中未落实码号管理要求，经核查属实，编号1。",
        "basis": "《电信业务经营许可管理办法》第四十六条",
    }  # fmt: skip
    assert found.enterprise == {
        "uscc": code(0), "name": "第0呼叫中心有限公司", "province": "11", "legalRepresentative": "法人0",
    }  # fmt: skip
    assert command("penaltyImposed", found.fact, NOW)[1] == []
    assert command("enterpriseRegistered", found.enterprise, NOW)[1] == []


def test_a_licence_row_is_a_historical_licence() -> None:
    found = stated(Kind.LICENCE)
    assert found.fact == {
        "uscc": code(1), "authority": "MIIT", "effectiveOn": "2019-01-08", "licenceNo": "B2-2019000001", "business": "B24-1",
        "route": "STANDARD", "provinces": [], "validFrom": "2019-01-08", "validTo": "2024-01-07", "historical": True,
    }  # fmt: skip
    assert (found.document_no, found.number) == ("许可〔2019〕1号", "B2-2019000001")
    assert command("licenceGranted", found.fact, NOW)[1] == []


# Amounts


@pytest.mark.parametrize(
    ("wan", "yuan"),
    [
        ("0.2", "2000.00"), ("0.000001", "0.01"), ("1.000001", "10000.01"), ("0.29", "2900.00"), ("1.1", "11000.00"),
        ("20", "200000.00"), ("0.2000000", "2000.00"), ("12345678901.345678", "123456789013456.78"), ("０．２", "2000.00"),
        (" 0.2万元 ", "2000.00"),
    ],
)  # fmt: skip
def test_an_amount_of_wan_is_yuan_exactly(wan: str, yuan: str) -> None:
    assert yuan_of(wan) == yuan


@pytest.mark.parametrize(
    "wan",
    [
        "0.0000001",
        "0.1234567",
        "-1",
        "2000元",
        "1,000",
        "2E-1",
        "",
        "..",
        "１２３４５６７８９０１２３",
        "0.2.1",
        "NaN",
        "²",
    ],
)
def test_an_amount_that_is_no_exact_number_of_fen_is_refused(wan: str) -> None:
    with pytest.raises(Malformed):
        yuan_of(wan)


def test_a_zero_fills_a_cell_and_is_an_amount_only_of_what_was_confiscated() -> None:
    assert "confiscated" not in stated(confiscated="0.000000").fact
    assert stated(confiscated="0", kinds="没收违法所得、没收非法财物").fact["confiscated"] == "0.00"
    assert refused(fine="0.000000") == [("罚款金额 CF_NR_FK", "A penalty of this kind has its amount, in 万元")]
    assert [path for path, _ in refused(fine="", confiscated="", kinds="罚款;没收")] == [
        "罚款金额 CF_NR_FK", "没收违法所得、没收非法财物的金额 CF_NR_WFFF",
    ]  # fmt: skip


# Dates


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02", "2020/1/2", "2020年1月2日", "20200102", "2020.01.02", "２０２０－０１－０２", " 2020-1-2 ", "2020年01月02日",
        "2020-01-02 00:00:00", "2020-01-02T10:30:00.123", "2020/1/2 0:00",
    ],
)  # fmt: skip
def test_a_date_is_read_as_files_write_it(text: str) -> None:
    assert day_of(text) == date(2020, 1, 2)


@pytest.mark.parametrize(
    "text", ["43832", "2020", "2020-13-01", "20200230", "2020-1/2", "1/2/2020", "", "昨天", "2020-01-02x", "200102"]
)
def test_a_bare_number_or_another_text_is_no_date(text: str) -> None:
    with pytest.raises(Malformed, match="2020年6月18日"):
        day_of(text)


def test_a_number_of_a_sheet_is_the_day_that_the_sheet_counts() -> None:
    assert day_of(Numeric("43832", date(2020, 1, 2))) == date(2020, 1, 2)
    assert day_of(Numeric("20200102")) == date(2020, 1, 2)
    assert day_of(date(2020, 1, 2)) == date(2020, 1, 2)
    with pytest.raises(Malformed):
        day_of(Numeric("0.5"))


def test_a_licence_without_end_ends_in_2099_and_one_without_beginning_begins_with_its_decision() -> None:
    for text in ("长期", "2099-12-31", "2099/12/31", "长期有效"):
        assert stated(Kind.LICENCE, validTo=text).fact["validTo"] == "2099-12-31"
    assert stated(Kind.LICENCE, validFrom="").fact["validFrom"] == "2019-01-08"
    assert refused(Kind.LICENCE, validTo="")[0][0] == "有效期至 XK_YXQZI"


# Kinds


@pytest.mark.parametrize(("text", "kind"), KINDS.items())
def test_a_kind_is_its_chinese_text(text: str, kind: PenaltyKind) -> None:
    assert stated(kinds=text).fact["kinds"] == [kind.value]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("罚款；警告", "WARNING FINE"), ("警告,罚款", "WARNING FINE"), ("警告 、罚款", "WARNING FINE"), ("警告|罚款", "WARNING FINE"),
        ("没收违法所得、没收非法财物;罚款", "FINE CONFISCATION"), ("没收违法所得、罚款", "FINE CONFISCATION"),
        ("没收违法所得、没收非法财物、罚款", "FINE CONFISCATION"), ("警告并处罚款", "WARNING FINE"),
        ("其他（需注明）", "OTHER"), ("其他-责令改正", "OTHER"), ("警告;警告", "WARNING"),
    ],
)  # fmt: skip
def test_kinds_are_told_apart_and_come_in_one_order(text: str, kinds: str) -> None:
    assert stated(kinds=text).fact["kinds"] == kinds.split()


def test_the_second_column_of_kinds_of_the_older_model_counts_too() -> None:
    assert stated(kinds="警告", moreKinds="罚款").fact["kinds"] == ["WARNING", "FINE"]


@pytest.mark.parametrize("text", ["2", "1;2", "警告;3", "拘禁", "警告、拘禁", "0"])
def test_a_digit_or_a_text_of_nobody_is_no_kind(text: str) -> None:
    for path, why in refused(kinds=text):
        assert path == "处罚类别 CF_CFLB"
        assert "责令停产停业" in why


def test_either_suspension_or_revocation_is_the_one_that_the_content_names() -> None:
    either = "暂扣或者吊销许可证、暂扣或者吊销执照"
    assert stated(kinds=either, content="吊销其许可证").fact["kinds"] == ["LICENCE_REVOKED"]
    assert stated(kinds=either, content="", papers="暂扣许可证B2-1").fact["kinds"] == ["LICENCE_SUSPENDED"]
    for content in ("予以处罚", "暂扣，逾期吊销"):
        assert "which of the two" in refused(kinds=either, content=content)[0][1]


def test_a_penalty_is_because_of_harassing_calls_where_its_type_says_so() -> None:
    assert stated(violationType="拨打骚扰电话").fact["becauseOf"] == "HARASSING_CALLS"
    assert stated(violationType="", violation="多次拨打骚扰电话").fact["becauseOf"] == "HARASSING_CALLS"
    assert stated(violationType="违规用号", violation="未发现骚扰电话").fact["becauseOf"] == "OTHER"


def test_what_a_row_lacks_is_named_by_its_column() -> None:
    assert refused(documentNo="") == [("行政处罚决定书文号 CF_WSH", "This is missing")]
    assert [path for path, _ in refused(basis="", violation="", violationType="")] == [
        "违法行为类型 CF_WFXW",
        "处罚依据 CF_YJ",
    ]
    assert refused(name="") == [("行政相对人名称 CF_XDR_MC", "This is missing")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "长" * 201), ("violation", "长" * 2_001), ("basis", "长" * 2_001), ("documentNo", "长" * 65), ("documentNo", "1\u200b2"),
        ("representative", "长" * 2_001), ("basis", "x\0"), ("decidedOn", "1948-12-31"), ("fine", "1234567890123"),
    ],
)  # fmt: skip
def test_what_the_ledger_does_not_take_is_refused_by_its_column(key: str, value: str) -> None:
    values: dict[str, Any] = {key: value}
    ((path, _),) = refused(**values)
    assert column_of(path.split()[1]) == column_of(path.split()[0])
    assert getattr(column_of(path.split()[0]), "column").key == key  # noqa: B009


def test_a_licence_does_not_end_before_it_begins() -> None:
    assert refused(Kind.LICENCE, validTo="2018-01-01") == [
        ("有效期至 XK_YXQZI", "It ends on 2018-01-01, before it begins on 2019-01-08")
    ]
    assert [path for path, _ in refused(Kind.LICENCE, licenceNo="长" * 65)] == ["许可编号 XK_XKBH"]


# Authorities


@pytest.mark.parametrize(("nn", "name"), PROVINCES.items())
def test_the_bureau_of_each_province_is_known_by_full_and_short_name(nn: str, name: str) -> None:
    full = {"15": "自治区", "45": "壮族自治区", "54": "自治区", "64": "回族自治区", "65": "维吾尔自治区"}
    rank = full.get(nn, "市" if nn in {"11", "12", "31", "50"} else "省")
    for text in (f"{name}{rank}通信管理局", f"{name}通信管理局", f"{name}{rank}通管局", f" {name} 通信管理局"):
        assert authority_named(text) == f"CA-{nn}"


@pytest.mark.parametrize(
    "name", ["工业和信息化部", "中华人民共和国工业和信息化部", "工信部", "国家工业和信息化部", "MIIT", "miit"]
)
def test_the_ministry_is_known_by_its_names(name: str) -> None:
    assert authority_named(name) == "MIIT"


@pytest.mark.parametrize(
    "name", ["重庆市经济和信息化委员会", "市场监督管理局", "通信管理局", "台湾通信管理局", "CA-99", "X工业和信息化部"]
)
def test_another_authority_is_refused_and_the_legal_ones_are_named(name: str) -> None:
    ((path, why),) = refused(authority=name)
    assert path == "处罚机关 CF_CFJG"
    assert "工业和信息化部 (MIIT)" in why
    assert "XX通信管理局" in why


def organ(division: str) -> str:
    """The code of a public body of a division."""
    return code(1, division, "11")


def test_an_authority_agrees_with_its_code_as_far_as_a_code_tells() -> None:
    assert stated(authority="重庆市通信管理局", authorityCode=organ("500000")).authority == "CA-50"
    assert stated(authority="重庆市通信管理局", authorityCode=organ("100000")).authority_code == organ("100000")
    assert stated(authority="", authorityCode="CA-50").authority == "CA-50"
    for name, wrong in (
        ("重庆市通信管理局", organ("110000")),
        ("工信部", organ("500000")),
        ("工信部", "CA-50"),
        ("工信部", A),
    ):
        ((path, why),) = refused(authority=name, authorityCode=wrong)
        assert path == "处罚机关统一社会信用代码 CF_CFJGDM"
        assert "is not one of" in why
    assert "alone does not say" in refused(authority="", authorityCode=organ("500000"))[0][1]
    assert refused(authority="", authorityCode="") == [("处罚机关 CF_CFJG", "This is missing")]
    assert "18 characters" in refused(authorityCode="123")[0][1]


# Enterprises and persons


def test_the_province_of_a_new_enterprise_is_that_of_its_code() -> None:
    assert stated(uscc=code(1, "500118")).enterprise["province"] == "50"
    assert stated(uscc=code(1, "100000"), authority="四川省通信管理局").enterprise["province"] == "51"
    assert stated(uscc=code(1, "100000"), authority="工信部").enterprise["province"] == "11"
    assert "none of the 31" in refused(uscc=code(1, "810000"))[0][1]


def test_a_sole_trader_with_a_code_is_an_enterprise() -> None:
    assert stated(category="个体工商户").uscc == code(0)
    assert stated(category="个人独资企业").uscc == code(0)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"category": "自然人"}, id="category"),
        pytest.param({"category": "自然人", "uscc": ""}, id="category without code"),
        pytest.param({"category": "", "uscc": "", "personNo": CARD}, id="no code but a card"),
        pytest.param({"category": "", "uscc": CARD}, id="a card as code"),
        pytest.param({"category": "法人", "uscc": "110105194912310021"}, id="a wrong card as code"),
        pytest.param({"category": "", "uscc": "110105********002X"}, id="a card with stars"),
        pytest.param({"category": "", "uscc": "110105491231002"}, id="an old card"),
        pytest.param({"category": "个体工商户", "uscc": ""}, id="a sole trader without code"),
        pytest.param({"category": "", "uscc": ""}, id="nothing"),
        pytest.param({"category": "", "uscc": "E12345678"}, id="a passport"),
    ],
)
def test_of_a_row_about_a_person_nothing_is_kept_or_said(values: dict[str, Any]) -> None:
    found = row(name="王小明", **values)
    assert isinstance(found, Refused)
    assert found.private
    said = repr(found.refusals)
    assert "王小明" not in said
    assert not values.get("uscc") or values["uscc"] not in said
    assert CARD not in said


def test_a_slip_in_an_enterprises_code_is_named_and_nothing_else_of_the_row() -> None:
    found = row(uscc="91110000100012345X")
    assert isinstance(found, Refused)
    assert found.private
    assert "check character" in found.refusals[0].text.en
    assert "91110000100012345X" in found.refusals[0].text.en


def test_a_code_that_a_sheet_keeps_as_a_number_is_refused() -> None:
    digits = next(code(n) for n in range(99) if code(n).isdigit())
    ((path, why),) = refused(uscc=Numeric(digits))
    assert path == "统一社会信用代码 CF_XDR_SHXYM"
    assert "keep 15 digits" in why


# Licences


def test_a_licence_covers_its_bureaus_province_or_the_country() -> None:
    assert stated(Kind.LICENCE, authority="重庆市通信管理局").fact["provinces"] == ["50"]
    assert stated(Kind.LICENCE).fact["provinces"] == []


def test_a_licence_by_commitment_says_so() -> None:
    assert stated(Kind.LICENCE, remark="以告知承诺方式办理").fact["route"] == "COMMITMENT"


def test_a_licence_of_another_business_is_refused() -> None:
    ((path, why),) = refused(Kind.LICENCE, content="互联网信息服务业务")
    assert path == "许可内容 XK_NR"
    assert "B24-1" in why
    assert stated(Kind.LICENCE, content="互联网信息服务", certificate="含 b24－1 业务").fact["business"] == "B24-1"


def test_a_licence_without_a_number_of_its_own_has_its_documents() -> None:
    assert stated(Kind.LICENCE, licenceNo="").fact["licenceNo"] == "许可〔2019〕1号"


@pytest.mark.parametrize(
    ("state", "older", "right"), [("1", False, True), ("0", False, False), ("0", True, True), ("1", True, False)]
)
def test_a_state_means_the_opposite_in_the_older_model(state: str, older: bool, right: bool) -> None:
    cells: dict[str, Cell] = {}
    for header, value in licence(1).items():
        named = column_of(header)
        assert named
        cells[named.column.key] = str(value)
    found = read(Kind.LICENCE, cells | {"state": state}, older=older)
    assert isinstance(found, Stated) is right
    if isinstance(found, Refused):
        assert found.refusals[0].path == "当前状态 XK_ZT"


# Columns


def test_every_column_of_both_models_is_known_by_code() -> None:
    older = [
        "CF_CFMC",
        "CF_CFLB1",
        "CF_CFLB2",
        "CF_JG",
        "CF_XZJG",
        "CF_XDR_ZDM",
        "CF_XDR_GSDJ",
        "CF_XDR_SFZ",
        "CF_FR",
        "CF_ZT",
        "DFBM",
        "SJC",
        "GSQX",
        "XK_XMMC",
        "XK_SPLB",
        "XK_XDR",
        "XK_JZQ",
        "XK_XZJG",
    ]
    assert [name for name in (*PENALTY, *LICENCE, *older, "CF_FR_SFZH", "XK_FR_SFZH") if column_of(name) is None] == []


def test_no_name_means_two_columns() -> None:
    names = [name for column in COLUMNS for name in (column.label, *column.codes, *column.others, *column.older)]
    assert sorted(names) == sorted(set(names))


def test_the_pair_of_dates_of_a_licence_is_told_apart() -> None:
    keys = [found.column.key for name in ("XK_YXQZ", "XK_YXQZI") if (found := column_of(name))]
    assert keys == ["validFrom", "validTo"]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("罚款金额（万元）", "fine"), ("罚款金额", "fine"), (" 罚 款 金 额 (万元)*", "fine"), ("cf_nr_fk", "fine"), ("ＣＦ＿ＷＳＨ", "documentNo"),
        ("行政相对人代码_1（统一社会信用代码）", "uscc"), ("行政相对人代码_1(统一社会信用代码)", "uscc"), ("统一社会信用代码", "uscc"),
        ("行政相对人代码_5(居民身份证号)", "personNo"), ("行政相对人代码_5（事业单位证书号）", "otherCode"),
        ("没收违法所得、没收非法财物的金额（万元）", "confiscated"), ("法定代表人证件号码（身份证号）", "representativePaper"),
        ("\ufeff行政相对人名称", "name"), ("有效期至", "validTo"), ("XK_JZQ", "validTo"), ("CF_XZJG", "authority"),
    ],
)  # fmt: skip
def test_a_header_is_known_by_code_or_label_however_it_is_written(header: str, key: str) -> None:
    found = column_of(header)
    assert found
    assert found.column.key == key
    assert not found.in_yuan


def test_an_amount_that_is_headed_in_yuan_is_seen() -> None:
    found = column_of("罚款金额（元）")
    assert found
    assert found.in_yuan


def test_what_is_needed_is_a_column() -> None:
    for kind, groups in NEEDED.items():
        keys = {column.key for column in COLUMNS if column.kind in (kind, None)}
        assert {key for group in groups for key in group} <= keys
