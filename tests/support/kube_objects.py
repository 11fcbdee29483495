"""Kubernetes objects for tests, as JSON dicts, with only what the spoke reads."""

from typing import Any

Object = dict[str, Any]


def node(name: str, **more: Any) -> Object:
    """A ready node; `more` are spec fields, besides `labels`, `annotations` and `addresses`."""
    labels, annotations = more.pop("labels", {}), more.pop("annotations", {})
    addresses = more.pop("addresses", [{"type": "InternalIP", "address": "192.168.0.10"}])
    return {
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": more,
        "status": {
            "addresses": addresses,
            "allocatable": {"pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def owned_by(kind: str, name: str, uid: str) -> list[Object]:
    """ownerReferences with one controller."""
    return [{"kind": kind, "name": name, "uid": uid, "controller": True, "apiVersion": "apps/v1"}]


def pod(name: str, ips: tuple[str, ...] = (), *, namespace: str = "default", **more: Any) -> Object:
    """A running pod; `node`, `phase`, `host_network`, `owners`, `labels`, `uid` as wanted."""
    meta: Object = {"name": name, "namespace": namespace, "labels": more.get("labels", {})}
    if "owners" in more:
        meta["ownerReferences"] = more["owners"]
    if "uid" in more:
        meta["uid"] = more["uid"]
    return {
        "metadata": meta,
        "spec": {"nodeName": more.get("node", "n1"), "hostNetwork": more.get("host_network", False)},
        "status": {
            "phase": more.get("phase", "Running"),
            "podIP": ips[0] if ips else "",
            "podIPs": [{"ip": ip} for ip in ips],
            "startTime": "2026-03-01T10:00:00Z",
        },
    }


def service(name: str, ips: tuple[str, ...] = ("10.96.0.10",), *, namespace: str = "default", **spec: Any) -> Object:
    """A ClusterIP service; `ingress` is its load balancer's."""
    ingress = spec.pop("ingress", [])
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "ClusterIP", "clusterIPs": list(ips), "clusterIP": ips[0] if ips else "", **spec},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def endpoint_slice(name: str, service_name: str, endpoints: list[Object], **more: Any) -> Object:
    """An IPv4 slice of a service."""
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": service_name}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": more.get("ports", [{"name": "http", "protocol": "TCP", "port": 8080}]),
    }
