"""Drawn GraphQL: documents that schemathesis makes from the schema as the server publishes it, with values that mean something.

Left alone it draws texts that are no id of anything, so nearly all would be refused at the first look. Most of its texts are
replaced here by ids, codes and cursors of the ledger, and of the facts of an input, which are one of many, one is left.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx
import schemathesis
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLObjectType,
    IntValueNode,
    ListValueNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import nodes
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.graphql.schemas import GraphQLSchema

from api.connections import encode_cursor
from domain.events import EVENTS, GateDecided
from domain.recorded import Recorded
from fuzzing import Answer, Ground, check_answer, check_body, codes_of
from given import A, B
from running import code

UNKNOWN: Final = code(77)
"""A code that nobody is registered under."""
DATES: Final = ("2018-01-01", "2020-06-18", "2024-02-29", "2026-04-01", "2026-10-01", "2027-01-15")
BAD_DATES: Final = ("2024-02-30", "0001-01-01", "9999-12-31", "20200618", "2020-6-1", "", "２０２０-01-01")
INSTANTS: Final = ("2026-10-01T01:00:00Z", "2020-06-18T09:30:00.123456789+08:00") * 4 + (
    "2026-02-30T00:00:00Z",
    "2020-06-18",
)
AMOUNTS: Final = ("2000", "0.01", "999999999999999.99") * 4 + ("-1", "1e5", "０", "")
NUMBERS: Final = ("95012", "95987", "960001") * 6 + ("12345", "9501２")
NASTY: Final = ("", " ", "\0", "a\0b", "\u202e", "\u2028", "\x7f", "'; --", "%s %(x)s {}", "\U0010ffff", "x" * 2_001, "\ufeff",
         "CA-99", "miit", "B25", "99", "1.0")  # fmt: skip
SENTINEL: Final = "fuzz"
"""How the fields begin that are asked for besides, to see what a mutation did."""
WATCHED: Final = f"{{ {SENTINEL}Errors: errors {{ code }} {SENTINEL}Replayed: replayed }}"
APPENDING: Final = ("record", "decideGate", "drawInspection", "eraseSubject")
WEIGHTS: Final = {"record": 7, "enterprise": 3, "decideGate": 3, "node": 2, "ledger": 2, "decisions": 2}
"""How much more often than the others some fields are asked."""
MEDIA: Final = (
    "application/json",
    "application/json",
    "application/graphql-response+json",
    "text/event-stream",
)


LONGEST_ADDRESS: Final = 50_000
"""Bytes beyond which a request comes by POST: the server takes longer heads for an attack."""

Arguments = dict[str, dict[str, GraphQLArgument]]
"""The arguments of each root field."""


class Case(NamedTuple):
    """A GraphQL request, and the way it is sent."""

    query: str
    variables: dict[str, Any] | None
    method: str
    accept: str
    language: str

    @property
    def shown(self) -> str:
        return f"{self.method} {self.accept} {self.query[:3_000]} {json.dumps(self.variables)[:1_500]}"


class Values:
    """What texts are replaced by: ids and cursors that the ledger holds, and others that it could hold."""

    def __init__(self, log: Sequence[Recorded]) -> None:
        self.head = len(log)
        known = sorted({event.uscc for event in log if event.uscc})[:6]
        self.usccs = [*(A, B, *known) * 3, UNKNOWN, UNKNOWN, A.lower(), A[:-1], "91110000100012345X", ""]
        decisions = [event.event.decision_id for event in log if isinstance(event.event, GateDecided)][:6]
        ids = [f"F-{number}" for number in range(1, 7)]
        node_ids = [
            f"enterprise-{A}",
            f"enterprise-{UNKNOWN}",
            f"draw-{ids[0]}",
            *decisions,
            "decision-x",
            "draw-",
            "x",
        ]
        cursors = [encode_cursor(*parts) for parts in _places()]
        self.texts: dict[str, Sequence[str]] = {
            "authority": ("MIIT", "CA-11", "MIIT", "CA-11", "CA-31"),
            "carrier": ("CHINA_TELECOM", "CHINA_TELECOM", "CHINA_TELECOM", "CHINA_MOBILE"),
            "carriers": ("CHINA_TELECOM", "CHINA_MOBILE", "CHINA_UNICOM"),
            "province": ("11", "31", "44"),
            "provinces": ("11", "31", "44"),
            "business": ("B24-1",),
            "decisionId": [*decisions, "decision-x"],
            "id": node_ids,
            "after": [*cursors, *cursors, "", "=", "AA==", "x" * 500],
            "rulebook": ("2020.1", "2026.1", "2017.1"),
            "version": ("2020.1", "2099.1"),
            "sha256": ("0" * 64,),
            "rule": ("FND-GATE", "FND-OUT", "FND-LIVE", "CST-1"),
            "search": ("呼叫", "95", "9111", "%", "_", "\\"),
            "types": sorted(EVENTS)[::5],
            "inspectors": ("检查员甲", "检查员乙", "检查员丙", "检查员丁"),
            "displayedNumber": ("95012001", "95987", "+86 10 1234", "1" * 64),
            **dict.fromkeys(
                (
                    "licenceNo",
                    "documentNo",
                    "orderId",
                    "caseId",
                    "complaintId",
                    "exposureId",
                    "inspectionId",
                    "entryId",
                ),
                ids,
            ),
            **dict.fromkeys(("accessId", "drawId"), ids),
        }
        self.integers: dict[str, Sequence[int]] = {
            "first": (1, 2, 20, 100, 1_000),
            "year": (2019, 2024, 2025),
            "campaign": (2020,),
            "count": (1, 2, 3, 1_000_000),
            "perInspection": (1, 2),
        }


def _places() -> Iterator[tuple[object, ...]]:
    yield (A,)
    yield (5,)
    yield ("2020-06-18", 7)
    yield ("2020-06-18", A, "OBL-LIST", 7, 0)
    yield (7, "FND-GATE")
    yield ("2026-10-01T01:00:00+00:00", "00000000-0000-4000-8000-000000000000")
    yield (10**17,)
    yield ("2020-06-18", 2**63)


def register_scalars(values: Values) -> None:
    """Tells schemathesis what our own scalars look like, legal ones more often than others."""
    known = st.integers(0, values.head)
    positions = st.one_of(known, known, known, st.sampled_from((-1, 2**31, 2**53, 10**30)))
    texts = {
        "USCC": values.usccs,
        "ServiceNumber": NUMBERS,
        "DateTime": INSTANTS,
        "Date": DATES * 8 + BAD_DATES,
        "Yuan": AMOUNTS,
        "JSON": ("x",),
    }
    for name, some in texts.items():
        schemathesis.graphql.scalar(name, st.sampled_from(tuple(some)).map(nodes.String))
    schemathesis.graphql.scalar("Position", positions.map(nodes.Int))


def load(ground: Ground) -> GraphQLSchema:
    """The schema, as the running server publishes it to the public."""
    return schemathesis.graphql.from_url(f"{ground.url}/graphql", config=SchemathesisConfig())


def documents(schema: GraphQLSchema) -> st.SearchStrategy[str]:
    """Documents of any field of Query and Mutation: legal by the schema, or with one thing in them that is not."""
    asked: list[st.SearchStrategy[str]] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "the schema is the server's own"
        operation = found.ok()
        field = operation.label.partition(".")[2]
        for mode, weight in ((GenerationMode.POSITIVE, 2), (GenerationMode.NEGATIVE, 1)):
            made = operation.as_strategy(generation_mode=mode).map(lambda case: str(case.body))
            asked += [made] * weight * WEIGHTS.get(field, 1)
    return st.sampled_from(asked).flatmap(_same)


def case_of(operation: OperationDefinitionNode, seed: object, values: Values, arguments: Arguments) -> Case:
    """A request that asks a drawn operation with values of its own, always the same one for a seed."""
    chance = random.Random(str(seed))
    asked: OperationDefinitionNode = visit(operation, Sensible(values, chance))
    stated, roots = "", list(asked.selection_set.selections)
    variables: dict[str, Any] | None = None
    if chance.random() < 0.4:
        stated, roots, variables = by_variables(roots, arguments, chance)
    query = f"{asked.operation.value} {stated}{print_ast(SelectionSetNode(selections=tuple(roots)))}"
    method = "GET" if chance.random() < 0.1 else "POST"
    return Case(query, variables, method, chance.choice(MEDIA), chance.choice(("en", "zh")))


def _same(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return strategy


def arguments_of(schema: GraphQLSchema) -> Arguments:
    """The arguments of the root fields."""
    roots = (schema.client_schema.query_type, schema.client_schema.mutation_type)
    return {
        name: field.args for root in roots if isinstance(root, GraphQLObjectType) for name, field in root.fields.items()
    }


class Sensible(Visitor):
    """Puts values of the ledger where texts and numbers were drawn, and leaves one of what is one of many."""

    def __init__(self, values: Values, chance: random.Random) -> None:
        super().__init__()
        self._values = values
        self._chance = chance

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        return ArgumentNode(name=node.name, value=self._value(node.name.value, node.value))

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> Any:
        return ObjectFieldNode(name=node.name, value=self._value(node.name.value, node.value))

    def _value(self, name: str, value: ValueNode) -> ValueNode:
        chance = self._chance
        if name == "idempotencyKey" and chance.random() < 0.9:
            return StringValueNode(value=f"{chance.getrandbits(40):x}")
        if isinstance(value, StringValueNode) and chance.random() < 0.03:
            return StringValueNode(value=chance.choice(NASTY))
        if isinstance(value, StringValueNode) and name in self._values.texts and chance.random() < 0.95:
            return StringValueNode(value=chance.choice(self._values.texts[name]))
        if isinstance(value, StringValueNode) and chance.random() < 0.9:
            # Its least form is empty, which is no text.
            return StringValueNode(value=value.value.strip().replace("\0", "") or "文本")
        if isinstance(value, IntValueNode) and name in self._values.integers and chance.random() < 0.9:
            return IntValueNode(value=str(chance.choice(self._values.integers[name])))
        if isinstance(value, ListValueNode):
            return self._list(name, value)
        if isinstance(value, ObjectValueNode) and name in ("request", "subject"):
            return self._one(value)
        return value

    def _list(self, name: str, value: ListValueNode) -> ListValueNode:
        some = [
            self._one(each) if isinstance(each, ObjectValueNode) else self._value(name, each) for each in value.values
        ]
        if name == "inspectors":
            some = [StringValueNode(value=each) for each in self._values.texts[name]]
        return ListValueNode(values=tuple(some[:1] if name == "facts" and self._chance.random() < 0.8 else some))

    def _one(self, value: ObjectValueNode) -> ObjectValueNode:
        given = [each for each in value.fields if not isinstance(each.value, NullValueNode)]
        if len(given) < 1 or self._chance.random() < 0.05:
            return value
        return ObjectValueNode(fields=(self._chance.choice(given),))


def watched(document: str) -> OperationDefinitionNode:
    """The operation of a drawn document, which also asks what its mutations did."""
    operation, also = (parse(text).definitions[0] for text in (document, WATCHED))
    assert isinstance(operation, OperationDefinitionNode)
    assert isinstance(also, OperationDefinitionNode)
    roots = [_watched(root, also.selection_set.selections) for root in operation.selection_set.selections]
    return OperationDefinitionNode(
        operation=operation.operation, selection_set=SelectionSetNode(selections=tuple(roots))
    )


def _watched(root: SelectionNode, also: Sequence[SelectionNode]) -> SelectionNode:
    if not (isinstance(root, FieldNode) and root.name.value in APPENDING and root.selection_set):
        return root
    inner = SelectionSetNode(selections=(*root.selection_set.selections, *also))
    return FieldNode(alias=root.alias, name=root.name, arguments=root.arguments, selection_set=inner)


def by_variables(
    roots: Sequence[SelectionNode], arguments: Arguments, chance: random.Random
) -> tuple[str, list[SelectionNode], dict[str, Any]]:
    """What the variables are stated as, the fields with their arguments in variables, and these, some of them spoiled."""
    variables: dict[str, Any] = {}
    types: dict[str, str] = {}
    asked: list[SelectionNode] = []
    for place, root in enumerate(roots):
        if not isinstance(root, FieldNode) or root.name.value not in arguments:
            asked.append(root)
            continue
        given = []
        for argument in root.arguments or ():
            known = arguments[root.name.value].get(argument.name.value)
            name = f"v{place}{argument.name.value}"
            if known is None or name in variables:
                given.append(argument)
                continue
            types[name] = str(known.type)
            variables[name] = value_from_ast_untyped(argument.value)
            given.append(ArgumentNode(name=argument.name, value=VariableNode(name=NameNode(value=name))))
        asked.append(
            FieldNode(alias=root.alias, name=root.name, arguments=tuple(given), selection_set=root.selection_set)
        )
    stated = ", ".join(f"${name}: {type_}" for name, type_ in types.items())
    if chance.random() < 0.3:
        variables = spoiled(variables, chance)
    return f"({stated}) " if stated else "", asked, variables


SPOILS: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, 0.5, 1e308, "", "\0", "x" * 70_000, [], {}, [[[[]]]],
    {"a": {"b": []}}, "\ud800", "a\udfffb", "2020-06-18T00:00:00", "95012", {"__proto__": {}}, -0.0, "𠮷", "e\u0301",
)  # fmt: skip
"""What stands in for a part of the variables."""


def spoiled(value: Any, chance: random.Random) -> Any:
    """The value with one part of it replaced, left out or repeated."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {each: inner for each, inner in value.items() if each != name}
        return {**value, name: spoiled(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoiled(value[place], chance), *value[place:][: chance.randrange(3)]]
    return chance.choice(SPOILS)


# Sending


class Sender:
    """Sends drawn requests as one holder, and looks at each answer."""

    def __init__(self, ground: Ground, holder: str, http: httpx.Client) -> None:
        self._ground = ground
        self._holder = holder
        self._http = http

    def send(self, case: Case) -> None:
        ground, before = self._ground, self._ground.head()
        answer = self._answer(case)
        grown = ground.head() - before
        ground.tally.note(self._holder, "GraphQL", codes_of(answer))
        ground.tally.recorded[self._holder] += grown
        for code_ in _refusals(answer):
            ground.tally.answers[self._holder, f"  refused as data: {code_}"] += 1
        for what in (*self._wrong(case, answer), *wrongly_recorded(answer, grown)):
            ground.tally.find(what, f"{self._holder}: {case.shown}\n  {answer.status} {answer.content[:1_500]!r}")

    def _answer(self, case: Case) -> Answer:
        headers = {"accept": case.accept, "accept-language": case.language, **self._ground.bearer(self._holder)}
        variables = {} if case.variables is None else {"variables": json.dumps(case.variables)}
        address = urlencode({"query": case.query, **variables}, errors="replace")
        try:
            if case.method == "GET" and len(address) <= LONGEST_ADDRESS:
                got = self._http.get(f"/graphql?{address}", headers=headers)
            else:
                headers["content-type"] = "application/json"
                stated = json.dumps({"query": case.query, "variables": case.variables})
                got = self._http.post("/graphql", content=stated.encode(), headers=headers)
        except httpx.TransportError:
            return Answer(0, {}, b"")
        return Answer(got.status_code, dict(got.headers), got.content)

    def _wrong(self, case: Case, answer: Answer) -> Iterator[str]:
        if not answer.status:
            yield "there is no answer"
            return
        streamed = answer.media == "text/event-stream"
        yield from check_answer(self._ground, self._holder, answer, graphql=not streamed)
        if streamed and case.accept != answer.media:
            yield "a stream that nobody asked for"
        if streamed:
            yield from _check_stream(answer.content.decode())


def _check_stream(text: str) -> Iterator[str]:
    """What is wrong with the one result of an operation that is no subscription, as server-sent events."""
    found = [dict(line.partition(": ")[::2] for line in event.split("\n")) for event in text.split("\n\n") if event]
    if [event.get("event") for event in found] != ["next", "complete"]:
        yield f"the stream has the events {[event.get('event') for event in found]}"
        return
    yield from check_body(json.loads(found[0]["data"]))


def wrongly_recorded(answer: Answer, grown: int) -> Iterator[str]:
    """Whether something was recorded that the answer does not say."""
    if not grown:
        return
    if answer.status != 200:
        yield f"{answer.status}, and {grown} were recorded"
        return
    said = answer.content.decode()
    if answer.media == "text/event-stream":
        said = next((line[6:] for line in said.split("\n") if line.startswith("data: ")), "{}")
    body = json.loads(said)
    data = body.get("data")
    deep = any(len(error.get("path") or []) > 1 for error in body.get("errors", []))
    made = [one for one in (data or {}).values() if isinstance(one, dict) and _says_recorded(one)]
    if not made and not deep:
        yield f"nothing is said to be recorded, and {grown} were"


def _refusals(answer: Answer) -> set[str]:
    """The codes by which a mutation says that it is refused."""
    found = re.findall(rb'"fuzzErrors":\[(.*?)\]', answer.content)
    return {code_.decode() for each in found for code_ in re.findall(rb'"code":"([A-Z_]+)"', each)}


def _says_recorded(payload: dict[str, Any]) -> bool:
    return payload.get(f"{SENTINEL}Errors") == [] and payload.get(f"{SENTINEL}Replayed") is False
