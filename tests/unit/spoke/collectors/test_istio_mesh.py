"""What Istio calls a cluster, as its proxies and its control plane are told."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from periplus_spoke.collectors.facts import Facts
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.istio_mesh import GROUP, SOURCE
from periplus_spoke.conversion.cluster_row import cluster_row
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem

PROXIES, ZTUNNELS, CONTROL_PLANE = "service.istio.io/canonical-name", "app in (ztunnel)", "app in (istiod)"
ALIASES = 9


def pod(variable: str, value: str | None, *, container: str = "containers") -> dict[str, Any]:
    """As the charts and the injector write it, with what else is there."""
    node = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    env = [node, *([] if value is None else [{"name": variable, "value": value}])]
    spec: dict[str, Any] = {"containers": [{"name": "app"}]}
    spec[container] = [*spec.get(container, []), {"name": "istio-proxy", "env": env}]
    return {"metadata": {"name": "p", "namespace": "shop", "uid": "p"}, "spec": spec}


class Api:
    """An API server with these pods by label selector; or a refusal."""

    def __init__(self, pods: Mapping[str, list[dict[str, Any]]], *, refusal: str = "", group: str = GROUP) -> None:
        self.pods = pods
        self.refusal = refusal
        self.group = group
        self.asked: list[str] = []

    async def get(self, path: str, params: Mapping[str, str] | None, accept: str) -> bytes:
        del accept
        if path == "/apis":
            return json.dumps({"groups": [{"name": self.group, "versions": [{"version": "v1"}]}]}).encode()
        selector = (params or {}).get("labelSelector", "")
        if path != "/api/v1/pods" or selector not in (PROXIES, ZTUNNELS, CONTROL_PLANE):
            raise KubeProblem("not_found", path)
        self.asked.append(selector)
        if self.refusal:
            raise KubeProblem(self.refusal, path)
        return json.dumps({"metadata": {}, "items": self.pods.get(selector, [])}).encode()


async def read(api: Api, inventory: Inventory | None = None) -> Inventory:
    known = Inventory(LabelFilter()) if inventory is None else inventory
    await Facts(cast("KubeClient", api), known, SystemClock()).refresh()
    return known


def alias(inventory: Inventory) -> tuple[str, ...]:
    aliases = cluster_row(inventory.facts, [], ())[ALIASES]
    assert isinstance(aliases, tuple)
    return aliases


@pytest.mark.parametrize(
    "pods",
    [
        {PROXIES: [pod("ISTIO_META_CLUSTER_ID", None), pod("ISTIO_META_CLUSTER_ID", "west-1")]},
        {PROXIES: [pod("ISTIO_META_CLUSTER_ID", "west-1", container="initContainers")]},
        {ZTUNNELS: [pod("CLUSTER_ID", "west-1")]},
        {CONTROL_PLANE: [pod("CLUSTER_ID", "west-1")]},
        # An istiod that runs here may be that of another cluster.
        {PROXIES: [pod("ISTIO_META_CLUSTER_ID", "west-1")], CONTROL_PLANE: [pod("CLUSTER_ID", "far")]},
    ],
    ids=["sidecar", "native-sidecar", "ztunnel", "istiod", "istiod-of-another"],
)
async def test_what_runs_in_the_cluster_says_what_it_is_called(pods: dict[str, list[dict[str, Any]]]) -> None:
    inventory = await read(Api(pods))
    assert alias(inventory) == ("istio=west-1",)
    assert inventory.sources[SOURCE].state == "ok"


async def test_names_that_differ_say_nothing() -> None:
    two = [pod("ISTIO_META_CLUSTER_ID", name) for name in ("east", "west")]
    inventory = await read(Api({PROXIES: two}))
    assert alias(inventory) == ()
    assert "east and west" in (inventory.sources[SOURCE].message or "")


async def test_a_name_is_forgotten_only_when_nothing_says_it_any_more() -> None:
    says = {PROXIES: [pod("ISTIO_META_CLUSTER_ID", "west-1")]}
    inventory = await read(Api(says))
    assert alias(await read(Api(says, refusal="forbidden"), inventory)) == ("istio=west-1",)
    assert inventory.sources[SOURCE].state == "forbidden"
    assert alias(await read(Api({}), inventory)) == ()


async def test_nothing_is_asked_where_istio_is_not() -> None:
    api = Api({PROXIES: [pod("ISTIO_META_CLUSTER_ID", "west-1")]}, group="other.io")
    inventory = await read(api)
    assert (api.asked, SOURCE in inventory.sources) == ([], False)
