"""Whose turn it is, when many want what is scarce. Pure: no clock, no waiting; `kit.fair_turns` lets tasks wait by it.

Start-time fair queueing (Goyal and others, SIGCOMM 1996) on two levels: among the tenants that wait the one that used
least is next, and among its members the one that used least. What is used is charged afterwards, as measured. Whoever
comes back after a pause starts level with the others: its rest is held neither against it nor against them.
"""

from collections import Counter, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Shares:
    """What there is, and how much of it one may have. A member is a token or a cluster."""

    total: int
    big: int
    """Of `total`, for those that take long: the rest stays for those that do not."""
    each_tenant: int
    each_member: int
    waiting_each_tenant: int
    waiting_each_member: int


@dataclass(eq=False, slots=True)
class Ticket:
    """One that waits, or holds its share."""

    tenant: Hashable
    member: Hashable
    size: int = 1
    big: bool = False
    number: int = 0
    guessed: float = 0.0


class TooManyWaitError(Exception):
    """The asker's own line is full: `whose` is "member" or "tenant"."""

    def __init__(self, whose: str, limit: int) -> None:
        super().__init__(f"{limit} of this {whose} wait already")
        self.whose = whose
        self.limit = limit


class Level:
    """Virtual time of some who share: how much each used, not counting before the others came."""

    def __init__(self) -> None:
        self._now = 0.0
        self._used: dict[Hashable, float] = {}

    def rank(self, who: Hashable) -> float:
        """Least first."""
        # The start tag of the paper: who rested is behind virtual time and starts level with it, so a rest saves up
        # nothing.
        return max(self._used.get(who, 0.0), self._now)

    def start(self, who: Hashable) -> None:
        """It is the turn of `who`."""
        self._now = self._used[who] = self.rank(who)

    def charge(self, who: Hashable, amount: float) -> None:
        """Book what `who` used, or give back what was booked too much."""
        self._used[who] = self._used.get(who, self._now) + amount
        if len(self._used) > _KEPT:
            # Those at or below virtual time rank by that alone: to forget them changes nobody's turn.
            self._used = {each: used for each, used in self._used.items() if used > self._now}

    def __contains__(self, who: Hashable) -> bool:
        return who in self._used


class Turns:
    """Both levels."""

    def __init__(self) -> None:
        self._tenants = Level()
        self._members: dict[Hashable, Level] = {}

    def rank(self, tenant: Hashable, member: Hashable) -> tuple[float, float]:
        """Least first."""
        members = self._members.get(tenant)
        return self._tenants.rank(tenant), 0.0 if members is None else members.rank(member)

    def start(self, tenant: Hashable, member: Hashable) -> None:
        """It is their turn."""
        self._tenants.start(tenant)
        self._level(tenant).start(member)

    def charge(self, tenant: Hashable, member: Hashable, amount: float) -> None:
        """Book what they used."""
        self._tenants.charge(tenant, amount)
        self._level(tenant).charge(member, amount)

    def _level(self, tenant: Hashable) -> Level:
        if tenant not in self._members:
            self._members = {each: level for each, level in self._members.items() if each in self._tenants}
            self._members[tenant] = Level()
        return self._members[tenant]


_Line = tuple[Hashable, bool]


@dataclass(slots=True)
class FairQueue:
    """Those that wait and those that hold a share."""

    shares: Shares
    turns: Turns = field(default_factory=Turns)
    waiting: Counter[Hashable] = field(default_factory=Counter)
    """How many, by tenant and by (tenant, member)."""
    held: Counter[Hashable] = field(default_factory=Counter)
    """How much, by tenant and by (tenant, member)."""
    held_by_sort: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    """How much, by whether it is big."""
    _lines: dict[Hashable, dict[_Line, deque[Ticket]]] = field(default_factory=dict)
    _numbers: int = 0
    _guess: dict[bool, float] = field(default_factory=lambda: {False: 0.0, True: 0.0})

    def join(self, ticket: Ticket) -> None:
        """Wait; raises TooManyWaitError. What is larger than its sort may ever have counts as just that."""
        member = (ticket.tenant, ticket.member)
        for whose, who, limit in (
            ("member", member, self.shares.waiting_each_member),
            ("tenant", ticket.tenant, self.shares.waiting_each_tenant),
        ):
            if self.waiting[who] >= limit:
                raise TooManyWaitError(whose, limit)
        ticket.size = min(ticket.size, self.shares.big if ticket.big else self._kept_for_small())
        self._numbers += 1
        ticket.number = self._numbers
        self.waiting.update((member, ticket.tenant))
        lines = self._lines.setdefault(ticket.tenant, {})
        lines.setdefault((ticket.member, ticket.big), deque()).append(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Wait no longer."""
        lines = self._lines[ticket.tenant]
        line = lines[ticket.member, ticket.big]
        line.remove(ticket)
        if not line:
            del lines[ticket.member, ticket.big]
        if not lines:
            del self._lines[ticket.tenant]
        self._less(self.waiting, (ticket.tenant, ticket.member), 1)
        self._less(self.waiting, ticket.tenant, 1)

    def next(self) -> Ticket | None:
        """Whose turn it is, which then holds its share; None while there is nothing left for anybody who may."""
        first = {big: self._first(big=big) for big in (False, True)}
        found = [
            ticket for big, ticket in first.items() if ticket is not None and self._fits(ticket, first[True], big=big)
        ]
        if not found:
            return None
        ticket = min(found, key=self._order)
        self.leave(ticket)
        # Booked before it is known, and put right at the end: else who starts many at once would have used nothing.
        ticket.guessed = self._guess[ticket.big]
        self.turns.start(ticket.tenant, ticket.member)
        self.turns.charge(ticket.tenant, ticket.member, ticket.guessed)
        for who in (ticket.tenant, (ticket.tenant, ticket.member)):
            self.held[who] += ticket.size
        self.held_by_sort[ticket.big] += ticket.size
        return ticket

    def end(self, ticket: Ticket, used: float) -> None:
        """Give the share back, and pay for it."""
        for who in (ticket.tenant, (ticket.tenant, ticket.member)):
            self._less(self.held, who, ticket.size)
        self.held_by_sort[ticket.big] -= ticket.size
        self.turns.charge(ticket.tenant, ticket.member, used - ticket.guessed)
        # A moving average: the newest counts an eighth.
        self._guess[ticket.big] += (used - self._guess[ticket.big]) / 8

    def _kept_for_small(self) -> int:
        return self.shares.total - self.shares.big

    def _first(self, *, big: bool) -> Ticket | None:
        """The next of its sort, were there room; it keeps its place before all that come after it."""
        return min(self._heads(big=big), key=self._order, default=None)

    def _heads(self, *, big: bool) -> Iterator[Ticket]:
        for tenant, lines in self._lines.items():
            for (member, sort), line in lines.items():
                whose = ((tenant, self.shares.each_tenant), ((tenant, member), self.shares.each_member))
                if sort is big and all(self._may(who, line[0].size, limit) for who, limit in whose):
                    yield line[0]

    def _may(self, who: Hashable, size: int, limit: int) -> bool:
        # Who holds nothing always may: what is larger than the limit would otherwise never have its turn.
        return self.held[who] == 0 or self.held[who] + size <= limit

    def _fits(self, ticket: Ticket, big_one: Ticket | None, *, big: bool) -> bool:
        held = self.held_by_sort
        if sum(held.values()) + ticket.size > self.shares.total:
            return False
        if big:
            return held[True] + ticket.size <= self.shares.big
        # While a big one waits, small ones keep to their own part: they would otherwise take for ever what becomes
        # free, bit by bit.
        return big_one is None or held[False] + ticket.size <= self._kept_for_small()

    def _order(self, ticket: Ticket) -> tuple[tuple[float, float], int]:
        return self.turns.rank(ticket.tenant, ticket.member), ticket.number

    @staticmethod
    def _less(counter: Counter[Hashable], who: Hashable, amount: int) -> None:
        counter[who] -= amount
        if not counter[who]:
            del counter[who]
