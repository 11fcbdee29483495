"""One source of bytes is read and no second one; Hubble, which has none, is read beside it; each says why."""

from collections.abc import Sequence
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.flow_words import SOURCE_KINDS
from periplus_spoke.conversion import flow_sources
from periplus_spoke.conversion.flow_sources import (
    BYTES,
    EDGES,
    EDGES_OF_METRICS,
    Chosen,
    FlowSource,
    Kind,
    State,
    chosen,
)

KINDS: tuple[Kind, ...] = get_args(Kind)


def sources(*found: Kind, unknown: tuple[Kind, ...] = ()) -> list[FlowSource]:
    """Every kind; those named are found, or not known."""

    def state(kind: Kind) -> State:
        return "found" if kind in found else "unknown" if kind in unknown else "absent"

    return [FlowSource(kind=kind, state=state(kind), service=kind) for kind in KINDS]


def choose(
    found: Sequence[FlowSource], allowed: Sequence[str] = (), reads: Sequence[str] = (*BYTES, *EDGES, *EDGES_OF_METRICS)
) -> tuple[Chosen, ...]:
    """By a spoke that reads everything it can."""
    return flow_sources.choose(found, allowed, reads)


def picked(choices: tuple[Chosen, ...]) -> list[str]:
    """Kinds that are read."""
    return [each.source.kind for each in choices if each.use == "chosen"]


def why(choices: tuple[Chosen, ...], kind: Kind) -> tuple[str, str]:
    """What is done with a kind, and why."""
    return next((each.use, each.why) for each in choices if each.source.kind == kind)


def test_conntrack_before_what_counts_the_same_bytes_again() -> None:
    found = choose(sources("conntrack", "istio", "obi", "netobserv", "prometheus"))
    assert picked(found) == ["conntrack"]
    assert why(found, "istio") == (
        "not-chosen",
        "bytes come from conntrack: two sources would count the same bytes twice",
    )


def test_hubble_beside_a_source_of_bytes() -> None:
    assert picked(choose(sources("hubble", "istio", "prometheus"))) == ["hubble", "istio"]


def test_metrics_of_cilium_where_nothing_better_is() -> None:
    alone = choose(sources("cilium-mesh", "prometheus"))
    assert picked(alone) == ["cilium-mesh"]
    assert why(alone, "cilium-mesh")[1] == "connections and verdicts, without bytes"
    beside = choose(sources("cilium-mesh", "hubble", "prometheus"))
    assert picked(beside) == ["hubble"]
    assert why(beside, "cilium-mesh") == ("not-chosen", "hubble is read instead")
    assert picked(choose(sources("cilium-mesh", "istio", "prometheus"))) == ["istio"]
    assert picked(choose(sources("cilium-mesh", "hubble", "istio"), ("cilium-mesh",))) == ["cilium-mesh"]
    assert picked(choose(sources("cilium-mesh"), ("conntrack", "cilium-mesh"))) == []


def test_exporters_are_read_by_who_asks_the_api_server_where_there_is_no_prometheus() -> None:
    absent = FlowSource(kind="prometheus", state="absent")
    found = FlowSource(kind="prometheus", state="found", service="p", namespace="n", port=9090)
    pages = FlowSource(
        kind="cilium-mesh", state="found", namespace="k", service="hubble-metrics", port=9965, has_pages=True
    )
    for prometheus, reads, use, source in (
        (absent, ("prometheus",), "chosen", pages),
        (found, ("prometheus",), "chosen", None),
        (absent, ("conntrack",), "unreadable", None),
    ):
        choices = choose([pages, prometheus], reads=reads)
        assert (why(choices, "cilium-mesh")[0], flow_sources.with_pages(choices)) == (use, source)
    [unread, _] = choose([pages, absent], reads=("conntrack",))
    assert unread.command == "periplus-spoke run --exporter-urls http://hubble-metrics.k.svc:9965/metrics"


def test_metrics_need_a_prometheus() -> None:
    found = choose(sources("istio"), reads=("conntrack",))
    assert picked(found) == []
    assert why(found, "istio") == (
        "unreadable",
        "no Prometheus was found to read its metrics from; exporter_urls of the spoke reads them without",
    )


def test_a_spoke_that_is_given_no_prometheus_is_told_which_one_there_is() -> None:
    where = FlowSource(kind="prometheus", state="found", namespace="m", service="p", port=9090, path="/x")
    (_, istio) = choose([where, FlowSource(kind="istio", state="found")], reads=("conntrack",))
    assert (istio.use, istio.why) == ("unreadable", "the spoke is given no Prometheus")
    assert istio.command == "periplus-spoke run --prometheus-urls http://p.m.svc:9090/x"


def test_a_source_that_is_not_there_keeps_what_would_enable_it() -> None:
    (one,) = choose([FlowSource(kind="hubble", state="absent", missing="no relay", command="enable it")])
    assert (one.use, one.why, one.command) == ("", "no relay", "enable it")
    assert one.row() == ("hubble", "absent", None, None, "no relay", "enable it")


def test_the_contract_has_the_same_words() -> None:
    assert SOURCE_KINDS == KINDS


def test_what_is_not_read_yet_is_told() -> None:
    assert why(choose(sources("goldmane")), "goldmane") == ("unreadable", "Periplus does not read it yet")


def test_a_configuration_decides() -> None:
    found = choose(sources("conntrack", "hubble", "istio", "obi", "prometheus"), ("istio", "obi"))
    assert picked(found) == ["istio"]
    assert why(found, "conntrack")[1].endswith("its agents go on sending until they are removed")
    assert why(found, "hubble") == ("not-chosen", "flow_sources of the spoke does not name it")
    assert picked(choose(sources("conntrack", "hubble"), ("hubble",))) == ["hubble"]


def test_what_stands_behind_agents_is_read_by_nobody_and_not_said_to_be() -> None:
    found = choose(sources("istio", "obi", "prometheus"), ("obi", "conntrack", "istio"))
    assert picked(found) == ["obi"]
    found = choose(sources("istio", "prometheus"), ("conntrack", "istio"))
    assert picked(found) == []
    assert why(found, "istio") == ("not-chosen", "flow_sources of the spoke puts agents of nodes before it")


def test_agents_behind_another_source_are_said_to_go_on() -> None:
    found = choose(sources("conntrack", "istio", "prometheus"), ("istio", "conntrack"))
    assert picked(found) == ["istio"]
    assert why(found, "conntrack")[1].endswith("its agents go on sending until they are removed")


def test_agents_that_may_be_there_unseen_count_nothing_twice() -> None:
    found = choose(sources("istio", "prometheus", unknown=("conntrack",)))
    assert picked(found) == []
    assert "agents of nodes may be counting" in why(found, "istio")[1]
    assert picked(choose(sources("istio", "prometheus", unknown=("conntrack",)), ("istio",))) == ["istio"]


def test_agents_that_see_nothing_leave_the_bytes_to_others() -> None:
    agents = FlowSource(kind="conntrack", state="found", missing="packets pass it by")
    others = sources("istio", "prometheus")[1:]
    assert picked(choose([agents, *(each for each in others if each.kind != "conntrack")])) == ["istio"]


def test_of_a_kind_that_is_found_twice_one_is_read() -> None:
    twice = [FlowSource(kind="hubble", state="found", namespace=name) for name in ("a", "b")]
    found = choose(twice)
    assert [each.use for each in found] == ["chosen", "not-chosen"]
    assert chosen(found, "hubble") == twice[0]
    assert chosen(found, "istio") is None


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["found", "absent", "unknown"]), st.booleans())),
    st.lists(st.sampled_from((*BYTES, *EDGES, *EDGES_OF_METRICS)), unique=True),
)
def test_bytes_never_come_from_two(drawn: list[tuple[Kind, State, bool]], allowed: list[str]) -> None:
    found = choose(
        [FlowSource(kind=kind, state=state, missing="x" if lacks else "") for kind, state, lacks in drawn], allowed
    )
    assert len([kind for kind in picked(found) if kind not in EDGES]) <= 1
    assert all(each.source.state == "found" for each in found if each.use)
    assert all(each.why for each in found if each.use)


def test_a_relay_that_nobody_follows_names_the_option() -> None:
    (relay,) = choose([FlowSource(kind="hubble", state="found")], reads=())
    assert (relay.use, relay.why) == ("unreadable", "the spoke is given no Hubble Relay")
    assert relay.command == "periplus-spoke run --hubble-relay auto"
