"""Who holds how many connections, and whose connection ends first when there is no room for the next.

A connection begins as a stranger's and waits; it works from a whole request to its answer, and waits again. Strangers
who wait are the first to go, the longest waiting first; then come connections of people and spokes that were
recognised and have nothing to do. What works is never ended, so nobody without a credential can shut a door.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

STATE: Final = "seat"
"""Under which name an ASGI scope's state has it."""
_SITE_BITS: Final = 64
"""Of an IPv6 address: whoever has one has the rest of its network too."""

Network = IPv4Network | IPv6Network
Counting = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many connections there may be. `proxies` carry many people's and have no number of their own."""

    all: int
    each_address: int
    each_principal: int
    proxies: tuple[Network, ...] = ()


class Seat:
    """The place of one connection."""

    def __init__(self, seats: "Seats", shares: "tuple[_Share, ...]", end: Callable[[], None]) -> None:
        self.end = end
        """Cuts the connection."""
        self.who = ""
        self.free = False
        self.known = False
        """Whether the request under way was recognised."""
        self.shares = shares
        self._seats = seats

    def begin(self) -> None:
        """A request's head is whole; it says anew who asks."""
        self.known = False
        if self.who:
            self._stop_waiting()

    def work(self) -> None:
        """There is nothing to wait for but our answer."""
        self._stop_waiting()

    def recognise(self, who: str) -> None:
        """The request is `who`'s. Beyond a principal's number of connections it stays like a stranger's."""
        self.known = self._seats.assign(self, who)
        if self.known:
            self._stop_waiting()

    def rest(self) -> None:
        """The answer is out."""
        if not self.known:
            self._seats.assign(self, "")
        self._stop_waiting()
        # At the end of its line, as it begins to wait only now.
        for share in () if self.free else self.shares:
            (share.idle if self.who else share.strangers)[self] = None

    def leave(self) -> None:
        """The connection is no more; may be said twice."""
        if not self.free:
            self.free = True
            self._stop_waiting()
            self._seats.left(self)

    def _stop_waiting(self) -> None:
        for share in self.shares:
            share.strangers.pop(self, None)
            share.idle.pop(self, None)


class _Share:
    """Connections that count against one number, and those of them that wait, the longest waiting first."""

    def __init__(self, most: int, reason: str, site: Network | None = None) -> None:
        self.most = most
        self.reason = reason
        self.site = site
        self.held = 0
        self.strangers: OrderedDict[Seat, None] = OrderedDict()
        self.idle: OrderedDict[Seat, None] = OrderedDict()

    def first_to_go(self) -> Seat | None:
        return next(iter(self.strangers), None) or next(iter(self.idle), None)


class Seats:
    """Those of one listener. One event loop owns them."""

    def __init__(self, sizes: Sizes, count: Counting) -> None:
        """`count` hears why a connection is refused or ended."""
        self._sizes = sizes
        self._count = count
        self._all = _Share(sizes.all, "full")
        self._addresses: dict[Network, _Share] = {}
        self._principals: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Connections that there are."""
        return self._all.held

    def take(self, address: str, end: Callable[[], None]) -> Seat | None:
        """A place for a new connection, if need be that of one that waits; None when all of them work."""
        site = site_of(address, self._sizes.proxies)
        own = None if site is None else self._addresses.get(site, _Share(self._sizes.each_address, "address", site))
        shares = (self._all,) if own is None else (own, self._all)
        for share in shares:
            if share.held >= share.most and not self._make_room(share):
                return None
        if own is not None and site is not None:
            self._addresses[site] = own
        seat = Seat(self, shares, end)
        for share in shares:
            share.held += 1
            share.strangers[seat] = None
        return seat

    def assign(self, seat: Seat, who: str) -> bool:
        """Whether the connection is `who`'s now ("": nobody's): a principal has only so many."""
        if seat.who == who:
            return True
        if who and self._principals[who] >= self._sizes.each_principal and not self._end_idle_of(who):
            return False
        if seat.who:
            self._principals[seat.who] -= 1
            if not self._principals[seat.who]:
                del self._principals[seat.who]
        seat.who = who
        if who:
            self._principals[who] += 1
        return True

    def left(self, seat: Seat) -> None:
        """Only `Seat.leave` calls it."""
        self.assign(seat, "")
        for share in seat.shares:
            share.held -= 1
            if not share.held and share.site is not None:
                self._addresses.pop(share.site, None)

    def _make_room(self, share: _Share) -> bool:
        seat = share.first_to_go()
        if seat is None:
            self._count(share.reason)
            return False
        self._end(seat)
        return True

    def _end_idle_of(self, who: str) -> bool:
        seat = next((each for each in self._all.idle if each.who == who), None)
        if seat is not None:
            self._end(seat)
        return seat is not None

    def _end(self, seat: Seat) -> None:
        self._count("idle" if seat.who else "stranger")
        seat.leave()
        seat.end()


def site_of(address: str, proxies: Iterable[Network]) -> Network | None:
    """What stands for the address where addresses have limits of their own; None for a proxy's, which has none."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        # One address in two spellings must not have two shares.
        found = found.ipv4_mapped
    if any(found in proxy for proxy in proxies):
        return None
    return ip_network((found, found.max_prefixlen if isinstance(found, IPv4Address) else _SITE_BITS), strict=False)


def recognised(scope: MutableMapping[str, Any], who: str) -> None:
    """The request or websocket of this ASGI scope is `who`'s: its connection is no stranger's."""
    seat = scope.get("state", {}).get(STATE)
    if isinstance(seat, Seat):
        seat.recognise(who)
