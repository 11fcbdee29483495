"""What a rule says: which counters a source has, which labels name the ends of a flow, and what they mean."""

from typing import Final, NamedTuple

from periplus_contract.flow_words import FlowCollector, Verdict


class EndLabels(NamedTuple):
    """Labels that name one end of a flow; '' for those that the source does not have."""

    workload: str = ""
    namespace: str = ""
    kind: str = ""
    """Kubernetes' word for what `workload` is. Without it, the inventory says so."""
    cluster: str = ""
    """What the source calls the cluster of the end."""
    service: str = ""
    """The Service that was asked for, where the workload behind it is not known."""
    service_namespace: str = ""
    host: str = ""
    """The name by which the client asked for it, as the client's side tells it."""
    address: str = ""
    """Of an end that is known by nothing else."""


class Counter(NamedTuple):
    """A counter, and the measure that it is of a flow from source to destination as the labels name them."""

    metric: str
    """A regular expression of its names, which have one meaning."""
    measure: str
    where: str = ""
    """Matchers: which of its series count. The others are the same bytes, seen again."""
    verdict: Verdict = Verdict.FORWARDED
    """What became of what it counts."""


class Seen(NamedTuple):
    """Where a packet is seen by its sender's node and by its receiver's: labels that tell which of them tells of it."""

    sender: str
    """The node of the source."""
    receiver: str
    """The node of the destination."""
    tellers: tuple[str, ...]
    """The node that tells; the first label that says something. A port behind an address is left out."""
    remedy: str
    """What a person changes so that the labels are there."""


class FlowRule(NamedTuple):
    """One source. What is not said here its labels do not tell."""

    name: str
    """As in the setting `flow_sources`."""
    collector: FlowCollector
    src: EndLabels
    dst: EndLabels
    counters: tuple[Counter, ...]
    protocol: int = 0
    """IANA's number, where it is one alone."""
    cluster: str = ""
    """The label that says which cluster the series is of."""
    naming: str = ""
    """Of which system the clusters of ends are names, as in `aliases` of the cluster; without it they mean nothing to
    others."""
    reporter: str = ""
    """The label that says which end tells of it: `source` or `egress`, `destination` or `ingress`."""
    direction: str = ""
    """The label that says `response` where the source answers, so that the destination opened the connection."""
    is_oriented_by_cluster: bool = False
    """Both ends' clusters tell of it, each as the source: of two, the one whose name sorts first becomes it."""
    seen: Seen | None = None
    sampling: str = ""
    """A regular expression of gauges that say of how many packets one was counted."""
    is_hubbles: bool = False
    """Hubble counts the same, and tells more of it: where that is read, this is not."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that are looked at, sorted."""
        seen = (self.seen.sender, self.seen.receiver, *self.seen.tellers) if self.seen else ()
        named = {*self.src, *self.dst, self.cluster, self.reporter, self.direction, *seen}
        return tuple(sorted(named - {""}))


CLIENTS: Final = frozenset(("source", "egress"))
SERVERS: Final = frozenset(("destination", "ingress"))
RESPONSE: Final = "response"
