"""All IPAM adapters, in order of trust. A new allocator is one line here."""

from typing import Final

from periplus_spoke.collectors.ipam.base import IpamAdapter
from periplus_spoke.collectors.ipam.node_podcidr import NodePodCidr
from periplus_spoke.collectors.ipam.observed import ObservedPods

ADAPTERS: Final[tuple[IpamAdapter, ...]] = (NodePodCidr(),)
LAST_RESORT: Final[IpamAdapter] = ObservedPods()
"""Asked for pod ranges when none of the adapters has any."""
