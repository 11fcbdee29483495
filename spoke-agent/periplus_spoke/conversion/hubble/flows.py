"""Rows of the contract out of what Hubble Relay tells: who opened connections to whom, and what was refused or dropped.

An event is about a packet, and one packet makes several: where policy decided, where it left, where it arrived. A
connection counts once for each side that saw it. Bytes are never known.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from periplus_contract import flow_words
from periplus_contract.flow_words import FlowCollector, Reporter, Verdict
from periplus_spoke.conversion.flow_sums import MEASURES, Flow, Peer, WindowSums
from periplus_spoke.conversion.hubble.drop_reasons import drop_reason
from periplus_spoke.conversion.hubble.memory import Attempts, Watermarks
from periplus_spoke.conversion.hubble.messages import (
    ACK,
    EGRESS,
    INGRESS,
    POLICY_VERDICT,
    RST,
    SYN,
    TRACE,
    End,
    SeenFlow,
)

WINDOW_S: Final = 60
_NS: Final = 1_000_000_000
_LATEST_S: Final = 5 * WINDOW_S
"""What a relay tells later than that is lost."""
_AHEAD_S: Final = 2 * WINDOW_S
_MOST_WINDOWS: Final = (_LATEST_S + _AHEAD_S) // WINDOW_S + 1
"""So many are open at most. An event that is taken is never of one that is older than all of them."""
_MOST_ATTEMPTS: Final = 65_536
_SAME_S: Final = 10
_MOST_NODES: Final = 20_000
_TCP: Final = 6
_TO_PROXY: Final = 1
_NEW: Final = frozenset((0, 1, 5))
"""Reasons of a trace: not said, a new connection, one that is opened again."""
_VERDICTS: Final = {
    1: Verdict.FORWARDED,
    2: Verdict.DROPPED,
    3: Verdict.ERROR,
    4: Verdict.AUDITED,
    5: Verdict.FORWARDED,
}
"""Cilium's: forwarded, dropped, error, audit, redirected to a proxy. Traced and translated ones are no packets."""
_REDIRECTED: Final = 5
_FAILED: Final = frozenset((Verdict.DROPPED, Verdict.ERROR))
_WORKLOADS: Final = frozenset(
    ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
)
"""Kinds that the inventory has by the same names. Of any other end its address tells more."""
_OPENED: Final = MEASURES.index("connections_opened")
_REFUSED: Final = MEASURES.index("failures_refused")
_OTHER: Final = MEASURES.index("failures_other")
_MOST_POLICY: Final = 1_000
_V4: Final = 4
_MAPPED: Final = 0xFFFF << 32
_HALF: Final = 64
_NO_ADDRESS: Final = Peer(0, 0)
_NAMING: Final = "cilium"
"""Whose names of clusters they are, as in `aliases` of a cluster."""


class Told(NamedTuple):
    """One window that is over."""

    start_s: int
    sums: WindowSums
    observed: int
    lost: Counter[str]


class _Window:
    def __init__(self, budget: int, *, counts_connections: bool) -> None:
        self.sums = WindowSums(budget)
        self.counts_connections = counts_connections
        self.observed = 0
        self.lost: Counter[str] = Counter()
        self.proxied: dict[tuple[object, ...], int] = {}


class HubbleFlows:
    """Takes what the relay tells, event by event, and gives windows that are over."""

    def __init__(self, row_budget: int, counts_connections: Callable[[], bool]) -> None:
        """A window that begins while another source counts connections says only that there were some."""
        self._budget = row_budget
        self._counts_connections = counts_connections
        self._windows: dict[int, _Window] = {}
        self._attempts = Attempts(_MOST_ATTEMPTS, _SAME_S)
        self._marks = Watermarks(_MOST_NODES)
        self.newest_ns = 0
        """The time of the newest event."""

    def watch(self, from_s: int, until_s: int) -> None:
        """Somebody listened in this time: its windows are told, also where nothing passed."""
        for start_s in range(from_s // WINDOW_S * WINDOW_S, until_s, WINDOW_S):
            self._window(start_s)

    def lose(self, now_s: int, reason: str, count: int = 1) -> None:
        """Something of this time was not seen."""
        self._window(now_s // WINDOW_S * WINDOW_S).lost[reason] += count

    def take(self, seen: SeenFlow, now_s: int) -> None:
        """An event."""
        second = seen.time_ns // _NS
        if second > now_s + _AHEAD_S:
            self.lose(now_s, flow_words.LOST_UNREADABLE)
            return
        if self._marks.is_told(seen.node, seen.time_ns):
            return
        if second <= now_s - _LATEST_S:
            self.lose(now_s, flow_words.LOST_UNREAD)
            return
        self.newest_ns = max(self.newest_ns, seen.time_ns)
        window = self._window(second // WINDOW_S * WINDOW_S)
        window.observed += 1
        verdict = _VERDICTS.get(seen.verdict)
        if verdict is None:
            return
        is_reply = _is_reply(seen, verdict)
        if is_reply is None:
            window.lost[flow_words.LOST_UNREADABLE] += 1
            return
        packet = _Packet.of(seen, verdict, is_reply=is_reply)
        if packet.reporter is None or not packet.has_addresses:
            # Seen where it passes, by a node that has neither end: others tell of it, unless it was dropped there.
            is_lost = verdict in _FAILED or not packet.has_addresses
            window.lost[flow_words.LOST_UNREADABLE] += is_lost
        elif is_reply:
            self._reply(window, seen, packet)
        elif verdict in _FAILED:
            self._failed(window, seen, packet)
        else:
            self._opened(window, seen, packet)

    def close(self, before_s: int) -> Iterator[Told]:
        """Windows that ended by then, the oldest first."""
        for start_s in sorted(start for start in self._windows if start + WINDOW_S <= before_s):
            window = self._windows.pop(start_s)
            lost = Counter({reason: count for reason, count in window.lost.items() if count})
            yield Told(start_s, window.sums, window.observed, lost)

    def _window(self, start_s: int) -> _Window:
        window = self._windows.get(start_s)
        if window is None:
            window = self._windows[start_s] = _Window(self._budget, counts_connections=self._counts_connections())
            if len(self._windows) > _MOST_WINDOWS:  # nobody takes them
                oldest = self._windows.pop(min(self._windows))
                lost = self._windows[min(self._windows)].lost
                lost.update(oldest.lost)
                lost[flow_words.LOST_UNREAD] += oldest.observed
        return window

    def _reply(self, window: _Window, seen: SeenFlow, packet: "_Packet") -> None:
        """Replies are no edges: they tell what became of a connection."""
        if seen.flags & SYN:
            self._attempts.answered(packet.connection)
        elif seen.flags & RST and self._attempts.is_refused(packet.connection, seen.time_ns):
            self._add(window, packet.flow("", ""), _REFUSED)

    def _failed(self, window: _Window, seen: SeenFlow, packet: "_Packet") -> None:
        minute = seen.time_ns // _NS // WINDOW_S
        if self._attempts.is_first((*packet.connection, packet.verdict, minute), minute * WINDOW_S * _NS):
            self._add(window, packet.flow(_policy(seen), drop_reason(seen.drop_reason)), _OTHER)

    def _opened(self, window: _Window, seen: SeenFlow, packet: "_Packet") -> None:
        if seen.protocol == _TCP and not seen.flags & SYN:
            return
        if seen.event_type == TRACE and seen.trace_reason not in _NEW:
            return
        if not self._attempts.is_first(packet.connection, seen.time_ns):
            return
        # A proxy takes the connection and opens another to the same end, which must not count again.
        proxied = window.proxied
        if seen.verdict == _REDIRECTED or seen.observation_point == _TO_PROXY:
            if packet.edge in proxied or len(proxied) < _MOST_ATTEMPTS:
                proxied[packet.edge] = proxied.get(packet.edge, 0) + 1
        elif proxied.get(packet.edge):
            proxied[packet.edge] -= 1
            return
        self._add(window, packet.flow(_policy(seen), ""), _OPENED)

    def _add(self, window: _Window, flow: Flow, measure: int) -> None:
        measures: list[int | None] = [None] * len(MEASURES)
        failed = flow.verdict in _FAILED
        if window.counts_connections or failed:
            measures[_OPENED] = 0
            if flow.protocol == _TCP:
                measures[_REFUSED] = 0
            if failed:
                measures[_OTHER] = 0
            measures[measure] = 1
        window.sums.add(flow, measures)


class _Packet(NamedTuple):
    """An event with its ends in the direction of the connection."""

    client: End
    server: End
    protocol: int
    verdict: Verdict
    reporter: Reporter | None

    @classmethod
    def of(cls, seen: SeenFlow, verdict: Verdict, *, is_reply: bool) -> "_Packet":
        client, server = (seen.destination, seen.source) if is_reply else (seen.source, seen.destination)
        reporter = _reporter(seen.direction, client, server, failed=verdict in _FAILED)
        return cls(client, server, seen.protocol, verdict, reporter)

    @property
    def connection(self) -> tuple[object, ...]:
        """What is the same in all events about it on one side."""
        client, server = self.client, self.server
        return client.address, client.port, server.address, server.port, self.protocol, self.reporter

    @property
    def has_addresses(self) -> bool:
        """Whether it says where it comes from and where it goes."""
        return _addressed(self.client.address) != _NO_ADDRESS != _addressed(self.server.address)

    @property
    def edge(self) -> tuple[object, ...]:
        """The same of all connections between two ends."""
        return self.client.address, self.server.address, self.server.port, self.protocol, self.reporter

    def flow(self, policy: str, reason: str) -> Flow:
        """The row it belongs to."""
        is_client = self.reporter == Reporter.CLIENT
        here = (self.client if is_client else self.server).cluster
        return Flow(
            src=_peer(self.client, here),
            dst=_peer(self.server, here)._replace(host=self.server.host if is_client else ""),
            dst_port=self.server.port if self.server.port < 1 << 16 else 0,
            protocol=self.protocol,
            collector=FlowCollector.HUBBLE,
            reporter=Reporter.CLIENT if is_client else Reporter.SERVER,
            verdict=self.verdict,
            policy=policy,
            drop_reason=reason,
        )


def _is_reply(seen: SeenFlow, verdict: Verdict) -> bool | None:
    """Whether the packet goes back to who opened the connection; None for unknown.

    A packet with SYN says it itself. Of what is dropped Cilium does not know, and tells it as going forth.
    """
    if seen.protocol == _TCP and seen.flags & SYN:
        return bool(seen.flags & ACK)
    if seen.is_reply is not None:
        return seen.is_reply
    return False if verdict in _FAILED or seen.event_type == POLICY_VERDICT else None


def _reporter(direction: int, client: End, server: End, *, failed: bool) -> Reporter | None:
    """Whose node saw it. An end that is there has a number; a direction that contradicts it is a guess of Cilium's."""
    knows = bool(client.endpoint or server.endpoint)
    if direction == EGRESS and (client.endpoint or not knows):
        return Reporter.CLIENT
    if direction == INGRESS and (server.endpoint or not knows):
        return Reporter.SERVER
    if not failed:
        return None
    return Reporter.CLIENT if client.endpoint else Reporter.SERVER if server.endpoint else None


def _peer(end: End, here: str) -> Peer:
    """A workload of this cluster by its name; everything else, also the world and hosts, by its address.

    Of an end in another cluster that is told, too.
    """
    is_named = end.workload and end.namespace and end.kind in _WORKLOADS
    if is_named and end.cluster == here:
        return Peer(0, 0, end.namespace, end.kind, end.workload)
    seen = _addressed(end.address)
    if not (here and end.cluster) or end.cluster == here:
        return seen
    there = seen._replace(cluster=f"{_NAMING}={end.cluster}")
    return there._replace(namespace=end.namespace, kind=end.kind, workload=end.workload) if is_named else there


@lru_cache(maxsize=16_384)
def _addressed(address: str) -> Peer:
    try:
        found = ip_address(address)
    except ValueError:
        return _NO_ADDRESS
    number = int(found) | (_MAPPED if found.version == _V4 else 0)
    return Peer(number >> _HALF, number & ((1 << _HALF) - 1))


def _policy(seen: SeenFlow) -> str:
    return ", ".join(seen.policies)[:_MOST_POLICY]
