"""Collecting cosignatures: the newest checkpoint is sent to each configured witness, beside the serving and never in its way.

Of several processes one collects, and the others stand by for its lock. All witnesses of a round are asked for one
checkpoint, so that they meet on it. One that is slow, away or hostile costs the others nothing: each has a time limit, is
logged once, and is asked ever more seldom until it cosigns again.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import httpx
import psycopg
import structlog

from caseledger.alone import Alone, running
from ledger import cosignatures
from ledger.cosignatures import LARGEST_ANSWER, NoCosignature, WitnessAt
from ledger.migrations import Database, Pool
from ledger.submissions import SIZE_MEDIA
from ledger.tree import Signed

ANSWER_SECONDS: Final = 10.0
"""Longest time of a witness's whole answer, to as many requests as its size needs."""
MOST_PAUSE: Final = 64
"""Rounds for which a witness that fails is left alone at most."""
_REQUESTS: Final = 3
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")

log = structlog.get_logger(__name__)


@contextmanager
def collecting(pool: Pool, witnesses: Sequence[WitnessAt], seconds: float) -> Iterator[None]:
    """Collects while the block runs, every so many seconds; nothing where there are no witnesses."""
    with running(Collector(pool, witnesses, seconds)) if witnesses else nullcontext():
        yield


class Collector(Alone):
    """Collects in a thread of its own from `start` to `stop`."""

    name = "cosignatures"

    def __init__(self, pool: Pool, witnesses: Sequence[WitnessAt], seconds: float) -> None:
        super().__init__(pool, seconds)
        self._witnesses = witnesses

    async def work(self, database: Database) -> None:
        rounds = _Rounds(database, self._seconds)
        # Redirects are not followed: what was configured is what is asked.
        async with (
            httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False) as http,
            asyncio.TaskGroup() as group,
        ):
            for at in self._witnesses:
                group.create_task(_Asking(database, http, at).run(rounds))


class _Rounds:
    """The time in rounds, and the checkpoint that each round is about."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._began = monotonic()
        self._of = -1
        self._signed: Signed | None = None

    @property
    def now(self) -> int:
        return int((monotonic() - self._began) / self._seconds)

    def checkpoint(self) -> Signed | None:
        """The one that was the newest when this round was first asked about."""
        if self._of != self.now:
            self._of, self._signed = self.now, cosignatures.newest(self._database)
        return self._signed

    async def pause(self, rounds: int) -> None:
        """Until so many further rounds have begun."""
        begins = self._began + (self.now + rounds) * self._seconds
        while (left := begins - monotonic()) > 0:
            await asyncio.sleep(left)


class _Asking:
    """Asks one witness, round after round."""

    def __init__(self, database: Database, http: httpx.AsyncClient, at: WitnessAt) -> None:
        self._database = database
        self._http = http
        self._at = at
        self._size = cosignatures.cosigned_last(database, at.verifier)
        self._failures = 0

    async def run(self, rounds: _Rounds) -> None:
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._ask(rounds.checkpoint())
            except psycopg.Error:
                raise
            except Exception as error:
                # Whatever a witness makes its answer of, it is that witness's failure and no one else's.
                self._failed(error)
            else:
                self._recovered()
            await rounds.pause(min(1 << self._failures, MOST_PAUSE))

    async def _ask(self, signed: Signed | None) -> None:
        """Gets and keeps the cosignature of a checkpoint, if this witness has not given it. Raises NoCosignature."""
        if signed is None or cosignatures.cosigned_last(self._database, self._at.verifier) >= signed.size:
            return
        for _ in range(_REQUESTS):
            answer = await self._post(cosignatures.submission(self._database, min(self._size, signed.size), signed))
            if answer.status == 200:
                cosignature = cosignatures.cosignature_in(answer.content, signed, self._at.verifier, datetime.now(UTC))
                cosignatures.keep(self._database, signed, self._at.verifier, cosignature)
                self._size = signed.size
                return
            size = answer.latest
            if size is None:
                raise NoCosignature(f"it answers {answer.status}")
            if size == min(self._size, signed.size):
                raise NoCosignature(
                    f"it has seen another root for {size} entries: this ledger is not the one that it knows"
                )
            self._size = size
            if size > signed.size:
                self._check_ahead(size)
                return
        raise NoCosignature("it names another size each time")

    def _check_ahead(self, size: int) -> None:
        """A witness that looks for itself may have seen more than this round's checkpoint has, but not more than there is."""
        newest = cosignatures.newest(self._database)
        if newest is None or size > newest.size:
            raise NoCosignature(f"it says that it has seen {size} entries, more than this ledger has")

    async def _post(self, body: bytes) -> "_Answer":
        content = b""
        url = f"{self._at.url}/add-checkpoint"
        headers = {"content-type": "text/plain", "accept-encoding": "identity"}
        async with self._http.stream("POST", url, content=body, headers=headers) as answer:
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    raise NoCosignature(f"its answer is longer than {LARGEST_ANSWER} bytes")
        return _Answer(answer.status_code, answer.headers.get("content-type", ""), content)

    def _failed(self, error: Exception) -> None:
        if not self._failures:
            why = str(error) if isinstance(error, NoCosignature) else f"it gives no answer ({type(error).__name__})"
            log.warning("a witness does not cosign", witness=self._at.verifier.name, why=why)
        self._failures = min(self._failures + 1, MOST_PAUSE)

    def _recovered(self) -> None:
        if self._failures:
            log.warning("a witness cosigns again", witness=self._at.verifier.name)
        self._failures = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    media: str
    content: bytes

    @property
    def latest(self) -> int | None:
        """The size that a witness names by 409; None for any other answer."""
        found = _SIZE.fullmatch(self.content)
        named = self.status == 409 and self.media.partition(";")[0].strip() == SIZE_MEDIA
        return int(found[1]) if named and found else None
