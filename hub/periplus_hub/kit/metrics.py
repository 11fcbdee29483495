"""Prometheus metrics, each with its type, labels and help in one registry that the reference is made from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs; else every series has a second one, its age

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REGISTRY: Final = CollectorRegistry()

DURATION_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One documented metric, by the name it has on the wire."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]


Samples = Mapping[Metric, Mapping[tuple[str, ...], float]]
"""Of each gauge its values, by those of its labels."""

_documented: Final[dict[str, Metric]] = {}


def counter(name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
    """A count that only rises; its name ends in `_total`."""
    if not name.endswith("_total"):
        raise ValueError(f"{name}: a counter's name ends in _total")
    _document(Metric(name, "counter", help_text, labels))
    return Counter(name, help_text, labels, registry=REGISTRY)


def gauge(name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
    """A value that goes up and down."""
    _document(Metric(name, "gauge", help_text, labels))
    return Gauge(name, help_text, labels, registry=REGISTRY)


def histogram(
    name: str, help_text: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = DURATION_BUCKETS_S
) -> Histogram:
    """A distribution; durations are in seconds."""
    _document(Metric(name, "histogram", help_text, labels))
    return Histogram(name, help_text, labels, registry=REGISTRY, buckets=buckets)


def documented() -> list[Metric]:
    """Every metric of the modules loaded so far, by name."""
    return [_documented[name] for name in sorted(_documented)]


def exposition() -> bytes:
    """What a scrape answers."""
    return generate_latest(REGISTRY)


def _document(metric: Metric) -> None:
    if not metric.name.startswith("periplus_") or not metric.help.endswith("."):
        raise ValueError(f"{metric.name}: metrics start with periplus_ and their help is a sentence")
    _documented[metric.name] = metric


class Picture(Collector):
    """Gauges that are counted together, now and then: all absent before the first time, and when that is too long ago.

    So what nobody counts any more, as in a process that no longer leads, is not taken for what is so now.
    """

    def __init__(self) -> None:
        self._samples: Samples = {}
        self._is_of_now: Callable[[], bool] = lambda: False
        REGISTRY.register(self)

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Metric:
        """One of them."""
        metric = Metric(name, "gauge", help_text, labels)
        _document(metric)
        return metric

    def show(self, samples: Samples, is_of_now: Callable[[], bool]) -> None:
        """Instead of what was shown before, for as long as `is_of_now`."""
        self._samples, self._is_of_now = samples, is_of_now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For a scrape."""
        # Decided at the scrape: whoever stopped counting does not come by to take the figures away.
        if not self._is_of_now():
            return
        for metric, values in self._samples.items():
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family
