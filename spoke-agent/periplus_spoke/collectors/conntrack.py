"""Connections of this node as the kernel tracks them: who talked to whom, how much, behind which translation.

The table is read twice a window, and ends of connections are heard of in between. What happened since the reading
before belongs to the window in which it is read; windows end with a reading.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple, Protocol

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.tables import Kind
from periplus_spoke.collectors.base import Sink
from periplus_spoke.conversion.conntrack.connections import Connections
from periplus_spoke.conversion.conntrack.local_networks import LocalNetworks
from periplus_spoke.conversion.conntrack.messages import Ending, Entries
from periplus_spoke.conversion.conntrack.window import NodeWindow
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.clock import Timer

WINDOW_S: Final = 60
_EVENTS_S: Final = 0.5
_RETRY_S: Final = 30.0
_SECOND_US: Final = 1_000_000

SYSCTL: Final = "net.netfilter.nf_conntrack_acct"
_NO_ACCOUNTING: Final = (
    f"the kernel does not count bytes of connections: set {SYSCTL}=1 on the node; only connections made after that "
    "are counted"
)


class Source(Protocol):
    """The kernel's side. Every method blocks shortly, is called from a thread, and may raise OSError."""

    def dump(self, take: Callable[[Entries], None]) -> Ending:
        """Hand on every connection there is, in portions."""

    def read_events(self, take: Callable[[Entries], None]) -> tuple[bool, int]:
        """Hand on what ended since; whether some of it is lost, and how many messages could not be read."""

    def networks(self) -> LocalNetworks:
        """Which addresses are this node's and its pods'."""

    def is_accounting(self) -> bool | None:
        """Whether bytes are counted; None for unknown."""

    def close(self) -> None:
        """Let go of it."""


class ConntrackSettings(NamedTuple):
    """What may be set."""

    node: str
    row_budget: int = 10_000
    """Rows of one window, beside those of the tail."""
    most_connections: int = 1_000_000
    """Connections that are remembered between two readings."""
    reads_every_s: int = 30


class ConntrackCollector:
    """One node. `tell` raises a condition by its name, or clears it with an empty text."""

    name = "conntrack"
    kind = Kind.FLOWS

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: ConntrackSettings,
        timer: Timer,
        tell: Callable[[str, str], None],
    ) -> None:
        self._open_source = open_source
        self._settings = settings
        self._timer = timer
        self._tell = tell
        self._connections = Connections(settings.most_connections)
        self._networks = LocalNetworks()
        self._window = NodeWindow(self._networks, settings.row_budget)
        self._accounting_is_off = False
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        """Read until cancelled. Without the right to read it says so, and tries again."""
        while True:
            try:
                # Not in a thread: a socket that a thread opens while this is cancelled would be closed by nobody.
                with closing(self._open_source()) as source:
                    await self._read(source, sink)
            except OSError as error:
                self._connections.failed()
                self._tell("conntrack", _why(error))
                await self._timer.sleep(_RETRY_S)

    async def _read(self, source: Source, sink: Sink) -> None:
        end_s = self._next(WINDOW_S)
        await asyncio.to_thread(self._dump, source)
        self._tell("conntrack", "")
        while True:
            await self._listen(source, self._next(self._settings.reads_every_s))
            await asyncio.to_thread(self._dump, source)
            now_s = self._timer.wall_us() // _SECOND_US
            if now_s >= end_s or now_s < end_s - WINDOW_S:  # over, or the clock was set back
                await sink.emit(await asyncio.to_thread(self._close, end_s - WINDOW_S))
                self.settled.set()
                end_s = self._next(WINDOW_S)

    def _next(self, period_s: int) -> int:
        return (self._timer.wall_us() // _SECOND_US // period_s + 1) * period_s

    async def _listen(self, source: Source, until_s: int) -> None:
        """Until then; at most for one period, if the clock is set back meanwhile."""
        ends_us = self._timer.monotonic_us() + max(until_s * _SECOND_US - self._timer.wall_us(), 0)
        while (left_us := ends_us - self._timer.monotonic_us()) > 0:
            await self._timer.sleep(min(_EVENTS_S, left_us / _SECOND_US))
            await asyncio.to_thread(self._events, source)

    def _take(self, entries: Entries) -> None:
        self._connections.read(entries, self._window)

    def _events(self, source: Source) -> None:
        is_overrun, unreadable = source.read_events(self._take)
        self._connections.missed(overruns=int(is_overrun), unreadable=unreadable)

    def _dump(self, source: Source) -> None:
        self._networks = source.networks()
        self._window.know(self._networks)
        # What ended before the dump begins is told before, and what ends during it after: the counts of an event are
        # newer than those of any dump that has the connection.
        self._events(source)
        began_ns = self._timer.wall_us() * 1_000
        ending = source.dump(self._take)
        self._connections.missed(overruns=0, unreadable=ending.unreadable)
        self._connections.end_dump(began_ns, is_whole=not ending.is_interrupted)
        self._events(source)
        self._accounting_is_off = source.is_accounting() is False
        self._tell("conntrack_accounting", _NO_ACCOUNTING if self._accounting_is_off else "")

    def _close(self, start_s: int) -> Sealable:
        connections, sums = self._connections, self._window.whole()
        sections = sums.sections(start_s, WINDOW_S)
        mark = FlowsMark(
            node=self._settings.node,
            observed=connections.observed,
            unmeasured=connections.unmeasured,
            other_rows=sums.other_rows,
            lost={reason: count for reason, count in sorted(connections.lost.items()) if count},
            conditions=(flow_words.ACCOUNTING_OFF,) if self._accounting_is_off else (),
        )
        connections.next_window()
        self._window = NodeWindow(self._networks, self._settings.row_budget)
        return Sealable(kind=self.kind, window_start_s=start_s, window_s=WINDOW_S, sections=sections, flows=mark)


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            "the kernel's connections may not be read: the agent needs the capability NET_ADMIN and the network "
            "namespace of the node (hostNetwork)"
        )
    return f"the kernel's connections cannot be read: {error.strerror or error}"
