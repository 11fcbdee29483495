"""Names in sentences. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from periplus_hub.addresses.ipam.model import AllocationKind

_SHOWN: Final = 4
RANGES: Final[Mapping[AllocationKind, str]] = MappingProxyType(
    {
        AllocationKind.POD: "pod range",
        AllocationKind.SERVICE: "service range",
        AllocationKind.NODE: "range for nodes",
        AllocationKind.LOADBALANCER: "range for load balancers",
        AllocationKind.EXTERNAL: "external addresses",
    }
)
PLURALS: Final[Mapping[AllocationKind, str]] = MappingProxyType(
    {
        AllocationKind.POD: "pods",
        AllocationKind.SERVICE: "services",
        AllocationKind.NODE: "nodes",
        AllocationKind.LOADBALANCER: "load balancers",
        AllocationKind.EXTERNAL: "external addresses",
    }
)


def listed(names: Sequence[str]) -> str:
    """Such as "a, b and c", or "a, b, c, d and 6 more"."""
    shown = list(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN:,} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)
