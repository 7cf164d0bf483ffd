"""What can be asked of a gate (rulebook §5), one class a gate; fields as the contract's inputs have them."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

import msgspec

from domain.kinds import AtLeastOne, BelongsTo, Carrier, UsedNumber
from domain.shape import Flaw, parse
from domain.text import Text
from domain.vocabulary import BusinessForm, Directions, Gate, LicenceRoute


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    gate: ClassVar[Gate]
    uscc: BelongsTo


class LicenceRequest(Request, frozen=True, kw_only=True):
    """May this enterprise be granted a licence?"""

    gate = Gate.LICENCE
    form: BusinessForm = BusinessForm.CALL_CENTRE
    route: LicenceRoute
    marketing_outbound: bool
    undertaking_filed: bool


class NumberFilingRequest(Request, frozen=True, kw_only=True):
    """May this number be filed for this enterprise?"""

    gate = Gate.NUMBER_FILING
    number: UsedNumber
    carriers: Annotated[tuple[Carrier, ...], AtLeastOne()]
    directions: Directions
    outbound_undertaking: bool = False


class Checked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the carrier compared with the originals before it asked (Notice, access)."""

    business_licence: bool
    licence: bool
    number_certificate: bool
    number_filing: bool
    business_plan: bool

    def is_complete(self) -> bool:
        return all(getattr(self, field) for field in self.__struct_fields__)


ALL_CHECKED: Final = Checked(
    business_licence=True, licence=True, number_certificate=True, number_filing=True, business_plan=True
)


class AccessRequest(Request, frozen=True, kw_only=True):
    """May this carrier give this enterprise access by this number?"""

    gate = Gate.ACCESS
    carrier: Carrier
    number: UsedNumber
    directions: Directions
    checked: Checked


class CooperationRequest(Request, frozen=True, kw_only=True):
    """May this carrier work with this enterprise?"""

    gate = Gate.COOPERATION
    carrier: Carrier


REQUESTS: Final[dict[str, type[Request]]] = {
    "licence": LicenceRequest,
    "numberFiling": NumberFilingRequest,
    "access": AccessRequest,
    "cooperation": CooperationRequest,
}
"""By the field of the contract's GateRequest."""


def parse_request(sent: object) -> tuple[Request | None, list[Flaw]]:
    """The request that a GateRequest's one field states, or every flaw of it, with paths from that field on."""
    if not isinstance(sent, Mapping) or len(sent) != 1 or next(iter(sent)) not in REQUESTS:
        legal = ", ".join(REQUESTS)
        return None, [Flaw("", Text(f"应恰有以下字段之一：{legal}", f"This has exactly one of the fields {legal}"))]
    ((name, inner),) = sent.items()
    request, flaws = parse(REQUESTS[name], inner)
    return request, [Flaw(f"{name}.{flaw.path}".rstrip("."), flaw.text) for flaw in flaws]


BY_GATE: Final[dict[Gate, type[Request]]] = {cls.gate: cls for cls in REQUESTS.values()}
