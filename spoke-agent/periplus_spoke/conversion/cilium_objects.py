"""Cilium's objects of address management, as small as they can be kept."""

from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.objects import Kept, Owner
from periplus_spoke.conversion.packed import packed, packed_line

_NODE: Final = "Node"


class _Owner(Kept):
    """Who has an address: `namespace/name` of a pod, or a word for Cilium itself."""

    owner: str | None = None


class PoolBlocks(Kept):
    """What a node holds of a CiliumPodIPPool."""

    pool: str = ""
    cidrs: list[str] | None = None


class _Pools(Kept):
    allocated: list[PoolBlocks] | None = None


class NodeIpam(Kept):
    """`spec.ipam` of a CiliumNode. Of addresses of a cloud's network only the addresses are kept."""

    pod_cidrs: list[str] | None = field(name="podCIDRs", default=None)
    pools: _Pools | None = None
    pool: dict[str, _Owner] | None = None
    ipv6_pool: dict[str, _Owner] | None = field(name="ipv6-pool", default=None)
    addresses: tuple[str, ...] = ()
    """Of both pools."""

    def __post_init__(self) -> None:
        self.addresses = (*(self.pool or ()), *(self.ipv6_pool or ()))
        self.pool = self.ipv6_pool = None


class _NodeAddress(Kept):
    type: str = ""
    ip: str = ""


class _Pair(Kept):
    ipv4: str | None = None
    ipv6: str | None = None


class NodeSpec(Kept):
    """Of a CiliumNode."""

    ipam: NodeIpam = field(default_factory=NodeIpam)
    addresses: list[_NodeAddress] | None = None
    health: _Pair | None = None
    ingress: _Pair | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """Addresses of its pod range that Cilium itself has there."""
        pairs = [pair for pair in (self.health, self.ingress) if pair]
        internal = (each.ip for each in self.addresses or () if each.type == "CiliumInternalIP")
        return tuple({text for text in (*internal, *(t for p in pairs for t in (p.ipv4, p.ipv6))) if text})


class UsedIpam(Kept):
    """`status.ipam` of a CiliumNode: addresses in use out of those of a cloud's network."""

    used: dict[str, _Owner] | None = None
    ipv6_used: dict[str, _Owner] | None = field(name="ipv6-used", default=None)
    held_by: str = ""
    """Address and owner of each of both, packed."""

    def __post_init__(self) -> None:
        both = (*(self.used or {}).items(), *(self.ipv6_used or {}).items())
        # An agent that was started again writes a remark after the name.
        self.held_by = packed(packed_line(ip, (each.owner or "").partition(" ")[0]) for ip, each in both)
        self.used = self.ipv6_used = None


class NodeStatus(Kept):
    """Of a CiliumNode."""

    ipam: UsedIpam = field(default_factory=UsedIpam)


class _OwnedName(Kept):
    name: str = ""
    owner_references: list[Owner] | None = None
    node: str = ""
    """The Kubernetes node that it is of; empty for a machine that is none."""

    def __post_init__(self) -> None:
        self.node = next((each.name for each in self.owner_references or () if each.kind == _NODE), "")
        self.owner_references = None


class CiliumNode(Kept):
    """What Cilium gave to a node."""

    metadata: _OwnedName = field(default_factory=_OwnedName)
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class _Cidrs(Kept):
    cidrs: list[str] | None = None


class PodPoolSpec(Kept):
    """Of a CiliumPodIPPool."""

    ipv4: _Cidrs | None = None
    ipv6: _Cidrs | None = None


class CiliumPodIPPool(Named):
    """A range that nodes get blocks of, in the mode multi-pool."""

    spec: PodPoolSpec = field(default_factory=PodPoolSpec)

    @property
    def cidrs(self) -> tuple[str, ...]:
        """Of both families."""
        return tuple(text for family in (self.spec.ipv4, self.spec.ipv6) if family for text in family.cidrs or ())


class Block(Kept):
    """A range of a CiliumLoadBalancerIPPool: a CIDR, or from one address to another."""

    cidr: str | None = None
    start: str | None = None
    stop: str | None = None


class BalancerPoolSpec(Kept):
    """Of a CiliumLoadBalancerIPPool; early versions had `cidrs` for `blocks`."""

    blocks: list[Block] | None = None
    cidrs: list[Block] | None = None
    disabled: bool | None = None
    allow_first_last: str | None = field(name="allowFirstLastIPs", default=None)


class CiliumLoadBalancerIPPool(Named):
    """A range that services get load balancer addresses of."""

    spec: BalancerPoolSpec = field(default_factory=BalancerPoolSpec)
