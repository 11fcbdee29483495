"""kube-ovn's objects of address management, as small as they can be kept."""

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.objects import Kept

Count = int | float | str | None
"""Numbers as versions of kube-ovn write them: plain, quoted, or with an exponent."""


class SubnetSpec(Kept):
    """Of a Subnet; `cidr_block` has one range, or one of each family with a comma between."""

    cidr_block: str = ""
    exclude_ips: list[str] | None = None
    vpc: str | None = None
    nat_outgoing: bool | None = None
    vlan: str | None = None
    provider: str | None = None


class SubnetStatus(Kept):
    """Of a Subnet."""

    v4_free: Count = field(name="v4availableIPs", default=None)
    v4_used: Count = field(name="v4usingIPs", default=None)
    v6_free: Count = field(name="v6availableIPs", default=None)
    v6_used: Count = field(name="v6usingIPs", default=None)


class Subnet(Named):
    """A range that pods get addresses of."""

    spec: SubnetSpec = field(default_factory=SubnetSpec)
    status: SubnetStatus = field(default_factory=SubnetStatus)


class PoolSpec(Kept):
    """Of an IPPool."""

    subnet: str = ""
    ips: list[str] | None = None


class PoolStatus(Kept):
    """Of an IPPool; its names are written otherwise than those of a Subnet."""

    v4_free: Count = field(name="v4AvailableIPs", default=None)
    v4_used: Count = field(name="v4UsingIPs", default=None)
    v6_free: Count = field(name="v6AvailableIPs", default=None)
    v6_used: Count = field(name="v6UsingIPs", default=None)


class IPPool(Named):
    """A part of a Subnet that is kept for some namespaces."""

    spec: PoolSpec = field(default_factory=PoolSpec)
    status: PoolStatus = field(default_factory=PoolStatus)


class IPSpec(Kept):
    """Of an IP."""

    subnet: str = ""
    v4: str | None = field(name="v4IpAddress", default=None)
    v6: str | None = field(name="v6IpAddress", default=None)
    pod_name: str | None = None
    namespace: str | None = None
    pod_type: str | None = None
    pod: str = ""
    """`namespace/name`; empty for nodes, and for pods of StatefulSets and virtual machines, which keep addresses."""

    def __post_init__(self) -> None:
        self.pod = f"{self.namespace}/{self.pod_name}" if self.namespace and self.pod_name and not self.pod_type else ""
        self.pod_name = self.namespace = self.pod_type = None


class IP(Kept):
    """The addresses of one pod in one Subnet."""

    spec: IPSpec = field(default_factory=IPSpec)


def count(value: Count) -> int | None:
    """A number of addresses; None for what is none, and for one that was rounded."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and 0 <= value < _EXACT else None
    return value if value is not None and value >= 0 else None


_MOST_DIGITS = 39
_EXACT = 2.0**53
