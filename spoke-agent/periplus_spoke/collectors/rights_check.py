"""`periplus-spoke check`: what these credentials can read here, and exactly what would give them the rest."""

from typing import Final

import msgspec

from periplus_spoke.collectors.allocators_at_work import AtWork, at_work
from periplus_spoke.collectors.identity import identify
from periplus_spoke.collectors.ipam.registry import CONFIG_MAPS
from periplus_spoke.collectors.rbac import RULES, SYSTEM_NAMESPACE, SYSTEM_RULES, accesses, render
from periplus_spoke.conversion import cluster_settings
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.access import Access, lacking
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import api_groups
from periplus_spoke.kube.problems import KubeProblem

_ADDRESSES: Final = ("nodes", "pods", "services")
"""Without these there is next to nothing to see."""
_RANGES: Final = frozenset(
    (
        *("networking.k8s.io/servicecidrs", "networking.k8s.io/ipaddresses", "apps/daemonsets"),
        *(kind.source for kind in cluster_settings.KINDS),
        *(name for full in CONFIG_MAPS for name in (full, full.partition("/")[2])),
    )
)
"""What tells ranges of any cluster, and which network plugin it has. ConfigMaps also by the name that a rule has."""
_ALWAYS_SERVED: Final = frozenset(("", "apps", "batch", "discovery.k8s.io", "networking.k8s.io"))


class SourceCheck(msgspec.Struct, frozen=True):
    """One source: `lacking` verbs stop it; one that the API server does not serve is no fault."""

    source: str
    served: bool
    lacking: tuple[str, ...]
    purpose: str

    @property
    def line(self) -> str:
        """One line for people."""
        if not self.served:
            return f"  absent  {self.source}"
        if self.lacking:
            return f"  LACKING {self.source}: may not {', '.join(self.lacking)} ({self.purpose})"
        return f"  ok      {self.source}"


class CheckReport(msgspec.Struct, frozen=True):
    """What `check` found. With a `problem` there is no identity; without sources nothing could be asked at all."""

    identity: ClusterIdentity | None
    problem: str
    remedy: str
    sources: tuple[SourceCheck, ...]
    """What is lacking first, the most important of it at the top."""
    found: AtWork | None = None

    @property
    def ok(self) -> bool:
        """Everything that is served can be read."""
        return not self.problem and not any(source.lacking for source in self.sources)

    def lines(self, namespace: str = "periplus") -> list[str]:
        """The whole report for a terminal; with the manifests when rights are lacking."""
        if self.identity is not None:
            version = self.identity.kubernetes_version or "of an unknown version"
            head = f"{self.identity.name}: Kubernetes {version}, uid {self.identity.uid}"
        else:
            head = f"cannot read this cluster: {self.problem}"
        if not self.sources:
            return [head, self.remedy]
        found = [self.found.line, self.found.flows_line] if self.found else []
        lines = [head, *found, *(source.line for source in self.sources)]
        if self.ok:
            return [*lines, "Everything the spoke reads can be read."]
        advice = "Apply this (and bind it to the user of this context, if that is no ServiceAccount):"
        return [*lines, "", advice, "", *render(namespace).splitlines()]


async def check(client: KubeClient, clock: Clock) -> CheckReport:
    """Ask the API server about every right; changes nothing. Never raises KubeProblem: it is part of the report."""
    try:
        identity = await identify(client, clock.now())
    except KubeProblem as problem:
        if problem.reason != "forbidden":
            return CheckReport(None, problem.message, problem.remedy, ())
        return await _report_if_told(client, clock, problem)
    try:
        return await _report(client, clock, identity)
    except KubeProblem as problem:
        return CheckReport(None, problem.message, problem.remedy, ())


async def _report_if_told(client: KubeClient, clock: Clock, why: KubeProblem) -> CheckReport:
    try:
        report = await _report(client, clock, None)
    except KubeProblem:
        return CheckReport(None, why.message, why.remedy, ())
    return msgspec.structs.replace(report, problem=why.message, remedy=why.remedy)


async def _report(client: KubeClient, clock: Clock, identity: ClusterIdentity | None) -> CheckReport:
    sources, found = await _sources(client), await at_work(client, clock)
    return CheckReport(identity, "", "", tuple(sorted(sources, key=lambda each: _rank(each, found))), found)


def _rank(source: SourceCheck, found: AtWork) -> tuple[int, int]:
    """What is lacking before the rest; addresses, then what the allocators at work read, then other ranges."""
    if not source.lacking or not source.served:
        return (1, 0)
    if source.source in _ADDRESSES:
        return (0, 0)
    if found.reads(source.source):
        return (0, 1)
    return (0, 2 if source.source in _RANGES else 3)


async def _sources(client: KubeClient) -> tuple[SourceCheck, ...]:
    groups = await api_groups(client)
    wanted = list(accesses())
    denied = set(await lacking(client, wanted))
    served = _ALWAYS_SERVED | groups.keys()
    verbs: dict[str, list[str]] = {}
    for access in wanted:
        verbs.setdefault(_source(access), []).extend([access.verb] if access in denied else [])
    groups_of = {_source(access): access.group for access in wanted}
    purposes = _purposes()
    return tuple(
        SourceCheck(source, groups_of[source] in served, tuple(missing), purposes.get(source, ""))
        for source, missing in verbs.items()
    )


def _purposes() -> dict[str, str]:
    """What each source is read for, by its name."""
    found: dict[str, str] = {}
    for namespace, rules in (("", RULES), (SYSTEM_NAMESPACE, SYSTEM_RULES)):
        for rule in rules:
            for resource in rule.resources:
                for name in rule.names or ("",):
                    found[_source(Access("", rule.group, resource, namespace, name))] = rule.purpose
    return found


def _source(access: Access) -> str:
    if access.name:
        return f"{access.namespace}/{access.name}" if access.namespace else access.name
    return f"{access.group}/{access.resource}" if access.group else access.resource
