"""What the charts' generated files have to agree with, without Helm."""

import json
import re
from typing import Any

import pytest
import yaml

from docs.build.charts import dashboard, files, table
from docs.build.charts.settings import HUB_CHARTS_OWN, SPOKE_CHARTS_OWN, hub_settings, spoke_settings
from docs.build.source import ROOT
from periplus_hub.api.config import HubConfig
from periplus_spoke.collectors.rbac import manifests
from periplus_spoke.kit.settings import SETTINGS
from periplus_spoke.kit.version import VERSION

CHARTS = ROOT / "charts"


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) and value else {f"{path}{name}"}
    return found


def described(schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> set[str]:
    """Paths of all properties that stand for no object of ours."""
    found = set()
    for name, inner in schema["properties"].items():
        reference = inner.get("$ref", "").rpartition("/")[2]
        found |= described(definitions[reference], definitions, f"{path}{name}.") if reference else {f"{path}{name}"}
    return found


@pytest.mark.parametrize("chart", ["hub", "spoke"])
def test_values_schema_and_page_have_the_same_members(chart: str) -> None:
    folder = CHARTS / f"periplus-{chart}"
    schema = json.loads((folder / "values.schema.json").read_text())
    known = described(schema, schema["$defs"]) - {"global"}
    written = leaves(yaml.safe_load((folder / "values.yaml").read_text()))
    assert {path for path in known if not any(each == path or each.startswith(f"{path}.") for each in written)} == set()
    assert {path for path in written if not any(path == each or path.startswith(f"{each}.") for each in known)} == set()
    page = table.render()
    assert [path for path in known if f"| `{path}` |" not in page] == []


def test_every_setting_is_either_a_value_or_the_charts_own() -> None:
    hub = set(hub_settings()["properties"])
    spoke = set(spoke_settings()["properties"])
    assert (hub | HUB_CHARTS_OWN, hub & HUB_CHARTS_OWN) == (set(HubConfig.model_fields), set())
    assert (spoke | SPOKE_CHARTS_OWN, spoke & SPOKE_CHARTS_OWN) == ({each.name for each in SETTINGS}, set())


def test_the_chart_grants_what_the_code_reads() -> None:
    granted = yaml.safe_load(files.rights())
    rules = {each["kind"]: each["rules"] for each in manifests() if "rules" in each}
    assert (granted["clusterRules"], granted["systemRules"]) == (rules["ClusterRole"], rules["Role"])


def test_each_alert_of_the_page_is_in_one_chart() -> None:
    hub, spoke = (yaml.safe_load(text)["rules"] for text in (files.hub_alerts(), files.spoke_alerts()))
    names = [rule["alert"] for rule in (*hub, *spoke)]
    page = (ROOT / "docs/operate/watch.md").read_text()
    assert sorted(names) == sorted(line.split()[-1] for line in page.splitlines() if line.startswith("  - alert: "))


def test_a_dashboard_asks_for_metrics_that_there_are_in_panels_that_do_not_overlap() -> None:
    page = json.loads(dashboard.hub_dashboard())
    panels = [each for each in page["panels"] if each["type"] != "row"]
    known = (ROOT / "docs/reference/metrics.md").read_text()
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    named = {name for text in asked for name in re.findall(r"periplus_\w+", text)}
    assert {each for each in named if f"`{each.removesuffix('_bucket')}`" not in known} == set()
    taken: set[tuple[int, int]] = set()
    for place in (each["gridPos"] for each in page["panels"]):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({each["id"] for each in page["panels"]}) == len(page["panels"])


@pytest.mark.parametrize("chart", ["hub", "spoke"])
def test_a_chart_is_of_the_version_of_its_program(chart: str) -> None:
    about = yaml.safe_load((CHARTS / f"periplus-{chart}" / "Chart.yaml").read_text())
    assert about["appVersion"] == VERSION
