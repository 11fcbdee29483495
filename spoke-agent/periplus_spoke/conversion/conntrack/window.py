"""What connections did in one window of a node, as rows of the contract: who is the client, who answers, whose view."""

from typing import Final

from periplus_contract.flow_words import FlowCollector, Reporter
from periplus_spoke.conversion.conntrack.connections import Deltas, FlowKey
from periplus_spoke.conversion.conntrack.local_networks import LocalNetworks
from periplus_spoke.conversion.flow_sums import Flow, Peer, WindowSums

_V4: Final = 2
_MAPPED: Final = 0xFFFF << 32
_TCP: Final = 6
_LOOPBACK: Final = ((96 + 8, (_MAPPED | 0x7F << 24) >> 24), (128, 1))
_HELD: Final = 4
"""Times the row budget that is held before ends are looked up."""
_NOTHING: Final = (0,) * 8


class NodeWindow:
    """Takes what `Connections` finds out. A connection of which no end is here is another node's to tell."""

    def __init__(self, networks: LocalNetworks, budget: int) -> None:
        self._networks = networks
        self._most = _HELD * budget
        self._raw: dict[FlowKey, list[int]] = {}
        self._sums = WindowSums(budget)

    def know(self, networks: LocalNetworks) -> None:
        """These are here too, also when they are gone by the end of the window."""
        self._networks = self._networks.joined(networks)

    def passed(self, key: FlowKey, deltas: Deltas) -> None:
        """So much more, or nothing: then only that there is such a connection."""
        row = self._row(key)
        for index, value in enumerate(deltas):
            row[index] += value

    def opened(self, key: FlowKey) -> None:
        """A connection began."""
        self._row(key)[4] += 1

    def closed(self, key: FlowKey, failure: str) -> None:
        """A connection ended; `failure` is refused or timeout where it never came about."""
        row = self._row(key)
        row[5] += 1
        row[6] += failure == "refused"
        row[7] += failure == "timeout"

    def _row(self, key: FlowKey) -> list[int]:
        row = self._raw.get(key)
        if row is None:
            if len(self._raw) >= self._most:
                self._look_up()
            row = self._raw[key] = list(_NOTHING)
        return row

    def _look_up(self) -> None:
        for key, row in self._raw.items():
            flow = self._flow(key)
            if flow is not None:
                is_counted, is_tcp = key[7], flow.protocol == _TCP
                counters = row[:4] if is_counted else (None,) * 4
                failures = row[6:8] if is_tcp else (None,) * 2
                self._sums.add(flow, (*counters, row[4], row[5], *failures, None, None, None, None))
        self._raw.clear()

    def _flow(self, key: FlowKey) -> Flow | None:
        src_high, src_low, end_high, end_low, end_port, protocol, family, _ = key
        if family == _V4:
            src_low, end_low = _MAPPED | src_low, _MAPPED | end_low
        if any((src_high << 64 | src_low) >> (128 - length) == prefix for length, prefix in _LOOPBACK):
            return None
        is_client, is_server = self._networks.has(src_high, src_low), self._networks.has(end_high, end_low)
        if not is_client and not is_server:
            return None
        reporter = Reporter.BOTH if is_client and is_server else Reporter.CLIENT if is_client else Reporter.SERVER
        return Flow(
            src=Peer(src_high, src_low),
            dst=Peer(end_high, end_low),
            dst_port=end_port,
            protocol=protocol,
            collector=FlowCollector.CONNTRACK,
            reporter=reporter,
        )

    def whole(self) -> WindowSums:
        """All of it, looked up."""
        self._look_up()
        return self._sums
