"""Receivers of webhooks on this machine, and a way to deliver to them at the time that a test says.

def test_an_event_is_pushed(pushing: Pushing) -> None:
    with Receiver() as receiver:
        pushing.add(receiver)
        pushing.system.known(renamed())
        pushing.deliver()
        assert receiver.types == ["caseledger.EnterpriseRenamed"]
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from caseledger.delivering import Deliverer, Delivering, Sources
from caseledger.sending import SendLimits
from ledger.addresses import target_of
from ledger.notices import connect
from ledger.webhooks import Delivery, DeliveryFilter, Wanted, Webhook, Webhooks
from projections.sight import Sight
from running import Clock, Server, System

LOG: Final = "caseledger/test"
LIMITS: Final = SendLimits(private=True)
RETRY: Final = timedelta(days=3)


@dataclass(frozen=True)
class Message:
    """One request that a receiver got."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def subject(self) -> str:
        return str(self.event.get("subject", ""))

    @property
    def position(self) -> int:
        return int(self.event["sequence"])


Answers = Callable[[Message], Response | Awaitable[Response]]


@dataclass
class Receiver:
    """Listens on 127.0.0.1 while the block runs; `answers` says what it answers, by default 204."""

    answers: Answers = lambda message: Response(status_code=204)
    got: list[Message] = field(default_factory=list)
    url: str = ""
    certificate: Path | None = None
    """A file of its key and certificate, for https."""
    _server: Server | None = None

    def __enter__(self) -> "Receiver":
        app = Starlette(routes=[Route("/{path:path}", self._take, methods=["POST", "GET"])])
        self._server = Server(app, certificate=self.certificate).__enter__()
        self.url = f"{self._server.url}/hook"
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server
        self._server.__exit__(*error)

    async def _take(self, request: Request) -> Response:
        message = Message(dict(request.headers), await request.body())
        self.got.append(message)
        answer = self.answers(message)
        return answer if isinstance(answer, Response) else await answer

    @property
    def types(self) -> list[str]:
        return [str(message.event["type"]).removeprefix("caseledger.") for message in self.got]

    @property
    def positions(self) -> list[int]:
        return [message.position for message in self.got]

    def of(self, uscc: str) -> list[int]:
        """The positions that it got of an enterprise, in the order in which they came."""
        return [message.position for message in self.got if message.subject == uscc]


class Held:
    """Answers that are held back until they are let go."""

    def __init__(self) -> None:
        self._gone = threading.Event()

    async def answer(self) -> Response:
        while not self._gone.is_set():
            await asyncio.sleep(0.01)
        return Response(status_code=204)

    def let_go(self) -> None:
        self._gone.set()


@dataclass
class Pushing:
    """A system and its webhooks, with a clock for what is sent and tried again."""

    system: System
    clock: Clock = field(default_factory=Clock)
    limits: SendLimits = LIMITS
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock.now = datetime.now(UTC)
        self.webhooks = Webhooks(self.system.pool, self.system.sealer, self.system.keys, self.clock)

    @property
    def sources(self) -> Sources:
        system = self.system
        sight, known = Sight(system.pool), system.runner.position
        # Without chance a pause is as long as it can be.
        return Sources(system.sealer, sight, LOG, known, self.clock, lambda: 1.0)

    @property
    def deliverer(self) -> Deliverer:
        """What delivers in a thread of its own, to be started and stopped."""
        return Deliverer(self.system.pool, self.sources, self.limits, RETRY)

    def add(self, to: Receiver | str, key: str = "miit", **wanted: Any) -> str:
        """The id of a new webhook under the key of a holder."""
        target = target_of(to if isinstance(to, str) else to.url, True)
        made, _ = self.webhooks.add(target, self.system.callers[key].holder, Wanted(**wanted))
        self.secrets[made.webhook.id] = made.secret
        return made.webhook.id

    def deliver(self, **limits: Any) -> None:
        """Sends what is due by the clock, until nothing is."""
        self.system.settle()
        with closing(connect(self.system.pool)) as database:
            under = replace(self.limits, **limits)
            asyncio.run(Delivering(database, self.sources, under, RETRY).until_idle())

    def after(self, **time: float) -> None:
        """Sends what is due so much later."""
        self.clock.now += timedelta(**time)
        self.deliver()

    def found(self, id_: str) -> Webhook:
        return self.webhooks.named(id_)

    def log(self, webhook: str, **asked: Any) -> list[Delivery]:
        """The deliveries of a webhook, of the oldest event first."""
        return self.webhooks.deliveries(DeliveryFilter(webhook, **asked))[::-1]

    def results(self, webhook: str) -> list[str]:
        """The results of every attempt at what it was told of, in order."""
        return [each.result for one in self.log(webhook) for each in self.webhooks.attempts(one.id)]
