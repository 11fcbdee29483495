"""What flows could be read from in a cluster, in lines for people and as part of a report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.report import FlowSourceLine, Report
from periplus_hub.api.hub_client import HubClient

FLOW_SOURCES: Final = """
query FlowSources($first: Int!, $after: String) {
  clusters(first: $first, after: $after) {
    nodes { name state flowCommand flowSources { kind state where chosen why command } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_PAGE: Final = 100


def with_flow_sources(client: HubClient, report: Report) -> Report:
    """And what flows could be read from in each cluster that is known."""
    pages = queries.pages(client, FLOW_SOURCES, "clusters", {"first": _PAGE})
    known = {node["name"]: node for page in pages for node in page["nodes"] if node["state"] != "REVOKED"}
    lines = (
        replace(
            cluster,
            flow_sources=lines_of(known[cluster.name]["flowSources"]),
            flow_command=known[cluster.name]["flowCommand"] or "",
        )
        if cluster.name in known
        else cluster
        for cluster in report.clusters
    )
    return replace(report, clusters=tuple(lines))


def lines_of(sources: Sequence[Mapping[str, Any]]) -> tuple[FlowSourceLine, ...]:
    """As the hub answers them."""
    return tuple(
        FlowSourceLine(
            kind=each["kind"],
            state=each["state"].lower(),
            where=each["where"] or "",
            chosen=each["chosen"],
            why=each["why"] or "",
            command=each["command"] or "",
        )
        for each in sources
    )


def flows_words(sources: Sequence[FlowSourceLine], command: str) -> str:
    """Where flows come from, or why there are none unless `command` would give some; empty where nothing is known.

    What may be there unseen is never said not to be there.
    """
    if not sources:
        return ""
    chosen = [f"{each.kind} ({each.where})" if each.where else each.kind for each in sources if each.chosen]
    if chosen:
        return f"flows from {' and '.join(chosen)}"
    doubt = next((each for each in sources if each.state == "unknown" and each.why), None)
    words = "no flows" if doubt is None else f"flows not known: {doubt.why}"
    if not command and doubt is None and (why := next(_reasons(sources), "")):
        return f"{words}: {why}"
    return words


def _reasons(sources: Sequence[FlowSourceLine]) -> Iterator[str]:
    """Of what is there and not read before what is missing."""
    yield from (f"{each.kind}: {each.why}" for each in sources if each.state == "found" and each.why)
    yield from (each.why for each in sources if each.why)
