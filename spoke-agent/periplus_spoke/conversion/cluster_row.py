"""The one row of the table `cluster`: where the cluster is and what it runs, by vote of its nodes."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from periplus_spoke.conversion.node_location import majority
from periplus_spoke.conversion.objects import SetUpPod
from periplus_spoke.conversion.rows import Row

CLUSTERSET: Final = "clusterset.k8s.io"
CLUSTER_ID: Final = "cluster.clusterset.k8s.io"
_MESH_VARIABLES: Final = ("ISTIO_META_CLUSTER_ID", "CLUSTER_ID")
"""Of Istio's proxies; the second of its ztunnels, and of istiod."""
_DISTRIBUTIONS: Final = (
    ("+k3s", "k3s"),
    ("+rke2", "rke2"),
    ("-eks-", "eks"),
    ("-gke.", "gke"),
    ("-aliyun", "ack"),
)
_AKS_LABEL: Final = "kubernetes.azure.com/cluster"


class NodeHints(msgspec.Struct, frozen=True, gc=False):
    """What one node says about its cluster."""

    provider: str | None
    account: str | None
    region: str | None
    zone: str | None
    signs: tuple[str, ...]
    aks: bool


class ClusterAsRead(msgspec.Struct, kw_only=True):
    """What is known about the cluster as a whole; empty means unknown."""

    git_version: str = ""
    platform: str = ""
    api_ca_sha256: str = ""
    groups: dict[str, tuple[str, ...]] = {}
    properties: dict[str, str] = {}
    istio_cluster: str = ""
    """What Istio calls it in its metrics."""
    called: tuple[str, ...] = ()
    """What custom objects say that their systems call it, as `system=name`."""
    cilium_config: dict[str, str] | None = None
    """Data of kube-system/cilium-config; None when it is not there or cannot be read."""
    cilium_config_readable: bool = False
    distribution: str = ""
    """Given by configuration; wins over hints."""


def istio_clusters(pods: Iterable[SetUpPod]) -> set[str]:
    """What these pods of Istio are told that their cluster is called."""
    containers = [each for pod in pods for each in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ()))]
    return {each.value for one in containers for each in one.env or () if each.name in _MESH_VARIABLES and each.value}


def is_aks(labels: Mapping[str, str] | None) -> bool:
    """Whether a node carries the label that AKS puts on every node."""
    return _AKS_LABEL in (labels or {})


def distribution(facts: ClusterAsRead, hints: Iterable[NodeHints]) -> str | None:
    """A name from hints that only one distribution leaves; None when there is none."""
    if facts.distribution:
        return facts.distribution
    for sign, name in _DISTRIBUTIONS:
        if sign in facts.git_version:
            return name
    if "config.openshift.io" in facts.groups:
        return "openshift"
    known = list(hints)
    if any(hint.aks for hint in known):
        return "aks"
    return "kind" if majority(hint.provider for hint in known) == "kind" else None


def cluster_row(facts: ClusterAsRead, hints: Iterable[NodeHints], cnis: tuple[str, ...]) -> Row:
    """The row; regions and zones are all that any node names, the single ones a majority's."""
    known = list(hints)
    config = facts.cilium_config or {}
    aliases = [f"cilium={config['cluster-name']}"] if config.get("cluster-name") else []
    if facts.istio_cluster:
        aliases.append(f"istio={facts.istio_cluster}")
    aliases += facts.called
    if facts.properties.get(CLUSTER_ID):
        aliases.append(f"clusterset={facts.properties[CLUSTER_ID]}")
    return (
        majority(hint.provider for hint in known),
        majority(hint.account for hint in known),
        majority(hint.region for hint in known),
        facts.git_version or None,
        facts.platform or None,
        distribution(facts, known),
        tuple(sorted({hint.region for hint in known if hint.region})),
        tuple(sorted({hint.zone for hint in known if hint.zone})),
        cnis,
        tuple(sorted(aliases)),
        facts.properties.get(CLUSTERSET),
        facts.properties.get(CLUSTER_ID),
        facts.api_ca_sha256 or None,
    )
