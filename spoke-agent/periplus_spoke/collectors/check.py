"""`periplus-spoke check`: what these credentials can read here, and exactly what would give them the rest."""

from typing import Final

import msgspec

from periplus_spoke.collectors.identity import ClusterIdentity, identify
from periplus_spoke.collectors.rbac import accesses, render
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
    """What `check` found. `problem` means nothing could be asked at all."""

    identity: ClusterIdentity | None
    problem: str
    remedy: str
    sources: tuple[SourceCheck, ...]

    @property
    def ok(self) -> bool:
        """Everything that is served can be read."""
        return not self.problem and not any(source.lacking for source in self.sources)

    def text(self, namespace: str = "periplus") -> str:
        """The whole report for a terminal; with the manifests when rights are lacking."""
        if self.problem or self.identity is None:
            return f"cannot read this cluster: {self.problem}\n{self.remedy}\n"
        head = f"{self.identity.name}: Kubernetes {self.identity.kubernetes_version}, uid {self.identity.uid}"
        lines = [head, *(source.line for source in self.sources)]
        if self.ok:
            return "\n".join([*lines, "Everything the spoke reads can be read.", ""])
        advice = "Apply this (and bind it to the user of this context, if that is no ServiceAccount):"
        return "\n".join([*lines, "", advice, "", render(namespace)])


async def check(client: KubeClient) -> CheckReport:
    """Ask the API server about every right; changes nothing. Never raises KubeProblem: it is part of the report."""
    try:
        identity = await identify(client)
        groups = await api_groups(client)
        wanted = list(accesses())
        denied = set(await lacking(client, wanted))
    except KubeProblem as problem:
        return CheckReport(None, problem.message, problem.remedy, ())
    served = _ALWAYS_SERVED | groups.keys()
    verbs: dict[str, list[str]] = {}
    for access in wanted:
        verbs.setdefault(_source(access), []).extend([access.verb] if access in denied else [])
    groups_of = {_source(access): access.group for access in wanted}
    return CheckReport(
        identity,
        "",
        "",
        tuple(SourceCheck(source, groups_of[source] in served, tuple(missing)) for source, missing in verbs.items()),
    )


def _source(access: Access) -> str:
    if access.name:
        return f"{access.namespace}/{access.name}"
    return f"{access.group}/{access.resource}" if access.group else access.resource
