"""docs/reference/metrics.md: every metric of both programs."""

import pkgutil
import re
from importlib import import_module
from typing import Final

import periplus_hub
from docs.build.markdown import code, page, section, table
from periplus_hub.kit.metrics import documented
from periplus_spoke.health import metrics as spoke_metrics
from periplus_spoke.outbox.figures import Depth
from periplus_spoke.transport.report import Report, RowCount

_PROGRAMS: Final = {"periplus_hub.__main__"}


def render() -> str:
    """The page."""
    return page(
        "Metrics",
        "Names start with `periplus_`, durations are in seconds, counters end in `_total`.",
        section("Hub", "On the metrics listener, at `/metrics`.", _hub()),
        section("Spoke", "At `/metrics` of `--health-port`; without that option there is none.", _spoke()),
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


def _spoke() -> str:
    """The spoke writes its text by hand, so the text of one with something of everything is read."""
    report = Report()
    report.depth = Depth(**dict.fromkeys(Depth.__struct_fields__, 0))  # type: ignore[arg-type]  # figures of nothing
    report.condition("example", "an example")
    report.counters["example"] = 1
    report.rows = {RowCount("inventory", "collected"): 1}
    text = spoke_metrics(report)
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels = {
        name: ", ".join(code(label) for label in re.findall(r'(\w+)="', given))
        for name, given in re.findall(r"^(\w+)\{(.+)\}", text, re.MULTILINE)
    }
    rows = [
        (code(name), types[name], labels.get(name, ""), meaning)
        for name, meaning in re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE)
    ]
    return table(("metric", "type", "labels", "meaning"), rows)
