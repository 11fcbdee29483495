"""The rules of ways of joining that are no matter of overlaps: what clusters run, how many they are. Pure.

Clusters that are planned are taken to be built as the way needs them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import SOURCES
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, PODS_HIDDEN, PODS_OF_UNKNOWN_REACH, USES, Use
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import IPV4
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import RuleResult, Verdict

_T = FederationTarget
_DEFAULT_MESH: Final = 255
_LARGEST_MESH: Final = 511
_CILIUM_ALIAS: Final = "cilium="
_FAMILY_BITS: Final = 3

Condition = Callable[[FederationTarget, Sequence[Party]], RuleResult]


def _result(target: FederationTarget, rule: str, asks: str, because: Sequence[str], lacks: Sequence[str]) -> RuleResult:
    verdict = Verdict.FAIL if because else Verdict.UNKNOWN if lacks else Verdict.PASS
    return RuleResult(
        id=rule, asks=asks, source=SOURCES[target], verdict=verdict, because=tuple(because), lacks=tuple(lacks)
    )


def _runs(plugin: str, title: str) -> Condition:
    def condition(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
        built = _built(parties)
        others = [each for each in built if each.cnis and plugin not in each.cnis]
        unknown = [each for each in built if not each.cnis]
        plugins = listed(sorted({name for each in others for name in each.cnis}))
        because = [f"{title} does not run in {_names(others)}: {plugins}."] if others else []
        lacks = [f"Which network plugin runs in {_names(unknown)} is not known."] if unknown else []
        return _result(target, f"{plugin}-everywhere", f"Every cluster runs {title}.", because, lacks)

    return condition


def _built(parties: Sequence[Party]) -> list[Party]:
    return [each for each in parties if not each.is_planned]


def _names(parties: Sequence[Party]) -> str:
    return listed([each.name for each in parties])


def _mesh_size(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    count = len(parties)
    because: list[str] = []
    lacks: list[str] = []
    if count > _LARGEST_MESH:
        because = [f"There are {count:,} clusters."]
    elif count > _DEFAULT_MESH:
        needs = f"more than {_DEFAULT_MESH} need max-connected-clusters={_LARGEST_MESH} in each of them"
        lacks = [f"There are {count} clusters: {needs}, before the first is connected. Whether it is set is not known."]
    asks = f"At most {_DEFAULT_MESH} clusters, or {_LARGEST_MESH} with max-connected-clusters."
    return _result(target, "clusters-in-mesh", asks, because, lacks)


def _mesh_names(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    names = [(each.name, _cilium_name(each)) for each in _built(parties)]
    counts = Counter(said for _, said in names if said)
    because = [
        f"Cilium's cluster-name is {name!r} in {listed([each for each, said in names if said == name])}. Give each a "
        "name and an id of its own before they are connected: later, all workloads have to be restarted."
        for name, count in counts.items()
        if count > 1
    ]
    unknown = listed([each for each, said in names if not said])
    lacks = [f"Cilium's cluster-name of {unknown} is not known: kube-system/cilium-config has it."] if unknown else []
    asks = "Every cluster has a cluster-name of its own in Cilium."
    return _result(target, "mesh-names-differ", asks, because, lacks)


def _cilium_name(party: Party) -> str:
    return next((alias.removeprefix(_CILIUM_ALIAS) for alias in party.aliases if alias.startswith(_CILIUM_ALIAS)), "")


def _ipv4(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    families = [(each, _pod_families(each)) for each in parties]
    without = _names([each for each, found in families if found and IPV4 not in found])
    unknown = _names([each for each, found in families if not found])
    because = [f"Pods of {without} have IPv6 addresses only."] if without else []
    lacks = [f"No pods of {unknown} are known."] if unknown else []
    return _result(target, "pods-have-ipv4", "Pods of every cluster have IPv4 addresses.", because, lacks)


def _pod_families(party: Party) -> set[int]:
    columns = party.columns
    found = np.unique(columns.use.astype(np.int64) << _FAMILY_BITS | columns.prefixes.family).tolist()
    mask = (1 << _FAMILY_BITS) - 1
    return {each & mask for each in found if KIND_OF[USES[each >> _FAMILY_BITS]] is AllocationKind.POD}


def uses_of(party: Party) -> frozenset[Use]:
    """What a cluster uses addresses for."""
    return frozenset(USES[use] for use in np.unique(party.columns.use).tolist())


def _pods_routed(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    uses = [(each, uses_of(each)) for each in _built(parties)]
    hidden = _names([each for each, found in uses if found & PODS_HIDDEN])
    # A cluster of whose pods nothing is known may hide them as well as any other.
    unknown = _names([each for each, found in uses if found & PODS_OF_UNKNOWN_REACH or not _pod_families(each)])
    because = [f"Pods of {hidden} leave their cluster behind the addresses of its nodes."] if hidden else []
    lacks = [reach_not_known(unknown)] if unknown else []
    asks = "Pods of every cluster are reached from outside as they are."
    return _result(target, "pods-routed", asks, because, lacks)


def reach_not_known(names: str) -> str:
    """Of these clusters' pods."""
    return f"Whether pods of {names} are reached from outside as they are, or leave behind their nodes, is not known."


def _vpc_ranges(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    compare = "Compare the CIDR blocks of the VPCs by hand: all that is in them counts, used by clusters or not."
    lacks = [f"No API server tells the VPC ranges of {_names(parties)}. {compare}"]
    return _result(target, "vpc-ranges-differ", "No two VPCs have overlapping CIDR blocks.", [], lacks)


def _other_networks(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    where = "Compare by hand what else they carry; 'periplus overlaps' compares the ranges that people entered."
    lacks = [f"No API server tells what other networks are routed between {_names(parties)}. {where}"]
    asks = "No cluster uses addresses of another network that the same routers know."
    return _result(target, "other-networks-differ", asks, [], lacks)


CONDITIONS: Final[Mapping[FederationTarget, tuple[Condition, ...]]] = MappingProxyType({
    _T.CILIUM_CLUSTER_MESH: (_runs("cilium", "Cilium"), _mesh_names, _mesh_size),
    _T.SUBMARINER: (_ipv4,),
    _T.SUBMARINER_GLOBALNET: (_ipv4,),
    _T.ISTIO_FLAT: (_pods_routed,),
    _T.LINKERD_FLAT: (_pods_routed,),
    _T.ANTREA: (_runs("antrea", "Antrea"),),
    _T.VPC_PEERING: (_vpc_ranges,),
    _T.TRANSIT_GATEWAY: (_vpc_ranges,),
    _T.PLAIN_ROUTING: (_other_networks,),
})  # fmt: skip
"""Of each way, what it needs beside ranges that differ."""
