"""Maps of edges: whatever is cut, the sums are those of the edges."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.engine.dependency_map import dependency_map
from periplus_hub.dependencies.engine.graph import DependencyGraph, Totals
from periplus_hub.dependencies.model import STATES, EdgeLevel, EdgeState
from periplus_hub.flows.model import MEASURES, NOBODY

from tests.support.edge_rows import EAST, WEST, edge_rows, row

ENDS = st.one_of(
    st.tuples(st.sampled_from([EAST, WEST, UUID(int=3)]), st.sampled_from(["", "a", "b"]), st.just("Deployment"),
              st.sampled_from("xyz")),
    st.tuples(st.just(NOBODY), st.just(""), st.sampled_from(["external", "address"]), st.sampled_from("xyz")),
)  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "src": ENDS,
            "dst": ENDS,
            "outcome": st.integers(0, 4),
            "state": st.integers(0, 3),
            "known": st.sampled_from([0, 3, 2**12 - 1]),
            "values": st.lists(st.integers(0, 2**40), min_size=12, max_size=12),
        }
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda each: (each["src"], each["dst"], each["outcome"]),
)
CAPS = {"nodes_at_most": st.integers(4, 30), "edges_at_most": st.integers(1, 40)}
Row = dict[str, Any]


def total(rows: list[Row], measure: str, chosen: Callable[[Row], bool]) -> int:
    return sum(each["values"][MEASURES.index(measure)] for each in rows if chosen(each))


def summed(totals: Totals, name: str) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    for verdict, value in zip(totals.verdict, getattr(totals.sums, name), strict=True):
        found[verdict] += value or 0
    return found


def made(rows: list[Row], level: EdgeLevel = EdgeLevel.WORKLOAD, **caps: int) -> DependencyGraph:
    return dependency_map(edge_rows(rows), level, **{"nodes_at_most": 60, "edges_at_most": 100, **caps})


@given(rows=ROWS, **CAPS)
def test_what_is_shown_and_what_is_left_out_is_all(rows: list[Row], nodes_at_most: int, edges_at_most: int) -> None:
    found = made(rows, nodes_at_most=nodes_at_most, edges_at_most=edges_at_most)
    for name in ("dependencies", "bytes_tx", "bytes_rx", "failures", "retransmits", "packets_tx", "connections_opened"):
        shown = summed(Totals(verdict=found.edges.verdict, sums=found.edges.sums), name)
        assert shown + summed(found.left_out, name) == +summed(found.totals, name)
    for verdict in Verdict:
        of_verdict = [each for each in rows if each["outcome"] == verdict]
        measured = [each for each in of_verdict if each["known"] & 1]
        assert summed(found.totals, "bytes_tx")[verdict] == total(measured, "bytes_tx", lambda _: True)
        assert summed(found.totals, "dependencies")[verdict] == len(of_verdict)
    assert len(found.nodes.level) <= nodes_at_most
    assert len(found.edges.source) <= edges_at_most


@given(rows=ROWS, shuffled=st.randoms(use_true_random=False), **CAPS)
def test_the_order_of_rows_says_nothing(rows: list[Row], shuffled: Any, **caps: int) -> None:
    other = list(rows)
    shuffled.shuffle(other)
    assert made(rows, **caps) == made(other, **caps)


@given(rows=ROWS, **CAPS)
def test_what_is_around_comes_first_and_has_what_is_in_it(rows: list[Row], **caps: int) -> None:
    nodes = made(rows, **caps).nodes
    names = list(zip(nodes.level, nodes.registration_id, nodes.namespace, nodes.kind, nodes.name, strict=True))
    assert len(set(names)) == len(names)
    for number, parent in enumerate(nodes.parent):
        if parent is not None:
            assert parent < number
            assert nodes.registration_id[parent] == nodes.registration_id[number]
    arrived = [each for each in rows if each["outcome"] not in {Verdict.DROPPED, Verdict.ERROR} and each["known"] & 3]
    for number, level in enumerate(nodes.level):
        cluster = nodes.registration_id[number]
        if level is EdgeLevel.CLUSTER and cluster is not None:
            out = [each for each in arrived if each["src"][0] == cluster != each["dst"][0]]
            back = [each for each in arrived if each["dst"][0] == cluster != each["src"][0]]
            sent = total(out, "bytes_tx", lambda _: True) + total(back, "bytes_rx", lambda _: True)
            inside = [each for each in arrived if each["dst"][0] == cluster == each["src"][0]]
            within = sum(total(inside, name, lambda _: True) for name in ("bytes_tx", "bytes_rx"))
            assert ((nodes.bytes_sent[number] or 0), (nodes.bytes_within[number] or 0)) == (sent, within)
    assert sum(nodes.folded) == made(rows, **caps).folded_ends


@given(rows=ROWS)
def test_with_room_for_all_nothing_is_folded(rows: list[Row]) -> None:
    found = made(rows, nodes_at_most=400)
    assert (found.folded_ends, found.left_out_edges, list(found.folded), None in found.nodes.level) == (0, 0, [], False)


def test_a_large_graph_is_cut_to_the_heaviest_and_says_where_the_others_are() -> None:
    rows = [row((EAST, "a", "D", f"w{n}"), (EAST, "b", "D", "api"), bytes_tx=1_000 - n) for n in range(50)]
    rows += [row((EAST, "a", "D", "w0"), (WEST, "c", "D", "far"), bytes_tx=1)]
    found = made(rows, nodes_at_most=8)
    names = list(zip(found.nodes.namespace, found.nodes.name, found.nodes.folded, strict=True))
    assert names == [
        ("", "", 0), ("a", "", 47), ("a", "w0", 0), ("a", "w1", 0), ("a", "w2", 0), ("b", "", 0), ("b", "api", 0),
        ("", "", 1),
    ]  # fmt: skip
    assert found.nodes.parent == [None, 0, 1, 1, 1, 0, 5, None]
    assert [(each.registration_id, each.namespace, each.ends) for each in found.folded] == [
        (EAST, "a", 47),
        (WEST, "c", 1),
    ]
    heaviest = found.edges.source[0], found.edges.destination[0], found.edges.sums.dependencies[0]
    assert heaviest == (1, 6, 47)


@pytest.mark.parametrize(("level", "shown"), [(EdgeLevel.CLUSTER, 2), (EdgeLevel.NAMESPACE, 3)])
def test_coarser_levels_have_fewer_boxes(level: EdgeLevel, shown: int) -> None:
    rows = [row((EAST, "a" if level is EdgeLevel.NAMESPACE else "", "", ""), (NOBODY, "", "external", ""), bytes_tx=1)]
    assert len(made(rows, level).nodes.level) == shown


def test_the_state_of_a_sum_is_silent_only_where_all_are() -> None:
    ends = [(EAST, "a", "D", name) for name in "xy"], (EAST, "b", "D", "api")
    states = {"silent": STATES.index(EdgeState.SILENT), "unknown": STATES.index(EdgeState.UNKNOWN)}
    rows = [row(src, ends[1], state=state) for src, state in zip(ends[0], states.values(), strict=True)]
    assert made(rows, nodes_at_most=4).nodes.state[0] is EdgeState.UNKNOWN
    assert made(rows[:1]).nodes.state[0] is EdgeState.SILENT


def test_the_store_may_answer_in_several_pieces() -> None:
    table = edge_rows([row((EAST, "a", "D", "x"), (EAST, "b", "D", "y"), bytes_tx=5)])
    doubled = pa.concat_tables([table, edge_rows([row((EAST, "a", "D", "x"), (EAST, "b", "D", "z"), bytes_tx=6)])])
    found = dependency_map(doubled, EdgeLevel.WORKLOAD, nodes_at_most=60, edges_at_most=9)
    assert found.edges.sums.bytes_tx == [6, 5]


def test_what_is_not_measured_is_no_zero_of_a_box() -> None:
    web, api = (EAST, "a", "D", "web"), (EAST, "b", "D", "api")
    rows = [row(web, api, bytes_tx=5, connections_opened=2), row(web, (WEST, "c", "D", "far"), known=0)]
    nodes = made(rows).nodes
    of_east, of_a = (
        {name: getattr(nodes, name)[number] for name in ("bytes_sent", "bytes_received", "bytes_within", "failures")}
        | {name: getattr(nodes, name)[number] for name in ("connections_opened", "connections_taken")}
        for number in (nodes.level.index(EdgeLevel.CLUSTER), nodes.namespace.index("a"))
    )
    crossing = {"bytes_sent": None, "bytes_received": None, "connections_opened": None, "connections_taken": 0}
    assert of_east == {**crossing, "bytes_within": 5, "failures": 0}
    # What is measured in part is at least so much.
    assert (of_a["bytes_sent"], of_a["bytes_within"], of_a["connections_opened"]) == (5, 0, 2)


@pytest.mark.parametrize(("known", "told"), [(0, (None, False)), (3, (5, False)), (1, (5, False))])
def test_bytes_of_what_has_no_box_are_told_as_far_as_they_are_known(known: int, told: tuple[int | None, bool]) -> None:
    rows = [row((EAST, "a", "D", "web"), (EAST, "a", "D", f"heavy-{each}"), bytes_tx=1_000) for each in "xy"]
    rows += [row((EAST, "a", "D", "web"), (WEST, "b", "D", "far"), bytes_tx=5, known=known)]
    found = made(rows, nodes_at_most=6)
    [place] = [each for each in found.folded if each.registration_id == WEST]
    assert (place.bytes, place.is_part_unmeasured) == told


def test_bytes_of_which_some_are_not_measured_are_at_least_so_many() -> None:
    heavy = [row((EAST, "a", "D", "web"), (EAST, "a", "D", f"heavy-{each}"), bytes_tx=1_000) for each in "xy"]
    far = [row((EAST, "a", "D", "web"), (WEST, "b", "D", f"far-{known}"), bytes_tx=5, known=known) for known in (0, 3)]
    found = made([*heavy, *far], nodes_at_most=6)
    [place] = [each for each in found.folded if each.registration_id == WEST]
    assert (place.ends, place.bytes, place.is_part_unmeasured) == (2, 5, True)


def test_a_mean_that_some_lack_makes_no_sum_a_part() -> None:
    no_rtt = sum(1 << number for number, name in enumerate(MEASURES) if not name.startswith("rtt"))
    ends = (EAST, "a", "", ""), (WEST, "b", "", "")
    rows = [
        row(*ends, outcome=1, bytes_tx=5, known=no_rtt),
        row((EAST, "c", "", ""), ends[1], rtt_us_sum=9, rtt_count=1),
    ]
    assert made(rows, EdgeLevel.NAMESPACE, nodes_at_most=4).totals.sums.is_part_unmeasured == [False]
