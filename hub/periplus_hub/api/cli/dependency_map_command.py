"""`periplus dependency-map`: who talks to whom, as boxes in boxes."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.coverage_command import KNOWN, tell_coverage
from periplus_hub.api.cli.dependencies_words import (
    LEVELS,
    CrossOption,
    DroppedOption,
    FromOption,
    LevelOption,
    OfOption,
    PortOption,
    SinceOption,
    StateOption,
    ToOption,
    at_least,
    dependency_filter,
    named_end,
    narrowed_by,
    one_of,
    since_ago,
    tell_part,
    with_verdict,
)
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, tell_json
from periplus_hub.api.cli.report import counted

_SUMS: Final = """
fragment Sums on DependencySums {
  dependencyCounts bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits rttUs arePartUnmeasured
}
"""
MAP: Final = (
    KNOWN
    + _SUMS
    + """
query DependencyMap(
  $level: DependencyLevel!, $nodes: Int!, $edges: Int!, $since: DateTime, $filter: DependencyFilter!
) {
  dependencyMap(level: $level, nodesAtMost: $nodes, edgesAtMost: $edges, since: $since, filter: $filter) {
    clusters { id name }
    nodes {
      ids parents levels clusterIds namespaces endKinds names states
      bytesSent bytesReceived bytesWithin connectionsOpened connectionsTaken failures foldedCounts
    }
    edges { sources destinations verdicts states firstSeen lastSeen sums { ...Sums } }
    leftOutEdgeCount leftOut { verdicts sums { ...Sums } }
    foldedEndCount folded { clusterId namespace kind endCount bytes isPartUnmeasured }
    totals { verdicts sums { ...Sums } }
    coverage { ...Known }
  }
}
"""
)
_COLUMNS: Final = ("from", "to", "state", "bytes to", "bytes back", "connections", "made of")
_ELSE: Final = "everything else"


def dependency_map(
    *,
    of: OfOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    port: PortOption = None,
    state: StateOption = None,
    dropped: DroppedOption = False,
    cross_cluster: CrossOption = False,
    by: LevelOption = "namespace",
    nodes: Annotated[int, typer.Option(min=4, max=400, help="How many boxes at most.")] = 60,
    edges: Annotated[int, typer.Option(min=1, max=2_000, help="How many lines at most.")] = 100,
    since: SinceOption = "24h",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who talks to whom, between as many boxes as can be looked at. Nothing is lost: sums are exact."""
    asked = {"level": one_of("level", by, LEVELS), "nodes": nodes, "edges": edges, "since": since_ago(since)}
    narrowed = narrowed_by(port, state, dropped=dropped, cross_cluster=cross_cluster)
    with hub(url, token_file) as client:
        wanted = dependency_filter(client, of, from_, to, narrowed)
        found = client.ask(MAP, {**asked, "filter": wanted})["dependencyMap"]
    if as_json:
        tell_json(document(found))
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    names = _box_names(found)
    sums = found["edges"]["sums"]
    lines = range(len(found["edges"]["sources"]))
    rows = [_row(found["edges"], sums, names, line) for line in lines]
    Listing(_COLUMNS, rows, [], "No dependency is known.", numbers=4).show(as_json=False)
    tell_part(sums["arePartUnmeasured"])
    if found["leftOutEdgeCount"]:
        say_labelled("note", f"{counted(found['leftOutEdgeCount'], 'line')} more between these boxes; see --edges")
    if found["foldedEndCount"]:
        say_labelled("note", f"{found['foldedEndCount']:,} are in no box of their own; see --nodes, or --of:")
    clusters = {each["id"]: each["name"] for each in found["clusters"]}
    for place in found["folded"]:
        say_labelled("note", f"{place['endCount']:,} in {_place(place, clusters)}, {_bytes(place)}")
    tell_coverage(found["coverage"])


def _bytes(place: dict[str, Any]) -> str:
    if place["bytes"] is None:
        return "of unknown bytes"
    return f"{'at least ' if place['isPartUnmeasured'] else ''}{int(place['bytes']):,} bytes"


def _row(edges: dict[str, Any], sums: dict[str, Any], names: list[str], line: int) -> tuple[str, ...]:
    return (
        names[edges["sources"][line]],
        names[edges["destinations"][line]],
        with_verdict(edges["verdicts"][line], word(edges["states"][line])),
        *(
            at_least(sums[name][line], is_part_unmeasured=sums["arePartUnmeasured"][line])
            for name in ("bytesTx", "bytesRx", "connectionsOpened")
        ),
        f"{sums['dependencyCounts'][line]:,}",
    )


def _box_names(found: dict[str, Any]) -> list[str]:
    """As `--of` takes them, where they are in a cluster."""
    nodes = found["nodes"]
    clusters = {each["id"]: each["name"] for each in found["clusters"]}
    named = []
    for number_, level in enumerate(nodes["levels"]):
        cluster, namespace, kind, name = (
            nodes[part][number_] for part in ("clusterIds", "namespaces", "endKinds", "names")
        )
        place = None if cluster is None else {"name": clusters[cluster]}
        end = {"cluster": place, "namespace": namespace, "kind": kind, "name": name}
        named.append(_ELSE if level is None else named_end(end))
    return named


def _place(place: dict[str, Any], clusters: dict[str, str]) -> str:
    if place["clusterId"] is None:
        return str(place["kind"])
    cluster = clusters[place["clusterId"]]
    return f"{place['namespace']}/@{cluster}" if place["namespace"] else f"@{cluster}"
