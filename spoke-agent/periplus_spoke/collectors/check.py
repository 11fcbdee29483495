"""`periplus-spoke check`: what these credentials can read here, and exactly what would give them the rest."""

from typing import Final

import msgspec

from periplus_spoke.collectors.identity import identify
from periplus_spoke.collectors.rbac import accesses, render
from periplus_spoke.fold.cluster_identity import ClusterIdentity
from periplus_spoke.kube.access import Access, lacking
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import api_groups
from periplus_spoke.kube.problems import KubeProblem

_ALWAYS_SERVED: Final = frozenset(("", "apps", "batch", "discovery.k8s.io", "networking.k8s.io"))


class SourceCheck(msgspec.Struct, frozen=True):
    """One source: `lacking` verbs stop it; one that the API server does not serve is no fault."""

    source: str
    served: bool
    lacking: tuple[str, ...]

    @property
    def line(self) -> str:
        """One line for people."""
        if not self.served:
            return f"  absent  {self.source}"
        if self.lacking:
            return f"  LACKING {self.source}: may not {', '.join(self.lacking)}"
        return f"  ok      {self.source}"


class CheckReport(msgspec.Struct, frozen=True):
    """What `check` found. With a `problem` there is no identity; without sources nothing could be asked at all."""

    identity: ClusterIdentity | None
    problem: str
    remedy: str
    sources: tuple[SourceCheck, ...]

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
        lines = [head, *(source.line for source in self.sources)]
        if self.ok:
            return [*lines, "Everything the spoke reads can be read."]
        advice = "Apply this (and bind it to the user of this context, if that is no ServiceAccount):"
        return [*lines, "", advice, "", *render(namespace).splitlines()]


async def check(client: KubeClient) -> CheckReport:
    """Ask the API server about every right; changes nothing. Never raises KubeProblem: it is part of the report."""
    try:
        identity = await identify(client)
    except KubeProblem as problem:
        if problem.reason != "forbidden":
            return CheckReport(None, problem.message, problem.remedy, ())
        return CheckReport(None, problem.message, problem.remedy, await _sources_if_told(client))
    try:
        return CheckReport(identity, "", "", await _sources(client))
    except KubeProblem as problem:
        return CheckReport(None, problem.message, problem.remedy, ())


async def _sources_if_told(client: KubeClient) -> tuple[SourceCheck, ...]:
    try:
        return await _sources(client)
    except KubeProblem:
        return ()


async def _sources(client: KubeClient) -> tuple[SourceCheck, ...]:
    groups = await api_groups(client)
    wanted = list(accesses())
    denied = set(await lacking(client, wanted))
    served = _ALWAYS_SERVED | groups.keys()
    verbs: dict[str, list[str]] = {}
    for access in wanted:
        verbs.setdefault(_source(access), []).extend([access.verb] if access in denied else [])
    groups_of = {_source(access): access.group for access in wanted}
    return tuple(SourceCheck(source, groups_of[source] in served, tuple(missing)) for source, missing in verbs.items())


def _source(access: Access) -> str:
    if access.name:
        return f"{access.namespace}/{access.name}"
    return f"{access.group}/{access.resource}" if access.group else access.resource
