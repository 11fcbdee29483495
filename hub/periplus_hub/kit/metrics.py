"""Prometheus metrics, each with its type, labels and help in one registry that the reference is made from."""

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
