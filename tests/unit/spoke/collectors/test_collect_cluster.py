"""The collectors against an API server: what is told first, what follows, and that trouble stays where it is."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from periplus_contract.tables import Kind
from periplus_spoke.collectors.cluster_collectors import ClusterCollectors
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.identity import suggested_name
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient, KubeSettings
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.problems import KubeProblem

from tests.support.collecting import BelievingSink
from tests.support.kube_api import DEFAULT_COLLECTIONS, FakeKube, Trouble, write_kubeconfig
from tests.support.kube_objects import endpoint_slice, node, owned_by, pod, service

QUICK = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=10)


@asynccontextmanager
async def collecting(
    fake: FakeKube, folder: Path, config: CollectConfig = QUICK
) -> AsyncIterator[tuple[BelievingSink, ClusterCollectors]]:
    timer = SystemClock()
    async with fake.serving() as url:
        credentials = KubeconfigCredentials(str(write_kubeconfig(folder / "config", url, context="admin@shop")))
        settings = KubeSettings(requests_per_s=1_000, burst=1_000, request_timeout_s=5)
        client = KubeClient(credentials, timer, settings)
        collectors = ClusterCollectors(client, config, timer, random.Random(5))
        hub = BelievingSink()
        task = asyncio.create_task(collectors.run(hub))
        try:
            yield hub, collectors
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()


def shop() -> FakeKube:
    fake = FakeKube()
    fake.put("/api/v1/nodes", node("n1", podCIDRs=["10.244.0.0/24"], providerID="aws:///eu-west-1a/i-1"))
    replicas = {"spec": {"replicas": 3}}
    web = fake.put("/apis/apps/v1/deployments", {"metadata": {"name": "web", "namespace": "default"}} | replicas)
    owners = owned_by("Deployment", "web", web["metadata"]["uid"])
    replicas = {"metadata": {"name": "web-5d4", "namespace": "default", "ownerReferences": owners}}
    uid = fake.put("/apis/apps/v1/replicasets", replicas)["metadata"]["uid"]
    fake.put("/api/v1/pods", pod("web-5d4-x", ("10.244.0.5",), owners=owned_by("ReplicaSet", "web-5d4", uid)))
    fake.put("/api/v1/services", service("web"))
    fake.put(
        "/apis/discovery.k8s.io/v1/endpointslices",
        endpoint_slice("web-1", "web", [{"addresses": ["10.244.0.5"]}, {"addresses": []}]),
    )
    fake.put("/apis/networking.k8s.io/v1/servicecidrs", {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": []}})
    return fake


async def test_first_a_complete_snapshot_and_pools(tmp_path: Path) -> None:
    async with collecting(shop(), tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        assert [(item.kind, item.mode) for item in hub.told] == [(Kind.INVENTORY, "snapshot"), (Kind.IPAM, None)]
        (cluster,) = hub.tables["cluster"].values()
        assert (cluster["uid"], cluster["provider"], cluster["region"]) == ("uid-kube-system", "aws", "eu-west-1")
        assert cluster["cnis"] == ("unknown",)
        (row,) = hub.tables["pods"].values()
        assert (row["workload_kind"], row["workload_name"], row["ipv4"]) == ("Deployment", "web", "10.244.0.5")
        (workload,) = hub.tables["workloads"].values()
        assert (workload["name"], workload["replicas"]) == ("web", 3)
        (endpoint,) = hub.tables["endpoints"].values()
        assert (endpoint["uid"], endpoint["ready"]) == ("uid-endpointslices-default/web-1/10.244.0.5", True)
        assert hub.source("pods")["state"] == "ok"
        assert hub.source("kube-system/kubeadm-config")["state"] == "absent"


async def test_a_pods_birth_is_one_delta_of_its_row_and_its_endpoint(tmp_path: Path) -> None:
    fake = shop()
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        before = len(hub.told)
        fake.put("/api/v1/pods", pod("late", ("10.244.0.6",)))
        endpoints = [{"addresses": ["10.244.0.5"]}, {"addresses": ["10.244.0.6"]}]
        fake.put("/apis/discovery.k8s.io/v1/endpointslices", endpoint_slice("web-1", "web", endpoints))
        await hub.until(lambda h: "late" in h.named("pods") and len(h.tables["endpoints"]) == 2)
        told = hub.told[before:]
    assert all(item.mode == "delta" for item in told)
    assert sum(item.rows for item in told) == 2


async def test_deletes_follow(tmp_path: Path) -> None:
    fake = shop()
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        fake.delete("/apis/discovery.k8s.io/v1/endpointslices", "web-1", "default")
        fake.delete("/api/v1/services", "web", "default")
        fake.delete("/api/v1/nodes", "n1")
        await hub.until(lambda h: not h.tables["endpoints"] and not h.tables["services"] and not h.tables["nodes"])
        await hub.until(lambda h: h.told[-1].kind is Kind.IPAM)


async def test_a_pod_seen_before_its_replicaset_gets_its_workload_later(tmp_path: Path) -> None:
    fake = shop()
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        fake.put("/api/v1/pods", pod("api-1-x", ("10.244.0.9",), owners=owned_by("ReplicaSet", "api-1", "rs-api")))
        await hub.until(lambda h: "api-1-x" in h.named("pods"))
        meta = {"name": "api-1", "namespace": "default", "uid": "rs-api"}
        fake.put(
            "/apis/apps/v1/replicasets", {"metadata": {**meta, "ownerReferences": owned_by("Deployment", "api", "d")}}
        )
        await hub.until(lambda h: {row["workload_name"] for row in h.tables["pods"].values()} == {"web", "api"})


@pytest.mark.parametrize("version", ["v1.33\x1b[2J", "v1.33\0", "v" * 257])
async def test_a_version_that_is_none_is_a_reason_of_its_source(tmp_path: Path, version: str) -> None:
    fake = shop()
    fake.git_version = version
    async with collecting(fake, tmp_path) as (hub, _):
        await hub.until(lambda told: bool(told.source("version")) and bool(told.tables.get("cluster")))
        source, [cluster] = hub.source("version"), hub.tables["cluster"].values()
    assert (source["state"], source["reason"]) == ("ok", "unknown_shape")
    assert "gitVersion 'v" in source["message"]
    assert source["message"].isprintable()
    assert (cluster["kubernetes_version"], cluster["platform"]) == (None, "linux/amd64")


async def test_a_uid_that_is_none_is_named(tmp_path: Path) -> None:
    fake = shop()
    fake.add_namespace("kube-system", "uid\x1b[2J")
    async with collecting(fake, tmp_path) as (_, collectors):
        with pytest.raises(KubeProblem, match=r"kube-system has the uid 'uid\\x1b\[2J'"):
            await collectors.identity()


@pytest.mark.promise("sources-fail-alone")
@pytest.mark.parametrize(
    ("trouble", "state", "reason"),
    [
        (Trouble(status=403, times=99), "forbidden", "forbidden"),
        (Trouble(status=404, times=99), "absent", "not_found"),
        (Trouble(status=500, times=99), "failed", "server_error"),
        (Trouble(hang=True, times=99), "slow", "slow"),
    ],
)
async def test_one_bad_source_stops_no_other(tmp_path: Path, trouble: Trouble, state: str, reason: str) -> None:
    fake = shop()
    fake.trouble("/apis/discovery.k8s.io/v1/endpointslices", trouble)
    config = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=0.5 if trouble.hang else 20)
    async with collecting(fake, tmp_path, config) as (hub, collectors):
        await collectors.wait_until_settled()
        told = hub.source("discovery.k8s.io/endpointslices")
        assert (told["state"], told["reason"]) == (state, reason)
        assert told["remedy"]
        assert (hub.named("pods"), "endpoints" in hub.tables) == ({"web-5d4-x"}, False)


async def test_a_slow_kind_is_filled_in_later(tmp_path: Path) -> None:
    fake = shop()
    fake.trouble("/api/v1/pods", Trouble(hang=True))
    config = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=0.3)
    async with fake.serving() as url:
        credentials = KubeconfigCredentials(str(write_kubeconfig(tmp_path / "config", url)))
        timer = SystemClock()
        client = KubeClient(credentials, timer, KubeSettings(requests_per_s=1_000, burst=1_000, request_timeout_s=1))
        hub = BelievingSink()
        collectors = ClusterCollectors(client, config, timer, random.Random(1))
        task = asyncio.create_task(collectors.run(hub))
        await collectors.wait_until_settled()
        assert hub.source("pods")["state"] == "slow"
        await hub.until(lambda h: h.source("pods")["state"] == "ok" and "web-5d4-x" in h.named("pods"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def test_a_snapshot_on_request_tells_everything_again(tmp_path: Path) -> None:
    async with collecting(shop(), tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        collectors.request_snapshot()
        await hub.until(lambda h: [item.mode for item in h.told].count("snapshot") == 2)
        await hub.until(lambda h: h.told[-1].kind is Kind.IPAM)
        assert [section.table.name for section in hub.told[-1].sections] == ["pools", "allocations"]


async def test_an_old_api_server_without_servicecidr(tmp_path: Path) -> None:
    fake = FakeKube([path for path in shop().collections if "networking.k8s.io" not in path])
    fake.put("/api/v1/services", service("web"))
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        told = hub.source("networking.k8s.io/servicecidrs")
        assert (told["state"], "cluster IPs" in told["remedy"]) == ("absent", True)


async def test_identity_needs_a_reachable_cluster(tmp_path: Path) -> None:
    fake = shop()
    path = "/api/v1/namespaces/kube-system"
    fake.trouble(path, Trouble(status=403, times=1_000))  # the running collectors ask for it too
    async with collecting(fake, tmp_path) as (_, collectors):
        with pytest.raises(KubeProblem) as caught:
            await collectors.identity()
        assert caught.value.reason == "forbidden"
        fake.troubles.pop(path)
        found = await collectors.identity()
    assert (found.uid, found.name, found.node_count) == ("uid-kube-system", "shop", 1)


async def test_machines_are_those_of_nodes_that_report_here(tmp_path: Path) -> None:
    inside = {"type": "InternalIP", "address": "192.0.2.1"}
    both = [inside, {"type": "InternalIP", "address": "2001:db8::1"}, {"type": "ExternalIP", "address": "198.51.100.1"}]
    fake = shop()
    fake.collections["/api/v1/nodes"].clear()
    lately, before = (f"{SystemClock().now() - timedelta(minutes=ago):%Y-%m-%dT%H:%M:%SZ}" for ago in (8, 20))
    for name, status, heard in (
        ("silent", "Unknown", lately),
        ("down", "False", lately),
        ("restored", "True", before),
        ("up", "True", lately),
    ):
        each = node(name, addresses=both)
        each["status"]["conditions"] = [{"type": "Ready", "status": status, "lastHeartbeatTime": heard}]
        fake.put("/api/v1/nodes", each)
    fake.put("/api/v1/nodes", node("unnamed", addresses=[{"type": "Hostname", "address": "unnamed"}]))
    async with collecting(fake, tmp_path) as (_, collectors):
        found = await collectors.identity()
        fake.trouble("/api/v1/nodes", Trouble(status=403, times=1_000))
        blind = await collectors.identity()
    assert (found.node_count, found.machines) == (5, ("uid-nodes-/up=192.0.2.1", "uid-nodes-/up=2001:db8::1"))
    assert (blind.uid, blind.node_count, blind.machines) == (found.uid, 0, ())


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ("prod", "prod"),
        ("kubernetes-admin@prod", "prod"),
        ("arn:aws:eks:eu-west-1:123456789012:cluster/shop", "shop"),
        ("gke_my-project_europe-west1_shop", "shop"),
        ("Ünïcode Name", "n-code-name"),
        ("", ""),
    ],
)
def test_names_from_contexts(context: str, name: str) -> None:
    assert suggested_name(context) == name


async def test_one_odd_object_does_not_keep_the_vanished_alive(tmp_path: Path) -> None:
    fake = shop()
    path = "/api/v1/pods"
    fake.put(path, pod("odd", ("10.244.0.8",)))
    fake.put(path, pod("vanishes"))
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        fake.put(path, {**pod("odd"), "status": {"podIPs": 7}})
        await hub.until(lambda h: h.named("pods") == {"web-5d4-x", "odd", "vanishes"})
        fake.forget(path, "vanishes", "default")
        fake.trouble(path, Trouble(status=410, watch=True))
        await fake.end_watches()
        await hub.until(lambda h: h.named("pods") == {"web-5d4-x", "odd"})
        await hub.until(lambda h: "1 objects were left out" in str(h.source("pods")["message"]))
    assert hub.named("pods") == {"web-5d4-x", "odd"}, "what was known of it stays"


async def test_what_allocators_hold_is_compared_with_the_pods_that_are_there(tmp_path: Path) -> None:
    calico = "/apis/crd.projectcalico.org/v1"
    fake = FakeKube((*DEFAULT_COLLECTIONS, f"{calico}/ippools", f"{calico}/ipamblocks"))
    fake.extra_groups = {"crd.projectcalico.org": ("v1",)}
    fake.put("/api/v1/nodes", node("n1"))
    fake.put("/api/v1/pods", pod("web", ("10.1.0.0",)))
    holders = [{"secondary": {"namespace": "default", "pod": name, "node": "n1"}} for name in ("web", "gone")]
    spec = {"cidr": "10.1.0.0/30", "affinity": "host:n1", "allocations": [0, 1, None, None], "attributes": holders}
    fake.put(f"{calico}/ippools", {"metadata": {"name": "p"}, "spec": {"cidr": "10.1.0.0/24"}})
    fake.put(f"{calico}/ipamblocks", {"metadata": {"name": "b"}, "spec": spec})
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        (pool,) = [row for row in hub.tables["pools"].values() if row["scope"] == "cluster"]
        assert (pool["used"], pool["leaked"], pool["evidence"]) == (
            "1",
            "1",
            ("10.1.0.1: pod default/gone is not there",),
        )
    paths = [request.path for request in fake.requests]
    assert paths.index("/api/v1/pods") < paths.index(f"{calico}/ipamblocks")


async def test_allocators_are_read_also_where_pods_may_not_be(tmp_path: Path) -> None:
    calico = "/apis/crd.projectcalico.org/v1"
    fake = FakeKube((*DEFAULT_COLLECTIONS, f"{calico}/ippools"))
    fake.extra_groups = {"crd.projectcalico.org": ("v1",)}
    fake.trouble("/api/v1/pods", Trouble(status=403, times=100))
    fake.put(f"{calico}/ippools", {"metadata": {"name": "p"}, "spec": {"cidr": "10.1.0.0/24"}})
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        assert hub.source("crd.projectcalico.org/ippools")["state"] == "ok"


async def test_what_addresses_stand_for_is_told_and_ends_with_its_object(tmp_path: Path) -> None:
    path, source = "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports", "multicluster.x-k8s.io/serviceimports"
    fake = FakeKube((*DEFAULT_COLLECTIONS, path))
    fake.extra_groups = {"multicluster.x-k8s.io": ("v1alpha1",)}
    imported = {"metadata": {"name": "api", "namespace": "shop"}, "spec": {"ips": ["10.96.7.1"]}}
    fake.put(path, imported | {"status": {"clusters": [{"cluster": "west-1"}]}})
    config = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=10, facts_interval_s=0.05)
    async with collecting(fake, tmp_path, config) as (hub, collectors):
        await collectors.wait_until_settled()
        [row] = hub.tables["meanings"].values()
        assert (row["source"], row["role"], row["cidr"], row["clusters"]) == (
            source,
            "import",
            "10.96.7.1/32",
            ("west-1",),
        )
        assert f"meanings/{source}" in hub.told[0].covers
        fake.forget(path, "api", "shop")
        await hub.until(lambda h: not h.tables["meanings"])


async def test_what_may_not_be_read_is_not_said_to_stand_for_nothing(tmp_path: Path) -> None:
    path, source = "/apis/multicluster.x-k8s.io/v1beta1/serviceimports", "multicluster.x-k8s.io/serviceimports"
    fake = FakeKube((*DEFAULT_COLLECTIONS, path))
    fake.extra_groups = {"multicluster.x-k8s.io": ("v1beta1",)}
    fake.trouble(path, Trouble(status=403, times=100))
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        assert hub.source(source)["state"] == "forbidden"
        assert f"meanings/{source}" not in hub.told[0].covers
        assert "pods" in hub.told[0].covers
