"""Fills a cluster with nodes, workloads and Services, and waits until all of it is ready."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from tests.cluster.rig.admin import ApiClient
from tests.cluster.rig.manifests import WorkloadSpec
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.spec import ClusterSpec

Json: TypeAlias = dict[str, Any]

_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
_POLL_S = 0.2
_NODES_TIMEOUT_S = 60.0

# A small shop: every shape of Service that an address can hide behind. `replicas` are shares.
SHOP = (
    WorkloadSpec(namespace="shop", name="web", replicas=4, service_type="LoadBalancer", port=8443),
    WorkloadSpec(namespace="shop", name="checkout", replicas=3),
    WorkloadSpec(namespace="shop", name="cart", replicas=2),
    WorkloadSpec(namespace="payments", name="api", replicas=2, service_type="NodePort"),
    WorkloadSpec(namespace="payments", name="ledger", replicas=1, headless=True, port=5432),
    WorkloadSpec(namespace="monitoring", name="metrics", replicas=1, port=9090),
)


def populate(admin: ApiClient, spec: ClusterSpec, workloads: Sequence[WorkloadSpec] = SHOP) -> list[WorkloadSpec]:
    """Fills the cluster; `workloads` share `spec.pod_count` pods and are returned as made."""
    admin.create(_kubeadm_config(spec))
    for node in spec.nodes():
        admin.create_node(node)
    wait_for_nodes(admin, spec.node_count)
    made = _share_out(workloads, spec.pod_count)
    for name in sorted({workload.namespace for workload in made}):
        admin.create_namespace(name)
    for workload in made:
        admin.create_service(workload)
        admin.create_deployment(workload)
    wait_for_pods(admin, made)
    return made


def _kubeadm_config(spec: ClusterSpec) -> Json:
    """What kubeadm leaves behind: the control plane's programs are no pods here, so no flag of theirs can be read."""
    networking = {"podSubnet": spec.pod_cidr, "serviceSubnet": spec.service_cidr}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        # JSON is YAML.
        "data": {"ClusterConfiguration": json.dumps({"kind": "ClusterConfiguration", "networking": networking})},
    }


def wait_for_nodes(admin: ApiClient, count: int) -> None:
    """Until `count` nodes are ready, have a pod range and take pods.

    kwok hands out addresses of the range a node has when its first pod comes, so no pod may come
    earlier.
    """

    def enough() -> bool:
        return sum(_is_usable(node) for node in admin.items("/api/v1/nodes")) >= count

    what = f"{count} nodes ready with a pod range"
    wait_for(what, enough, timeout_s=_NODES_TIMEOUT_S, interval_s=_POLL_S)


def wait_for_pods(admin: ApiClient, workloads: Iterable[WorkloadSpec]) -> None:
    """Until every workload has all its pods as ready addresses in its Service's slices."""
    wanted = {(each.namespace, each.name): each.replicas for each in workloads}
    total = sum(wanted.values())

    def settled() -> bool:
        ready = ready_addresses(admin)
        enough = all(len(ready.get(key, ())) >= count for key, count in wanted.items())
        return enough and not _replace_twins(admin)

    timeout_s = 60.0 + total / 10
    wait_for(f"{total} pods behind Services", settled, timeout_s=timeout_s, interval_s=_POLL_S)


def _replace_twins(admin: ApiClient) -> bool:
    """Delete pods that share an address, for their Deployments to make new ones; whether there were any.

    No cluster has such pods, but kwok may: two first pods of a node that come at the same moment each make the pool
    that their address is from. All of them go: the address of a deleted one is handed out again.
    """
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for pod in admin.items("/api/v1/pods"):
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        if not pod["spec"].get("hostNetwork"):
            holders[pod["status"].get("podIP", path)].append(path)
    twins = [path for paths in holders.values() if len(paths) > 1 for path in paths]
    for path in twins:
        admin.delete(path)
    return bool(twins)


def ready_addresses(admin: ApiClient) -> dict[tuple[str, str], set[str]]:
    """The ready addresses behind each Service, by its namespace and name."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in admin.items(_SLICES):
        service = each["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        addresses = found.setdefault((each["metadata"]["namespace"], service), set())
        for endpoint in each.get("endpoints") or ():
            if endpoint.get("conditions", {}).get("ready"):
                addresses.update(endpoint["addresses"])
    return found


def _is_usable(node: Json) -> bool:
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions", ())}
    has_range = bool(node["spec"].get("podCIDR"))
    # The not-ready taint goes a moment after the condition has come; a test's own taints stay.
    taints = (each["key"] for each in node["spec"].get("taints", ()))
    shunned = any(key.startswith("node.kubernetes.io/") for key in taints)
    return conditions.get("Ready") == "True" and has_range and not shunned


def _share_out(workloads: Sequence[WorkloadSpec], pods: int) -> list[WorkloadSpec]:
    shares = sum(workload.replicas for workload in workloads)
    counts = [pods * workload.replicas // shares for workload in workloads]
    if counts:
        counts[0] += pods - sum(counts)
    return [replace(each, replicas=n) for each, n in zip(workloads, counts, strict=True)]
