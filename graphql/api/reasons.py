"""Rules that fired and facts that were refused, in the words of the reader's language."""

from collections.abc import Iterable, Sequence

import strawberry

from api.context import Info
from api.scalars import Position
from api.vocabulary import ENUMS
from domain.commands import Refusal
from domain.credit import Reason as CreditReason
from domain.events import FiredRule
from domain.findings import Ground
from domain.rulebook import RULEBOOK
from domain.text import Language
from domain.vocabulary import Outcome

assert ENUMS["Outcome"] is Outcome


@strawberry.type(description="A rule that fired. positions: the events it rests on, ascending.")
class Reason:
    rule: str
    outcome: Outcome | None
    citation: str
    message: str
    positions: list[Position]
    remedy: str | None


@strawberry.type(description="Refused input is data, not a GraphQL error: nothing was appended.")
class RecordError:
    code: str
    message: str
    path: str
    reasons: list[Reason]


Fired = FiredRule | Ground | CreditReason


def reason(fired: Fired, language: Language) -> Reason:
    rule = RULEBOOK.rule(fired.rule)
    outcome = None if isinstance(fired, CreditReason) else fired.outcome
    return Reason(
        rule=fired.rule,
        outcome=outcome,
        citation=rule.citation(language),
        message=rule.message.said_in(language),
        positions=[Position(position) for position in fired.positions],
        remedy=rule.remedy.said_in(language),
    )


def reasons(fired: Iterable[Fired], info: Info) -> list[Reason]:
    return [reason(each, info.context.language) for each in fired]


def record_errors(refusals: Sequence[Refusal], info: Info) -> list[RecordError]:
    info.context.refusals += sorted({each.code.value for each in refusals})
    return [
        RecordError(
            code=each.code.value,
            message=each.text.said_in(info.context.language),
            path=each.path,
            reasons=reasons(each.reasons, info),
        )
        for each in refusals
    ]
