"""Identifiers and values of rulebook §2."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc as gb32100

from domain import identifiers
from domain.identifiers import Malformed
from given import A, B, C

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def refused(check: Callable[[object], Any], value: object) -> Malformed:
    with pytest.raises(Malformed) as caught:
        check(value)
    wrong = caught.value
    assert any("\u4e00" <= character <= "\u9fff" for character in wrong.text.zh)
    assert max(len(wrong.text.zh), len(wrong.text.en)) < 500
    assert any("a" <= character <= "z" for character in wrong.text.en)
    return wrong


def check_character(body: str) -> str:
    """GB 32100-2015: weights 3^i mod 31, the check character completes the sum to a multiple of 31."""
    total = sum(ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return ALPHABET[-total % 31]


# ── unified social credit codes ──────────────────────────────────────────────────────────────────────────────────


@given(
    head=st.text(ALPHABET, min_size=2, max_size=2),
    division=st.text("0123456789", min_size=6, max_size=6),
    body=st.text(ALPHABET, min_size=9, max_size=9),
)
def test_exactly_one_check_character_fits(head: str, division: str, body: str) -> None:
    legal = check_character(head + division + body)
    for character in ALPHABET:
        code = head + division + body + character
        if character == legal:
            assert identifiers.uscc(code) == code
        else:
            assert "18" in refused(identifiers.uscc, code).text.en


@pytest.mark.parametrize("code", [A, B, C])
@pytest.mark.parametrize("place", range(18))
def test_no_slip_of_one_character_passes(code: str, place: int) -> None:
    for other in ALPHABET.replace(code[place], ""):
        refused(identifiers.uscc, code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(
    "sent",
    [B.lower(), f"  {B} ", "-".join(B), f"{B[:2]} {B[2:8]} {B[8:17]}-{B[17]}", f"{B[:9]}\u3000{B[9:]}"],
)
def test_a_code_is_upper_cased_and_its_blanks_and_hyphens_are_stripped(sent: str) -> None:
    assert identifiers.uscc(sent) == B


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("", "0"),
        (A[:17], "17"),
        (A + "0", "19"),
        ("9111000010001234OL", "Character 17"),
        ("I" + A[1:], "Character 1 "),
        ("9Z110000100012345L", "Character 2 "),
        ("91S10000100012345L", "Character 3 "),
        (A[:8] + "V" + A[9:], "Character 9 "),
        ("911100A0100012345L", "Characters 3 to 8"),
        (A[:17] + "M", "18th"),
        ("9111000010001234*L", "Character 17"),
        (A[:8] + "\0" + A[9:], "Character 9 "),
        (A[:8] + "\ud800" + A[9:], "Character 9 "),
    ],
)
def test_the_first_wrong_part_of_a_code_is_named(sent: str, named: str) -> None:
    wrong = refused(identifiers.uscc, sent)
    assert named in wrong.text.en
    assert any(character.isdigit() for character in wrong.text.zh)


@pytest.mark.parametrize("value", [None, 911100001000123456, True, ["9"], b"9", 1.5])
def test_a_code_is_text(value: object) -> None:
    refused(identifiers.uscc, value)


@pytest.mark.parametrize("sent", ["９" + A[1:], A[:8] + "１" + A[9:], A[:8] + "𝟏" + A[9:]])
def test_digits_of_other_scripts_are_no_digits_of_a_code(sent: str) -> None:
    refused(identifiers.uscc, sent)


def test_a_ligature_is_not_two_letters_of_a_code() -> None:
    refused(identifiers.uscc, B.replace("FL", "ﬂ"))


# ── numbers, authorities, carriers, provinces ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", ["95012", "96999", "950123", "960000"])
def test_a_service_number_is_95_or_96_and_3_or_4_digits(number: str) -> None:
    assert identifiers.service_number(number) == number


@pytest.mark.parametrize(
    "value",
    ["", "9501", "9501234", "94012", "97012", "9501a", "95 012", "９５012", "95０12", "+95012", "95012\0", "95-012"],
)
def test_other_service_numbers_are_refused(value: str) -> None:
    assert "95" in refused(identifiers.service_number, value).text.zh


@pytest.mark.parametrize("value", [95012, None, True, ["95012"]])
def test_a_service_number_is_text(value: object) -> None:
    refused(identifiers.service_number, value)


def test_there_are_31_provinces_and_each_has_an_authority() -> None:
    spans = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65))
    nn = [str(code) for first, last in spans for code in range(first, last + 1)]
    assert len(nn) == 31
    assert [identifiers.province(code) for code in nn] == nn
    assert [identifiers.authority(f"CA-{code}") for code in nn] == [f"CA-{code}" for code in nn]
    assert identifiers.authority("MIIT") == "MIIT"


@pytest.mark.parametrize(
    "code", ["", "00", "10", "16", "24", "38", "47", "55", "66", "71", "81", "82", "1", "011", "１１"]
)
def test_other_provinces_are_refused(code: str) -> None:
    assert "31" in refused(identifiers.province, code).text.en
    refused(identifiers.authority, f"CA-{code}")


@pytest.mark.parametrize("value", ["", "miit", "CA11", "ca-11", "CA-", "CA--11", "MIIT-11", "CA-11-1", "工信部", "11"])
def test_other_authorities_are_refused(value: str) -> None:
    assert "MIIT" in refused(identifiers.authority, value).text.en


@pytest.mark.parametrize("value", ["CHINA_TELECOM", "AB", "A_", "C1", "A" * 32])
def test_a_carrier_is_2_to_32_capitals_digits_and_underscores(value: str) -> None:
    assert identifiers.carrier(value) == value


@pytest.mark.parametrize(
    "value", ["", "A", "A" * 33, "1A", "_A", "China_Telecom", "CHINA-TELECOM", "CHINA TELECOM", "中国电信", "ÀB", "A１"]
)
def test_other_carriers_are_refused(value: str) -> None:
    assert "CHINA_TELECOM" in refused(identifiers.carrier, value).text.zh


# ── ids and texts ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value", ["1", "京通罚〔2020〕1号", "a b", "𠮷" * 64, "e\u0301", "é", "ﬁ", "Ａ", "id:with:colons"]
)
def test_an_id_has_1_to_64_code_points_and_is_not_normalised(value: str) -> None:
    assert identifiers.identifier(value) == value


@pytest.mark.parametrize("value", ["  L-1 ", "\u3000L-1", "L-1\u00a0"])
def test_outer_blanks_of_an_id_are_trimmed(value: str) -> None:
    assert identifiers.identifier(value) == "L-1"


def test_blanks_do_not_count_among_the_64() -> None:
    assert identifiers.identifier(f" {'x' * 64} ") == "x" * 64


@pytest.mark.parametrize(("value", "got"), [("", "0"), ("   ", "0"), ("𠮷" * 65, "65"), ("x" * 2**20, "1048576")])
def test_an_id_of_another_length_is_refused(value: str, got: str) -> None:
    wrong = refused(identifiers.identifier, value)
    assert got in wrong.text.en
    assert got in wrong.text.zh


@pytest.mark.parametrize(
    "character",
    [
        "\0",
        "\n",
        "\t",
        "\x1b",
        "\x7f",
        "\x85",
        "\u200b",
        "\u200e",
        "\u202e",
        "\ufeff",
        "\u2028",
        "\u2029",
        "\u00ad",
        "\ud800",
        "\udfff",
        "\U000e0001",
    ],
)
def test_ids_have_no_control_format_or_line_separator_characters(character: str) -> None:
    wrong = refused(identifiers.identifier, f"L{character}1")
    assert f"U+{ord(character):04X}" in wrong.text.en
    assert f"U+{ord(character):04X}" in wrong.text.zh
    assert "Character 2" in wrong.text.en


@pytest.mark.parametrize("character", ["\0", "\u200b", "\ufeff", "\ud800"])
def test_what_is_no_blank_is_not_trimmed_off_an_id(character: str) -> None:
    refused(identifiers.identifier, f"L-1{character}")
    refused(identifiers.identifier, f"{character}L-1")


@pytest.mark.parametrize("value", ["", "950", "95012", " 95012", "未知", "+86 95012", "x" * 64, "10086\n", "𠮷" * 64])
def test_a_displayed_number_is_kept_as_it_is(value: str) -> None:
    assert identifiers.displayed_number(value) == value


@pytest.mark.parametrize("value", ["x" * 65, "𠮷" * 65, "9\0", "\ud800", 95012, None])
def test_a_displayed_number_is_storable_text_to_64_characters(value: object) -> None:
    refused(identifiers.displayed_number, value)


@pytest.mark.parametrize(
    ("displayed", "candidates"),
    [
        ("95012", ("95012",)),
        ("950123", ("950123", "95012")),
        ("9501234567", ("950123", "95012")),
        ("95012" + "0" * 15, ("950120", "95012")),
        ("95012" + "0" * 16, ()),
        ("9501", ()),
        ("950", ()),
        ("95", ()),
        ("", ()),
        ("10086", ()),
        ("095012", ()),
        ("+8695012", ()),
        ("95012a", ()),
        (" 95012", ()),
        ("９５012", ()),
        ("95012９", ()),
    ],
)
def test_only_3_to_20_ascii_digits_may_belong_to_a_service_number(displayed: str, candidates: tuple[str, ...]) -> None:
    assert identifiers.prefixes(displayed) == candidates


def test_names_have_1_to_200_and_other_text_1_to_2000_code_points() -> None:
    for check, most in ((identifiers.name, 200), (identifiers.prose, 2_000)):
        assert check("𠮷" * most) == "𠮷" * most
        assert check(f" \n{'x' * most}\u3000") == "x" * most
        assert str(most + 1) in refused(check, "x" * (most + 1)).text.zh
        assert "0" in refused(check, "  \n ").text.en


def test_a_mebibyte_of_text_is_refused_in_few_words() -> None:
    for check in (identifiers.prose, identifiers.name, identifiers.uscc, identifiers.carrier, identifiers.money):
        refused(check, "字" * 2**20)


@pytest.mark.parametrize("value", ["a\0b", "a\ud800", "\udfffa"])
def test_text_that_no_database_holds_is_refused(value: str) -> None:
    assert "U+" in refused(identifiers.prose, value).text.en
    assert "U+" in refused(identifiers.name, value).text.zh


@pytest.mark.parametrize("value", ["line\nline", "emoji 😀", "\u202eabc", "tab\there"])
def test_other_text_is_kept_inside(value: str) -> None:
    assert identifiers.prose(value) == value


@pytest.mark.parametrize("value", [1, True, None, 1.5, ["x"], {"x": 1}, b"x"])
def test_text_is_text(value: object) -> None:
    refused(identifiers.prose, value)
    refused(identifiers.identifier, value)
    refused(identifiers.carrier, value)
    refused(identifiers.authority, value)
    refused(identifiers.province, value)
    refused(identifiers.business, value)


@pytest.mark.parametrize(
    "check",
    [
        identifiers.uscc,
        identifiers.service_number,
        identifiers.authority,
        identifiers.carrier,
        identifiers.province,
        identifiers.business,
        identifiers.money,
        identifiers.legal_date,
        identifiers.instant,
        identifiers.sha256,
        identifiers.position,
        identifiers.flag,
    ],
)
def test_every_message_can_be_written_in_utf_8(check: Callable[[object], Any]) -> None:
    for said in refused(check, "9\ud8005012").text:
        said.encode("utf-8")


# ── money, dates, instants, whole numbers ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("0", "0.00"),
        (0, "0.00"),
        (2000, "2000.00"),
        ("2000", "2000.00"),
        ("2000.5", "2000.50"),
        ("0.05", "0.05"),
        ("00012.10", "12.10"),
        ("999999999999999.99", "999999999999999.99"),
    ],
)
def test_an_amount_is_yuan_with_two_places(value: object, normal: str) -> None:
    assert identifiers.money(value) == normal


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0.005",
        "-1",
        -1,
        "-0.01",
        "+1",
        "1e3",
        "1E3",
        "１２",
        "1,000",
        "1.",
        ".5",
        "NaN",
        "Infinity",
        "¥1",
        "1 0",
        "1.000",
        "٣",
        True,
        False,
        None,
        0.1,
        2000.0,
        [],
        {},
    ],
)
def test_other_amounts_are_refused(value: object) -> None:
    refused(identifiers.money, value)


@pytest.mark.parametrize("value", ["1949-01-01", "2020-02-29", "2000-02-29", "9999-12-31"])
def test_a_date_is_a_calendar_date(value: str) -> None:
    assert identifiers.legal_date(value) == date.fromisoformat(value)
    assert identifiers.legal_date(date.fromisoformat(value)) == date.fromisoformat(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2020-02-30",
        "2019-02-29",
        "1900-02-29",
        "20200618",
        "2020-6-18",
        "2020-06-18T00:00:00Z",
        "2020-W25-4",
        "2020-170",
        "18.06.2020",
        "２０２０-06-18",
        "10000-01-01",
        "2020-06-18 ",
        "0000-01-01",
        "1948-12-31",
        "1948-06-18",
        20200618,
        None,
        True,
        1.5,
        datetime(2020, 6, 18, tzinfo=UTC),
        date(1948, 12, 31),
    ],
)
def test_other_dates_are_refused(value: object) -> None:
    refused(identifiers.legal_date, value)


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("2020-06-18T09:30:00Z", "2020-06-18T09:30:00.000000Z"),
        ("2020-06-18t09:30:00z", "2020-06-18T09:30:00.000000Z"),
        ("2020-06-18T09:30:00.5Z", "2020-06-18T09:30:00.500000Z"),
        ("2020-06-18T09:30:00.123456789Z", "2020-06-18T09:30:00.123456Z"),
        ("2020-06-18T09:30:00+08:00", "2020-06-18T01:30:00.000000Z"),
        ("2020-01-01T00:00:00+08:00", "2019-12-31T16:00:00.000000Z"),
        ("2020-06-18T20:00:00-05:30", "2020-06-19T01:30:00.000000Z"),
    ],
)
def test_an_instant_is_kept_as_utc_with_microseconds(value: str, normal: str) -> None:
    assert identifiers.instant(value) == normal


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2020-06-18",
        "2020-06-18T09:30:00",
        "2020-06-18T09:30Z",
        "2020-06-18 09:30:00Z",
        "2020-06-18T25:00:00Z",
        "2020-02-30T09:30:00Z",
        "2020-06-18T09:60:00Z",
        "2020-06-18T09:30:60Z",
        "2020-06-18T09:30:00+24:00",
        "2020-06-18T09:30:00.Z",
        "20200618T093000Z",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-01:00",
        1592472600,
        None,
        datetime(2020, 6, 18, tzinfo=UTC),
    ],
)
def test_other_instants_are_refused(value: object) -> None:
    refused(identifiers.instant, value)


@pytest.mark.parametrize("value", ["0001-01-02T00:00:00Z", "0999-12-31T00:00:00Z"])
def test_an_instant_of_long_ago_is_refused_or_kept_so_that_it_sorts_and_reads_back(value: str) -> None:
    try:
        kept = identifiers.instant(value)
    except Malformed:
        return
    assert kept < "2020"
    assert datetime.fromisoformat(kept) == datetime.fromisoformat(value)


def test_the_legal_date_is_the_date_in_shanghai() -> None:
    assert identifiers.legal_date_of(datetime(2020, 6, 17, 15, 59, 59, tzinfo=UTC)) == date(2020, 6, 17)
    assert identifiers.legal_date_of(datetime(2020, 6, 17, 16, tzinfo=UTC)) == date(2020, 6, 18)
    assert identifiers.legal_date_of(datetime(2020, 6, 17, 12, tzinfo=timezone(timedelta(hours=-5)))) == date(
        2020, 6, 18
    )


@pytest.mark.parametrize("value", [2**53, -(2**53), 1.0, "1", True, None])
def test_positions_are_whole_numbers(value: object) -> None:
    refused(identifiers.position, value)
    # Whether an event stands there is for the ledger to say, below 1 too.
    assert [identifiers.position(place) for place in (1, 0, -1)] == [1, 0, -1]


@pytest.mark.parametrize("value", [1948, 0, 10_000, "2020", 2020.0, True, None])
def test_years_are_whole_numbers_from_1949(value: object) -> None:
    refused(identifiers.year, value)
    assert identifiers.year(1949) == 1949


@pytest.mark.parametrize("value", [2019, 2021, "2020", True, None])
def test_the_one_campaign_is_2020(value: object) -> None:
    refused(identifiers.campaign, value)
    assert identifiers.campaign(2020) == 2020


@pytest.mark.parametrize("value", ["", "B24-2", "b24-1", "B24", "B24-1-1"])
def test_the_one_business_is_b24_1(value: str) -> None:
    refused(identifiers.business, value)
    assert identifiers.business("B24-1") == "B24-1"


@pytest.mark.parametrize("value", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, 0, None])
def test_a_sha256_is_64_lower_case_hex_digits(value: object) -> None:
    refused(identifiers.sha256, value)
    assert identifiers.sha256("0f" * 32) == "0f" * 32


@pytest.mark.parametrize("value", [0, 1, "true", "", None, []])
def test_a_flag_is_true_or_false(value: object) -> None:
    refused(identifiers.flag, value)
    assert identifiers.flag(False) is False


@pytest.mark.parametrize("check", [identifiers.money, identifiers.position, identifiers.year, identifiers.uscc])
def test_whole_numbers_of_any_size_are_refused_as_malformed(check: Callable[[object], Any]) -> None:
    refused(check, 10**5_000)


@given(st.text(alphabet=identifiers.CODE_CHARACTERS, min_size=17, max_size=17))
def test_the_check_character_is_that_of_another_implementation(first: str) -> None:
    assert identifiers.check_character(first) == gb32100.calc_check_digit(first)
