"""What every object of the demonstration has: a name, a uid that never changes, metadata."""

import hashlib
import ipaddress
from typing import Any, Final
from uuid import UUID

from periplus_hub.api.demo.fleet import DemoCluster

# A decoded JSON object; its shape is Kubernetes' own.
Object = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CREATED: Final = "2026-06-01T08:00:00Z"
SYSTEM: Final = "kube-system"


def stable_uid(*parts: str) -> str:
    """A uid that is the same in every run, so that a demonstration can be repeated."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def meta(cluster: DemoCluster, kind: str, name: str, namespace: str = "", **more: object) -> Object:
    """`metadata` with everything a spoke may look at."""
    found: Object = {
        "name": name,
        "uid": stable_uid(cluster.name, kind, namespace, name),
        "resourceVersion": "1000",
        "creationTimestamp": CREATED,
        "labels": {},
    }
    if namespace:
        found["namespace"] = namespace
    return found | more


def networks(cidrs: tuple[str, ...]) -> list[Network]:
    """The ranges as numbers."""
    return [ipaddress.ip_network(cidr) for cidr in cidrs]
