"""The permission matrix as a page: `docs/permissions.md` is `matrix_page()`, word for word (a test compares them).

After a change of the matrix, write the page again:
`python -c "from domain.matrix_doc import matrix_page; print(matrix_page(), end='')" > docs/permissions.md`
"""

from collections.abc import Iterable, Mapping
from typing import Final

from domain.matrix import EVENTS, FIELDS, GATES, PERSONAL, READS_PERSONAL, Reach, Row

ROLES: Final = ("regulator", "auditor", "carrier", "intake", "public")
_SIGNS: Final = {Reach.ALL: "●", Reach.OWN: "◐", Reach.NONE: "–"}

_INTRODUCTION: Final = """# 权限表 Permissions

本页由 `domain/matrix.py` 生成，请勿手工修改。 This page is made from `domain/matrix.py`; do not edit it by hand.

- ● 全部 everything that is there
- ◐ 仅与本方有关或已公开者，其余不列出 one's own and what is public; the rest is left out, and facts of others are refused
- – 拒绝 FORBIDDEN
- 监管密钥如代表某一机构，只能记录以该机构名义的事实；工信部（MIIT）不限。 A regulator's key with an authority records only facts
  that name it; MIIT all.
"""


def matrix_page() -> str:
    """The whole page in Markdown: fields by type, events, gates and personal fields, each by role."""
    events = {
        **{f"{name} 记录 record": row.records for name, row in EVENTS.items()},
        **{f"{name} 查看 see": row.sees for name, row in EVENTS.items()},
    }
    gates = {
        **{f"{gate} 决定 decide": row.decides for gate, row in GATES.items()},
        **{f"{gate} 预询 preview": row.previews for gate, row in GATES.items()},
    }
    personal = "".join(f"- `{name}`\n" for name in sorted(PERSONAL))
    parts = (
        _INTRODUCTION,
        "## 字段 Fields\n\n" + _table(_by_type(FIELDS)),
        "## 事件 Events\n\n" + _table(_merged(events)),
        "## 关口 Gates\n\n" + _table(_merged(gates)),
        f"## 个人信息 Personal fields\n\n仅持有 {READS_PERSONAL} 者可见，否则显示为 ***。 "
        f"Masked for all but who sees the event and holds {READS_PERSONAL}.\n\n{personal}",
    )
    return "\n".join(parts)


def _by_type(fields: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """Fields of one type that have the same row are named together."""
    found: dict[tuple[str, Row], list[str]] = {}
    for named, row in fields.items():
        owner, _, name = named.partition(".")
        found.setdefault((owner, row), []).append(name)
    return [(f"{owner}: {', '.join(names)}", row) for (owner, row), names in found.items()]


def _merged(rows: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """What is done alike to several things is one line."""
    found: dict[tuple[str, Row], list[str]] = {}
    for named, row in rows.items():
        name, _, done = named.partition(" ")
        found.setdefault((done, row), []).append(name)
    return [(f"{done}: {', '.join(names)}", row) for (done, row), names in found.items()]


def _table(rows: Iterable[tuple[str, Row]]) -> str:
    lines = [f"| | {' | '.join(ROLES)} | scope |", "|---" * (len(ROLES) + 2) + "|"]
    for named, row in rows:
        cells = (_SIGNS[getattr(row, role)] for role in ROLES)
        lines.append(f"| {named} | {' | '.join(cells)} | {row.scope or ''} |")
    return "\n".join(lines) + "\n"
