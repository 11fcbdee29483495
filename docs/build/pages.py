"""Which pages there are, and writing or comparing them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from docs.build import (
    cli,
    configuration,
    database,
    graphql,
    held_back,
    index,
    metrics,
    performance,
    problems,
    promises,
    rights,
    try_report,
    wire,
)
from docs.build.charts import dashboard, files, table
from periplus_hub.api.schema import schema_text

_REFERENCE: Final = "docs/reference/"


class Page(NamedTuple):
    """A generated file: where it stands, what a reader finds there, and its whole text."""

    path: str
    about: str
    render: Callable[[], str]


_SECTIONS: Final = (
    Page(f"{_REFERENCE}cli.md", "every command and option of `periplus` and `periplus-spoke`", cli.render),
    Page(f"{_REFERENCE}configuration.md", "every setting of the hub and the spoke", configuration.render),
    Page(f"{_REFERENCE}graphql.md", "asking over GraphQL: endpoint, roles, limits", graphql.render),
    Page(f"{_REFERENCE}try-report.md", "the JSON that `periplus try --json` prints", try_report.render),
    Page(
        f"{_REFERENCE}held-back.md", "ranges that are somebody's already, whoever asks for a free one", held_back.render
    ),
    Page(f"{_REFERENCE}problems.md", "the problems a hub answers a spoke with, and what to do", problems.render),
    Page(f"{_REFERENCE}metrics.md", "what Prometheus can scrape", metrics.render),
    Page(f"{_REFERENCE}rbac.md", "what a spoke may read in a cluster", rights.render),
    Page(f"{_REFERENCE}rbac.yaml", "the manifests for it", rights.manifests),
    Page(f"{_REFERENCE}helm-values.md", "every value of the Helm charts", table.render),
    Page(f"{_REFERENCE}wire.md", "the contract between spoke and hub", wire.render),
    Page(f"{_REFERENCE}database.md", "the hub's tables in PostgreSQL", database.render),
    Page("docs/explain/promises.md", "what you may rely on, with the tests that hold it", promises.render),
    Page("hub/schema.graphql", "the GraphQL schema", schema_text),
    Page("charts/periplus-hub/values.yaml", "the values of the hub's chart", files.hub_values),
    Page("charts/periplus-hub/values.schema.json", "what they may be", files.hub_schema),
    Page("charts/periplus-hub/files/alerts.yaml", "alerts about the hub", files.hub_alerts),
    Page("charts/periplus-hub/files/dashboard.json", "a dashboard of the hub, for Grafana", dashboard.hub_dashboard),
    Page("charts/periplus-spoke/values.yaml", "the values of the spoke's chart", files.spoke_values),
    Page("charts/periplus-spoke/values.schema.json", "what they may be", files.spoke_schema),
    Page("charts/periplus-spoke/files/alerts.yaml", "alerts about spokes", files.spoke_alerts),
    Page("charts/periplus-spoke/files/rights.yaml", "what a spoke may read, for its chart", files.rights),
    Page("docs/explain/performance.md", "what is measured, the targets and the numbers", performance.render),
)


def _index() -> str:
    return index.render({found.path: found.about for found in _SECTIONS if found.path.startswith(_REFERENCE)})


PAGES: Final = (Page(f"{_REFERENCE}index.md", "what stands where", _index), *_SECTIONS)


def write(root: Path) -> list[str]:
    """Write every page below `root`; answers the paths whose text changed."""
    changed = []
    for path, text in _stale(root):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def stale(root: Path) -> list[str]:
    """The paths below `root` that do not say what the code says."""
    return [path for path, _ in _stale(root)]


def _stale(root: Path) -> Iterator[tuple[str, str]]:
    for found in PAGES:
        text = found.render()
        target = root / found.path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            yield found.path, text
