"""The spoke's collector of Hubble over a relay that is a process of its own: time passes only when a test says so."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Any, Final

from periplus_contract.flow_words import Reporter, Verdict
from periplus_spoke.collectors.hubble import HubbleCollector, HubbleSettings, Relay
from periplus_spoke.collectors.hubble_relay import GrpcRelay
from periplus_spoke.conversion.flow_sums import MEASURES, Flow, Peer, rows_of
from periplus_spoke.conversion.hubble.messages import SeenFlow
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.grpc.address import Address

from tests.support.clock import FakeClock

HOUR_S: Final = 1_767_225_600
BEGUN_S: Final = 10
_WINDOW_S: Final = 60
_GRACE_S: Final = 5
_TURNS_OF_THE_LOOP: Final = 30


class HubbleListener:
    """Follows a relay from ten seconds after the hour on. Seconds are after the hour."""

    def __init__(self, address: Address) -> None:
        self.clock = FakeClock(datetime.fromtimestamp(HOUR_S + BEGUN_S, UTC))
        self.conditions: dict[str, str] = {}
        self.taken = 0
        self.lost: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        """How often the relay was asked for what."""
        self.pending: Counter[str] = Counter()
        self.may_hang: set[str] = set()
        """Calls that time passes over."""
        self.collector = HubbleCollector(
            lambda: self._open(address), HubbleSettings(), self.clock, rng=random.Random(1), tell=self._tell
        )
        self._told: list[Sealable] = []
        self._changed = asyncio.Event()
        self._watch("take", self._took)
        self._watch("lose", self._lost)

    async def emit(self, sealable: Sealable) -> None:
        """The sink of the collector."""
        self._told.append(sealable)

    def told(self) -> list[Sealable]:
        """Windows since it was last asked."""
        told, self._told = self._told, []
        return told

    async def until(self, probe: Callable[[], object]) -> None:
        """Until it is so; no time passes."""
        while not probe():
            self._changed.clear()
            await self._changed.wait()

    async def heard(self, events: int) -> None:
        """Until so many events about packets have come; no time passes."""
        await self.until(lambda: self.taken >= events)

    async def pass_to(self, second: float) -> None:
        """Let time pass; whatever the relay is asked meanwhile, it answers before time goes on."""
        while True:
            await self._calm()
            left = second - (self.clock.wall_us() / 1_000_000 - HOUR_S)
            if left <= 0:
                return
            wake = self.clock.next_wake_s
            self.collector.settled.clear()
            self.clock.advance(left if wake is None else min(wake, left))
            if (self.clock.wall_us() / 1_000_000 - _GRACE_S) % _WINDOW_S == 0:
                await self.collector.settled.wait()

    async def windows(self, until_s: float = 65) -> list[Sealable]:
        """Those that are told until then."""
        await self.pass_to(until_s)
        return self.told()

    async def _calm(self) -> None:
        """Until nothing is asked any more, nor was in the last turns of the loop."""
        asked = -1
        while asked != self.calls.total() or self._is_asking():
            asked = self.calls.total()
            await self.until(lambda: not self._is_asking())
            for _ in range(_TURNS_OF_THE_LOOP):
                await asyncio.sleep(0)

    def _is_asking(self) -> bool:
        return any(self.pending[name] for name in self.pending.keys() - self.may_hang)

    async def _open(self, address: Address) -> Relay:
        with self._calling("open"):
            return _Watched(await GrpcRelay.open(address), self._calling)

    @contextmanager
    def _calling(self, name: str) -> Iterator[None]:
        self.calls[name] += 1
        self.pending[name] += 1
        self._changed.set()
        try:
            yield
        finally:
            self.pending[name] -= 1
            self._changed.set()

    def _tell(self, name: str, text: str) -> None:
        self.conditions[name] = text
        self._changed.set()

    def _watch(self, name: str, noted: Callable[..., None]) -> None:
        flows = self.collector._flows
        done = getattr(flows, name)

        def watched(*arguments: Any) -> None:
            done(*arguments)
            noted(*arguments)
            self._changed.set()

        setattr(flows, name, watched)

    def _took(self, _seen: SeenFlow, _now_s: int) -> None:
        self.taken += 1

    def _lost(self, _now_s: int, reason: str, count: int = 1) -> None:
        self.lost[reason] += count


class _Watched:
    """A relay that says what it is being asked."""

    def __init__(self, relay: GrpcRelay, calling: Callable[[str], Any]) -> None:
        self._relay = relay
        self._calling = calling

    def follow(self, request: bytes) -> AsyncIterator[bytes]:
        return self._relay.follow(request)

    async def answers(self) -> None:
        await self._counted("answers", self._relay.answers())

    async def nodes(self) -> bytes:
        return await self._counted("nodes", self._relay.nodes())

    def take_passed_over(self) -> int:
        return self._relay.take_passed_over()

    async def close(self) -> None:
        await self._counted("close", self._relay.close())

    async def _counted(self, name: str, work: Awaitable[Any]) -> Any:
        with self._calling(name):
            return await work


def lines(told: list[Sealable]) -> list[str]:
    """The rows of windows for people: who reports, ends, port/protocol, verdict, and what is known besides."""
    return sorted(_line(flow, measures) for window in told for flow, measures in rows_of(window.sections))


def losses(told: list[Sealable]) -> dict[str, int]:
    """What was lost in windows, by reason."""
    lost: Counter[str] = Counter()
    for window in told:
        assert window.flows is not None
        lost.update(window.flows.lost)
    return dict(lost)


def _line(flow: Flow, measures: tuple[int | None, ...]) -> str:
    known = dict(zip(MEASURES, measures, strict=True))
    reporter, verdict = Reporter(flow.reporter).name.lower(), Verdict(flow.verdict).name.lower()
    words = [f"{reporter}: {_name(flow.src)} > {_name(flow.dst)}", f"{flow.dst_port}/{flow.protocol}", verdict]
    words += [f"{name} {known[name]}" for name in MEASURES if known[name]]
    words += [f"{name} {getattr(flow, name)}" for name in ("policy", "drop_reason") if getattr(flow, name)]
    return ", ".join(words)


def _name(peer: Peer) -> str:
    if peer.workload:
        return f"{peer.namespace}/{peer.kind}/{peer.workload}"
    address = IPv6Address((peer.high << 64) | peer.low)
    return str(address.ipv4_mapped or address)
