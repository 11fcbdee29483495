"""The alert rules of docs/operate/watch.md and of the charts, tried on series by Prometheus' own promtool."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

pytestmark = pytest.mark.cluster

PAGE: Final = Path("docs/operate/watch.md")
CHARTS: Final = Path("charts")
FILES: Final = sorted(CHARTS.glob("*/files/alerts.yaml"))


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Series, by the minute, of which an alert is told; and others that come near and are not."""

    alert: str
    series: dict[str, str]
    pending_at: str | None
    """Within its `for`: nobody is called yet. None: it has none."""
    fires_at: str
    labels: dict[str, str]
    near: Sequence[dict[str, str]]


TROUBLES: Final = (
    Trouble(
        alert="PeriplusHubAway",
        series={'up{job="periplus", instance="a"}': "1 0x20"},
        pending_at="5m",
        fires_at="6m",
        labels={"job": "periplus", "instance": "a"},
        near=[
            {'up{job="periplus"}': "1 0x3 1x20", "periplus_ready": "1x20"},
            {'up{job="other"}': "0x20"},
            {'periplus_ready{instance="a"}': "1 0x4 1x20"},
        ],
    ),
    Trouble(
        alert="PeriplusHubAway",
        series={'periplus_ready{instance="a"}': "1 0x20", 'up{job="periplus", instance="a"}': "1x20"},
        pending_at="5m",
        fires_at="6m",
        labels={"instance": "a"},
        near=[],
    ),
    Trouble(
        alert="PeriplusOverlapsNotKept",
        series={'periplus_overlap_register_unkept{instance="a"}': "0 1x30"},
        pending_at="10m",
        fires_at="11m",
        labels={},
        near=[{"periplus_overlap_register_unkept": "0 1x8 0x20"}],
    ),
    Trouble(
        alert="PeriplusNobodyLeads",
        series={'periplus_leader{instance="a"}': "1 0x20", 'periplus_leader{instance="b"}': "0x20"},
        pending_at="5m",
        fires_at="6m",
        labels={},
        near=[
            {'periplus_leader{instance="a"}': "1 0x20", 'periplus_leader{instance="b"}': "0 0 0 1x20"},
            {'periplus_leader{instance="a"}': "0x20", 'periplus_leader{instance="b"}': "1x20"},
        ],
    ),
    Trouble(
        alert="PeriplusJobFails",
        series={'periplus_job_runs_total{job="a", outcome="failed"}': "0x5 1+1x40"},
        pending_at=None,
        fires_at="12m",
        labels={"job": "a", "outcome": "failed"},
        near=[
            {'periplus_job_runs_total{job="a", outcome="failed"}': "0x5 1 2 3x40"},
            {'periplus_job_runs_total{job="a", outcome="done"}': "0+9x40"},
        ],
    ),
    Trouble(
        alert="PeriplusBatchesFail",
        series={'periplus_ingest_batches_total{answer="failed", kind="flows"}': "0x5 1+1x40"},
        pending_at="15m",
        fires_at="25m",
        labels={"answer": "failed", "kind": "flows"},
        near=[
            {'periplus_ingest_batches_total{answer="failed"}': "0x5 7x60"},
            {'periplus_ingest_batches_total{answer="accepted"}': "0+9x60"},
        ],
    ),
    Trouble(
        alert="PeriplusRowsSetAside",
        series={"periplus_ingest_quarantined_total": "0x5 1x60"},
        pending_at=None,
        fires_at="8m",
        labels={},
        near=[{"periplus_ingest_quarantined_total": "3x60"}],
    ),
    Trouble(
        alert="PeriplusQuestionsWait",
        series={"periplus_graphql_waiting_operations": "0 21x30"},
        pending_at="10m",
        fires_at="11m",
        labels={},
        near=[{"periplus_graphql_waiting_operations": "20x30"}],
    ),
    Trouble(
        alert="PeriplusClustersNotKnown",
        series={'periplus_clusters{state="stale"}': "0 1x30", 'periplus_clusters{state="complete"}': "9x30"},
        pending_at="15m",
        fires_at="16m",
        labels={"state": "stale"},
        near=[{'periplus_clusters{state="complete"}': "9x30"}, {'periplus_clusters{state="unread"}': "2x9 0x30"}],
    ),
    Trouble(
        alert="PeriplusConflict",
        series={'periplus_overlap_groups{severity="conflict"}': "0 1x9"},
        pending_at=None,
        fires_at="1m",
        labels={},
        near=[
            {'periplus_overlap_groups{severity="latent"}': "9x9", 'periplus_overlap_groups{severity="conflict"}': "0x9"}
        ],
    ),
    Trouble(
        alert="PeriplusReceiverFails",
        series={'periplus_notifications_total{kind="slack", outcome="failed"}': "5x60 6x60 7x60 8x60 9x60"},
        pending_at=None,
        fires_at="4h30m",
        labels={"kind": "slack"},
        near=[
            {'periplus_notifications_total{kind="slack", outcome="failed"}': "0x9 1 2x280"},
            {'periplus_notifications_total{kind="slack", outcome="delivered"}': "0+1x280"},
        ],
    ),
    Trouble(
        alert="PeriplusSpokeHoldsMuch",
        series={'periplus_spoke_outbox_held_bytes{pod="a"}': "0 257000000x30"},
        pending_at="15m",
        fires_at="16m",
        labels={"pod": "a"},
        near=[{"periplus_spoke_outbox_held_bytes": "255000000x30", "periplus_spoke_outbox_in_memory": "0x30"}],
    ),
    Trouble(
        alert="PeriplusSpokeHoldsMuch",
        series={'periplus_spoke_outbox_in_memory{pod="a"}': "0 1x30"},
        pending_at="15m",
        fires_at="16m",
        labels={"pod": "a"},
        near=[],
    ),
    Trouble(
        alert="PeriplusSpokeCondition",
        series={'periplus_spoke_condition{condition="accounting_off"}': "0 1x60"},
        pending_at="30m",
        fires_at="31m",
        labels={"condition": "accounting_off"},
        near=[{'periplus_spoke_condition{condition="accounting_off"}': "0 1x20 0x60"}],
    ),
    Trouble(
        alert="PeriplusBackupMissing",
        series={
            'periplus_backup_due_timestamp_seconds{instance="a"}': "100 200x200",
            'periplus_backup_newest_timestamp_seconds{instance="a"}': "101x200",
        },
        pending_at="2h",
        fires_at="2h1m",
        labels={},
        near=[
            {
                "periplus_backup_due_timestamp_seconds": "100 200x200",
                "periplus_backup_newest_timestamp_seconds": "101x60 201x140",
            },
            # Another leads since, and what the one before said is still there.
            {
                'periplus_backup_due_timestamp_seconds{instance="a"}': "100x200",
                'periplus_backup_newest_timestamp_seconds{instance="a"}': "50x200",
                'periplus_backup_newest_timestamp_seconds{instance="b"}': "101x200",
            },
            {"periplus_backups": "0x200"},
        ],
    ),
    Trouble(
        alert="PeriplusBackupMissing",
        series={"periplus_backup_due_timestamp_seconds": "100x200"},
        pending_at="119m",
        fires_at="2h",
        labels={},
        near=[],
    ),
)


def page_rules() -> str:
    """As a person copies them from the page."""
    [shown] = [each for each in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "alert:" in each]
    return str(shown)


def summaries() -> dict[str, str]:
    [group] = yaml.safe_load(page_rules())["groups"]
    return {rule["alert"]: rule["annotations"]["summary"] for rule in group["rules"]}


def told(alert: str, at: str, labels: dict[str, str] | None) -> dict[str, Any]:
    """That the alert fires then, with these labels; with None that it does not."""
    expected = [] if labels is None else [{"exp_labels": labels, "exp_annotations": {"summary": summaries()[alert]}}]
    return {"eval_time": at, "alertname": alert, "exp_alerts": expected}


def trial(series: dict[str, str], *expected: dict[str, Any]) -> dict[str, Any]:
    given = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": given, "alert_rule_test": list(expected)}


def ask(promtool: Path, folder: Path, rules: str, trials: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yaml").write_text(rules)
    (folder / "trials.yaml").write_text(
        json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": trials})
    )
    return subprocess.run(
        [str(promtool), "test", "rules", "trials.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )


def trials_of(trouble: Trouble) -> list[dict[str, Any]]:
    before = [] if trouble.pending_at is None else [told(trouble.alert, trouble.pending_at, None)]
    fires = told(trouble.alert, trouble.fires_at, trouble.labels)
    whenever = [told(trouble.alert, f"{minute}m", None) for minute in range(0, 200, 3)]
    return [trial(trouble.series, *before, fires), *(trial(each, *whenever) for each in trouble.near)]


def test_every_alert_of_the_page_has_its_trouble_and_is_in_a_chart() -> None:
    in_charts = [rule["alert"] for file in FILES for rule in yaml.safe_load(file.read_text())["rules"]]
    assert sorted(in_charts) == sorted(summaries()) == sorted({each.alert for each in TROUBLES})


def test_promtool_finds_no_fault_in_the_rules(promtool: Path, tmp_path: Path) -> None:
    groups = [{"name": str(file), **yaml.safe_load(file.read_text())} for file in FILES]
    for name, text in (("page", page_rules()), ("charts", json.dumps({"groups": groups}))):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        checked = subprocess.run(
            [str(promtool), "check", "rules", "--lint=all", "--lint-fatal", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: f"{each.alert}-{'-'.join(each.series)}")
def test_an_alert_fires_when_it_should_and_not_when_it_nearly_should(
    promtool: Path, tmp_path: Path, trouble: Trouble
) -> None:
    tried = ask(promtool, tmp_path, page_rules(), trials_of(trouble))
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_an_alert_that_waits_too_long_is_found(promtool: Path, tmp_path: Path) -> None:
    slower = page_rules().replace("for: 5m", "for: 50m")
    tried = ask(promtool, tmp_path, slower, trials_of(TROUBLES[0]))
    assert tried.returncode != 0
    assert "PeriplusHubAway" in tried.stdout + tried.stderr
