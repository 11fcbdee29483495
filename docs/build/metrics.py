"""docs/reference/metrics.md: every metric of both programs."""

import pkgutil
from importlib import import_module
from typing import Final

import periplus_hub
from docs.build.markdown import code, page, section, table
from periplus_hub.kit.metrics import documented

_PROGRAMS: Final = {"periplus_hub.__main__"}


def render() -> str:
    """The page."""
    return page(
        "Metrics",
        "Names start with `periplus_`, durations are in seconds, counters end in `_total`.",
        section("Hub", "On the listener for metrics, at `/metrics`.", _hub()),
    )


def _hub() -> str:
    """A metric is documented where it is made, so every module is loaded first."""
    for found in pkgutil.walk_packages(periplus_hub.__path__, "periplus_hub."):
        if found.name not in _PROGRAMS:
            import_module(found.name)
    rows = [
        (code(metric.name), metric.type, ", ".join(map(code, metric.labels)), metric.help) for metric in documented()
    ]
    return table(("metric", "type", "labels", "meaning"), rows)
