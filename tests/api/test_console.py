"""The console without a browser's scripts: who sees which page, what a form changes, and that nothing else does."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest

from browsing import Visitor
from domain.events import RECORDABLE, InspectionDrawn
from domain.identifiers import legal_date_of
from domain.matrix import EVENTS, Reach
from domain.requests import REQUESTS
from given import (
    A,
    B,
    accessed,
    complained,
    filed,
    inspected,
    licensed,
    listed,
    punished,
    registered,
    renamed,
    resolved,
)
from projections.reads import Reads
from running import HOLDERS, System, code, started

HOSTILE: Final = "<script>alert(1)</script>{{ 7 * 7 }}\"' onload='x'"
PAGES: Final[dict[str, set[str | None]]] = {
    "/": {"miit", "beijing", "auditor", "telecom"},
    f"/enterprises/{A}": {"miit", "beijing", "auditor", "telecom"},
    "/events/5": {"miit", "beijing", "auditor"},
    "/ask": {"miit", "beijing", "auditor", "telecom"},
    "/decisions": {"miit", "beijing", "auditor", "telecom"},
    "/record": {"miit", "beijing", "telecom", "intake"},
    "/record/complaintReceived": {"miit", "beijing", "intake"},
    "/record/eventVoided": {"miit", "beijing"},
    "/work": {"miit", "beijing", "auditor"},
    "/lists": {"miit", "beijing", "auditor", "telecom", "intake", None},
    "/draws": {"miit", "beijing", "auditor", "telecom", "intake", None},
    "/ledger": {"miit", "beijing", "auditor", "telecom", "intake", None},
}
"""Who sees each page; who does not is told so, or asked to sign in."""
WHO: Final = ("miit", "beijing", "auditor", "telecom", "intake", None)


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(
            registered(name="甲呼叫中心", legalRepresentative="张三"),
            registered(uscc=B, name=HOSTILE),
            licensed(),
            filed(),
            accessed(),
            complained(complainantPhone="13900001111"),
            resolved(),
            inspected(),
            punished(),
            listed(uscc=B),
        )
        yield system


class Elements(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.begun.append((tag, dict(attrs)))


def decided(visitor: Visitor, uscc: str = A) -> str:
    """The address of a decision that a visitor asked for."""
    form = {"gate": "cooperation", "uscc": uscc, "carrier": "CHINA_TELECOM", "once": "one", "record": "1"}
    answer = visitor.post("/ask", **form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("who", WHO)
def test_a_page_is_shown_to_whom_it_is_for_and_to_no_other(life: System, path: str, who: str | None) -> None:
    for language in ("zh", "en"):
        answer = Visitor(life, who, language).get(path)
        if who in PAGES[path]:
            assert answer.status_code == 200, answer.text[-500:]
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        elif who is None or path == "/":
            assert (answer.status_code, answer.headers["location"]) in ((303, "/sign-in?needed=1"), (303, "/lists"))
        else:
            assert answer.status_code == 403
            assert "甲呼叫中心" not in answer.text


@pytest.mark.parametrize("who", WHO)
def test_the_menu_offers_what_the_visitor_may_and_nothing_else(life: System, who: str | None) -> None:
    menu = re.findall(r'<a href="([^"]+)"', Visitor(life, who).page("/lists").partition("</nav>")[0])
    assert {path for path in menu if path != "/graphql" and path in PAGES} == {
        path
        for path in ("/", "/ask", "/decisions", "/work", "/record", "/draws", "/lists", "/ledger")
        if who in PAGES[path]
    }


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/enterprises/{A}",
        f"/enterprises/{B}",
        "/lists",
        "/ask",
        "/record/penaltyImposed",
        "/work",
        "/ledger",
        "/sign-in",
    ],
)
def test_pages_hold_no_script_and_no_style_and_may_load_none_of_others(life: System, path: str) -> None:
    answer = Visitor(life, "miit").get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = Elements()
    found.feed(answer.text)
    assert found.begun
    for element, attributes in found.begun:
        assert element != "style"
        assert "src" in attributes or element != "script"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            assert not re.match(r"(?:[a-z]+:)?//", attributes.get(name) or "")


def test_text_of_events_is_never_markup(life: System) -> None:
    visitor = Visitor(life, "miit")
    for path in ("/", f"/enterprises/{B}", "/lists"):
        text = visitor.page(path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in text


def test_personal_fields_are_masked_on_pages(life: System) -> None:
    position = next(each.position for each in life.log() if each.type == "EnterpriseRegistered")
    assert "张三" not in Visitor(life, "miit").page(f"/events/{position}")
    assert "张三" in Visitor(life, "officer").page(f"/events/{position}")


def test_a_wrong_key_signs_nobody_in(life: System) -> None:
    visitor = Visitor(life)
    answer = visitor.http.post("/sign-in", data={"key": "clk_abcdefgh_" + "A" * 43})
    assert answer.status_code == 401
    assert "无效" in answer.text
    assert "caseledger_session" not in visitor.http.cookies


def test_the_sessions_cookie_is_out_of_reach(life: System) -> None:
    answer = httpx.post(f"{life.url}/sign-in", data={"key": life.secrets["miit"]})
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert life.secrets["miit"] not in answer.headers["set-cookie"]


def test_signing_out_ends_the_session_itself(life: System) -> None:
    visitor = Visitor(life, "miit")
    token = visitor.http.cookies["caseledger_session"]
    assert visitor.post("/sign-out").headers["location"] == "/sign-in"
    kept = httpx.get(f"{life.url}/", cookies={"caseledger_session": token})
    assert (kept.status_code, kept.headers["location"]) == (303, "/sign-in?over=1")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/ask", {"gate": "cooperation", "uscc": A, "carrier": "CHINA_TELECOM", "record": "1"}),
        ("/record/enterpriseRenamed", {"uscc": A, "name": "伪造"}),
        ("/sign-out", {}),
    ],
)
def test_what_is_not_from_a_page_of_the_session_changes_nothing(life: System, path: str, form: dict[str, str]) -> None:
    visitor, before = Visitor(life, "miit"), life.head
    other = Visitor(life, "miit").csrf
    assert visitor.post(path, csrf="", **form).status_code == 403
    assert visitor.post(path, csrf=other, **form).status_code == 403
    right = {"csrf": visitor.csrf, **form}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}, {"origin": "null"}):
        assert visitor.http.post(path, data=right, headers=headers).status_code == 403
    assert life.head == before
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"key=%ff\xff", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 501, 400),
        ("application/x-www-form-urlencoded", b"key=" + b"x" * 300_000, 413),
    ],
)
def test_what_is_no_form_is_refused(life: System, media: str, body: bytes, status: int) -> None:
    answer = httpx.post(f"{life.url}/sign-in", content=body, headers={"content-type": media})
    assert answer.status_code == status
    assert "无法显示" in answer.text


def test_the_language_is_switched_and_leads_to_no_other_host(life: System) -> None:
    visitor = Visitor(life, "miit")
    assert "查找企业" in visitor.page("/")
    for back, there in (("/work", "/work"), ("//elsewhere.example", "/"), ("/\\elsewhere", "/"), ("https://a.b", "/")):
        answer = visitor.http.get("/language/en", params={"back": back})
        assert answer.headers["location"] == there
    assert "Find an enterprise" in visitor.page("/")


def test_a_search_finds_by_name_code_and_number_and_says_when_there_is_nothing(life: System) -> None:
    visitor = Visitor(life, "miit")
    for wanted in ("甲呼叫", A[:10], "95123" if "95123" in str(life.log()) else "甲"):
        assert f"/enterprises/{A}" in visitor.http.get("/", params={"q": wanted}).text
    assert "没有符合条件的企业" in visitor.http.get("/", params={"q": "没有这样的"}).text
    part = visitor.http.get("/", params={"q": "甲"}, headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert f"/enterprises/{A}" in part


def test_an_empty_ledger_says_how_to_begin(shared: System) -> None:
    assert "caseledger demo" in Visitor(shared, "miit").page("/")


def test_the_page_of_an_enterprise_follows_its_date_and_position(system: System) -> None:
    system.known(registered(name="旧名"))
    then = system.head
    system.known(renamed(name="新名"), punished())
    visitor = Visitor(system, "miit")
    assert "新名" in visitor.page(f"/enterprises/{A}")
    before = visitor.page(f"/enterprises/{A}?knownAt={then}")
    assert "旧名" in before
    assert "行政处罚决定" not in before.partition('id="history-title"')[2].partition("</table>")[0]
    assert visitor.get(f"/enterprises/{A}?asOf=2016-01-01").status_code == 404
    assert visitor.get(f"/enterprises/{A}?knownAt={system.head + 5}").status_code == 409
    assert visitor.get(f"/enterprises/{A}?asOf=yesterday").status_code == 400
    assert visitor.get(f"/enterprises/{code(77)}").status_code == 404


def test_what_was_known_by_a_date_is_what_was_recorded_by_its_end(system: System) -> None:
    # The database says when something is recorded, so here all is recorded today.
    system.known(registered(name="旧名"))
    visitor, recorded = Visitor(system, "miit"), system.log()[-1].recorded_at
    today = legal_date_of(recorded)
    assert "旧名" in visitor.page(f"/enterprises/{A}?knownOn={today}")
    assert visitor.get(f"/enterprises/{A}?knownOn={today - timedelta(days=1)}").status_code == 404
    assert visitor.get(f"/enterprises/{A}?knownOn=soon").status_code == 400
    reads = Reads(system.pool)
    for event in system.log():
        assert reads.last_before(event.recorded_at, system.head) < event.position
        assert reads.last_before(event.recorded_at + timedelta(microseconds=1), system.head) >= event.position
    assert reads.last_before(recorded, 0) == 0


def test_an_enterprise_that_stands_still_is_named_and_hides_no_other(system: System) -> None:
    system.known(registered(name="甲"), registered(uscc=B, name="乙"))
    with system.pool.connection() as database:
        database.execute("INSERT INTO parked VALUES ('register', %s, 7, 'EnterpriseRenamed', 'LookupError')", [A])
    visitor = Visitor(system, "miit")
    answer = visitor.get(f"/enterprises/{A}")
    assert (answer.status_code, "停在较早的位置" in answer.text, "位置 7" in answer.text) == (409, True, True)
    assert "乙" in visitor.page(f"/enterprises/{B}")
    work = visitor.page("/work")
    assert "1 家企业的数据停在较早的位置" in work
    assert f"/enterprises/{A}" in work
    found = visitor.page("/")
    assert "乙" in found
    assert f"/enterprises/{A}" in found


@pytest.mark.parametrize("gate", REQUESTS)
def test_every_gate_has_a_form_that_says_what_is_missing(life: System, gate: str) -> None:
    visitor = Visitor(life, "miit")
    assert "<form" in visitor.page(f"/ask?gate={gate}")
    before = life.head
    for how in ("preview", "record"):
        answer = visitor.post("/ask", gate=gate, once="x", **{how: "1"})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert life.head == before


def test_a_gate_is_asked_and_recorded_once_however_often_it_is_sent(system: System) -> None:
    system.known(registered(), licensed())
    visitor = Visitor(system, "miit")
    answer = visitor.post("/ask", gate="cooperation", uscc=A, carrier="CHINA_TELECOM", preview="1")
    assert answer.status_code == 200
    assert "允许" in answer.text
    before = system.head
    assert decided(visitor) == decided(visitor)
    assert system.head == before + 1


def test_a_decision_shows_what_was_asked_its_replay_and_its_proof(life: System) -> None:
    visitor = Visitor(life, "miit")
    where = decided(visitor)
    text = visitor.page(where)
    assert "与记录一致" in text
    assert "data:image/svg+xml" in text
    assert "在浏览器中核验" in text
    assert "2018.1" in visitor.page(f"{where}?rulebook=2018.1").partition("按规则版本")[2]
    assert where in visitor.page(f"/decisions?uscc={A}")
    assert Visitor(life, "mobile").get(where).status_code == 404


@pytest.mark.parametrize("name", RECORDABLE)
def test_every_event_has_a_form_for_those_who_may_record_it(life: System, name: str) -> None:
    records = EVENTS[RECORDABLE[name].__name__].records
    for key in ("miit", "telecom", "intake"):
        answer = Visitor(life, key).get(f"/record/{name}")
        allowed = records.reach(HOLDERS[key]["role"]) is not Reach.NONE
        assert answer.status_code == (200 if allowed else 403)


def test_a_fact_is_recorded_by_its_form_and_undone_by_a_void(system: System) -> None:
    system.known(registered())
    visitor = Visitor(system, "miit")
    form: dict[str, Any] = {
        "uscc": A, "documentNo": "罚1", "authority": "MIIT", "kinds": ["FINE", "WARNING"], "fine": "2000",
        "violation": "违规外呼", "basis": "条例", "becauseOf": "HARASSING_CALLS", "effectiveOn": "2024-01-02", "once": "f",
    }  # fmt: skip
    answer = visitor.post("/record/penaltyImposed", **form)
    assert answer.headers.get("location") == f"/events/{system.head}", answer.text
    system.settle()
    shown = visitor.page(f"/events/{system.head}")
    assert "2000.00" in shown
    assert "违规外呼" in shown
    void = visitor.page(f"/record/eventVoided?position={system.head}")
    assert f'value="{system.head}"' in void
    made = visitor.post("/record/eventVoided", position=str(system.head), reason="误录", once="v")
    assert made.status_code == 303
    system.settle()
    assert "已被位置" in visitor.page(f"/events/{system.head - 1}")


def test_refusals_stand_at_their_fields_and_nothing_is_recorded(system: System) -> None:
    system.known(registered())
    visitor, before = Visitor(system, "beijing"), system.head
    answer = visitor.post(
        "/record/interviewHeld",
        uscc=A,
        authority="CA-31",
        caseId="C-1",
        topics="整改",
        becauseOf="OTHER",
        effectiveOn="2024-01-02",
    )
    assert answer.status_code == 422
    assert "不能以 CA-31 的名义记录" in answer.text.partition('id="f-authority-wrong"')[2].partition("</p>")[0]
    assert 'value="C-1"' in answer.text
    assert system.head == before


def test_a_draw_is_counted_first_then_made_once_and_seen_by_its_authority(system: System) -> None:
    for number in range(1, 6):
        system.record(registered(uscc=code(number)), licensed(uscc=code(number), licenceNo=f"L-{number}"))
    system.known(registered(uscc=code(9, "310000"), province="31"), licensed(uscc=code(9, "310000"), licenceNo="L-9"))
    visitor, before = Visitor(system, "miit"), system.head
    form = {
        "drawId": "抽-1",
        "authority": "MIIT",
        "count": "2",
        "inspectors": "101 102，103",
        "perInspection": "2",
        "once": "d",
    }
    counted = visitor.post("/draws", pool="1", **form)
    assert "抽取范围共 6 家" in counted.text
    assert "上海" in counted.text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert system.head == before
    made = [visitor.post("/draws", draw="1", **form) for _ in range(2)]
    assert [(each.status_code, each.headers["location"]) for each in made] == [(303, quote("/draws/抽-1"))] * 2
    assert system.head == before + 1
    system.settle()
    event, text = system.log()[-1].event, visitor.page("/draws/抽-1")
    assert isinstance(event, InspectionDrawn)
    assert len(event.drawn) == 2
    assert all(each.uscc in text and "、".join(each.inspectors) in text for each in event.drawn)
    pool = visitor.get("/draws/抽-1/pool").json()
    assert (len(pool["members"]), pool["next"]) == (6, None)
    assert Visitor(system, "telecom").get("/draws/抽-1").status_code == 404
    assert Visitor(system).get("/draws/抽-1/pool").status_code == 404


def test_a_draw_that_may_not_be_says_why_at_its_fields(system: System) -> None:
    system.known(registered(), licensed())
    visitor, before = Visitor(system, "beijing"), system.head
    answer = visitor.post(
        "/draws", draw="1", drawId="D", authority="CA-11", count="1", provinces=["31"], inspectors="1 2"
    )
    assert answer.status_code == 422
    assert "只能在本省抽取" in answer.text
    assert visitor.post("/draws", draw="1").status_code == 422
    assert Visitor(system, "auditor").post("/draws", draw="1", drawId="D").status_code == 403
    assert system.head == before


def test_the_history_is_filtered_and_taken_away_as_a_table(life: System) -> None:
    visitor = Visitor(life, "miit")
    part = visitor.http.get(
        f"/enterprises/{A}/history", params={"area": "PENALTY"}, headers={"hx-request": "true"}
    ).text
    assert "行政处罚决定" in part
    assert "企业登记" not in part.partition("<table")[2]
    answer = visitor.http.get(f"/enterprises/{A}/history.csv", params={"area": "PENALTY"})
    assert answer.headers["content-disposition"] == f'attachment; filename="{A}.csv"'
    heading, *rows = answer.text.removeprefix("\ufeff").splitlines()
    assert heading.startswith("位置,生效日期,事件")
    assert len(rows) == 1
    assert "行政处罚决定" in rows[0]


def test_a_table_that_is_taken_away_runs_nothing_in_a_spreadsheet(system: System) -> None:
    system.known(registered(name='=HYPERLINK("x")'), punished(), listed())
    text = Visitor(system).page("/lists.csv")
    assert '"\'=HYPERLINK(""x"")"' in text


def test_the_ledgers_page_names_keys_to_regulators_alone(life: System) -> None:
    assert life.callers["intake"].holder in Visitor(life, "miit").page("/ledger")
    for who in ("auditor", "telecom", None):
        text = Visitor(life, who).page("/ledger")
        assert life.callers["intake"].holder not in text


def test_a_page_that_is_not_there_and_one_that_cannot_be_answered_say_so(life: System) -> None:
    visitor = Visitor(life, "miit")
    for path, status in ((f"/events/{life.head + 100}", 404), ("/decisions/none", 404), ("/record/nothing", 404)):
        answer = visitor.get(path)
        assert (answer.status_code, "无法显示" in answer.text) == (status, True)
