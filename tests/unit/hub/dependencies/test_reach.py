"""Whom a failure reaches: as far as edges lead, and no further than is known."""

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.dependencies.engine.reach import Direction, Reach, reach
from periplus_hub.dependencies.model import EndFilter
from periplus_hub.flows.model import NOBODY

from tests.support.edge_rows import EAST, WEST, edge_rows, row

Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), min_size=1, unique=True)


def end(name: str) -> tuple[Any, str, str, str]:
    return (EAST, "shop", "Deployment", name)


def found(rows: list[dict[str, Any]], name: str, **asked: Any) -> Reach:
    given_ = {"direction": Direction.CALLERS, "depth": 5, "most": 500, "fronts": [], **asked}
    fronts = given_.pop("fronts")
    return reach(edge_rows(rows), EndFilter(name=name), fronts, **given_)


def hops(of: Reach) -> dict[str, int]:
    return {each.end.name: each.hop for each in of.reached}


def distances(pairs: Pairs, start: str, direction: Direction) -> dict[str, int]:
    """By the book."""
    known, waiting = {start: 0}, deque([start])
    while waiting:
        here = waiting.popleft()
        for source, destination in pairs:
            near, far = (destination, source) if direction is Direction.CALLERS else (source, destination)
            if near == here and far not in known:
                known[far] = known[here] + 1
                waiting.append(far)
    return known


@given(pairs=PAIRS, direction=st.sampled_from(Direction), depth=st.integers(1, 5), most=st.integers(1, 9))
def test_everything_is_reached_once_on_a_shortest_way_or_counted(
    pairs: Pairs, direction: Direction, depth: int, most: int
) -> None:
    rows = [row(end(source), end(destination), bytes_tx=number) for number, (source, destination) in enumerate(pairs)]
    start = pairs[0][0]
    expected = distances(pairs, start, direction)
    answer = found(rows, start, direction=direction, depth=depth, most=most)
    assert len(answer.reached) <= most
    for each in answer.reached:
        assert expected[each.end.name] == each.hop == expected[each.through.name] + 1
        way = (each.end.name, each.through.name)
        assert (way if direction is Direction.CALLERS else way[::-1]) in pairs
    if not answer.beyond_nodes:
        assert hops(answer) == {name: hop for name, hop in expected.items() if 0 < hop <= depth}
        assert answer.beyond_depth == sum(hop == depth + 1 for hop in expected.values())


def test_the_way_is_not_followed_through_what_may_be_anybody() -> None:
    outside = (NOBODY, "", "external", "198.51.100.0/24")
    node = (EAST, "", "Node", "n-1")
    rows = [row(outside, end("web")), row(end("far"), outside), row(node, end("web")), row(end("web"), end("api"))]
    rows += [row(end("unseen"), node), row(end("else"), (NOBODY, "", "ambiguous", "10.0.0.1"))]
    answer = found(rows, "api")
    assert hops(answer) == {"web": 1, "198.51.100.0/24": 2, "n-1": 2}
    assert [each.is_followed for each in answer.reached] == [True, False, False]
    assert answer.may_lead == 1


def test_a_service_with_several_workloads_passes_failures_on() -> None:
    service = (WEST, "shop", "Service", "api")
    fronts = [
        ((WEST.bytes, "shop", "Service", "api"), (WEST.bytes, "shop", "Deployment", name))
        for name in ("api-a", "api-b")
    ]
    rows = [row(end("web"), service, bytes_tx=5), row((WEST, "shop", "Deployment", "api-a"), end("db"))]
    from_db = found(rows, "db", fronts=fronts)
    assert hops(from_db) == {"api-a": 1, "api": 2, "web": 3}
    assert [each.is_front for each in from_db.reached] == [False, True, False]
    assert (from_db.reached[1].bytes_tx, from_db.reached[2].bytes_tx) == (None, 5)
    assert {each.name for each in found(rows, "api", fronts=fronts).starts} == {"api", "api-a", "api-b"}


def test_the_heaviest_edge_leads_there_and_the_heaviest_ends_have_room() -> None:
    rows = [row(end(name), end("api"), bytes_tx=tx) for name, tx in (("a", 1), ("b", 3), ("c", 2))]
    rows += [row(end("z"), end(name), bytes_tx=tx) for name, tx in (("a", 9), ("b", 4))]
    answer = found(rows, "api")
    assert [each.end.name for each in answer.reached] == ["b", "c", "a", "z"]
    assert (answer.reached[-1].through.name, answer.reached[-1].bytes_tx) == ("a", 9)
    cut = found(rows, "api", most=2)
    assert ([each.end.name for each in cut.reached], cut.beyond_nodes) == (["b", "c"], 2)
