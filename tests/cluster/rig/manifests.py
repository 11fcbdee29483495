"""Kubernetes objects as plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_CONTAINER_RESOURCES = {"cpu": "50m", "memory": "64Mi"}


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """What a cloud and its kubelet say about one machine."""

    name: str
    internal_ip: str
    provider_id: str = ""
    region: str = ""
    zone: str = ""
    instance_type: str = ""
    external_ip: str = ""
    max_pods: int = 110
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkloadSpec:
    """A Deployment and the Service in front of it."""

    namespace: str
    name: str
    replicas: int
    port: int = 8080
    service_type: str = "ClusterIP"
    headless: bool = False
    host_network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def namespace(name: str) -> Json:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node(spec: NodeSpec) -> Json:
    """A Node as a kubelet registers it: with its addresses, but not ready yet."""
    labels = {
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": spec.region,
        "topology.kubernetes.io/zone": spec.zone,
        "node.kubernetes.io/instance-type": spec.instance_type,
    }
    resources = {"cpu": "16", "memory": "64Gi", "pods": str(spec.max_pods)}
    known = {key: value for key, value in labels.items() if value}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": known | dict(spec.labels)},
        "spec": {"providerID": spec.provider_id} if spec.provider_id else {},
        "status": {
            "addresses": _addresses(spec),
            "capacity": resources,
            "allocatable": resources,
        },
    }


def _addresses(spec: NodeSpec) -> list[Json]:
    addresses = [
        {"type": "InternalIP", "address": spec.internal_ip},
        {"type": "Hostname", "address": spec.name},
    ]
    if spec.external_ip:
        addresses.append({"type": "ExternalIP", "address": spec.external_ip})
    return addresses


def deployment(spec: WorkloadSpec) -> Json:
    """A Deployment whose pods kwok reports as running."""
    selector = {"app.kubernetes.io/name": spec.name}
    container = {
        "name": "main",
        # Never pulled; `.invalid` makes sure of it should a kubelet ever see it.
        "image": f"registry.invalid/{spec.name}:1",
        "ports": [{"name": "main", "containerPort": spec.port}],
        "resources": {"requests": _CONTAINER_RESOURCES},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": selector},
        "spec": {
            "replicas": spec.replicas,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": selector | dict(spec.labels)},
                "spec": {"hostNetwork": spec.host_network, "containers": [container]},
            },
        },
    }


def service(spec: WorkloadSpec) -> Json:
    """The Service that selects a workload's pods."""
    selector = {"app.kubernetes.io/name": spec.name}
    address: Json = {"clusterIP": "None"} if spec.headless else {"type": spec.service_type}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": selector},
        "spec": address
        | {
            "selector": selector,
            "ports": [{"name": "main", "port": spec.port, "targetPort": "main"}],
        },
    }


def granted(namespace_name: str, service_account: str, rules: Sequence[Json]) -> list[Json]:
    """A ServiceAccount, a ClusterRole of its own, and the binding between them."""
    role = f"{namespace_name}:{service_account}"
    subject = {"kind": "ServiceAccount", "name": service_account, "namespace": namespace_name}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": service_account, "namespace": namespace_name},
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": list(rules),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        },
    ]
