"""What kube-proxy was started with, as different makers of clusters start it."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from periplus_spoke.collectors.facts import Facts
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.kube_proxy import kube_proxy_flags
from periplus_spoke.conversion.flags import flag
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem

SHELL = "exec kube-proxy --kubeconfig=/k --cluster-cidr=10.4.0.0/14 --v=2 1>>/var/log/kube-proxy.log 2>&1"


def started(*command: str, args: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"command": list(command), "args": list(args)}]}}


class Pods:
    """A client of an API server with these pods of kube-system, by label selector."""

    def __init__(self, **by_label: list[dict[str, Any]]) -> None:
        self.by_label = {name.replace("_", "-"): pods for name, pods in by_label.items()}
        self.refused = False

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del accept
        if self.refused:
            raise KubeProblem("server_error", path)
        if not path.endswith("/kube-system/pods"):
            raise KubeProblem("not_found", path)
        label, _, value = params["labelSelector"].partition("=")
        assert int(params["limit"]) <= 50
        return json.dumps({"metadata": {}, "items": self.by_label.get(label, []) * (value == "kube-proxy")}).encode()


async def cluster_cidr(client: Pods) -> str:
    return flag(await kube_proxy_flags(cast("KubeClient", client)), "cluster-cidr")


@pytest.mark.parametrize(
    ("client", "cidr"),
    [
        (Pods(component=[started("/bin/sh", "-c", SHELL)]), "10.4.0.0/14"),
        (Pods(component=[started(args=("--cluster-cidr", "10.244.0.0/16"))]), "10.244.0.0/16"),
        (Pods(k8s_app=[started("kube-proxy", "--config=/var/lib/kube-proxy/config.conf")]), ""),
        (Pods(k8s_app=[started("kube-proxy", "--cluster-cidr=100.96.0.0/11")] * 3), "100.96.0.0/11"),
        (Pods(k8s_app=[{"metadata": {"name": "half"}}]), ""),
    ],
)
async def test_kube_proxy_is_found_by_either_label_and_however_it_is_started(client: Pods, cidr: str) -> None:
    assert await cluster_cidr(client) == cidr


async def test_pods_that_differ_tell_nothing() -> None:
    with pytest.raises(KubeProblem, match="different values"):
        await cluster_cidr(Pods(k8s_app=[started("--cluster-cidr=10.1.0.0/16"), started("--cluster-cidr=10.2.0.0/16")]))
    with pytest.raises(KubeProblem, match="does not run as pods"):
        await cluster_cidr(Pods())


async def test_it_is_kept_while_it_cannot_be_asked_and_forgotten_once_it_is_gone() -> None:
    client, inventory = Pods(component=[started("--cluster-cidr=10.4.0.0/14")]), Inventory(LabelFilter())
    facts = Facts(cast("KubeClient", client), inventory, SystemClock())
    await facts.refresh()
    assert facts.flags["kube-proxy"] == ("--cluster-cidr=10.4.0.0/14",)
    assert inventory.sources["kube-system/kube-proxy-pods"].state == "ok"
    client.refused = True
    await facts.refresh()
    assert "kube-proxy" in facts.flags
    client.refused, client.by_label = False, {}
    await facts.refresh()
    assert "kube-proxy" not in facts.flags
    assert inventory.sources["kube-system/kube-proxy-pods"].state == "absent"
