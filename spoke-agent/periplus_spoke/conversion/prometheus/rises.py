"""By how much counters rose between two readings of the same exporters, as a Prometheus would have answered it."""

import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from periplus_contract.limits import MAX_MEASURE
from periplus_spoke.conversion.prometheus.answers import LONGEST_LABEL, Sample, Vector
from periplus_spoke.conversion.prometheus.exposition import Reading, Series, series_of
from periplus_spoke.conversion.prometheus.promql import LOST_LABEL
from periplus_spoke.conversion.prometheus.rule import Counter, FlowRule

_MATCHER: Final = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*,?')


class Rises(NamedTuple):
    """Of one exporter in one window, in columns. A series of which nothing is known yet is in none of them."""

    series: tuple[str, ...]
    rose: "array[float]"
    """What each rose by; below 0 for one that was reset."""


def rises(before: Reading | None, after: Reading) -> Rises:
    """What passed between the two.

    A series that is new to a process that was read before began at 0. Where it is not known whether it is the same
    process, or nothing was read before, what is new says nothing; all that another process has had is lost.
    """
    if before is None:
        return Rises((), array("d"))
    is_same = after.started is not None and after.started == before.started
    if after.started != before.started:
        return Rises(before.series, array("d", [-1.0]) * len(before.series))
    known = dict(zip(before.series, before.values, strict=True))
    kept: list[str] = []
    rose = array("d")
    for series, value in zip(after.series, after.values, strict=True):
        earlier = known.get(series, 0.0 if is_same else None)
        if earlier is not None:
            kept.append(series)
            rose.append(value - earlier)
    return Rises(tuple(kept), rose)


class Answers:
    """Answers of one window, to the questions of one rule. Labels are looked at once."""

    def __init__(self, rule: FlowRule, exporters: Iterable[Rises]) -> None:
        self._rule = rule
        self._names = re.compile("|".join(counter.metric for counter in rule.counters))
        self._series: list[tuple[Series, float]] = []
        for each in exporters:
            for written, rose in zip(each.series, each.rose, strict=True):
                series = series_of(written)
                if self._names.fullmatch(series.metric):
                    self._series.append((series, rose))

    def to(self, counter: Counter) -> Vector:
        """What it rose by, added up by the rule's labels."""
        name, matches = re.compile(counter.metric), _Matchers(counter.where)
        sums: dict[tuple[str, ...], float] = {}
        resets = unreadable = 0
        for series, rose in self._series:
            if name.fullmatch(series.metric) is None or not matches.meets(series.labels):
                continue
            if rose < 0:
                resets += 1
                continue
            key = tuple(series.labels.get(label, "") for label in self._rule.labels)
            if any(len(text) > LONGEST_LABEL or "\0" in text for text in key) or rose > MAX_MEASURE:
                unreadable += 1
                continue
            sums[key] = sums.get(key, 0.0) + rose
        samples = [
            Sample(dict(zip(self._rule.labels, key, strict=True)), min(round(value), MAX_MEASURE))
            for key, value in sums.items()
        ]
        if resets:
            samples.append(Sample({LOST_LABEL: "counter_reset"}, resets))
        return Vector(tuple(samples), unreadable, "")


def rates(rule: FlowRule, readings: Iterable[Reading]) -> list[str]:
    """At which rates packets are sampled, by the gauges of the rule."""
    name = re.compile(rule.sampling)
    return [
        f"{value:.0f}" if value.is_integer() else str(value)
        for reading in readings
        for written, value in zip(reading.series, reading.values, strict=True)
        if name.fullmatch(written.partition("{")[0])
    ]


def metrics_of(rules: Sequence[FlowRule]) -> list[str]:
    """Regular expressions of all metrics that are looked for."""
    counters = [counter.metric for rule in rules for counter in rule.counters]
    return list(dict.fromkeys([*counters, *(rule.sampling for rule in rules if rule.sampling)]))


class _Matchers:
    """What stands in `Counter.where`, as Prometheus reads it: a label that is missing is ''."""

    def __init__(self, text: str) -> None:
        self._all = [
            (label, operator.startswith("!"), re.compile(value if "~" in operator else re.escape(value)))
            for label, operator, value in _MATCHER.findall(text)
        ]

    def meets(self, labels: dict[str, str]) -> bool:
        return all((value.fullmatch(labels.get(label, "")) is None) == is_not for label, is_not, value in self._all)
