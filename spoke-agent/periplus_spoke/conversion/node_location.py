"""Where a node is: labels first, providerID second. Nothing is guessed."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from periplus_spoke.conversion.objects import Node

_REGION: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_ZONE: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_TYPE: Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")

_SCHEMES: Final = {
    "aws": "aws",
    "gce": "gcp",
    "azure": "azure",
    "openstack": "openstack",
    "vsphere": "vsphere",
    "kind": "kind",
    "k3s": "k3s",
    "digitalocean": "digitalocean",
    "hcloud": "hetzner",
    "oci": "oracle",
    "ibm": "ibm",
    "equinixmetal": "equinix",
    "kwok": "kwok",
}
OTHER: Final = "other"
_AWS_ZONE: Final = re.compile(r"^aws:///([a-z]{2}(?:-[a-z]+)+-\d[a-z])/")
_GCE: Final = re.compile(r"^gce://([^/]+)/([^/]+)/")
_AZURE: Final = re.compile(r"^azure:///subscriptions/([^/]+)/", re.IGNORECASE)
_OPENSTACK: Final = re.compile(r"^openstack://([^/]+)/")
_AZURE_ZONE: Final = re.compile(r"^.+-\d+$")


class NodeLocation(NamedTuple):
    """Where a node is; None is unknown."""

    provider: str | None = None
    account: str | None = None
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None


def location_of(node: Node) -> NodeLocation:
    """The location of `node`; a label wins over what its providerID says."""
    labels = node.metadata.labels or {}
    parsed = from_provider_id(node.spec.provider_id)
    zone = _first(labels, _ZONE) or parsed.zone
    if parsed.provider == "azure" and zone and not _AZURE_ZONE.match(zone):
        zone = None  # Azure writes a fault domain ("0") where there are no zones
    return NodeLocation(
        parsed.provider, parsed.account, _first(labels, _REGION) or parsed.region, zone, _first(labels, _TYPE)
    )


def from_provider_id(provider_id: str) -> NodeLocation:
    """What `<provider>://…` names. An unknown scheme is provider `other`; no scheme at all is unknown."""
    scheme, separator, _ = provider_id.partition("://")
    if not separator:
        return NodeLocation()
    provider = _SCHEMES.get(scheme.lower(), OTHER)
    if provider == "aws" and (found := _AWS_ZONE.match(provider_id)):
        return NodeLocation(provider, None, found[1][:-1], found[1])
    if provider == "gcp" and (found := _GCE.match(provider_id)):
        return NodeLocation(provider, found[1], found[2].rpartition("-")[0] or None, found[2])
    if provider == "azure" and (found := _AZURE.match(provider_id)):
        return NodeLocation(provider, found[1].lower())
    if provider == "openstack" and (found := _OPENSTACK.match(provider_id)):
        return NodeLocation(provider, None, found[1])
    return NodeLocation(provider)


def majority(values: Iterable[str | None]) -> str | None:
    """The most frequent known value; between equals the first in the alphabet, so that it does not flap."""
    counts = Counter(value for value in values if value)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


def _first(labels: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next((labels[key] for key in keys if labels.get(key)), None)
