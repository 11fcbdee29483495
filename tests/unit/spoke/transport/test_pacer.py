"""When the next request may start."""

from periplus_contract.messages import Pace
from periplus_contract.tables import Kind
from periplus_spoke.transport.pacer import Pacer

from tests.support.clock import FakeClock


def test_the_longer_of_two_closures_counts_whichever_came_first() -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.pause_for(300)
    pacer.pause_for(5)
    assert pacer.wait_s() == 300
    clock.advance(200)
    pacer.pause_for(150)
    assert pacer.wait_s() == 150
    clock.advance(150)
    assert pacer.wait_s() == 0


def test_starts_keep_the_distance_the_hub_wishes_and_at_most_a_minute() -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.set_pace(Pace(min_interval_ms=2_000))
    assert pacer.wait_s() == 0
    pacer.started()
    assert pacer.wait_s() == 2
    pacer.set_pace(Pace(min_interval_ms=10**9))
    assert pacer.wait_s() == 60
    pacer.set_pace(Pace(min_interval_ms=-5))
    assert pacer.wait_s() == 0


def test_places_in_flight_are_one_or_two_whatever_the_hub_wishes() -> None:
    pacer = Pacer(FakeClock())
    for wish, places in ((2, 2), (0, 1), (-3, 1), (1_000, 2)):
        pacer.set_pace(Pace(max_in_flight=wish))
        taken = [pacer.reserve() for _ in range(3)]
        assert sum(taken) == places
        for _ in range(places):
            pacer.free()


def test_a_kind_is_withheld_until_its_time_is_over() -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.withhold(Kind.FLOWS, 10)
    assert pacer.withheld() == {Kind.FLOWS}
    clock.advance(10)
    assert pacer.withheld() == frozenset()
