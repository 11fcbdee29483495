"""What the runner of cases posts, lends, clones and opens is what a case says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.case import Case, Cluster, Node, Pod, Service, read_case, unknown_members
from tests.cases.planes import Planes
from tests.cases.running import running
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.toolchain import Tools

FIRST: dict[str, Any] = {
    "name": "a",
    "serviceCidr": "10.96.0.0/16,fd00:96::/112",
    "nodes": [
        {
            "name": "a1",
            "internal": ["10.1.0.1", "fd00:1::1"],
            "external": ["203.0.113.5"],
            "podCIDRs": ["10.200.0.0/24", "fd00:200::/64"],
        }
    ],
    "pods": [
        {"name": "web", "node": "a1", "ips": ["10.200.0.5", "fd00:200::5"]},
        {"name": "agent", "node": "a1", "hostNetwork": True},
        {
            "name": "done",
            "node": "a1",
            "ips": ["10.200.0.9"],
            "phase": "Succeeded",
            "finishedAt": "2026-01-01T01:00:00Z",
        },
        {"name": "waiting", "phase": "Pending"},
    ],
    "services": [
        {"name": "fixed", "clusterIP": "10.96.0.77", "externalIPs": ["198.51.100.7"], "selector": {"app": "web"}},
        {"name": "headless", "clusterIP": "None"},
        {"name": "alias", "type": "ExternalName", "externalName": "example.com"},
        {"name": "lb", "namespace": "shop", "type": "LoadBalancer", "loadBalancerIPs": ["lb.example.com", "10.9.8.7"]},
    ],
    "daemonSets": ["kube-system/calico-node"],
    "configMaps": [{"namespace": "kube-system", "name": "c", "data": {"a": "b"}}],
    "crds": [{"group": "metallb.io", "version": "v1beta1", "kind": "IPAddressPool", "plural": "ipaddresspools"}],
    "objects": [
        {
            "resource": "ipaddresspools",
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": {"name": "lan", "namespace": "metallb-system"},
            "spec": {"addresses": ["10.9.9.0/24"]},
            "status": {"assigned": 1},
        },
        {
            "resource": "servicecidrs",
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": "more"},
            "spec": {"cidrs": ["10.98.0.0/16"]},
            "status": {"conditions": []},
        },
    ],
}
OTHERS: list[dict[str, Any]] = [
    {
        "name": name,
        "serviceCidr": "10.97.0.0/16",
        "nodes": [{"name": f"{name}1", "internal": [f"10.{at}.0.1"], "podCIDRs": [f"10.20{at}.0.0/24"]}],
    }
    for at, name in enumerate("bcd", start=2)
]
EVERYTHING: dict[str, Any] = {
    "id": "everything",
    "clusters": [FIRST, *OTHERS],
    "kubeconfig": {
        "files": [
            {
                "name": "bastion",
                "entries": [
                    {"context": "tunnel", "to": "a", "via": "tunnel"},
                    {"context": "path", "to": "b", "via": "path"},
                    {"context": "http", "to": "c", "via": "http"},
                ],
            },
            {"name": "plain", "entries": [{"context": "plain", "to": "d"}]},
        ]
    },
    "ask": {"wait": 50, "sameNetwork": [["b", "c"]]},
    "expect": {
        "read": 4,
        "clusters": {name: {"state": ["settled", "partial"]} for name in ("tunnel", "path", "http", "plain")},
        "try": {
            "groups": [{"clusters": ["b", "c", "d"], "kind": "service", "severity": "latent"}],
            "noGroups": [{"clusters": ["a"]}],
            "freeNot": ["10.97.0.0/16"],
        },
        "joined": {"groups": [{"clusters": ["b", "c", "d"], "severity": "blocks-federation"}]},
        "network": {"groups": [{"clusters": ["b", "c"], "within": "10.97.0.0/16", "severity": "blocks-federation"}]},
        "owners": [
            {"ip": "10.96.0.77", "answer": "default/fixed"},
            {"ip": "10.200.0.5", "among": ["web"]},
            {"ip": "10.55.0.1", "answer": "unknown"},
        ],
    },
}


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(EVERYTHING | changed))
    return path


def differences(case: Case, tools: Tools) -> list[str]:
    with running([case], tools) as [found]:
        return found.result()


def test_a_case_with_everything_is_posted_reached_and_judged(tmp_path: Path, tools: Tools) -> None:
    path = written(tmp_path)
    assert unknown_members(path) == []
    assert differences(read_case(path), tools) == []


def test_what_is_not_as_expected_is_told(tmp_path: Path, tools: Tools) -> None:
    expect = {
        "read": 1,
        "clusters": {"plain": {"state": "failed"}},
        "try": {"noGroups": [{"kind": "service"}], "freeNot": ["10.0.0.0/8"], "saysNot": ["service"]},
        "owners": [{"ip": "10.97.0.1", "answer": "nobody"}],
    }
    found = differences(read_case(written(tmp_path, clusters=OTHERS, kubeconfig=None, expect=expect)), tools)
    for told in ("not in the report", "3 clusters are read", "there must be no group", "called free", "says 'service'"):
        assert any(told in each for each in found), found
    assert any(each.startswith("10.97.0.1 is ambiguous") for each in found), found
    assert any(each.startswith("as text: says 'service'") for each in found), found


SMALL = Cluster(
    name="w01",
    nodes=[Node(name="n1", internal=["10.1.0.1"])],
    pods=[Pod(name="p1", node="n1", ips=["10.200.0.5"])],
    services=[Service(name="s1", cluster_ip="10.96.0.77")],
)


@pytest.fixture
def planes(tools: Tools, tmp_path: Path) -> Iterator[Planes]:
    twice = Case(id="x", clusters=[SMALL, SMALL], expect=read_case(written(tmp_path)).expect)
    with Planes(tools, tmp_path, [twice]) as lending:
        yield lending


def names(plane: ControlPlane, kind: str) -> list[str]:
    return [each["metadata"]["name"] for each in plane.admin.items(f"/api/v1/{kind}")]


def uid(plane: ControlPlane) -> str:
    return str(plane.admin.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])


def test_a_clone_is_the_original_without_its_nodes_and_pods(planes: Planes) -> None:
    original = planes.lend(SMALL).plane
    clone = planes.lend_clone(Cluster(name="w02", clone_of="w01", nodes=[Node(name="n2")]), original).plane
    assert uid(clone) == uid(original)
    assert clone.server != original.server
    assert (names(clone, "nodes"), names(clone, "pods")) == (["n2"], [])
    # The API server's own Service, kubernetes, is made by each of them, some time after it answers.
    assert set(names(clone, "services")) - {"kubernetes"} == {"s1"}
    assert names(original, "nodes") == ["n1"]


def test_a_plane_that_is_lent_again_holds_nothing_of_the_case_before(planes: Planes) -> None:
    first = planes.lend(SMALL)
    planes.give_back(first)
    second = planes.lend(SMALL)
    assert second.plane is first.plane
    assert (names(second.plane, "nodes"), names(second.plane, "pods")) == (["n1"], ["p1"])
    planes.give_back(second)
    assert second.plane.pids == {}, "no case to come wants it"
