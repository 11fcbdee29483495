"""The dashboard of the hub's chart, for Grafana: panels are data here, their places and JSON are made."""

import json
from dataclasses import dataclass
from typing import Any, Final

from docs.build.markdown import COMMAND

_WIDTH: Final = 24
_HEIGHT: Final = 7
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One question, answered by expressions with a legend each."""

    title: str
    asked: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    says: str = ""
    width: int = 8


def _rate(metric: str, by: str) -> str:
    return f'sum by ({by}) (rate({metric}{{namespace=~"$namespace"}}[$__rate_interval]))'


def _of(metric: str, by: str, function: str = "max") -> str:
    """Of replicas that all say the same, one."""
    return f'{function} by ({by}) ({metric}{{namespace=~"$namespace"}})'


def _age(metric: str, by: str = "namespace") -> str:
    return f"time() - {_of(metric, by)}"


_ANSWERS: Final = _rate("periplus_http_request_duration_seconds_bucket", "listener, le")
ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "Fleet",
        (
            Panel(
                "Clusters by what is known of their addresses",
                ((_of("periplus_clusters", "state"), "{{state}}"),),
                says="Only complete ones count as known.",
            ),
            Panel("Findings", ((_of("periplus_findings", "state, severity"), "{{severity}}, {{state}}"),)),
            Panel("Overlap groups", ((_of("periplus_overlap_groups", "severity"), "{{severity}}"),)),
            Panel("Address pools by fill", ((_of("periplus_pools", "fill"), "{{fill}}"),)),
            Panel("Agents of nodes", ((_of("periplus_node_agents", "liveness"), "{{liveness}}"),)),
            Panel(
                "Age of what this page shows",
                (
                    (_age("periplus_fleet_counted_timestamp_seconds"), "figures of the fleet"),
                    (_age("periplus_overlap_register_timestamp_seconds"), "overlaps"),
                    (_age("periplus_clusters_oldest_contact_timestamp_seconds"), "longest silent cluster"),
                ),
                unit="s",
                says="Where a line is absent, the figure was never counted.",
            ),
        ),
    ),
    (
        "Batches",
        (
            Panel("Batches by answer", ((_rate("periplus_ingest_batches_total", "answer"), "{{answer}}"),), unit="ops"),
            Panel("Rows by kind", ((_rate("periplus_ingest_rows_total", "kind"), "{{kind}}"),), unit="ops"),
            Panel(
                "Not taken: rejected rows, quarantine, turned away",
                (
                    (_rate("periplus_ingest_rejected_rows_total", "reason"), "rows: {{reason}}"),
                    (_rate("periplus_ingest_quarantined_total", "namespace"), "quarantine"),
                    (_rate("periplus_ingest_turned_away_total", "limit"), "turned away: {{limit}}"),
                ),
                unit="ops",
            ),
            Panel("Rows in the flow store", ((_rate("periplus_flow_rows_loaded_total", "namespace"), "rows"),), "ops"),
            Panel(
                "Blocks sent again, and swept",
                (
                    (_rate("periplus_flow_blocks_replayed_total", "namespace"), "sent again"),
                    (_rate("periplus_flow_blocks_swept_total", "namespace"), "swept"),
                ),
                unit="ops",
            ),
            Panel(
                "Memory of batches in progress",
                ((_of("periplus_ingest_in_flight_bytes", "pod"), "{{pod}}"),),
                unit="bytes",
            ),
        ),
    ),
    (
        "Hub",
        (
            Panel(
                "Ready and leading",
                ((_of("periplus_ready", "pod"), "{{pod}} ready"), (_of("periplus_leader", "pod"), "{{pod}} leads")),
            ),
            Panel(
                "Requests by status",
                ((_rate("periplus_http_requests_total", "listener, status"), "{{listener}} {{status}}"),),
                unit="ops",
            ),
            Panel(
                "Answers, 99th percentile",
                ((f"histogram_quantile(0.99, {_ANSWERS})", "{{listener}}"),),
                unit="s",
            ),
            Panel(
                "GraphQL",
                (
                    (_of("periplus_graphql_running_operations", "pod"), "{{pod}} running"),
                    (_of("periplus_graphql_waiting_operations", "pod"), "{{pod}} waiting"),
                ),
            ),
            Panel(
                "Age of each job's last success",
                ((_age("periplus_job_last_success_timestamp_seconds", "exported_job"), "{{exported_job}}"),),
                unit="s",
            ),
            Panel(
                "Notifications by outcome",
                ((_rate("periplus_notifications_total", "kind, outcome"), "{{kind}} {{outcome}}"),),
                unit="ops",
            ),
        ),
    ),
)
"""What the page has, from the top."""


def hub_dashboard() -> str:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "gridPos": _place(top, 0, _WIDTH, 1), "collapsed": False})
        top, left = top + 1, 0
        for panel in row:
            if left + panel.width > _WIDTH:
                top, left = top + _HEIGHT, 0
            panels.append(_panel(panel, top, left))
            left += panel.width
        top += _HEIGHT
    numbered = [{"id": number, **panel} for number, panel in enumerate(panels, 1)]
    whole = {
        "title": "Periplus hub",
        "uid": "periplus-hub",
        "tags": ["periplus"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _namespace()]},
        "panels": numbered,
    }
    body = json.dumps(whole, indent=2, ensure_ascii=False).removeprefix("{").lstrip("\n")
    about = json.dumps(f"Generated by {COMMAND}. Do not edit.")
    return f'{{ "description": {about},\n{body}\n'


def _place(top: int, left: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, top: int, left: int) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for at, (expression, legend) in enumerate(panel.asked)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "gridPos": _place(top, left, panel.width, _HEIGHT),
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {"spanNulls": False}}, "overrides": []},
        "targets": targets,
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _namespace() -> dict[str, Any]:
    return {
        "name": "namespace",
        "type": "query",
        "label": "Namespace",
        "datasource": _SOURCE,
        "query": "label_values(periplus_build_info, namespace)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
    }
