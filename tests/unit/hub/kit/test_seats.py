from collections import Counter
from functools import partial
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.kit.seats import Seat, Seats, Sizes, recognised


class Door:
    """Seats, what was counted, and whose connection was cut."""

    def __init__(self, **sizes: int) -> None:
        given = {"all": 3, "each_address": 100, "each_principal": 100} | sizes
        self.counted: Counter[str] = Counter()
        self.cut: list[str] = []
        self.seats = Seats(Sizes(**given, proxies=(ip_network("10.0.0.0/8"),)), self._count)

    def _count(self, reason: str) -> None:
        self.counted[reason] += 1

    def take(self, name: str, address: str = "192.0.2.1") -> Seat:
        seat = self.seats.take(address, lambda: self.cut.append(name))
        assert seat is not None
        return seat

    def known(self, name: str, who: str, *, rests: bool) -> Seat:
        seat = self.take(name)
        seat.begin()
        seat.recognise(who)
        if rests:
            seat.rest()
        return seat


def test_the_stranger_that_waits_longest_goes_first() -> None:
    door = Door()
    for name in ("a", "b", "c", "d", "e"):
        door.take(name)
    assert door.cut == ["a", "b"]
    assert (door.seats.held, door.counted) == (3, {"stranger": 2})


def test_strangers_go_before_those_who_were_recognised_and_have_nothing_to_do() -> None:
    door = Door()
    door.known("idle", "spoke/1", rests=True)
    door.known("idler", "spoke/2", rests=True)
    door.take("stranger")
    for name in ("d", "e"):
        door.take(name).work()
    assert door.cut == ["stranger", "idle"]
    assert door.counted == {"stranger": 1, "idle": 1}


def test_work_is_never_ended() -> None:
    door = Door()
    door.known("a", "spoke/1", rests=False)
    for name in ("b", "c"):
        door.take(name).work()
    assert door.seats.take("192.0.2.1", lambda: None) is None
    assert (door.cut, door.counted) == ([], {"full": 1})


def test_a_stranger_that_rests_waits_again_from_then_on() -> None:
    door = Door()
    first = door.take("a")
    for name in ("b", "c"):
        door.take(name)
    first.begin()
    first.work()
    first.rest()
    door.take("d")
    assert door.cut == ["b"]


def test_who_is_recognised_once_is_not_for_ever() -> None:
    door = Door()
    seat = door.known("a", "token/1", rests=True)
    seat.begin()
    seat.rest()
    assert seat.who == ""


def test_an_address_ends_only_its_own_and_a_proxy_has_no_number() -> None:
    door = Door(all=10, each_address=2)
    door.take("theirs", "198.51.100.1")
    for name in ("a", "b", "c"):
        door.take(name)
    assert (door.cut, door.counted) == (["a"], {"stranger": 1})
    for name in ("p", "q", "r"):
        door.take(name, "10.1.2.3")
    assert door.cut == ["a"]
    for name in ("v6", "v6'", "v6''"):
        door.take(name, f"2001:db8::{len(name)}")
    assert door.cut == ["a", "v6"], "a network of IPv6 is one address"
    for name in ("m", "n"):
        door.take(name, f"::ffff:203.0.113.{len(door.cut)}{ord(name) % 10}")
    assert door.cut == ["a", "v6"], "mapped addresses are themselves"


def test_an_address_whose_connections_all_work_gets_no_more() -> None:
    door = Door(all=10, each_address=1)
    door.take("a").work()
    assert door.seats.take("192.0.2.1", lambda: None) is None
    assert door.counted == {"address": 1}


def test_a_principal_beyond_its_number_ends_its_own_or_is_like_a_stranger() -> None:
    door = Door(all=3, each_principal=1)
    door.known("idle", "token/1", rests=True)
    busy = door.known("busy", "token/1", rests=False)
    assert (door.cut, busy.who) == (["idle"], "token/1")
    beyond = door.take("beyond")
    beyond.recognise("token/1")
    assert beyond.who == ""
    for name in ("c", "d"):
        door.take(name)
    assert door.cut == ["idle", "beyond"]


def test_a_connection_carries_the_requests_of_many_behind_a_proxy() -> None:
    door = Door(each_principal=1)
    seat = door.known("a", "token/1", rests=True)
    seat.begin()
    seat.recognise("token/2")
    assert door.known("b", "token/1", rests=False).who == "token/1"


def test_an_application_outside_a_server_recognises_nobody() -> None:
    recognised({"type": "http"}, "token/1")
    recognised({"type": "http", "state": {}}, "token/1")


STEPS = ("take", "begin", "work", "rest", "leave", "recognise")


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), max_size=80))
@pytest.mark.promise("strangers-shut-no-door")
def test_no_number_is_exceeded_and_what_works_for_somebody_known_stays(steps: list[tuple[str, int]]) -> None:
    ended: set[int] = set()
    seats = Seats(Sizes(all=4, each_address=3, each_principal=2), lambda _: None)
    held: list[Seat] = []
    works: set[int] = set()
    for step, number in steps:
        if step == "take":
            seat = seats.take(f"192.0.2.{number % 2}", partial(ended.add, len(held)))
            if seat is not None:
                held.append(seat)
        elif held:
            index = number % len(held)
            seat = held[index]
            if seat.free:
                continue
            if step == "recognise":
                seat.recognise(f"token/{number % 3}")
            else:
                getattr(seat, step)()
            works = works - {index} if step in {"rest", "leave"} else works | {index} if step == "work" else works
        live = [each for each in held if not each.free]
        assert seats.held == len(live) <= 4
        assert max(Counter(each.who for each in live if each.who).values(), default=0) <= 2
        assert works.isdisjoint(ended)
