"""Who is at an end of a flow, by the labels of a source."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from periplus_contract.flow_words import WORKLOAD
from periplus_spoke.conversion.cidr import parse_address
from periplus_spoke.conversion.flow_sums import Peer
from periplus_spoke.conversion.host_names import host_name, is_of_clusterset
from periplus_spoke.conversion.prometheus.rule import EndLabels

Kinds = Mapping[tuple[str, str], str]
"""(namespace, name) of each workload of the cluster to its kind; WORKLOAD where it has several."""
SERVICE: Final = "Service"
_NO_NAMES: Final = frozenset(("", "unknown"))
_V4_IN_V6: Final = 0xFFFF << 32
_HALF: Final = 64
_LOW: Final = (1 << _HALF) - 1


class End(NamedTuple):
    """As the source tells it; '' and 0 for what it does not."""

    cluster: str
    namespace: str = ""
    kind: str = ""
    workload: str = ""
    address: int = 0
    host: str = ""

    def is_inside(self, own: frozenset[str]) -> bool:
        """Whether it is known by name, and in the cluster that is called so."""
        return self.workload != "" and self.cluster in own

    def is_nobody(self) -> bool:
        """Whether nothing says who it is."""
        return not (self.cluster or self.workload or self.address or self.host)

    def peer(self, own: frozenset[str], kinds: Kinds, naming: str) -> Peer:
        """As it is told. A name means something in its own cluster only, so the cluster of another is told with it."""
        if self.is_inside(own):
            kind = self.kind or kinds.get((self.namespace, self.workload), WORKLOAD)
            return Peer(0, 0, self.namespace, kind, self.workload, host=self.host)
        seen = Peer(self.address >> _HALF, self.address & _LOW, host=self.host)
        is_here = self.address != 0 and self.cluster in own
        if not (naming and self.cluster) or is_here:
            return seen
        there = seen._replace(cluster=f"{naming}={self.cluster}")
        if not self.workload:
            return there
        return there._replace(namespace=self.namespace, kind=self.kind or WORKLOAD, workload=self.workload)


def is_name(text: str) -> bool:
    """Whether a label says who."""
    return text not in _NO_NAMES


def kinds_of(workloads: Iterable[tuple[str, str, str]]) -> Kinds:
    """Of (namespace, name, kind)."""
    found: dict[tuple[str, str], str] = {}
    for namespace, name, kind in workloads:
        found[namespace, name] = kind if found.get((namespace, name), kind) == kind else WORKLOAD
    return found


def end_of(names: EndLabels, labels: Mapping[str, str]) -> End:
    """One end of the series with these labels."""
    cluster = labels.get(names.cluster, "")
    cluster = cluster if is_name(cluster) else ""
    host = host_name(labels.get(names.host, ""))
    workload, namespace = labels.get(names.workload, ""), labels.get(names.namespace, "")
    if is_name(workload):
        namespace = namespace if is_name(namespace) else ""
        return End(cluster, namespace, labels.get(names.kind, ""), workload, host=host)
    service, namespace = labels.get(names.service, ""), labels.get(names.service_namespace, "")
    # A name with a dot is a host outside of the mesh, which has no Service. One of a clusterset may be in any cluster.
    is_anywhere = not cluster and is_of_clusterset(host)
    if is_name(service) and is_name(namespace) and "." not in service and not is_anywhere:
        return End(cluster, namespace, SERVICE, service, host=host)
    return End(cluster, address=_number(labels.get(names.address, "")), host=host)


def _number(text: str) -> int:
    """An address as 128 bits; 0 for none."""
    try:
        address = parse_address(text) if text else None
    except ValueError:
        return 0
    if address is None:
        return 0
    return int(address) | _V4_IN_V6 if address.version == 4 else int(address)  # noqa: PLR2004 - of the internet protocol
