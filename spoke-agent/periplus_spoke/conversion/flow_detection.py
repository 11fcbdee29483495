"""Finds sources of flows by what an API server shows: Services, DaemonSets and what is known of the network plugin.

What may not be read, or was not read yet, is never taken for absent.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from periplus_spoke.conversion.flow_sources import FlowSource, Kind
from periplus_spoke.conversion.objects import Service, Thing
from periplus_spoke.conversion.prometheus_services import prometheus_at

Clue = Literal["services", "daemonsets"]
_NAME: Final = "app.kubernetes.io/name"
_HTTPS: Final = 443
_CILIUM: Final = "cilium"
_CILIUM_NAMESPACE: Final = "kube-system"
_PAST_CONNTRACK: Final = "Cilium's kube-proxy replacement moves pods' packets past conntrack"
AGENTS_COMMAND: Final = "periplus join-token create --agents-of CLUSTER"


class SeenService(NamedTuple):
    """A Service that is a sign of a source."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    ports: tuple[tuple[str, int], ...]
    """Name and number."""


class SeenDaemonSet(NamedTuple):
    """A DaemonSet that is a sign of a source."""

    namespace: str
    name: str
    labels: Mapping[str, str]


class Clues(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a cluster."""

    services: Sequence[SeenService] = ()
    daemonsets: Sequence[SeenDaemonSet] = ()
    cnis: Collection[str] = ()
    cilium_config: Mapping[str, str] = {}
    unread: Mapping[Clue, str] = {}
    """What was not listed whole, and why, in words."""


class _Sign(NamedTuple):
    """What shows that a source is there: names, or `label=value` texts, of Services and of DaemonSets."""

    kind: Kind
    services: frozenset[str] = frozenset()
    daemonsets: frozenset[str] = frozenset()
    tls_ports: frozenset[int] = frozenset()
    exporters: frozenset[str] = frozenset()
    """Services that lead to its pages of metrics: where there are any, these are what is found."""


_SIGNS: Final = (
    _Sign(
        "conntrack",
        daemonsets=frozenset((f"{_NAME}=periplus-spoke", f"{_NAME}=periplus-node", "periplus-spoke", "periplus-node")),
    ),
    _Sign(
        "hubble",
        services=frozenset(("k8s-app=hubble-relay", "hubble-relay")),
        tls_ports=frozenset((_HTTPS,)),
    ),
    _Sign("goldmane", services=frozenset(("goldmane",)), tls_ports=frozenset((7443,))),
    _Sign(
        "obi",
        daemonsets=frozenset(
            (f"{_NAME}=beyla", "beyla", f"{_NAME}=opentelemetry-ebpf-instrumentation", "obi", f"{_NAME}=obi")
        ),
    ),
    _Sign(
        "netobserv",
        services=frozenset(("flowlogs-pipeline-prom", "flowlogs-pipeline-transformer-prom")),
        daemonsets=frozenset(("netobserv-ebpf-agent",)),
    ),
    _Sign("istio", services=frozenset(("app=istiod", "istiod")), daemonsets=frozenset(("app=ztunnel", "ztunnel"))),
    _Sign("retina", daemonsets=frozenset(("k8s-app=retina", "app=retina", "retina-agent"))),
    _Sign(
        "submariner",
        services=frozenset(("submariner-gateway-metrics",)),
        daemonsets=frozenset(("app=submariner-gateway", "submariner-gateway")),
    ),
    _Sign(
        "cilium-mesh",
        services=frozenset(("k8s-app=clustermesh-apiserver", "clustermesh-apiserver")),
        exporters=frozenset(("hubble-metrics",)),
    ),
)
_OF_SERVICES: Final = frozenset(text for sign in _SIGNS for text in (*sign.services, *sign.exporters))
_OF_DAEMONSETS: Final = frozenset((_CILIUM, *(text for sign in _SIGNS for text in sign.daemonsets)))


def service_clue(service: Service) -> SeenService | None:
    """What is kept of a Service for `detect_sources`; None for one that shows nothing."""
    meta = service.metadata
    ports = tuple((port.name, port.port) for port in service.spec.ports or ())
    seen = SeenService(meta.namespace, meta.name, meta.labels or {}, ports)
    if not _texts(seen) & _OF_SERVICES and prometheus_at(seen.namespace, seen.name, seen.labels, ports) is None:
        return None
    return seen


def daemonset_clue(thing: Thing) -> SeenDaemonSet | None:
    """What is kept of a DaemonSet for `detect_sources`; None for one that shows nothing."""
    meta = thing.metadata
    seen = SeenDaemonSet(meta.namespace, meta.name, meta.labels or {})
    return seen if _texts(seen) & _OF_DAEMONSETS else None


def detect_sources(clues: Clues) -> tuple[FlowSource, ...]:
    """Every kind at least once, in a fixed order."""
    found: list[FlowSource] = []
    for sign in _SIGNS:
        found += list(_found(sign, clues)) or [_not_found(sign, clues)]
    return (*found, *_prometheuses(clues))


def is_past_conntrack(clues: Clues) -> bool:
    """Whether the network plugin is set up so that packets of pods pass no connection tracking of the kernel."""
    config = clues.cilium_config
    return _CILIUM in clues.cnis and (
        config.get("kube-proxy-replacement", "") in {"true", "strict"}
        or config.get("install-no-conntrack-iptables-rules", "") == "true"
    )


def _texts(seen: SeenService | SeenDaemonSet) -> set[str]:
    return {seen.name, *(f"{key}={value}" for key, value in seen.labels.items())}


def _found(sign: _Sign, clues: Clues) -> Iterator[FlowSource]:
    """Its Services; where it has none, its DaemonSets."""
    exporters = [each for each in clues.services if _texts(each) & sign.exporters]
    services = sorted(exporters or (each for each in clues.services if _texts(each) & sign.services))
    for each in services:
        port = next((number for _, number in each.ports), 0)
        yield FlowSource(
            kind=sign.kind,
            state="found",
            namespace=each.namespace,
            service=each.name,
            port=port,
            is_tls=port in sign.tls_ports,
            has_pages=bool(exporters),
        )
    if services:
        return
    for seen in sorted(each for each in clues.daemonsets if _texts(each) & sign.daemonsets):
        missing = _PAST_CONNTRACK if sign.kind == "conntrack" and is_past_conntrack(clues) else ""
        yield FlowSource(kind=sign.kind, state="found", namespace=seen.namespace, daemonset=seen.name, missing=missing)


def _not_found(sign: _Sign, clues: Clues) -> FlowSource:
    needed: tuple[tuple[Clue, object], ...] = (("services", sign.services), ("daemonsets", sign.daemonsets))
    unread = [clues.unread[clue] for clue, wanted in needed if wanted and clue in clues.unread]
    if unread:
        return FlowSource(kind=sign.kind, state="unknown", missing=unread[0])
    missing, command = _remedy(sign.kind, clues)
    return FlowSource(kind=sign.kind, state="absent", missing=missing, command=command)


def _remedy(kind: Kind, clues: Clues) -> tuple[str, str]:
    """What is missing, and the command that would enable it, where one alone does."""
    if kind == "conntrack":
        return (_PAST_CONNTRACK, "") if is_past_conntrack(clues) else ("no agents on its nodes", AGENTS_COMMAND)
    if kind == "hubble" and _CILIUM in clues.cnis:
        agents = (each.namespace for each in clues.daemonsets if each.name == _CILIUM)
        namespace = next(agents, _CILIUM_NAMESPACE)
        return "Cilium runs without Hubble Relay", f"cilium hubble enable --namespace {namespace}"
    return "", ""


def _prometheuses(clues: Clues) -> Iterator[FlowSource]:
    """All there are, the one most likely to have this cluster's metrics first."""
    asked = ((prometheus_at(each.namespace, each.name, each.labels, each.ports), each) for each in clues.services)
    ranked = [(at, each) for at, each in asked if at is not None]
    for at, each in sorted(ranked):
        yield FlowSource(
            kind="prometheus",
            state="found",
            namespace=each.namespace,
            service=each.name,
            port=at.port,
            is_tls=at.is_tls,
            path=at.path,
        )
    if not ranked:
        why = clues.unread.get("services", "")
        yield FlowSource(kind="prometheus", state="unknown" if why else "absent", missing=why)
