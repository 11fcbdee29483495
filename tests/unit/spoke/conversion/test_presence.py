"""Who is missing: not before it had been gone for a while when the objects that still name it were listed."""

import pytest

from periplus_spoke.conversion import presence
from periplus_spoke.conversion.presence import GRACE_US, Departures, Listing, Presence

LISTED_US = 1_772_445_600_000_000  # 2026-03-02 10:00:00


def of(departures: Departures) -> Presence:
    departed = departures.since(LISTED_US - GRACE_US)
    assert departed is not None
    pods = {"shop/web-0": "n1", "shop/new": ""}
    return Presence(pods, {"n1", "n2"}, Listing(began_us=LISTED_US, departed=departed))


@pytest.mark.parametrize(
    ("pod", "node", "why"),
    [
        ("shop/web-0", "n1", ""),
        ("shop/web-0", "", ""),
        ("shop/new", "n1", ""),
        ("shop/web-1", "n1", "pod shop/web-1 is not there"),
        ("shop/web-0", "n2", "pod shop/web-0 of node n2 is on node n1 now"),
    ],
)
def test_a_pod_is_missed_where_it_is_not_or_no_longer_there(pod: str, node: str, why: str) -> None:
    assert of(Departures()).lost_pod(pod, node) == why


def test_a_node_is_missed_where_it_is_not_there() -> None:
    assert [of(Departures()).lost_node(name) for name in ("n1", "n9")] == ["", "node n9 is not there"]


@pytest.mark.parametrize(
    ("left_us", "is_missed"),
    [(LISTED_US - GRACE_US - 1, True), (LISTED_US - GRACE_US, False), (LISTED_US + GRACE_US, False)],
)
def test_who_went_shortly_before_the_listing_is_not_missed_yet(left_us: int, is_missed: bool) -> None:
    departures = Departures()
    departures.note("shop/web-1", left_us)
    departures.note("n9", left_us)
    departures.note("shop/web-0", left_us)
    seen = of(departures)
    found = (seen.lost_pod("shop/web-1", "n1"), seen.lost_node("n9"), seen.lost_pod("shop/web-0", "n2"))
    assert [bool(why) for why in found] == [is_missed] * 3


def test_what_is_younger_than_the_grace_is_young() -> None:
    assert of(Departures()).young_after == "2026-03-02T09:45:00"


def test_departures_are_forgotten_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_MOST", 3)
    departures = Departures()
    for at_us, name in enumerate(("a/1", "a/2", "a/3"), start=1):
        departures.note(name, at_us)
    departures.forget_before(2)
    assert departures.since(0) == {"a/2", "a/3"}
    assert departures.since(3) == {"a/3"}
    for at_us, name in enumerate(("a/4", "a/5"), start=4):
        departures.note(name, at_us)
    assert departures.since(4) is None
    assert departures.since(5) == {"a/5"}
