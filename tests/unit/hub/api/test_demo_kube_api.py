"""The simulated Kubernetes API answers as a real one would, for what a spoke asks."""

import ipaddress
import itertools

import httpx
import pytest

from periplus_hub.api.demo import objects
from periplus_hub.api.demo.fleet import CLUSTERS, CONNECTIONS, DOMAINS, DemoCluster
from periplus_hub.api.demo.kube_api import SimulatedFleet, kubeconfig


@pytest.fixture
def api() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(SimulatedFleet(CLUSTERS).app)
    return httpx.AsyncClient(transport=transport, base_url=f"http://api/clusters/{CLUSTERS[0].name}")


async def test_pages_join_to_the_whole_list(api: httpx.AsyncClient) -> None:
    whole = (await api.get("/api/v1/pods")).json()["items"]
    paged, token = [], ""
    for _ in range(len(whole)):
        page = (await api.get("/api/v1/pods", params={"limit": "7", "continue": token})).json()
        paged += page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert paged == whole
    assert len(whole) > 7


async def test_metadata_only_lists_leave_the_rest_out(api: httpx.AsyncClient) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    body = (await api.get("/apis/apps/v1/deployments", headers={"Accept": accept})).json()
    assert body["kind"] == "PartialObjectMetadataList"
    assert all(item.keys() == {"metadata"} for item in body["items"])


async def test_pods_of_a_namespace_are_chosen_by_their_labels(api: httpx.AsyncClient) -> None:
    async def names(namespace: str, **asked: str) -> set[str]:
        found = (await api.get(f"/api/v1/namespaces/{namespace}/pods", params=asked)).json()["items"]
        return {pod["metadata"]["name"].partition("-")[0] for pod in found}

    assert await names("kube-system") == {"cilium"}
    assert await names("kube-system", labelSelector="component in (kube-apiserver)") == set()
    assert await names("shop", labelSelector="app in (cart,search)") == {"cart", "search"}


@pytest.mark.parametrize("cluster", CLUSTERS, ids=lambda cluster: cluster.name)
async def test_every_group_that_is_announced_is_served(cluster: DemoCluster) -> None:
    transport = httpx.ASGITransport(SimulatedFleet(CLUSTERS).app)
    base_url = f"http://api/clusters/{cluster.name}"
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as api:
        for group in (await api.get("/apis")).json()["groups"]:
            for version in group["versions"]:
                prefix = f"/apis/{version['groupVersion']}"
                resources = (await api.get(prefix)).json()["resources"]
                assert resources
                for resource in resources:
                    found = (await api.get(f"{prefix}/{resource['name']}")).json()
                    assert found["kind"] == f"{resource['kind']}List"


async def test_what_does_not_exist_is_a_status_404(api: httpx.AsyncClient) -> None:
    for path in ("/apis/metallb.io/v1beta1", "/api/v1/nonsense", "/api/v1/namespaces/kube-system/configmaps/absent"):
        answer = await api.get(path)
        assert answer.status_code == 404
        assert answer.json()["kind"] == "Status"


async def test_secrets_are_refused_in_reviews(api: httpx.AsyncClient) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for resource, allowed in (("pods", True), ("secrets", False)):
        asked = {"spec": {"resourceAttributes": {"verb": "list", "resource": resource}}}
        assert (await api.post(path, json=asked)).json()["status"]["allowed"] is allowed


@pytest.mark.parametrize("cluster", CLUSTERS, ids=lambda cluster: cluster.name)
def test_addresses_lie_in_their_ranges(cluster: DemoCluster) -> None:
    machines = ipaddress.ip_network(cluster.node_cidr)
    ranges = [ipaddress.ip_network(cidr) for cidr in cluster.pod_cidrs]
    seen: set[str] = set()
    for pod in objects.pods(cluster):
        for item in pod["status"]["podIPs"]:
            address = ipaddress.ip_address(item["ip"])
            if pod["spec"].get("hostNetwork"):
                assert address in machines
            else:
                assert any(address in network for network in ranges)
                assert item["ip"] not in seen
                seen.add(item["ip"])


def test_uids_are_unique_and_repeatable() -> None:
    uids = [
        item["metadata"]["uid"]
        for cluster in CLUSTERS
        for make in (objects.pods, objects.nodes, objects.services, objects.namespaces)
        for item in make(cluster)
    ]
    assert len(uids) == len(set(uids))
    assert objects.pods(CLUSTERS[0]) == objects.pods(CLUSTERS[0])


def test_the_story_names_only_what_exists() -> None:
    names = {cluster.name for cluster in CLUSTERS}
    known = names | {domain.name for domain in DOMAINS}
    assert set(itertools.chain.from_iterable(domain.clusters for domain in DOMAINS)) <= names
    assert {end for link in CONNECTIONS for end in (link.a, link.b)} <= known


def test_the_kubeconfig_has_a_context_per_cluster() -> None:
    made = kubeconfig("http://127.0.0.1:1", CLUSTERS)
    assert [context["name"] for context in made["contexts"]] == [cluster.name for cluster in CLUSTERS]
