"""Objects of every kind into the inventory state: who owns what, what a node says about its cluster."""

from collections.abc import Iterable
from typing import Final

from periplus_contract import covers
from periplus_contract.tables import (
    CLUSTER,
    ENDPOINTS,
    FLOW_SOURCES,
    IP_ADDRESSES,
    MEANINGS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_CIDRS,
    SERVICES,
    SOURCES,
    WORKLOADS,
    Table,
)
from periplus_spoke.collectors.coverage import Evidence, inventory_covers
from periplus_spoke.conversion import mirrored_services, remote_endpoints, rows
from periplus_spoke.conversion.cluster_row import ClusterAsRead, NodeHints, cluster_row, is_aks
from periplus_spoke.conversion.cni import UNKNOWN, detect, node_signs
from periplus_spoke.conversion.flow_clues import FlowClues
from periplus_spoke.conversion.flow_detection import Clue, detect_sources
from periplus_spoke.conversion.flow_sources import BY_AGENTS, Chosen, Kind, choose
from periplus_spoke.conversion.inventory_state import InventoryState
from periplus_spoke.conversion.meanings import Meaning, Services, meaning_rows
from periplus_spoke.conversion.node_location import location_of
from periplus_spoke.conversion.node_notes import node_notes
from periplus_spoke.conversion.objects import EndpointSlice, IpAddress, Node, Pod, Service, ServiceCidr, Thing
from periplus_spoke.conversion.owners import Owners
from periplus_spoke.conversion.presence import Departures
from periplus_spoke.conversion.sources import Source
from periplus_spoke.conversion.text import LabelFilter, shared

_DAEMONSET: Final = "DaemonSet"
_MIDDLES: Final = {"apps/replicasets": "ReplicaSet", "batch/jobs": "Job"}
"""Sources of what stands between a pod and its workload."""
_CLUES: Final[tuple[tuple[Clue, str, str, str], ...]] = (
    ("services", SERVICES.name, SERVICES.name, "Services"),
    ("daemonsets", covers.workloads(_DAEMONSET), "apps/daemonsets", "DaemonSets"),
)
"""Of each what covers it, its source, and what people call it."""

_SAID_BY: Final = ((ENDPOINTS.name, remote_endpoints.SOURCE), (SERVICES.name, mirrored_services.SOURCE))
"""Tables whose objects say one by one what addresses stand for, and the source of that."""


class Inventory:
    """Everything known of one cluster; times are arguments, nothing here reads or waits."""

    def __init__(self, labels: LabelFilter) -> None:
        self.state = InventoryState()
        self.owners = Owners()
        self.departures = Departures()
        self.facts = ClusterAsRead()
        self.sources: dict[str, Source] = {}
        self.listed: set[str] = set()
        """Covers (`periplus_contract.covers`) that were listed whole, or that this API server does not serve."""
        self.answered: set[str] = set()
        """Facts that were read, or that are known not to be there."""
        self.cluster_uid = ""
        self.flow_readers: frozenset[Kind] = BY_AGENTS
        """Kinds of sources of flows that somebody reads: the agents of nodes, or a collector here."""
        self.flow_preference: tuple[str, ...] = ()
        """The configuration's, if it has one."""
        self._flow_clues = FlowClues()
        self._labels = labels
        self.node_notes: dict[str, dict[str, str]] = {}
        """What adapters read of nodes beside their rows, by node name, where there is any."""
        self.node_notes_revision = 0
        """Rises when one of them changes."""
        self._hints: dict[str, NodeHints] = {}
        self._node_names: dict[str, str] = {}
        self._daemonsets: dict[str, tuple[str, str]] = {}

    def namespace(self, thing: Thing, at_us: int) -> None:
        """core/v1 Namespace."""
        self.state.put(NAMESPACES, thing.metadata.uid, rows.namespace_row(thing, self._labels), at_us)

    def node(self, node: Node, at_us: int) -> None:
        """core/v1 Node."""
        uid, location = node.metadata.uid, location_of(node)
        self._hints[uid] = NodeHints(
            provider=location.provider,
            account=location.account,
            region=location.region,
            zone=location.zone,
            signs=node_signs(node),
            aks=is_aks(node.metadata.labels),
        )
        self._node_names[uid] = node.metadata.name
        self._note(node.metadata.name, node_notes(node))
        self.state.put(NODES, uid, rows.node_row(node, self._labels), at_us)

    def forget_node(self, uid: str, at_us: int) -> None:
        """A node is gone."""
        self._hints.pop(uid, None)
        name = self._node_names.pop(uid, "")
        self.departures.note(name, at_us)
        self._note(name, {})
        self.state.drop(NODES, uid, at_us)

    def _note(self, name: str, notes: dict[str, str]) -> None:
        if self.node_notes.get(name, {}) != notes:
            self.node_notes[name] = notes
            self.node_notes_revision += 1
        if not notes:
            self.node_notes.pop(name, None)

    def pod(self, pod: Pod, at_us: int) -> None:
        """core/v1 Pod."""
        uid = shared(pod.metadata.uid) or ""
        # A ReplicaSet may be gone while its pods still end: what was known of them must not get lost with it.
        kind, name, ended = rows.workload_and_end(self.state.rows(PODS).get(uid))
        workload = self.owners.workload(pod, (kind, name) if kind and name else None)
        row = rows.pod_row(pod, workload, self._labels, rows.pod_end(pod, ended, at_us))
        self.state.put(PODS, uid, row, at_us)

    def forget_pod(self, uid: str, at_us: int) -> None:
        """A pod is gone."""
        self.owners.forget_pod(uid)
        if row := self.state.rows(PODS).get(uid):
            self.departures.note(rows.pod_name(row), at_us)
        self.state.drop(PODS, uid, at_us)

    def workload(self, thing: Thing, kind: str, api_group: str, at_us: int) -> None:
        """A kind that is always the top of its chain, unless an operator's object owns it."""
        uid = thing.metadata.uid
        self.state.put(WORKLOADS, uid, rows.workload_row(thing, kind, api_group, self._labels), at_us)
        if kind == _DAEMONSET:
            self._flow_clues.daemonset(thing)
            self._daemonsets[uid] = (thing.metadata.namespace, thing.metadata.name)

    def forget_workload(self, uid: str, at_us: int) -> None:
        """A workload is gone."""
        self._daemonsets.pop(uid, None)
        self._flow_clues.forget(uid)
        self.state.drop(WORKLOADS, uid, at_us)

    def middle(self, thing: Thing, kind: str, api_group: str, at_us: int) -> None:
        """A ReplicaSet or Job: a workload only when nothing owns it."""
        # Pods that came before what stands between them and their workload were told without one: they are told again.
        for pod in self.owners.learn(kind, thing.metadata):
            self.pod(pod, at_us)
        if thing.metadata.controller() is None:
            self.workload(thing, kind, api_group, at_us)

    def forget_middle(self, uid: str, at_us: int) -> None:
        """A ReplicaSet or Job is gone."""
        self.owners.forget(uid)
        self.state.drop(WORKLOADS, uid, at_us)

    def service(self, service: Service, at_us: int) -> None:
        """core/v1 Service."""
        self._flow_clues.service(service)
        uid = service.metadata.uid
        self.state.put(SERVICES, uid, rows.service_row(service, self._labels), at_us)
        told = meaning_rows(mirrored_services.SOURCE, mirrored_services.mirrored_service(service), uid)
        self.state.put_many(MEANINGS, uid, told, at_us)

    def forget_service(self, uid: str, at_us: int) -> None:
        """A Service is gone."""
        self._flow_clues.forget(uid)
        self.state.drop(SERVICES, uid, at_us)
        self.state.put_many(MEANINGS, uid, (), at_us)

    def endpoint_slice(self, piece: EndpointSlice, at_us: int) -> None:
        """discovery/v1 EndpointSlice."""
        uid = piece.metadata.uid
        self.state.put_many(ENDPOINTS, uid, rows.endpoint_rows(piece), at_us)
        told = meaning_rows(remote_endpoints.SOURCE, remote_endpoints.remote_endpoints(piece), uid)
        self.state.put_many(MEANINGS, uid, told, at_us)

    def forget_slice(self, uid: str, at_us: int) -> None:
        """An EndpointSlice is gone, with all its endpoints."""
        self.state.put_many(ENDPOINTS, uid, (), at_us)
        self.state.put_many(MEANINGS, uid, (), at_us)

    def service_cidr(self, thing: ServiceCidr, at_us: int) -> None:
        """networking/v1 ServiceCIDR."""
        self.state.put(SERVICE_CIDRS, thing.metadata.uid, rows.service_cidr_row(thing), at_us)

    def ip_address(self, thing: IpAddress, at_us: int) -> None:
        """networking/v1 IPAddress."""
        self.state.put(IP_ADDRESSES, thing.metadata.uid, rows.ip_address_row(thing), at_us)

    def meanings(self, source: str, meanings: Iterable[Meaning], at_us: int) -> None:
        """All that objects of one kind say that addresses stand for, now that these were listed whole."""
        self.state.put_many(MEANINGS, source, meaning_rows(source, meanings), at_us)
        self.listed.add(covers.meanings(source))

    def service_addresses(self) -> Services | None:
        """Of all services; None while these are not known."""
        if SERVICES.name not in self.listed:
            return None
        return {rows.service_name(row): rows.service_addresses(row) for row in self.state.rows(SERVICES).values()}

    def runs(self, namespace: str, daemonset: str) -> bool:
        """Whether a DaemonSet is known to be there."""
        return (namespace, daemonset) in self._daemonsets.values()

    def cnis(self) -> tuple[str, ...]:
        """Network plugins with a sign, or `unknown`."""
        readable = covers.workloads(_DAEMONSET) in self.listed
        return detect(
            self.facts.groups,
            {sign for hint in self._hints.values() for sign in hint.signs},
            list(self._daemonsets.values()) if readable else None,
            has_cilium_config=self.facts.cilium_config is not None if self.facts.cilium_config_readable else None,
        )

    def covers(self) -> tuple[str, ...]:
        """What a snapshot states completely now."""
        said = {source for table, source in _SAID_BY if table in self.listed}
        return inventory_covers(frozenset(self.listed | {covers.meanings(source) for source in said}))

    def is_current(self, *tables: Table) -> bool:
        """Whether all objects of these tables are known, with no doubt whether one is missing."""
        found = [self.sources.get(table.name) for table in tables]
        return {table.name for table in tables} <= self.listed and all(
            source is not None and source.state == "ok" and not source.reason for source in found
        )

    def evidence(self) -> Evidence:
        """How far everything was read."""
        refused = frozenset(name for name, source in self.sources.items() if source.state == "forbidden")
        return Evidence(listed=frozenset(self.listed), answered=frozenset(self.answered), refused=refused)

    def tell_cluster(self, at_us: int) -> None:
        """Set the cluster's own row from what is known now."""
        if self.cluster_uid:
            cnis = self.cnis() if self.evidence().knows_plugin else ()
            if cnis == (UNKNOWN,) and covers.workloads(_DAEMONSET) not in self.listed:
                cnis = ()  # no sign is one thing, being refused the best one another
            row = cluster_row(self.facts, self._hints.values(), cnis)
            self.state.put(CLUSTER, self.cluster_uid, row, at_us)

    def flow_sources(self) -> tuple[Chosen, ...]:
        """What flows could be read from in this cluster, and what is."""
        evidence, unread = self.evidence(), {}
        for clue, cover, source, name in _CLUES:
            if cover not in self.listed:
                unread[clue] = f"{name} may not be listed" if source in evidence.refused else f"{name} are not listed"
        cnis = self.cnis() if evidence.knows_plugin else ()
        clues = self._flow_clues.all(cnis, self.facts.cilium_config or {}, unread)
        return choose(detect_sources(clues), self.flow_preference, self.flow_readers)

    def tell_flow_sources(self, at_us: int) -> None:
        """Set their rows from what is known now."""
        rows = [(each.source.uid, each.row()) for each in self.flow_sources()]
        self.state.put_many(FLOW_SOURCES, FLOW_SOURCES.name, rows, at_us)

    def report(self, name: str, source: Source, at_us: int, *, quietly: bool = False) -> None:
        """Note how a source is doing; `quietly` waits for `tell_sources` unless its state is news."""
        known = self.sources.get(name)
        self.sources[name] = source
        if source.state == "forbidden" and name in _MIDDLES:
            for pod in self.owners.refuse(_MIDDLES[name]):
                self.pod(pod, at_us)
        if not (quietly and source.same_state(known)):
            self.state.put(SOURCES, name, source.row(), at_us)

    def tell_sources(self, at_us: int) -> None:
        """Bring all source rows up to date, counts included."""
        for name, source in self.sources.items():
            self.state.put(SOURCES, name, source.row(), at_us)
