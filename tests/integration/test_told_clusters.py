"""Names of other clusters that sources tell, from what they answer to the spokes to what the hub is asked."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from periplus_contract.batch import FlowsMark
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.kit.db import Database
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.flow_sums import WindowSums
from periplus_spoke.conversion.hubble.flows import HubbleFlows
from periplus_spoke.conversion.hubble.messages import SeenFlow, read_response
from periplus_spoke.conversion.prometheus.answers import Sample
from periplus_spoke.conversion.prometheus.ends import kinds_of
from periplus_spoke.conversion.prometheus.flows import Known, SourceWindow
from periplus_spoke.conversion.prometheus.rules import RULES

from tests.integration.test_dependencies import AT, ask
from tests.integration.test_edge_evidence import evidence
from tests.integration.test_edge_in_full import edge
from tests.support.batches import Spoke, pod, upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import FlowHub, flow_hub
from tests.support.hubble_bytes import API, WEB, Event, arriving, elsewhere
from tests.support.spokes_door import Member
from tests.support.vendor_metrics import ISTIO

YESTERDAY = START - timedelta(days=1)
Clusters = dict[str, tuple[Member, Spoke]]


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def mesh(hub: FlowHub, scope: Scope, **aliases: Sequence[str]) -> Clusters:
    """Clusters with these aliases, each in a network of its own. All but the first have the same addresses."""
    found: Clusters = {}
    for number, (name, said) in enumerate(aliases.items()):
        member = await hub.door.member(scope, name)
        spoke = Spoke(member.registration)
        network = "10.9" if number else "10.0"
        pods = [
            pod("w", f"{network}.1.2", YESTERDAY, workload_kind="Deployment", workload_name="web"),
            pod("d", f"{network}.2.3", YESTERDAY, workload_kind="StatefulSet", workload_name="db"),
        ]
        itself = [upsert(f"uid-{name}", YESTERDAY, aliases=list(said))]
        await member.send(spoke.snapshot({"cluster": itself, "pods": pods}))
        found[name] = (member, spoke)
    return found


async def send(cluster: tuple[Member, Spoke], sums: WindowSums) -> None:
    """A window as a spoke seals it."""
    member, spoke = cluster
    body, inflated, sections = encode_sections(sums.sections(AT, 60))
    rows = sum(part.rows for part in sections)
    header = {"sections": sections, "rows": rows, "inflated_bytes": inflated, "flows": FlowsMark()}
    await member.send(spoke.seal(Kind.FLOWS, [], body=body, window_start_s=AT, window_s=60, **header))


def istio(reporter: str, client: str, server: str, **rose: int) -> WindowSums:
    """web of one cluster calls db of another, as a proxy of one of them tells it."""
    rule = next(rule for rule in RULES if rule.name == "istio")
    kinds = kinds_of([("shop", "web", "Deployment"), ("shop", "db", "StatefulSet")])
    window = SourceWindow(rule, Known(kinds))
    labels = ISTIO | {"reporter": reporter, "source_cluster": client, "destination_cluster": server}
    for measure, value in rose.items():
        window.take(measure, [Sample(labels, value)])
    sums = WindowSums(1_000)
    window.put(sums)
    return sums


def shown(found: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    def name(end: dict[str, Any]) -> str:
        at = end["cluster"] and f"@{end['cluster']['name']}"
        return f"{end['kind']} {end['namespace']}/{end['name']}{at or ''}"

    return {(name(each["source"]), name(each["destination"]), each["bytesTx"]) for each in found["edges"]}


async def test_what_proxies_of_both_clusters_tell_is_one_edge_with_each_byte_once(hub: FlowHub, tenant: Scope) -> None:
    clusters = await mesh(hub, tenant, east=["istio=e"], west=["istio=w"])
    await send(clusters["east"], istio("source", "e", "w", bytes_tx=100, bytes_rx=900))
    await send(clusters["west"], istio("destination", "e", "w", bytes_tx=103, bytes_rx=900))
    await hub.settle()
    found = await ask(hub, tenant, cross=True)
    assert shown(found) == {("Deployment shop/web@east", "StatefulSet shop/db@west", "103")}
    [one] = found["edges"]
    assert (one["source"]["rules"], one["destination"]["rules"]) == (["told"], ["told-workload"])
    assert (one["bytesRx"], one["onlySeenBy"], one["isPartUnmeasured"]) == ("900", None, False)


@pytest.mark.promise("no-false-all-clear")
async def test_raw_rows_that_name_an_end_in_another_cluster_are_said_to_be_there(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clusters = await mesh(hub, tenant, east=["istio=e"], west=["istio=w"])
    await send(clusters["east"], istio("source", "e", "w", bytes_tx=100, bytes_rx=900))
    await send(clusters["west"], istio("destination", "e", "w", bytes_tx=103, bytes_rx=900))
    await hub.settle()
    clock.advance(3_600)
    found = await evidence(hub, tenant, "web", "db")
    assert (found["state"], found["windowCount"], found["namedElsewhereCount"]) == ("KEPT", "0", "2")


async def test_an_hour_is_made_anew_when_a_cluster_says_what_it_is_called(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clusters = await mesh(hub, tenant, east=["istio=e"], west=[])
    await send(clusters["east"], istio("source", "e", "w", bytes_tx=100))
    await send(clusters["west"], istio("destination", "e", "w", bytes_tx=100))
    await hub.settle()
    remote = ("Deployment shop/web@east", "remote /w/shop/db", "100")
    from_east = ("Deployment shop/web@east", "StatefulSet shop/db@west", "100")
    assert shown(await ask(hub, tenant)) == {remote, from_east}
    clock.advance(120)
    member, spoke = clusters["west"]
    spoke.at = START + timedelta(seconds=60)
    await member.send(spoke.delta({"cluster": [upsert("uid-west", spoke.at, aliases=["istio=w"])]}))
    await hub.settle()
    assert shown(await ask(hub, tenant)) == {from_east}


async def test_a_server_that_cannot_say_which_cluster_called_does_not_count_bytes_again(
    hub: FlowHub, tenant: Scope
) -> None:
    clusters = await mesh(hub, tenant, east=["istio=Kubernetes"], west=["istio=w"])
    await send(clusters["east"], istio("source", "Kubernetes", "w", bytes_tx=100))
    await send(clusters["west"], istio("destination", "Kubernetes", "w", bytes_tx=100))
    await hub.settle()
    assert shown(await ask(hub, tenant)) == {
        ("Deployment shop/web@east", "StatefulSet shop/db@west", "100"),
        ("remote /Kubernetes/shop/web", "StatefulSet shop/db@west", None),
    }


async def test_clusters_of_one_name_are_the_candidates(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    clusters = await mesh(hub, tenant, east=["istio=e"], west=["istio=w"], copy=["istio=w"])
    await mesh(hub, other_tenant, south=["istio=w"])
    await send(clusters["east"], istio("source", "e", "w", bytes_tx=100))
    await hub.settle()
    found = await edge(hub, tenant, "web", "w/shop/db")
    assert (found["destination"]["kind"], found["destination"]["rules"]) == ("ambiguous", ["told-several"])
    candidates = sorted((each["cluster"]["name"], each["name"]) for each in found["destinationCandidates"])
    assert candidates == [("copy", "db"), ("west", "db")]


async def test_hubbles_name_of_a_cluster_says_whose_pod_an_address_is(hub: FlowHub, tenant: Scope) -> None:
    """Two networks have that address, and neither is the one that it was seen from."""
    clusters = await mesh(hub, tenant, east=["cilium=here"], west=["cilium=there"], blue=["cilium=default"])
    client, server = WEB.named("10.0.1.2", "here"), API.named("10.9.2.3", "there")
    for cluster, event in (
        ("east", Event(source=client, destination=elsewhere(server))),
        ("west", arriving(source=elsewhere(client), destination=server)),
    ):
        flows = HubbleFlows(1_000, lambda: True)
        seen = read_response(memoryview(event.response()))
        assert isinstance(seen, SeenFlow)
        flows.take(seen, AT + 30)
        [told] = flows.close(AT + 3_600)
        await send(clusters[cluster], told.sums)
    await hub.settle()
    found = await ask(hub, tenant, cross=True)
    ends = {(each["source"]["name"], each["destination"]["name"]): each for each in found["edges"]}
    # The hub's inventory has db there; Cilium in west says that it is api. Each is told once.
    assert set(ends) == {("web", "db"), ("web", "api")}
    assert ends["web", "db"]["destination"]["rules"] == ["told-pod"]
    assert ends["web", "api"]["source"]["rules"] == ["told-pod"]
    assert {each["destination"]["cluster"]["name"] for each in found["edges"]} == {"west"}
