"""What counters rose by in a window, as flows: who is at each end, who saw it, each byte once."""

from collections import Counter as Counts
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.flow_words import Reporter, Verdict
from periplus_spoke.conversion.flow_sums import MEASURES, Flow, WindowSums
from periplus_spoke.conversion.prometheus.answers import Sample
from periplus_spoke.conversion.prometheus.ends import End, Kinds, end_of, is_name
from periplus_spoke.conversion.prometheus.promql import LOST_LABEL
from periplus_spoke.conversion.prometheus.rule import CLIENTS, RESPONSE, SERVERS, FlowRule, Seen

_OTHER_WAY: Final = {
    "bytes_tx": "bytes_rx",
    "bytes_rx": "bytes_tx",
    "packets_tx": "packets_rx",
    "packets_rx": "packets_tx",
}
_BYTES: Final = ("bytes_tx", "bytes_rx")
_REPORTERS: Final = dict.fromkeys(CLIENTS, Reporter.CLIENT) | dict.fromkeys(SERVERS, Reporter.SERVER)
_TURNED: Final = {Reporter.CLIENT: Reporter.SERVER, Reporter.SERVER: Reporter.CLIENT, Reporter.BOTH: Reporter.BOTH}


class Known(NamedTuple):
    """What is known beside the answers."""

    kinds: Kinds
    cluster: str = ""
    """What the source calls this cluster; '' where nobody said."""
    sampling: int | None = 1
    """Of how many packets one was counted; None for unknown."""


class _Key(NamedTuple):
    watched: str
    """The cluster that the series is of, as the source calls it."""
    src: End
    dst: End
    reporter: Reporter
    verdict: Verdict


class SourceWindow:
    """One window of one source: `take` the answers, then `put` the flows."""

    def __init__(self, rule: FlowRule, known: Known) -> None:
        self._rule = rule
        self._known = known
        self._rows: dict[_Key, dict[str, int | None]] = {}
        self._lost: Counts[str] = Counts()
        self._conditions: set[str] = set()

    def missed(self, reason: str, count: int = 1) -> None:
        """Something was not told, for one of the reasons of `flow_words`."""
        self._lost[reason] += count

    def note(self, condition: str) -> None:
        """One of the conditions of `flow_words`."""
        self._conditions.add(condition)

    def clusters(self) -> list[str]:
        """What the source calls those of which it has series, as far as it says."""
        return sorted({key.watched for key in self._rows} - {""})

    def take(self, measure: str, samples: Iterable[Sample], verdict: Verdict = Verdict.FORWARDED) -> None:
        """What one counter rose by."""
        for sample in samples:
            if LOST_LABEL in sample.labels:
                self.missed(flow_words.LOST_RESET, sample.value)
            else:
                self._add(measure, sample, verdict)

    def put(self, sums: WindowSums) -> FlowsMark:
        """Add the flows to the window, and say how much they tell."""
        own = self._own_names()
        rows = {key: row for key, row in self._rows.items() if key.watched in own}
        clients = {_without_host(key) for key in rows if key.reporter is Reporter.CLIENT}
        told = 0
        for key, row in rows.items():
            reporter = self._reporter(key, clients, own)
            if reporter is None or not any(value != 0 for value in row.values()):
                continue
            told += 1
            src, dst = (end.peer(own, self._known.kinds, self._rule.naming) for end in (key.src, key.dst))
            flow = Flow(src, dst, 0, self._rule.protocol, self._rule.collector, reporter)
            flow = flow._replace(sampling=self._known.sampling or 1, verdict=key.verdict)
            sums.add(flow, [row.get(name) for name in MEASURES])
        considered = rows if own else self._rows
        return FlowsMark(
            observed=len(considered),
            unmeasured=sum(not own or _is_unmeasured(row) for row in considered.values()),
            other_rows=sums.other_rows,
            other_hosts=sums.other_hosts,
            lost={reason: count for reason, count in sorted(self._lost.items()) if count},
            conditions=tuple(sorted(self._conditions)),
        )

    def _add(self, measure: str, sample: Sample, verdict: Verdict) -> None:
        rule, labels = self._rule, sample.labels
        reported = labels.get(rule.reporter, "")
        if rule.reporter and reported not in _REPORTERS:
            self.missed(flow_words.LOST_UNREADABLE)
            return
        value = self._value(sample)
        if rule.seen is not None:
            counts = _counts(rule.seen, labels)
            if counts is False:
                return
            if counts is None:
                self.note(flow_words.NODE_LABELS_MISSING)
                value = None if value else value
        src, dst = (end_of(each, labels) for each in (rule.src, rule.dst))
        reporter = _REPORTERS.get(reported) or _who_saw(src, dst)
        watched = labels.get(rule.cluster, "")
        if rule.reporter:
            watched = (src if reporter is Reporter.CLIENT else dst).cluster
        if reporter is not Reporter.CLIENT:  # how the server calls itself
            dst = dst._replace(host="")
        key = _Key(watched if is_name(watched) else "", src, dst, reporter, verdict)
        if src.is_nobody() and dst.is_nobody():
            self.note(flow_words.END_LABELS_MISSING)
        if self._is_turned(key, labels):
            key = key._replace(src=dst, dst=src, reporter=_TURNED[reporter])
            measure = _OTHER_WAY.get(measure, measure)
        row = self._rows.setdefault(key, {})
        before = row.get(measure, 0)
        row[measure] = None if value is None or before is None else before + value

    def _value(self, sample: Sample) -> int | None:
        """Scaled up, where only some of the packets are counted; what did not rise is 0 in any case."""
        if not self._rule.sampling or not sample.value:
            return sample.value
        if self._known.sampling is None:
            self.note(flow_words.SAMPLING_UNKNOWN)
            return None
        return sample.value * self._known.sampling

    def _is_turned(self, key: _Key, labels: Mapping[str, str]) -> bool:
        if self._rule.is_oriented_by_cluster:
            return key.dst.cluster < key.src.cluster
        return labels.get(self._rule.direction) == RESPONSE

    def _own_names(self) -> frozenset[str]:
        """What this cluster is called; nothing where the answers are of several, and nobody said which it is."""
        found = {key.watched for key in self._rows} - {""}
        if self._known.cluster:
            return frozenset(("", self._known.cluster))
        if len(found) > 1:
            self.note(flow_words.SEVERAL_CLUSTERS)
            return frozenset()
        return frozenset(("", *found))

    def _reporter(self, key: _Key, clients: Container[_Key], own: frozenset[str]) -> Reporter | None:
        """Who tells of it, once what stays in the cluster is merged: there the client's report counts, if there is one.

        None for a report that another one makes up for.
        """
        # Where ends have no clusters, a name is known to the node of the end alone: the hub puts the two together.
        has_clusters = self._rule.reporter and self._rule.src.cluster
        if not has_clusters or not all(end.is_inside(own) for end in (key.src, key.dst)):
            return key.reporter
        if key.reporter is Reporter.SERVER and self._client_of(key, own) in clients:
            return None
        return Reporter.BOTH

    def _client_of(self, key: _Key, own: frozenset[str]) -> _Key:
        return key._replace(watched=key.src.cluster if key.src.cluster in own else "", reporter=Reporter.CLIENT)


def _without_host(key: _Key) -> _Key:
    return key._replace(dst=key.dst._replace(host=""))


def _who_saw(src: End, dst: End) -> Reporter:
    """Who saw it, by which ends the source can name."""
    if dst.workload:
        return Reporter.BOTH if src.workload else Reporter.SERVER
    return Reporter.CLIENT


def _counts(seen: Seen, labels: Mapping[str, str]) -> bool | None:
    """Whether this node tells of the packets that its own pods sent, or got from outside; None for unknown."""
    teller = next(filter(None, (labels.get(each, "") for each in seen.tellers)), "")
    node = labels.get(seen.sender) or labels.get(seen.receiver)
    return teller == node if teller and node else None


def _is_unmeasured(row: Mapping[str, int | None]) -> bool:
    return any(value is None for value in _bytes(row)) or not any(True for _ in _bytes(row))


def _bytes(row: Mapping[str, int | None]) -> Iterator[int | None]:
    return (row[name] for name in _BYTES if name in row)
