"""What the test clusters pose as: a cloud's provider ids, regions, zones and node names."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.cluster.rig.manifests import NodeSpec

_SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """How one cloud names a machine.

    `node_name` and `provider_id` are format strings over `region`, `zone`, `cluster`, `index`,
    `ip`, `dashed_ip`, `name` (in `provider_id` only) and `unique` (17 hexadecimal digits).
    """

    region: str
    zones: tuple[str, ...]
    node_name: str
    provider_id: str
    instance_type: str
    labels: Mapping[str, str] = field(default_factory=dict)
    zone_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    max_pods: int = 110


def aws(region: str = "eu-west-1") -> Provider:
    """EKS with managed node groups."""
    zones = tuple(f"{region}{letter}" for letter in "abc")
    short = "".join(part[:1] for part in region.split("-")[1:-1])
    zone_id = f"{region[:2]}{short}{region[-1]}-az"
    return Provider(
        region=region,
        zones=zones,
        node_name="ip-{dashed_ip}.{region}.compute.internal",
        provider_id="aws:///{zone}/i-{unique}",
        instance_type="m5.xlarge",
        labels={"eks.amazonaws.com/nodegroup": "general", "eks.amazonaws.com/capacityType": "SPOT"},
        # Zone letters are shuffled per account; only the id names the same building to everybody.
        zone_labels={
            zone: {"topology.k8s.aws/zone-id": f"{zone_id}{number}"} for number, zone in enumerate(zones, start=1)
        },
        max_pods=58,
    )


def gcp(region: str = "europe-west1", project: str = "example-project") -> Provider:
    """GKE with one node pool."""
    return Provider(
        region=region,
        zones=tuple(f"{region}-{letter}" for letter in "bcd"),
        node_name="gke-{cluster}-pool-1-{unique:.8}-{index:04}",
        provider_id=f"gce://{project}/{{zone}}/{{name}}",
        instance_type="e2-standard-4",
        labels={"cloud.google.com/gke-nodepool": "pool-1"},
    )


def azure(region: str = "westeurope") -> Provider:
    """AKS with one scale set."""
    scale_set = (
        f"azure:///subscriptions/{_SUBSCRIPTION}/resourceGroups/mc_{{cluster}}_{{region}}"
        "/providers/Microsoft.Compute/virtualMachineScaleSets/aks-nodepool1-vmss"
    )
    return Provider(
        region=region,
        zones=tuple(f"{region}-{number}" for number in "123"),
        node_name="aks-nodepool1-{unique:.8}-vmss{index:06}",
        provider_id=f"{scale_set}/virtualMachines/{{index}}",
        instance_type="Standard_D4s_v5",
        labels={"kubernetes.azure.com/agentpool": "nodepool1"},
    )


def bare() -> Provider:
    """Machines of one's own: no cloud, so no provider id, region or zone."""
    return Provider(region="", zones=("",), node_name="{cluster}-node-{index}", provider_id="", instance_type="")


def posed_node(provider: Provider, cluster: str, node_network: str, index: int) -> NodeSpec:
    """The `index`-th machine of a cluster: zones in turn, addresses in order from the tenth on.

    The same arguments give the same machine, so a test may tell its provider id in advance.
    """
    zone = provider.zones[index % len(provider.zones)]
    # The first addresses of a subnet belong to the cloud's router and its services.
    address = str(ipaddress.ip_network(node_network)[10 + index])
    words = {
        "region": provider.region,
        "zone": zone,
        "cluster": cluster,
        "index": index,
        "ip": address,
        "dashed_ip": address.replace(".", "-"),
        "unique": hashlib.sha256(f"{cluster} {index}".encode()).hexdigest()[:17],
    }
    name = provider.node_name.format(**words)
    return NodeSpec(
        name=name,
        internal_ip=address,
        provider_id=provider.provider_id.format(name=name, **words),
        region=provider.region,
        zone=zone,
        instance_type=provider.instance_type,
        max_pods=provider.max_pods,
        labels={**provider.labels, **provider.zone_labels.get(zone, {})},
    )
