"""What is asked now and then instead of watched: version, API groups, configuration maps, cluster properties."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from periplus_contract.tables import IP_ADDRESSES, SERVICE_CIDRS
from periplus_spoke.collectors import aws_node, control_plane, istio_mesh, kube_proxy
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.aws_vpc_cni import AWS_NODE
from periplus_spoke.collectors.ipam.metallb import OLD_CONFIG, POOL_KIND
from periplus_spoke.collectors.ipam.registry import CONFIG_MAPS
from periplus_spoke.conversion.cluster_settings import KUBE_PROXY_PODS
from periplus_spoke.conversion.cni import AWS_GROUPS, CILIUM_CONFIG
from periplus_spoke.conversion.ipam import Flags
from periplus_spoke.conversion.objects import ClusterProperty, ConfigMap
from periplus_spoke.conversion.sources import Source, State
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import LEFT_OUT_REMEDY, api_groups, listable, read, server_version
from periplus_spoke.kube.lists import PageDecoder, Resource, pages
from periplus_spoke.kube.problems import KubeProblem

NETWORKING: Final = "networking.k8s.io"
_SERVICE_VERSIONS: Final = ("v1", "v1beta1")
SERVICE_COVERS: Final = frozenset((SERVICE_CIDRS.name, IP_ADDRESSES.name))
"""Where neither is served there are none."""
_ABOUT: Final = "about.k8s.io"
_SPEAKER: Final = "speaker"
"""MetalLB's DaemonSet."""
_OF_THEIR_OWN: Final = frozenset((AWS_NODE, KUBE_PROXY_PODS))
"""Are asked for apart from the control plane."""


class Facts:
    """Reads them all; each on its own, so that one failure costs one fact."""

    def __init__(self, client: KubeClient, inventory: Inventory, clock: Clock) -> None:
        self._client = client
        self._inventory = inventory
        self._clock = clock
        self.configs: dict[str, dict[str, str]] = {}
        self.flags: Flags = {}
        """Of the control plane and of kube-proxy, where they run as pods of the cluster, and of aws-node."""
        self.service_version = ""
        """The version that serves ServiceCIDR and IPAddress; empty when none does."""

    async def refresh(self) -> None:
        """Ask for everything once."""
        await self._try("version", self._version)
        await self._try("apis", self._groups)
        await self._try(f"{NETWORKING}/servicecidrs", self._service_kinds)
        for name in CONFIG_MAPS:
            await self._try(name, partial(self._config, name))
        await self._old_metallb()
        await self._try(control_plane.SOURCE, self._control_plane)
        await self._try(kube_proxy.SOURCE, self._kube_proxy)
        if not AWS_GROUPS.isdisjoint(self._inventory.facts.groups):
            await self._try(aws_node.SOURCE, self._aws_node)
        if istio_mesh.GROUP in self._inventory.facts.groups:
            await self._try(istio_mesh.SOURCE, self._istio)
        if _ABOUT in self._inventory.facts.groups:
            await self._try(f"{_ABOUT}/clusterproperties", self._properties)
        self._inventory.facts.cilium_config = self.configs.get(CILIUM_CONFIG)
        self._inventory.facts.cilium_config_readable = CILIUM_CONFIG in self._inventory.answered

    async def _try(self, name: str, ask: Callable[[], Awaitable[int | None]]) -> None:
        try:
            objects = await ask()
        except KubeProblem as problem:
            source = Source(
                state=_state(problem.reason),
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
            )
            if source.state == "absent":
                self._inventory.answered.add(name)
            self._inventory.report(name, source, self._clock.wall_us(), quietly=True)
        else:
            at_us = self._clock.wall_us()
            self._inventory.answered.add(name)
            if objects is not None:
                self._inventory.report(name, Source(state="ok", objects=objects, as_of_us=at_us), at_us, quietly=True)

    async def _version(self) -> int | None:
        version = await server_version(self._client)
        self._inventory.facts.git_version = version.git_version
        self._inventory.facts.platform = version.platform
        if not version.left_out:
            return 1
        at_us = self._clock.wall_us()
        source = Source(
            state="ok",
            reason="unknown_shape",
            message=version.left_out,
            remedy=LEFT_OUT_REMEDY,
            objects=1,
            as_of_us=at_us,
        )
        self._inventory.report("version", source, at_us, quietly=True)
        return None

    async def _groups(self) -> int:
        groups = await api_groups(self._client)
        self._inventory.facts.groups = groups
        return len(groups)

    async def _service_kinds(self) -> None:
        """The watch reports this source when there is one; here only its absence is a fact."""
        for version in _SERVICE_VERSIONS:
            if "servicecidrs" in await listable(self._client, NETWORKING, version):
                self.service_version = version
                return
        self._inventory.listed |= SERVICE_COVERS
        raise KubeProblem(
            "not_found",
            "this API server does not serve ServiceCIDR (Kubernetes before 1.31, or an older v1beta1)",
            "Nothing: service ranges are derived from the services' cluster IPs.",
        )

    async def _config(self, name: str) -> int:
        namespace, _, short = name.partition("/")
        try:
            found = await read(self._client, f"/api/v1/namespaces/{namespace}/configmaps/{short}", ConfigMap)
        except KubeProblem as problem:
            # Only what is gone for sure is forgotten: a request that failed says nothing about the ConfigMap.
            if problem.reason == "not_found":
                self.configs.pop(name, None)
            raise
        self.configs[name] = found.data or {}
        return 1

    async def _old_metallb(self) -> None:
        """Where MetalLB still has a ConfigMap. That it may not be read matters only where it runs."""
        namespace, _, _ = OLD_CONFIG.partition("/")
        if self._inventory.runs(namespace, _SPEAKER) or OLD_CONFIG in self._inventory.sources:
            await self._try(OLD_CONFIG, partial(self._old_metallb_config, namespace))
        else:
            with suppress(KubeProblem):
                await self._old_metallb_config(namespace)

    async def _old_metallb_config(self, namespace: str) -> int:
        if POOL_KIND.group in self._inventory.facts.groups:
            self.configs.pop(OLD_CONFIG, None)
            raise KubeProblem("not_found", "MetalLB has its pools in objects here", "Nothing.")
        try:
            return await self._config(OLD_CONFIG)
        except KubeProblem as problem:
            if problem.reason != "forbidden":
                raise
            role = f"kubectl -n {namespace} create role periplus-spoke --verb=get --resource=configmaps"
            remedy = f"Let the spoke read it: '{role} --resource-name=config', and bind that to its ServiceAccount."
            raise KubeProblem(problem.reason, problem.message, remedy) from problem

    async def _control_plane(self) -> int:
        flags = await control_plane.control_plane_flags(self._client)
        kept = {name: texts for name, texts in self.flags.items() if name in _OF_THEIR_OWN}
        self.flags = {**kept, **flags}
        if not flags:
            raise KubeProblem(
                "not_found",
                "the control plane does not run as pods of this cluster",
                "Nothing, where other sources tell the ranges it hands out.",
            )
        return len(flags)

    async def _kube_proxy(self) -> int:
        return await self._keep_flags(KUBE_PROXY_PODS, kube_proxy.kube_proxy_flags)

    async def _aws_node(self) -> int:
        return await self._keep_flags(AWS_NODE, aws_node.aws_node_settings)

    async def _istio(self) -> int:
        try:
            self._inventory.facts.istio_cluster = await istio_mesh.istio_cluster(self._client)
        except KubeProblem as problem:
            if problem.reason == "not_found":
                self._inventory.facts.istio_cluster = ""
            raise
        return 1

    async def _keep_flags(self, name: str, read_flags: Callable[[KubeClient], Awaitable[tuple[str, ...]]]) -> int:
        others = {each: texts for each, texts in self.flags.items() if each != name}
        try:
            self.flags = {**others, name: await read_flags(self._client)}
        except KubeProblem as problem:
            if problem.reason == "not_found":
                self.flags = others
            raise
        return 1

    async def _properties(self) -> int:
        version = self._inventory.facts.groups[_ABOUT][0]
        resource: Resource[ClusterProperty] = Resource(
            source=f"{_ABOUT}/clusterproperties",
            group=_ABOUT,
            plural="clusterproperties",
            version=version,
            type=ClusterProperty,
        )
        found: dict[str, str] = {}
        async for page in pages(self._client, resource, PageDecoder(ClusterProperty)):
            found |= {item.metadata.name: item.spec.value for item in page.items}
        self._inventory.facts.properties = found
        return len(found)


def _state(reason: str) -> State:
    if reason == "forbidden":
        return "forbidden"
    return "absent" if reason == "not_found" else "failed"
