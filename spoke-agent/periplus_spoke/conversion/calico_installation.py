"""What the operator that installs Calico says of its pools, for spokes that may not read the pools themselves."""

from typing import Final

from msgspec import field

from periplus_spoke.conversion.calico_objects import PoolSpec
from periplus_spoke.conversion.objects import Kept

_OWN: Final = "Calico"


class OperatorPool(Kept):
    """A pool in an Installation."""

    name: str | None = None
    cidr: str = ""
    encapsulation: str | None = None
    nat_outgoing: str | None = None
    disable_bgp_export: bool | None = field(name="disableBGPExport", default=None)
    allowed_uses: list[str] | None = None

    def spec(self) -> PoolSpec:
        """The same as in an IPPool."""
        return PoolSpec(
            cidr=self.cidr,
            nat_outgoing=self.nat_outgoing != "Disabled",
            ipip_mode=self.encapsulation if self.encapsulation != "None" else None,
            disable_bgp_export=self.disable_bgp_export,
            allowed_uses=self.allowed_uses,
        )


class _Ipam(Kept):
    type: str | None = None


class _Cni(Kept):
    ipam: _Ipam | None = None


class _Network(Kept):
    ip_pools: list[OperatorPool] | None = None


class _Spec(Kept):
    cni: _Cni | None = None
    calico_network: _Network | None = None


class _Status(Kept):
    computed: _Spec | None = None


class Installation(Kept):
    """How Calico was to be installed, and what the operator made of that."""

    spec: _Spec = field(default_factory=_Spec)
    status: _Status = field(default_factory=_Status)

    def pools(self) -> list[OperatorPool]:
        """Those of Calico's own address management."""
        for each in (self.status.computed, self.spec):
            if each and each.calico_network and each.calico_network.ip_pools:
                ipam = each.cni.ipam.type if each.cni and each.cni.ipam else _OWN
                return each.calico_network.ip_pools if ipam in {_OWN, "", None} else []
        return []
