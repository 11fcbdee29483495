"""What a case says of a cluster, as Kubernetes objects. Pure."""

from ipaddress import ip_address
from typing import Any

from tests.cases.case import ConfigMap, Crd, Node, Pod, Service

Json = dict[str, Any]

# When machines and pods of a case came up: before anything asks, and the same in every run.
_BEGAN = "2026-01-01T00:00:00Z"
_RESOURCES = {"cpu": "8", "memory": "32Gi", "pods": "110"}


def node(spec: Node) -> Json:
    """A node that is ready."""
    addresses = [("InternalIP", ip) for ip in spec.internal] + [("ExternalIP", ip) for ip in spec.external]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": _BEGAN}
    ranges = {"podCIDR": spec.pod_cidrs[0], "podCIDRs": spec.pod_cidrs} if spec.pod_cidrs else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": spec.name,
            "labels": {"kubernetes.io/hostname": spec.name, "kubernetes.io/os": "linux"} | spec.labels,
            "annotations": spec.annotations,
        },
        "spec": ranges | ({"providerID": spec.provider_id} if spec.provider_id else {}),
        "status": {
            "addresses": [{"type": kind, "address": each} for kind, each in (*addresses, ("Hostname", spec.name))],
            "capacity": _RESOURCES,
            "allocatable": _RESOURCES,
            "conditions": [ready],
        },
    }


def pod(spec: Pod) -> Json:
    """A pod as it is before its kubelet says anything: that is `pod_status`."""
    placed = {"nodeName": spec.node} if spec.node else {}
    return _namespaced("v1", "Pod", spec.name, spec.namespace) | {
        "spec": placed
        | {"hostNetwork": spec.host_network, "automountServiceAccountToken": False, "containers": [_container()]}
    }


def pod_status(spec: Pod, node_addresses: list[str]) -> Json:
    """What the kubelet says. A pod of the host network has its node's addresses unless the case gives others."""
    ips = spec.ips or (node_addresses if spec.host_network else [])
    is_running = spec.phase == "Running"
    status: Json = {
        "phase": spec.phase,
        "startTime": _BEGAN,
        "conditions": [
            {"type": "Ready", "status": "True" if is_running else "False", "lastTransitionTime": _BEGAN},
        ],
    }
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    if node_addresses:
        status["hostIP"] = node_addresses[0]
    state = _container_state(spec)
    if state:
        ready = {"ready": is_running, "restartCount": 0, "image": "registry.invalid/main:1", "imageID": ""}
        status["containerStatuses"] = [{"name": "main", "state": state, **ready}]
    return {"status": status}


def _container_state(spec: Pod) -> Json:
    if spec.phase == "Running":
        return {"running": {"startedAt": _BEGAN}}
    if spec.phase in {"Succeeded", "Failed"}:
        ended = {"finishedAt": spec.finished_at} if spec.finished_at else {}
        code = 0 if spec.phase == "Succeeded" else 1
        return {"terminated": {"exitCode": code, "startedAt": _BEGAN, **ended}}
    return {}


def service(spec: Service) -> Json:
    """A service; the addresses of its load balancer are `service_status`."""
    fields: Json = {"type": spec.type}
    if spec.type != "ExternalName":
        fields["ports"] = [{"name": "main", "port": spec.port}]
    optional = {
        "clusterIP": spec.cluster_ip,
        "externalIPs": spec.external_ips,
        "externalName": spec.external_name,
        "selector": spec.selector,
    }
    fields |= {name: value for name, value in optional.items() if value}
    return _namespaced("v1", "Service", spec.name, spec.namespace) | {"spec": fields}


def service_status(spec: Service) -> Json:
    """What the load balancer's controller says."""
    return {"status": {"loadBalancer": {"ingress": [_ingress(each) for each in spec.load_balancer_ips]}}}


def _ingress(address: str) -> Json:
    try:
        ip_address(address)
    except ValueError:
        return {"hostname": address}
    return {"ip": address}


def config_map(spec: ConfigMap) -> Json:
    """A ConfigMap."""
    return _namespaced("v1", "ConfigMap", spec.name, spec.namespace) | {"data": spec.data}


def daemon_set(full_name: str) -> Json:
    """The DaemonSet of a `namespace/name`."""
    namespace, _, name = full_name.rpartition("/")
    labels = {"k8s-app": name}
    return _namespaced("apps/v1", "DaemonSet", name, namespace or "default") | {
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"hostNetwork": True, "containers": [_container()]}},
        }
    }


def daemon_set_status(nodes: int) -> Json:
    """What its controller says: one pod a node, all of them ready."""
    counted = ("currentNumberScheduled", "desiredNumberScheduled", "numberReady", "numberAvailable")
    return {"status": dict.fromkeys(counted, nodes) | {"numberMisscheduled": 0}}


def crd(spec: Crd, *, is_namespaced: bool) -> Json:
    """A kind that takes any object: a case has of the vendor's objects only what matters."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": spec.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{spec.plural}.{spec.group}",
            # Groups of Kubernetes' own are refused without it.
            "annotations": {"api-approved.kubernetes.io": "unapproved, posted by a test"},
        },
        "spec": {
            "group": spec.group,
            "scope": "Namespaced" if is_namespaced else "Cluster",
            "names": {"kind": spec.kind, "plural": spec.plural, "singular": spec.kind.lower()},
            "versions": [version],
        },
    }


def _namespaced(version: str, kind: str, name: str, namespace: str) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def _container() -> Json:
    return {"name": "main", "image": "registry.invalid/main:1"}
