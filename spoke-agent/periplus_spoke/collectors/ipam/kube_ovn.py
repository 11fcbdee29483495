"""kube-ovn: Subnets, the parts of them that are kept for namespaces, and the IPs that are handed out.

Subnets of different VPCs may have the same addresses. A pod is therefore counted by the Subnet that its IP names, never
by where its address lies.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.collectors.ipam.pod_addresses import addresses_outside
from periplus_spoke.conversion.cidr import Fault, Network, checked, parse_cidr
from periplus_spoke.conversion.cidr_index import Covering
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, WantedKind
from periplus_spoke.conversion.kube_ovn_objects import IP, Count, IPPool, Subnet, SubnetSpec, count
from periplus_spoke.conversion.spans import parse_span

_GROUP: Final = "kubeovn.io"
_VERSIONS: Final = ("v1",)
SUBNETS: Final = WantedKind(group=_GROUP, plural="subnets", versions=_VERSIONS, type=Subnet)
POOLS: Final = WantedKind(group=_GROUP, plural="ippools", versions=_VERSIONS, type=IPPool)
IPS: Final = WantedKind(group=_GROUP, plural="ips", versions=_VERSIONS, type=IP)
_SUBNET: Final = "Subnet"
_POOL: Final = "IPPool"
_OWN_VPCS: Final = frozenset((None, "", "ovn-cluster"))
"""The VPC that the cluster's own network is in."""
_OWN_PROVIDERS: Final = frozenset((None, "", "ovn"))
"""The provider of Subnets for pods' first interface; others name the further network that pods are attached to."""
_JOIN: Final = "join"
"""The Subnet between nodes and pods; no pod is in it."""
_ENDS: Final = 2
_V4_BITS: Final = 32
_Leaks = dict[tuple[str, int], list[tuple[str, str]]]


class _Range(NamedTuple):
    """One family of a Subnet, and what it says of it."""

    subnet: Subnet
    network: Network
    used: Count
    free: Count

    @property
    def family(self) -> Literal[4, 6]:
        """As pools name it."""
        return 4 if self.network.max_prefixlen == _V4_BITS else 6


class KubeOvn:
    """The adapter."""

    name: Final = "kube-ovn"
    kinds: tuple[WantedKind[Any], ...] = (SUBNETS, POOLS, IPS)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are."""
        return _GROUP in facts.groups

    def silent_because(self, view: IpamView) -> str:
        """Never."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a Subnet is this cluster's, also one of a VLAN, of which it leaves others what it excludes."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per Subnet and family, and one per IPPool and family."""
        counted, leaks = _counted(view), _leaks(view)
        subnets = [_subnet_pool(each, counted, leaks, fault) for each in _ranges(view, fault)]
        return [*subnets, *_ip_pools(view, fault)]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The Subnets; no node holds a part of one."""
        ranges = list(_ranges(view, fault))
        # kube-ovn may only attach further networks, or give addresses for another plugin's. Its Subnets then do not
        # say where the other pods are, and the cluster's range must not pass for known.
        beside = {address.version for address in addresses_outside(view, [each.network for each in ranges])}
        return [
            Allocation(
                kind="reserved" if each.subnet.metadata.name == _JOIN else "pod",
                cidr=str(each.network),
                provider=self.name,
                source=_SUBNET,
                name=each.subnet.metadata.name,
                reach=_reach(each.subnet.spec),
                for_some_pods=each.family in beside or not _is_default_network(each.subnet.spec),
            )
            for each in ranges
        ]


def _ranges(view: IpamView, fault: Fault) -> Iterator[_Range]:
    for subnet in view.objects(SUBNETS):
        status, seen = subnet.status, set[int]()
        where = f"{_SUBNET} {subnet.metadata.name}"
        for text in subnet.spec.cidr_block.split(","):
            network = checked(parse_cidr, text.strip(), where, fault)
            if network and network.version in seen:
                fault(f"{where}: {network} is a second range of its family")
            elif network:
                seen.add(network.version)
                is_v4 = network.max_prefixlen == _V4_BITS
                used, free = (status.v4_used, status.v4_free) if is_v4 else (status.v6_used, status.v6_free)
                yield _Range(subnet, network, used, free)


def _is_default_network(spec: SubnetSpec) -> bool:
    """Whether pods that ask for no other network may be in it."""
    return spec.provider in _OWN_PROVIDERS and spec.vpc in _OWN_VPCS


def _reach(spec: SubnetSpec) -> Reach:
    """What a VLAN carries is reached as it is; of a VPC of its own its gateways decide, which are not read."""
    if spec.vlan:
        return "routed"
    return "masqueraded" if spec.nat_outgoing and spec.vpc in _OWN_VPCS else ""


def _counted(view: IpamView) -> Counter[tuple[str, int]] | None:
    """How many addresses of each Subnet and family IPs have; None where IPs are not read."""
    if not view.has_objects(IPS):
        return None
    found: Counter[tuple[str, int]] = Counter()
    for each in view.objects(IPS):
        found[each.spec.subnet, 4] += bool(each.spec.v4)
        found[each.spec.subnet, 6] += bool(each.spec.v6)
    return found


def _leaks(view: IpamView) -> _Leaks | None:
    """IPs whose pod is gone, as (address, why) for each Subnet and family; None where that cannot be told."""
    presence = view.presence(IPS) if view.has_objects(IPS) else None
    if presence is None:
        return None
    found: _Leaks = defaultdict(list)
    for each in view.objects(IPS):
        if each.spec.pod and (why := presence.lost_pod(each.spec.pod)):
            for family, address in ((4, each.spec.v4), (6, each.spec.v6)):
                if address:
                    found[each.spec.subnet, family].append((address, why))
    return found


def _subnet_pool(each: _Range, counted: Counter[tuple[str, int]] | None, leaks: _Leaks | None, fault: Fault) -> Pool:
    name, network = each.subnet.metadata.name, each.network
    where = f"{_SUBNET} {name}"
    capacity = network.num_addresses - _ENDS if network.num_addresses > _ENDS else network.num_addresses
    used, free = _told(each.used, where, fault), _told(each.free, where, fault)
    quality: Literal["exact", "derived"] = "exact"
    if used is None and counted is not None:
        used, quality = counted[name, each.family], "derived"
    reserved: int | None = _excluded(each, where, fault)
    if used is None:
        reserved = None
    elif free is None:  # an excluded address may be in use all the same
        free, reserved = (None, None) if reserved else (max(capacity - used, 0), 0)
    elif used + free > capacity:
        fault(f"{where}: {used} used and {free} free addresses are more than the {capacity} of {network}")
        free = reserved = None
    else:
        # What kube-ovn excludes and what is in use overlap, and only it knows where. The rest of its own two numbers
        # adds up in any case.
        reserved = capacity - used - free
    lost = [] if leaks is None or used is None else leaks.get((name, each.family), [])[:used]
    return Pool(
        provider=KubeOvn.name,
        name=name,
        family=each.family,
        scope="cluster",
        source=_SUBNET,
        quality=quality,
        cidrs=(str(network),),
        capacity=capacity,
        used=None if used is None else used - len(lost),
        reserved=reserved,
        leaked=None if leaks is None or used is None else len(lost),
        free=free,
        evidence=evidence(lost),
    )


def _told(value: Count, where: str, fault: Fault) -> int | None:
    number = count(value)
    if number is None and value is not None and not isinstance(value, float):
        fault(f"{where}: {str(value)[:40]!r} is no number of addresses")
    return number


def _excluded(each: _Range, where: str, fault: Fault) -> int:
    """How many addresses of the range are kept out of it, each once."""
    return Covering(_pieces(each.subnet.spec.exclude_ips or (), where, fault)).count(each.network)


def _pieces(texts: Iterable[str], where: str, fault: Fault) -> Iterator[Network]:
    for text in texts:
        yield from checked(parse_span, text.replace("..", "-"), where, fault) or ()


def _ip_pools(view: IpamView, fault: Fault) -> Iterator[Pool]:
    for pool in view.objects(POOLS):
        where, status = f"{_POOL} {pool.metadata.name}", pool.status
        networks = list(_pieces(pool.spec.ips or (), where, fault))
        families: tuple[tuple[Literal[4, 6], Count, Count], ...] = (
            (4, status.v4_used, status.v4_free),
            (6, status.v6_used, status.v6_free),
        )
        for family, used_told, free_told in families:
            same = tuple(dict.fromkeys(str(each) for each in networks if each.version == family))
            if not same:
                continue
            used, free = _told(used_told, where, fault), _told(free_told, where, fault)
            yield Pool(
                provider=KubeOvn.name,
                name=f"{pool.spec.subnet}/{pool.metadata.name}",
                family=family,
                scope="namespace",
                source=_POOL,
                quality="exact",
                cidrs=same,
                capacity=None if used is None or free is None else used + free,
                used=used,
                free=free,
            )
