"""`periplus try` gives no all-clear for what it did not read: real hub and spokes, only the API servers are ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import Outcome, periplus
from tests.support.kube_api import DEFAULT_COLLECTIONS, FakeKube, Trouble
from tests.support.kube_objects import node, pod, service

MAY_LIST = {"/api/v1/namespaces", "/api/v1/pods"}


def cluster(uid: str, node_address: str, node_range: str) -> FakeKube:
    """Made by kubeadm: the /16 around the range of its node is what its pods may use."""
    kube = silent_cluster(uid, node_address, node_range)
    pods = ip_network(node_range).supernet(new_prefix=16)
    settings = {"ClusterConfiguration": f"networking: {{podSubnet: {pods}}}"}
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    kube.put("/api/v1/configmaps", {"metadata": metadata, "data": settings})
    return kube


def silent_cluster(uid: str, node_address: str, node_range: str) -> FakeKube:
    """Nothing in it says which range its pods may use; only what its node holds now."""
    kube = FakeKube()
    kube.add_namespace("kube-system", uid)
    kube.put("/apis/networking.k8s.io/v1/servicecidrs", service_range(f"10.{len(uid)}.0.0/16"))
    kube.put("/api/v1/nodes", node("n1", podCIDRs=[node_range], addresses=[internal(node_address)]))
    return kube


def internal(address: str) -> dict[str, str]:
    return {"type": "InternalIP", "address": address}


def service_range(cidr: str) -> dict[str, Any]:
    return {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [cidr]}}


def forbid(kube: FakeKube, *paths: str) -> None:
    for path in paths:
        kube.trouble(path, Trouble(status=403, times=10_000))


@asynccontextmanager
async def kubeconfig(folder: Path, **clusters: FakeKube) -> AsyncIterator[Path]:
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(kube.serving()) for name, kube in clusters.items()}
        path = folder / "kubeconfig"
        content = {
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in urls.items()],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in urls],
        }
        path.write_text(yaml.safe_dump(content))
        yield path


async def tried(folder: Path, *arguments: str, **clusters: FakeKube) -> Outcome:
    async with kubeconfig(folder, **clusters) as path:
        return await asyncio.to_thread(
            lambda: periplus("try", "--kubeconfig", str(path), *arguments, home=folder, COLUMNS="100")
        )


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("joined", [(), ("--joined",)])
async def test_namespaces_and_pods_alone_are_no_all_clear(tmp_path: Path, joined: tuple[str, ...]) -> None:
    """The node of `blind` lies in the pod range of `whole`, and nobody may see it."""
    whole, blind = cluster("w", "192.168.0.1", "10.42.0.0/24"), cluster("bl", "10.42.0.9", "10.43.0.0/24")
    blind.put("/api/v1/pods", pod("p1", ("10.43.0.7",)))
    forbid(blind, "/apis", *(path for path in DEFAULT_COLLECTIONS if path not in MAY_LIST))
    seen = await tried(tmp_path, "--fail-on", "latent", *joined, whole=whole, blind=blind)
    assert seen.code == 1, (seen.out, seen.err)
    assert "no overlapping address ranges" not in seen.out
    assert "1 of 2 clusters complete" in seen.out
    assert "2 of 2" not in seen.out
    said = " ".join(seen.out.split()).partition("blind: ")[2]
    assert said.index("nodes") < said.index("services") < said.index("servicecidrs"), "the important ones first"
    assert "--fail-on latent" in seen.err
    assert "blind" in seen.err


@pytest.mark.promise("no-false-all-clear")
async def test_the_document_says_what_is_missing(tmp_path: Path) -> None:
    whole, blind = cluster("w", "192.168.0.1", "10.42.0.0/24"), cluster("bl", "10.42.0.9", "10.43.0.0/24")
    forbid(blind, "/api/v1/nodes")
    seen = (await tried(tmp_path, "--json", whole=whole, blind=blind)).document
    lines = {each["name"]: each for each in seen["clusters"]}
    assert (lines["whole"]["state"], lines["blind"]["state"]) == ("complete", "incomplete")
    assert lines["whole"]["missing"] == []
    assert [each["source"] for each in lines["blind"]["missing"]] == ["nodes"]
    assert lines["blind"]["missing"][0]["reason"] == "forbidden"
    assert lines["whole"]["networkDomain"] == "whole"
    assert lines["whole"]["lastHeard"]
    assert seen["asOf"]
    assert (seen["complete"], seen["completeClusters"]) == (False, 1)
    assert any("blind" in each for each in seen["unknown"])


async def test_pods_that_may_not_be_read_hide_nothing_where_nodes_name_their_ranges(tmp_path: Path) -> None:
    one, two = cluster("w", "192.168.0.1", "10.42.0.0/24"), cluster("bl", "192.168.1.1", "10.43.0.0/24")
    for kube in (one, two):
        kube.put("/apis/apps/v1/daemonsets", {"metadata": {"name": "kindnet", "namespace": "kube-system"}})
    forbid(two, "/api/v1/pods", "/apis/apps/v1/deployments")
    seen = await tried(tmp_path, "--fail-on", "latent", one=one, two=two)
    assert seen.code == 0, (seen.out, seen.err)
    assert "2 of 2 clusters complete · no overlapping address ranges" in seen.out
    assert "each cluster counts as a network of its own" in seen.out.lower()
    assert "as of 2" in seen.out


@pytest.mark.promise("no-false-all-clear")
async def test_a_threshold_that_is_met_wins_over_what_is_missing(tmp_path: Path) -> None:
    one, two = cluster("w", "192.168.0.1", "10.42.0.0/24"), cluster("bl", "192.168.1.1", "10.42.0.0/24")
    forbid(two, "/api/v1/services")
    seen = await tried(tmp_path, "--joined", "--fail-on", "blocks-federation", one=one, two=two)
    assert seen.code == 2, (seen.out, seen.err)
    assert "1 of 2 clusters complete" in seen.out


@pytest.mark.promise("no-false-all-clear")
async def test_a_pod_range_that_nobody_says_is_no_all_clear(tmp_path: Path) -> None:
    """Everything was read; but what the pods of `silent` get tomorrow may be what `whole` has today."""
    whole, silent = cluster("w", "192.168.0.1", "10.42.0.0/24"), silent_cluster("si", "192.168.1.1", "10.43.0.0/24")
    seen = await tried(tmp_path, "--fail-on", "latent", whole=whole, silent=silent)
    assert seen.code == 1, (seen.out, seen.err)
    assert "no overlapping address ranges" not in seen.out
    assert "1 of 2 clusters complete · no overlap in what is known, which is not all" in seen.out
    assert "[range_not_known]" in seen.out
    assert "silent (incomplete: ipam/pod-range)" in seen.err
    (states,) = (line.split()[1] for line in seen.out.splitlines() if line.split()[:1] == ["silent"])
    assert states == "incomplete"


@pytest.mark.promise("no-false-all-clear")
async def test_the_document_says_that_a_pod_range_is_not_known(tmp_path: Path) -> None:
    whole, silent = cluster("w", "192.168.0.1", "10.42.0.0/24"), silent_cluster("si", "192.168.1.1", "10.43.0.0/24")
    seen = (await tried(tmp_path, "--json", "--fail-on", "conflict", whole=whole, silent=silent)).document
    lines = {each["name"]: each for each in seen["clusters"]}
    assert {name: line["state"] for name, line in lines.items()} == {"whole": "complete", "silent": "incomplete"}
    (missing,) = lines["silent"]["missing"]
    assert (missing["source"], missing["state"], missing["reason"]) == ("ipam/pod-range", "failed", "range_not_known")
    assert (seen["complete"], seen["completeClusters"]) == (False, 1)
    assert seen["unknown"] == ["silent (incomplete: ipam/pod-range)"]


@pytest.mark.promise("preflight-passes-what-is-known")
async def test_preflight_passes_only_clusters_that_were_read_whole(tmp_path: Path) -> None:
    """The document of pre-flight stands for the report's; its verdict decides the exit code."""
    one, two = cluster("w", "192.168.0.1", "10.42.0.0/24"), cluster("bl", "192.168.1.1", "10.43.0.0/24")
    forbid(two, "/api/v1/nodes")
    seen = await tried(tmp_path, "--preflight", "skupper", one=one, two=two)
    assert (seen.code, "Skupper: pass" in seen.out) == (0, True), (seen.out, seen.err)
    seen = await tried(tmp_path, "--preflight", "submariner", "--json", one=one, two=two)
    assert (seen.code, seen.document["verdict"]) == (1, "unknown"), (seen.out, seen.err)
    assert "two" in seen.document["notKnownWhole"]["names"]
    seen = await tried(tmp_path, "--preflight", "submariner", "--fail-on", "latent", one=one, two=two)
    assert (seen.code, "both decide the exit code" in seen.err) == (64, True)


async def test_each_cluster_has_a_line_for_its_flows_and_nothing_unseen_is_said_to_be_absent(tmp_path: Path) -> None:
    """One has a relay that this spoke is not set up to read, one nothing, and of one Services may not be listed."""
    relay, bare, unread = (cluster(f"uid-{n}", f"10.0.0.{n}", f"10.24{n}.0.0/24") for n in (1, 2, 3))
    relay.put("/api/v1/services", service("hubble-relay", namespace="kube-system", ports=[{"port": 80}]))
    forbid(unread, "/api/v1/services")
    outcome = await tried(tmp_path, "--json", relay=relay, bare=bare, unread=unread)
    told = {each["name"]: each for each in outcome.document["clusters"]}
    hubble = {
        name: next((each["state"], each["where"]) for each in line["flowSources"] if each["kind"] == "hubble")
        for name, line in told.items()
    }
    assert hubble == {
        "relay": ("found", "kube-system/hubble-relay:80"),
        "bare": ("absent", ""),
        "unread": ("unknown", ""),
    }
    assert told["bare"]["flowCommand"] == "periplus join-token create --agents-of bare"
    assert "--watch 5m looks for flows of relay and shows them." in outcome.document["notes"]
