"""The enterprises of the demonstration, which do not exist, and what their stories are told in.

Names and numbers are made up; codes have the right check character.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from stdnum.cn import uscc as gb32100

from domain.callers import Caller, Role

Fact = tuple[str, dict[str, Any]]

MINISTRY: Final = Caller(Role.REGULATOR, "demo", "MIIT")
INTAKE: Final = Caller(Role.INTAKE, "demo")
PHONE: Final = "13800138000"
"""A well-known public number, in place of a person's."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened on a day: facts recorded together, or a gate asked as (kind, request)."""

    on: date
    facts: tuple[Fact, ...] = ()
    asked: tuple[str, dict[str, Any]] | None = None
    by: Caller = MINISTRY


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a step: the positions of its facts, or the id and the outcome of the decision."""

    positions: tuple[int, ...] = ()
    decision: str = ""
    outcome: str = ""


Story = Generator[Step, Told, None]


@dataclass(frozen=True, slots=True)
class Firm:
    """An invented enterprise, its service number and its carriers."""

    order: int
    name: str
    province: str
    short: str
    number: str
    carriers: tuple[str, ...] = ("CHINA_TELECOM",)
    directions: str = "INBOUND"
    code: str = field(init=False)

    def __post_init__(self) -> None:
        first = f"91{self.province}0100MA{self.order:02d}DEMO{self.order % 10}".replace("O", "0")
        object.__setattr__(self, "code", first + gb32100.calc_check_digit(first))

    @property
    def authority(self) -> str:
        return f"CA-{self.province}"

    @property
    def regulator(self) -> Caller:
        return Caller(Role.REGULATOR, "demo", self.authority)

    def licence_no(self, year: int) -> str:
        return f"{self.short}B2-{year}{self.order:04d}"

    def does(self, on: date, *facts: tuple[str, dict[str, Any]]) -> Step:
        """Facts about this enterprise on a day."""
        return Step(on, tuple((name, {"uscc": self.code, **fields}) for name, fields in facts))

    def penalised(self, document_no: str, **fields: Any) -> Fact:
        return "penaltyImposed", {
            "documentNo": document_no,
            "authority": self.authority,
            "basis": "《电信业务经营许可管理办法》第四十六条",
            "becauseOf": "HARASSING_CALLS",
            **fields,
        }

    def penalty(self, event: str, document_no: str, **fields: Any) -> Fact:
        return event, {"documentNo": document_no, "authority": self.authority, **fields}


def _firm(
    order: int, name: str, province: str, short: str, number: str, *carriers: str, outbound: bool = False
) -> Firm:
    directions = "INBOUND_AND_OUTBOUND" if outbound else "INBOUND"
    return Firm(order, name, province, short, number, carriers or ("CHINA_TELECOM",), directions)


T, M, U = "CHINA_TELECOM", "CHINA_MOBILE", "CHINA_UNICOM"
FIRMS: Final = (
    _firm(1, "北京云帆呼叫科技有限公司", "11", "", "95701", T, M, U),
    _firm(2, "上海申铃客户服务有限公司", "31", "沪", "95702", T, M),
    _firm(3, "广州南粤声讯科技有限公司", "44", "粤", "95703", M, outbound=True),
    _firm(4, "成都蜀音信息服务有限公司", "51", "川", "957041", T, outbound=True),
    _firm(5, "杭州钱塘云呼网络科技有限公司", "33", "浙", "95705", U, outbound=True),
    _firm(6, "武汉江城通服科技有限公司", "42", "鄂", "957066", T),
    _firm(7, "济南泉城热线服务有限公司", "37", "鲁", "96707", U),
    _firm(8, "西安长安声通信息技术有限公司", "61", "陕", "957088", T),
    _firm(9, "重庆山城呼叫中心有限公司", "50", "渝", "95709", M, outbound=True),
    _firm(10, "深圳鹏城智呼科技有限公司", "44", "粤", "957100", M, U, outbound=True),
    _firm(11, "南京金陵客服外包有限公司", "32", "苏", "967111", T),
    _firm(12, "天津海河通讯服务有限公司", "12", "津", "95712", U),
    _firm(13, "福州闽江语音科技有限公司", "35", "闽", "957133", M),
    _firm(14, "沈阳盛京外呼服务有限公司", "21", "辽", "95714", U, outbound=True),
    _firm(15, "昆明滇云呼叫科技有限公司", "53", "滇", "957155", T, M),
    _firm(16, "苏州吴门在线客服有限公司", "32", "苏", "957166", T),
)
