"""The rules of ways of joining that are no matter of ranges: what clusters run, how many they are. Pure.

Clusters that are planned are taken to be built as the way needs them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import SOURCES
from periplus_hub.addresses.overlaps.engine.uses import PODS, PODS_HIDDEN, PODS_OF_UNKNOWN_REACH
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import IPV4
from periplus_hub.addresses.preflight.engine.lacks import not_known, reach_not_known
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.words import listed
from periplus_hub.addresses.preflight.model import RuleResult, Verdict

_T = FederationTarget
_DEFAULT_MESH: Final = 255
_LARGEST_MESH: Final = 511
_CILIUM_ALIAS: Final = "cilium="
_PODS: Final = (AllocationKind.POD,)

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
    """A cluster of which not all pods are known may have IPv4 addresses that nobody told of."""
    families = [(each, each.pod_families) for each in parties]
    without = [each for each, found in families if found and IPV4 not in found]
    surely = _names([each for each in without if not each.unknown(_PODS)])
    unknown = _names([each for each, found in families if not found and not each.unknown(_PODS)])
    because = [f"Pods of {surely} have IPv6 addresses only."] if surely else []
    lacks = [f"No pods of {unknown} are known."] if unknown else []
    lacks += not_known([each for each, found in families if IPV4 not in found], _PODS)
    return _result(target, "pods-have-ipv4", "Pods of every cluster have IPv4 addresses.", because, lacks)


def _pods_routed(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    built = _built(parties)
    hidden = _names([each for each in built if each.uses & PODS_HIDDEN])
    # A cluster of whose pods nothing is known may hide them as well as any other.
    untold = [each for each in built if not each.uses & PODS and not each.unknown(_PODS)]
    unknown = _names([each for each in built if each.uses & PODS_OF_UNKNOWN_REACH or each in untold])
    because = [f"Pods of {hidden} leave their cluster behind the addresses of its nodes."] if hidden else []
    lacks = [reach_not_known(unknown)] if unknown else []
    lacks += not_known(built, _PODS)
    asks = "Pods of every cluster are reached from outside as they are."
    return _result(target, "pods-routed", asks, because, lacks)


def _one_cloud(target: FederationTarget, parties: Sequence[Party]) -> RuleResult:
    clouds: dict[str, list[str]] = {}
    for each in parties:
        if each.provider:
            clouds.setdefault(each.provider, []).append(each.name)
    told = [f"{listed(names)} on {cloud}" for cloud, names in sorted(clouds.items())]
    because = [f"Networks of two clouds are not peered: {listed(told)}."] if len(clouds) > 1 else []
    return _result(target, "one-cloud", "No two clusters are known to run on different clouds.", because, [])


CONDITIONS: Final[Mapping[FederationTarget, tuple[Condition, ...]]] = MappingProxyType({
    _T.CILIUM_CLUSTER_MESH: (_runs("cilium", "Cilium"), _mesh_names, _mesh_size),
    _T.SUBMARINER: (_ipv4,),
    _T.SUBMARINER_GLOBALNET: (_ipv4,),
    _T.ISTIO_FLAT: (_pods_routed,),
    _T.LINKERD_FLAT: (_pods_routed,),
    _T.ANTREA: (_runs("antrea", "Antrea"),),
    _T.VPC_PEERING: (_one_cloud,),
})  # fmt: skip
"""Of each way, what it needs beside ranges that differ."""
