"""A spoke that tells of flows again and again while what it tells is taken apart, and knows exactly what it told."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx

from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.kit.clock import SystemClock

from tests.support.batches import Spoke
from tests.support.flow_hub import BOTH, CLIENT, Flow, Peer, bytes_of, seal_flows
from tests.support.spokes_door import Member, RefusedByHubError

WEB: Final = Peer(workload="shop/Deployment/web")
API: Final = Peer(workload="shop/Deployment/api")
_HOUR_S: Final = 3_600
_PORTS: Final = 20
_LATER: Final = 500
"""Statuses from here on say that the hub cannot now."""


@dataclass
class Told:
    """A batch. `is_known`: the hub answered that it has it; then no spoke sends it again unless it is asked to."""

    seq: int
    hour: int
    booked: int
    """Rows in the accounting: those of flows, and of who they are about."""
    rows: int
    tx: int
    rx: int
    sealed: bytes
    is_known: bool = False


@dataclass(frozen=True)
class Watermark:
    """What an answer said is settled, and when it was read."""

    through: int
    at: datetime


@dataclass
class Teller:
    """It keeps batches until they are settled, and sends those again of which it heard nothing."""

    member: Member
    rng: random.Random
    told: list[Told] = field(default_factory=list)
    watermarks: list[Watermark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spoke = Spoke(self.member.registration)

    def tell_more(self, *, of_yesterday: bool = False) -> None:
        """A batch of rows that the spoke merged and rows that it did not, of one minute."""
        now = SystemClock().now()
        minute = int(now.timestamp()) // 60 * 60 - 60 * self.rng.randint(1, 5)
        if of_yesterday:
            midnight = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
            minute = midnight - 60 * self.rng.randint(1, 20 * 60)
        rows = [
            Flow(WEB, API, minute, reporter, port=port, measures=bytes_of(self.rng.randint(1, 10**6), port))
            for port in range(1, _PORTS + 1)
            for reporter in (BOTH, CLIENT)
        ]
        self._spoke.at = now
        booked = len(rows) + len({peer for row in rows for peer in (row.src, row.dst)})
        self._spoke.outcomes = (Outcome(hour_start_s=_hour(minute), kind=Kind.FLOWS, collected=booked),)
        self.told.append(
            Told(
                seq=self._spoke.seq + 1,
                hour=_hour(minute),
                booked=booked,
                rows=len(rows),
                tx=sum(row.measures["bytes_tx"] for row in rows),
                rx=sum(row.measures["bytes_rx"] for row in rows),
                sealed=seal_flows(self._spoke, rows),
            )
        )

    async def send(self, url: str) -> bool:
        """What the hub was not heard to have, in order; whether it has all of it now."""
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            self.member.door.http = http
            for batch in self.told:
                if batch.is_known:
                    continue
                try:
                    answer = await self.member.send(batch.sealed)
                except httpx.TransportError:
                    return False
                except RefusedByHubError as refused:
                    if refused.problem.status < _LATER:
                        raise
                    return False
                batch.is_known = True
                self._settle(answer.settled_through)
        return True

    @property
    def settled_through(self) -> int:
        """Up to there nothing can be sent again: its bytes are deleted."""
        return max((each.through for each in self.watermarks), default=0)

    def _settle(self, through: int) -> None:
        assert all(batch.is_known for batch in self.told[:through]), "a batch is settled that was never accepted"
        self.watermarks.append(Watermark(through, SystemClock().now()))
        for batch in self.told[:through]:
            batch.sealed = b""


def too_early(watermarks: list[Watermark], received: dict[int, datetime], age: timedelta) -> list[str]:
    """Which batches were called settled before they were that old, in words."""
    return [
        f"batch {seq} was called settled {each.at - received[seq]} after it came"
        for each in watermarks
        for seq in range(1, each.through + 1)
        if seq in received and each.at - received[seq] < age
    ]


def _hour(at: int) -> int:
    return at // _HOUR_S * _HOUR_S
