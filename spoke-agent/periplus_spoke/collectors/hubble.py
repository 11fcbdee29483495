"""Who opens connections to whom, and what policies did with them, as Hubble Relay tells it of a whole cluster.

The relay is followed without end. What it says it has lost, the nodes it cannot reach and the times at which it was not
heard are told with the windows they fall into; a minute in which nobody listened is not told at all.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.tables import Kind
from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.deadline import within
from periplus_spoke.conversion.hubble.flows import WINDOW_S, HubbleFlows, Told
from periplus_spoke.conversion.hubble.memory import Places
from periplus_spoke.conversion.hubble.messages import (
    RelayNodes,
    SeenFlow,
    SeenLoss,
    SeenNodes,
    flows_request,
    read_nodes,
    read_response,
)
from periplus_spoke.conversion.protobuf import Malformed
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.grpc.channel import CallFailed
from periplus_spoke.kit.backoff import Backoff
from periplus_spoke.kit.clock import Timer

_GRACE_S: Final = 5
"""The relay sorts what nodes tell, and holds it back for a second or two."""
_CONNECT_S: Final = 15.0
_ANSWER_S: Final = 10.0
_ASK_EVERY_S: Final = 30.0
_STEADY_S: Final = 60
_SINCE_S: Final = 240
_LONGEST_SILENCE_S: Final = 2 * WINDOW_S
"""Within it a relay that is heard is asked several times: where more passed, the agent stood still."""
_OVERLAP_NS: Final = 2_000_000_000
_US: Final = 1_000_000
_NS: Final = 1_000_000_000
_NODE_ERROR: Final = 4
_SHOWN_NODES: Final = 3
_MOST_NODES: Final = 20_000
_HANGING: Final = "Hubble Relay waits for a node that does not answer, and does not say which; its flows are missing"

_log: Final = logging.getLogger(__name__)

CONDITION: Final = "hubble"
NODES_CONDITION: Final = "hubble_nodes"


class Relay(Protocol):
    """A connection to Hubble Relay. Making one and its methods raise OSError or CallFailed; making one also NoRelay."""

    def follow(self, request: bytes) -> AsyncIterator[bytes]:
        """The answers to `GetFlows`, until it ends."""

    async def answers(self) -> None:
        """Return once it says anything, for itself and not for a node."""

    async def nodes(self) -> bytes:
        """The answer to `GetNodes`, which waits for every node."""

    def take_passed_over(self) -> int:
        """How many answers were too large to be read, since it was last asked."""

    async def close(self) -> None:
        """Let go of it; never raises."""


class NoRelay(Exception):
    """There is no relay to follow, as far as is known: no trouble, and looked for again."""


class HubbleSettings(NamedTuple):
    """What may be set."""

    row_budget: int = 10_000
    """Rows of one window, beside those of the tail."""
    counts_connections: Callable[[], bool] = lambda: True
    """Whether connections are counted here, and not by another source of the same cluster; asked for each window."""


class HubbleCollector:
    """One relay. `tell` raises a condition by its name, or clears it with an empty text."""

    name = "hubble"
    kind = Kind.FLOWS

    def __init__(
        self,
        open_relay: Callable[[], Awaitable[Relay]],
        settings: HubbleSettings,
        timer: Timer,
        *,
        rng: random.Random,
        tell: Callable[[str, str], None],
    ) -> None:
        self._open_relay = open_relay
        self._timer = timer
        self._rng = rng
        self._tell = tell
        self._flows = HubbleFlows(settings.row_budget, settings.counts_connections)
        self._heard_from_s: int | None = None
        """Since when the relay is listened to, as far as that is not noted yet; None while it is not."""
        self._since_ns: int | None = None
        self._away = 0
        self._away_now = 0
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        """Follow until cancelled; a relay that cannot be reached is said to be so, and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            await self._tell_windows(sink)

    async def _tell_windows(self, sink: Sink) -> None:
        end_s = self._window_end()
        while True:
            await self._wait_until(end_s + _GRACE_S)
            self._note_heard()
            away, self._away = self._away, self._away_now
            for told in self._flows.close(end_s):
                await sink.emit(await asyncio.to_thread(_sealable, told, away))
            self.settled.set()
            end_s = self._window_end()

    def _window_end(self) -> int:
        """Of the window that is told next: it is over once what is late has come, too."""
        return ((self._now_s() - _GRACE_S) // WINDOW_S + 1) * WINDOW_S

    async def _wait_until(self, then_s: int) -> None:
        """Not much longer than a window, if the clock is set back meanwhile."""
        await self._timer.sleep(min(max(then_s * _US - self._timer.wall_us(), 0) / _US, WINDOW_S + _GRACE_S))

    def _now_s(self) -> int:
        return self._timer.wall_us() // _US

    def _note_heard(self) -> None:
        if self._heard_from_s is not None:
            from_s, self._heard_from_s = self._heard_from_s, self._now_s()
            if self._heard_from_s - from_s > _LONGEST_SILENCE_S:
                for second in (from_s, self._heard_from_s):
                    self._flows.lose(second, flow_words.LOST_UNREAD)
                return
            self._flows.watch(from_s, self._heard_from_s)

    async def _follow(self) -> None:
        backoff = Backoff(self._rng)
        while True:
            began_us = self._timer.monotonic_us()
            try:
                why = await self._connect()
            except NoRelay:
                why = ""
            except TimeoutError:
                why = "it does not answer"
            except OSError as error:
                why = error.strerror or str(error)
            except (CallFailed, Malformed) as error:
                why = str(error)
            except Exception:  # noqa: BLE001 - a fault of ours here must not end the agent
                _log.exception("reading flows from Hubble Relay failed")
                why = "a fault of the agent; its log has it"
            missing = f"Hubble Relay is not heard, so that flows of this time are missing: {why}"
            self._tell(CONDITION, missing if why else "")
            if self._timer.monotonic_us() - began_us > _STEADY_S * _US:
                backoff.reset()
            await self._timer.sleep(backoff.next_s())

    async def _connect(self) -> str:
        relay = await within(self._timer, _CONNECT_S, self._open_relay())
        places = Places(_MOST_NODES)
        try:
            await self._ask(relay, places)
            return await self._listen(relay, places)
        finally:
            await relay.close()

    async def _listen(self, relay: Relay, places: Places) -> str:
        """Until it ends; why it does, or '' where a node has moved.

        Where a stream begins and where it ends something may be missing.
        """
        self._tell(CONDITION, "")
        now_s = self._heard_from_s = self._now_s()
        self._flows.lose(now_s, flow_words.LOST_UNREAD)
        works: tuple[Coroutine[Any, Any, int | None], ...] = (self._read(relay), self._keep_asking(relay, places))
        tasks = [asyncio.create_task(each) for each in works]  # allowed: ended below, and the first that ends ends both
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = [task.result() for task in done]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._note_large(relay)
            self._note_heard()
            self._heard_from_s = None
            self._since_ns = max(self._flows.newest_ns, now_s * _NS)
            self._flows.lose(self._now_s(), flow_words.LOST_UNREAD)
        left_s = [each for each in ended if each is not None]
        if not left_s:
            return "it ended the stream"
        self._since_ns = min(self._since_ns, *(each * _NS for each in left_s))
        return ""

    async def _read(self, relay: Relay) -> None:
        async for message in relay.follow(flows_request(self._since())):
            now_s = self._now_s()
            try:
                said = read_response(memoryview(message))
            except Malformed:
                self._flows.lose(now_s, flow_words.LOST_UNREADABLE)
                continue
            match said:
                case SeenFlow():
                    self._flows.take(said, now_s)
                case SeenLoss():
                    self._flows.lose(now_s, flow_words.LOST_EVENTS, said.events)
                case SeenNodes():
                    if said.state == _NODE_ERROR:
                        self._flows.lose(now_s, flow_words.LOST_UNREAD, len(said.names))

    def _since(self) -> int | None:
        """From where the last stream ended, as far back as rows are still taken; never from what is still to come.

        One node whose clock is ahead would have all others pass unheard until then.
        """
        if self._since_ns is None:
            return None
        now_ns = self._now_s() * _NS
        return max(min(self._since_ns, now_ns) - _OVERLAP_NS, now_ns - _SINCE_S * _NS)

    async def _keep_asking(self, relay: Relay, places: Places) -> int:
        """A stream that says nothing may be quiet or dead: the relay tells which.

        Ends when a node has moved, which the relay does not read any more; since when.
        """
        while True:
            await self._timer.sleep(_ASK_EVERY_S)
            left_s = await self._ask(relay, places)
            if left_s is not None:
                return left_s
            self._note_heard()
            self._note_large(relay)

    async def _ask(self, relay: Relay, places: Places) -> int | None:
        """Since when a node that has moved is not read; None for none. One that hangs does not silence the others."""
        await within(self._timer, _ANSWER_S, relay.answers())
        try:
            nodes = read_nodes(memoryview(await within(self._timer, _ANSWER_S, relay.nodes())))
        except TimeoutError:
            self._note_away(1, _HANGING)
            return None
        self._note_away(len(nodes.away), _of_nodes(nodes))
        return places.left_since_s(nodes.addresses, self._now_s())

    def _note_away(self, count: int, text: str) -> None:
        self._away_now = count
        self._away = max(self._away, count)
        self._tell(NODES_CONDITION, text if count else "")

    def _note_large(self, relay: Relay) -> None:
        if count := relay.take_passed_over():
            self._flows.lose(self._now_s(), flow_words.LOST_UNREADABLE, count)


def _of_nodes(nodes: RelayNodes) -> str:
    shown = ", ".join(sorted(nodes.away)[:_SHOWN_NODES])
    return f"Hubble Relay cannot reach {len(nodes.away)} nodes, whose flows are missing: {shown}"


def _sealable(told: Told, away: int) -> Sealable:
    sections = told.sums.sections(told.start_s, WINDOW_S)
    lost = {**told.lost, flow_words.LOST_NODES: away} if away else told.lost
    mark = FlowsMark(
        observed=told.observed,
        unmeasured=told.observed,
        other_rows=told.sums.other_rows,
        other_hosts=told.sums.other_hosts,
        lost=dict(sorted(lost.items())),
        conditions=(flow_words.NODES_AWAY,) if away else (),
    )
    return Sealable(kind=Kind.FLOWS, window_start_s=told.start_s, window_s=WINDOW_S, sections=sections, flows=mark)
