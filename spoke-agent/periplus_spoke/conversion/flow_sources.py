"""Sources of flows: what is known of each in a cluster, and which of them is read.

Two sources of the same bytes are never both read: the hub adds up what it is told. So one source of bytes is chosen,
the best that is there; Hubble, which knows edges and verdicts and no bytes, is read beside it. Metrics that know no
more than Hubble are read where there is neither.
"""

from collections.abc import Collection, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

Kind = Literal[
    "conntrack", "hubble", "goldmane", "obi", "netobserv", "istio", "retina", "submariner", "cilium-mesh", "prometheus"
]
"""`prometheus` is where the metrics of others are read; it is no source by itself."""
State = Literal["found", "absent", "unknown"]
"""`unknown` where what would show it may not be read, or was not read yet."""
Use = Literal["chosen", "not-chosen", "unreadable", ""]
"""What Periplus does with it; '' where it is not found, or is no source by itself."""

BYTES: Final[tuple[Kind, ...]] = ("conntrack", "obi", "netobserv", "istio", "retina", "submariner")
"""Sources of bytes, the best first: counted by the kernel, then by packets seen on interfaces, then sampled ones, then
what only a mesh sees, then what only pods of a mode or gateways do."""
EDGES: Final[tuple[Kind, ...]] = ("hubble",)
"""Sources that tell edges and verdicts, and no bytes: they are read beside one of bytes."""
EDGES_OF_METRICS: Final[tuple[Kind, ...]] = ("cilium-mesh",)
"""Sources of metrics that tell what Hubble tells, and less of it."""
BY_PROMETHEUS: Final[frozenset[Kind]] = frozenset((*BYTES[1:], *EDGES_OF_METRICS))
"""Are metrics, so that a Prometheus has to be there to read them from."""
BY_AGENTS: Final[frozenset[Kind]] = frozenset(("conntrack",))
"""Are read by agents of nodes, which need nothing from the spoke of the cluster."""


class FlowSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source, as far as the API server shows it. Of a kind that is found twice there are two."""

    kind: Kind
    state: State
    namespace: str = ""
    service: str = ""
    daemonset: str = ""
    """Instead of the service, where that is what shows it."""
    port: int = 0
    """Of the service; 0 where there is none to ask."""
    is_tls: bool = False
    has_pages: bool = False
    """Whether the service leads to its exporters, each with a page of metrics."""
    path: str = ""
    """What goes before the paths of an HTTP API, such as `/select/0/prometheus`."""
    missing: str = ""
    """What stands between it and being read, in words; of an unknown one, why it is unknown."""
    command: str = ""
    """The one command that would enable it; `CLUSTER` in it stands for the cluster's name in the hub."""

    @property
    def where(self) -> str:
        """`namespace/service:port`, as far as there is any."""
        place = "/".join(part for part in (self.namespace, self.service or self.daemonset) if part)
        return f"{place}:{self.port}" if self.port else place

    @property
    def url(self) -> str:
        """Of an HTTP API, as pods of the cluster reach it."""
        return f"http{'s' if self.is_tls else ''}://{self.service}.{self.namespace}.svc:{self.port}{self.path}"

    @property
    def uid(self) -> str:
        """Tells it from others of its cluster."""
        return "/".join(part for part in (self.kind, self.namespace, self.service or self.daemonset) if part)


class Chosen(NamedTuple):
    """A source, what is done with it, and why."""

    source: FlowSource
    use: Use
    why: str = ""
    command: str = ""
    """The one that would enable it."""

    def row(self) -> tuple[str | None, ...]:
        """Its row of the table `flow_sources`."""
        source = self.source
        texts = (source.kind, source.state, source.where, self.use, self.why, self.command)
        return tuple(text or None for text in texts)


def choose(
    sources: Sequence[FlowSource], allowed: Sequence[str] = (), reads: Collection[str] = BY_AGENTS
) -> tuple[Chosen, ...]:
    """What is done with each, in the same order.

    `allowed` is the order of preference that a configuration has; `reads` are the kinds that somebody here reads, with
    `prometheus` among them what is found of the metrics' in a Prometheus that is found, too, or where none is at
    exporters that are.
    """
    prometheus = next((each for each in sources if each.kind == "prometheus" and each.state == "found"), None)
    choice = _Choice(tuple(allowed), reads, prometheus, in_doubt=_is_in_doubt(sources))
    readable = {each.kind for each in sources if each.state == "found" and not choice.obstacle(each)[0]}
    best = choice.first_of(BYTES, readable)
    if not best and not choice.first_of(EDGES, readable):
        best = choice.first_of(EDGES_OF_METRICS, readable)
    taken: set[str] = set()
    found = []
    for source in sources:
        made = choice.of(source, best)
        if made.use == "chosen" and source.kind in taken:
            made = Chosen(source, "not-chosen", "another of its kind is read")
        if made.use == "chosen":
            taken.add(source.kind)
        found.append(made)
    return tuple(found)


def with_pages(choices: Sequence[Chosen]) -> FlowSource | None:
    """The source whose exporters are to be read, because there is no Prometheus that reads them."""
    if any(each.source.kind == "prometheus" and each.source.state == "found" for each in choices):
        return None
    return next((each.source for each in choices if each.use == "chosen" and each.source.has_pages), None)


def chosen(choices: Sequence[Chosen], kind: Kind) -> FlowSource | None:
    """The source of this kind that is to be read."""
    return next((each.source for each in choices if each.use == "chosen" and each.source.kind == kind), None)


def _is_in_doubt(sources: Sequence[FlowSource]) -> bool:
    """Whether agents of nodes may be sending bytes without being seen."""
    return any(each.kind in BY_AGENTS and each.state == "unknown" for each in sources)


class _Choice(NamedTuple):
    allowed: tuple[str, ...]
    reads: Collection[str]
    prometheus: FlowSource | None
    in_doubt: bool

    def obstacle(self, source: FlowSource) -> tuple[str, str]:
        """Why a source that is there is not read, and the command against it; '' where nothing stands in the way."""
        if source.missing:
            return source.missing, ""
        if source.kind in BY_PROMETHEUS and source.kind not in self.reads:
            if self.prometheus is None and source.has_pages:
                if "prometheus" in self.reads:
                    return "", ""
                return "the spoke is given no exporters", f"periplus-spoke run --exporter-urls {source.url}/metrics"
            if self.prometheus is None:
                return (
                    "no Prometheus was found to read its metrics from; exporter_urls of the spoke reads them without",
                    "",
                )
            if self.prometheus.kind in self.reads:
                return "", ""
            return "the spoke is given no Prometheus", f"periplus-spoke run --prometheus-urls {self.prometheus.url}"
        if source.kind in EDGES and source.kind not in self.reads:
            return "the spoke is given no Hubble Relay", "periplus-spoke run --hubble-relay auto"
        return ("", "") if source.kind in self.reads else ("Periplus does not read it yet", "")

    def first_of(self, kinds: Sequence[str], readable: Collection[str]) -> str:
        """The first of these that may be read, by the configuration's order or theirs; '' for none."""
        order = [kind for kind in self.allowed or kinds if kind in kinds and not self.is_behind_agents(kind)]
        return next((kind for kind in order if kind in readable), "")

    def is_behind_agents(self, kind: str) -> bool:
        """Whether a configuration prefers agents of nodes: they send by themselves, so none behind them is read."""
        before = self.allowed[: self.allowed.index(kind)] if kind not in EDGES and kind in self.allowed else ()
        return not BY_AGENTS.isdisjoint(before)

    def of(self, source: FlowSource, best: str) -> Chosen:
        """What is done with it."""
        if source.state != "found":
            return Chosen(source, "", source.missing, source.command)
        if source.kind == "prometheus":
            return Chosen(source, "", source.missing)
        why, command = self.obstacle(source)
        if why:
            return Chosen(source, "unreadable", why, command)
        return Chosen(source, *self._use(source, best))

    def _use(self, source: FlowSource, best: str) -> tuple[Use, str]:
        still = "; its agents go on sending until they are removed" if source.kind in BY_AGENTS else ""
        if self.allowed and source.kind not in self.allowed:
            return "not-chosen", f"flow_sources of the spoke does not name it{still}"
        if self.is_behind_agents(source.kind):
            return "not-chosen", "flow_sources of the spoke puts agents of nodes before it"
        if source.kind in EDGES:
            return "chosen", "edges and verdicts, without bytes"
        if self.in_doubt and not self.allowed:
            return "not-chosen", "agents of nodes may be counting the same bytes: name it in flow_sources if none are"
        if source.kind in EDGES_OF_METRICS:
            if source.kind == best:
                return "chosen", "connections and verdicts, without bytes"
            return "not-chosen", f"{best or EDGES[0]} is read instead"
        if source.kind == best:
            return "chosen", "flow_sources of the spoke puts it first" if self.allowed else "the best source of bytes"
        return "not-chosen", f"bytes come from {best}: two sources would count the same bytes twice{still}"
