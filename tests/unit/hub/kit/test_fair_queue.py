"""Whose turn it is: nobody waits for ever, nobody has more than it may, and a newcomer is next."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from periplus_hub.kit.fair_queue import FairQueue, Shares, Ticket, TooManyWaitError
from periplus_hub.kit.fair_turns import FairTurns

from tests.support.clock import FakeClock

SHARES = Shares(total=4, big=2, each_tenant=3, each_member=2, waiting_each_tenant=12, waiting_each_member=8)
ONE = Shares(total=1, big=1, each_tenant=1, each_member=1, waiting_each_tenant=9_999, waiting_each_member=9_999)


class Queue(RuleBasedStateMachine):
    """Any interleaving of coming, giving up, starting and ending."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue(SHARES)
        self.waiting: list[Ticket] = []
        self.holding: list[Ticket] = []

    @rule(tenant=st.sampled_from("AB"), member=st.sampled_from("xyz"), big=st.booleans(), size=st.integers(1, 3))
    def come(self, tenant: str, member: str, big: bool, size: int) -> None:
        ticket = Ticket(tenant, member, size, big)
        full = self.count(tenant, member) >= SHARES.waiting_each_member or self.count(tenant) >= 12
        if full:
            with pytest.raises(TooManyWaitError):
                self.queue.join(ticket)
        else:
            self.queue.join(ticket)
            self.waiting.append(ticket)

    def count(self, tenant: str, member: str | None = None) -> int:
        return sum(each.tenant == tenant and member in (None, each.member) for each in self.waiting)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(ticket)
        self.queue.leave(ticket)

    @rule()
    def start(self) -> None:
        while (ticket := self.queue.next()) is not None:
            self.waiting.remove(ticket)
            self.holding.append(ticket)

    @precondition(lambda self: self.holding)
    @rule(data=st.data(), used=st.floats(0, 10))
    def end(self, data: st.DataObject, used: float) -> None:
        ticket = data.draw(st.sampled_from(self.holding))
        self.holding.remove(ticket)
        self.queue.end(ticket, used)

    @invariant()
    def nobody_holds_more_than_it_may(self) -> None:
        sizes = Counter({big: sum(each.size for each in self.holding if each.big is big) for big in (True, False)})
        assert sum(sizes.values()) <= SHARES.total
        assert sizes[True] <= SHARES.big
        for whose, limit in ((lambda t: t.tenant, SHARES.each_tenant), (lambda t: (t.tenant, t.member), 2)):
            held: Counter[object] = Counter()
            for each in self.holding:
                held[whose(each)] += each.size
            assert all(size <= limit for size in held.values())

    def teardown(self) -> None:
        """Whoever waits is served once those that hold end, and nothing is left behind."""
        while self.waiting or self.holding:
            before = len(self.waiting)
            self.start()
            assert self.holding or len(self.waiting) < before, "somebody waits although nobody holds anything"
            for ticket in self.holding:
                self.queue.end(ticket, 1.0)
            self.holding.clear()
        assert (self.queue.waiting, self.queue.held) == (Counter(), Counter())
        assert self.queue.held_by_sort == {False: 0, True: 0}


TestQueue = Queue.TestCase


def served(queue: FairQueue, turns: int, used: dict[str, float]) -> list[str]:
    """Who was served, one after another."""
    found = []
    for _ in range(turns):
        ticket = queue.next()
        assert ticket is not None
        found.append(f"{ticket.tenant}{ticket.member}")
        queue.end(ticket, used[str(ticket.tenant)])
    return found


@pytest.mark.promise("nobody-keeps-others-waiting")
def test_a_newcomer_is_next_however_many_wait_and_however_many_tokens_they_have() -> None:
    queue = FairQueue(ONE)
    for number in range(200):
        queue.join(Ticket("noisy", number))
    served(queue, 20, {"noisy": 5.0})
    queue.join(Ticket("quiet", "q"))
    assert served(queue, 1, {"quiet": 0.1}) == ["quietq"]
    queue.join(Ticket("noisy", "quiet token"))
    assert "noisyquiet token" in served(queue, 181, {"noisy": 5.0})


@pytest.mark.promise("nobody-keeps-others-waiting")
def test_a_token_of_the_same_tenant_does_not_wait_for_anothers_line() -> None:
    queue = FairQueue(ONE)
    for _ in range(200):
        queue.join(Ticket("acme", "script"))
    served(queue, 5, {"acme": 1.0})
    queue.join(Ticket("acme", "person"))
    assert served(queue, 2, {"acme": 1.0})[:1] == ["acmeperson"]


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=4))
def test_those_that_always_wait_use_the_same_within_one_turn(prices: list[float]) -> None:
    queue = FairQueue(ONE)
    used = {str(number): price for number, price in enumerate(prices)}
    for tenant in used:
        for _ in range(400):
            queue.join(Ticket(tenant, ""))
    got = Counter(served(queue, 300, used))
    shares = [got[tenant] * price for tenant, price in used.items()]
    assert max(shares) - min(shares) <= 2 * max(prices) + 1e-6


def test_big_ones_leave_room_and_are_not_starved_by_small_ones() -> None:
    queue = FairQueue(Shares(4, 2, 4, 4, 99, 99))
    for _ in range(5):
        queue.join(Ticket("A", "a", big=True))
    running = [queue.next(), queue.next()]
    assert queue.next() is None, "two places are kept for small ones"
    for _ in range(9):
        queue.join(Ticket("B", "b"))
    small = [queue.next(), queue.next()]
    assert all(each is not None and not each.big for each in small)
    assert queue.next() is None
    for each in running:
        assert each is not None
        queue.end(each, 1)
    after = [queue.next(), queue.next()]
    assert all(each is not None and each.big for each in after), "the small ones did not take the places of big ones"


async def test_who_is_cancelled_gives_its_place_to_the_next_whether_it_waits_or_holds() -> None:
    turns = FairTurns(FakeClock(), ONE)
    order: list[str] = []
    hold = asyncio.Event()

    async def one(name: str) -> None:
        async with turns.turn("A", name):
            order.append(name)
            await hold.wait()

    tasks = {}
    for name in ("first", "gone", "third", "last"):
        tasks[name] = asyncio.create_task(one(name))
        await asyncio.sleep(0)
    tasks["gone"].cancel()
    tasks["first"].cancel()
    await asyncio.gather(tasks["gone"], tasks["first"], return_exceptions=True)
    await asyncio.sleep(0)
    tasks["third"].cancel()  # just called, or running already: either way the last one is next
    hold.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert order[0] == "first"
    assert order[-1] == "last"
    assert turns.waiting == 0
    assert turns.queue.held_by_sort == {False: 0, True: 0}
