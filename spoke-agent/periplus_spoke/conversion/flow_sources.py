"""Sources of flows: what is known of each in a cluster, and which of them is read.

Two sources of the same bytes are never both read: the hub adds up what it is told. So one source of bytes is chosen,
the best that is there; Hubble, which knows edges and verdicts and no bytes, is read beside it.
"""

from collections.abc import Sequence
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

BYTES: Final[tuple[Kind, ...]] = ("conntrack", "obi", "netobserv", "istio")
"""Sources of bytes that Periplus reads, the best first: counted by the kernel, then by packets seen on interfaces,
then sampled ones, then what only a mesh sees."""
EDGES: Final[tuple[Kind, ...]] = ("hubble",)
"""Sources that tell edges and verdicts, and no bytes: they are read beside one of bytes."""
BY_PROMETHEUS: Final[frozenset[Kind]] = frozenset(("obi", "netobserv", "istio"))
"""Are metrics, so that a Prometheus has to be there to read them from."""
CHOICES: Final[tuple[Kind, ...]] = (*EDGES, *BYTES)
"""What `flow_sources` of the configuration may name."""


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
    def host(self) -> str:
        """The name that the service has in its cluster."""
        return f"{self.service}.{self.namespace}.svc"


class Chosen(NamedTuple):
    """A source, what is done with it, and why."""

    source: FlowSource
    use: Use
    why: str = ""


def choose(sources: Sequence[FlowSource], allowed: Sequence[str] = ()) -> tuple[Chosen, ...]:
    """What is done with each, in the same order. `allowed` is the order of preference that a configuration has."""
    has_prometheus = any(each.kind == "prometheus" and each.state == "found" for each in sources)
    choice = _Choice(tuple(allowed), has_prometheus=has_prometheus, best="", in_doubt=_is_in_doubt(sources))
    order = [kind for kind in allowed if kind in BYTES] if allowed else BYTES
    readable = {each.kind for each in sources if each.state == "found" and not choice.obstacle(each)}
    choice = choice._replace(best=next((kind for kind in order if kind in readable), ""))
    taken: set[str] = set()
    found = []
    for source in sources:
        use, why = choice.use(source)
        if use == "chosen" and source.kind in taken:
            use, why = "not-chosen", "another of its kind is read"
        if use == "chosen":
            taken.add(source.kind)
        found.append(Chosen(source, use, why))
    return tuple(found)


def chosen(choices: Sequence[Chosen], kind: Kind) -> FlowSource | None:
    """The source of this kind that is to be read."""
    return next((each.source for each in choices if each.use == "chosen" and each.source.kind == kind), None)


def _is_in_doubt(sources: Sequence[FlowSource]) -> bool:
    """Whether agents of nodes may be sending bytes without being seen."""
    return any(each.kind == "conntrack" and each.state == "unknown" for each in sources)


class _Choice(NamedTuple):
    allowed: tuple[str, ...]
    has_prometheus: bool
    best: str
    in_doubt: bool

    def obstacle(self, source: FlowSource) -> str:
        """Why a source that is there is not read; '' where nothing stands in the way."""
        if source.missing:
            return source.missing
        if source.kind not in CHOICES:
            return "Periplus does not read it yet"
        if source.kind in BY_PROMETHEUS and not self.has_prometheus:
            return "its metrics are read from Prometheus, and none was found"
        return ""

    def use(self, source: FlowSource) -> tuple[Use, str]:
        """What is done with it, and why."""
        if source.state != "found" or source.kind == "prometheus":
            return "", ""
        if why := self.obstacle(source):
            return "unreadable", why
        if self.allowed and source.kind not in self.allowed:
            still = "; its agents go on sending until they are removed" if source.kind == "conntrack" else ""
            return "not-chosen", f"flow_sources of the spoke does not name it{still}"
        if source.kind in EDGES:
            return "chosen", "edges and verdicts, without bytes"
        if self.in_doubt and not self.allowed:
            return "not-chosen", "agents of nodes may be counting the same bytes: name it in flow_sources if none are"
        if source.kind == self.best:
            return "chosen", "flow_sources of the spoke puts it first" if self.allowed else "the best source of bytes"
        return "not-chosen", f"bytes come from {self.best}: two sources would count the same bytes twice"
