"""`periplus dependencies` and `periplus coverage`: who talks to whom, and how much of it is known."""

from datetime import timedelta
from typing import Annotated, Any, Final, NamedTuple

import typer

from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, tell_json
from periplus_hub.api.cli.report import counted, minute, some
from periplus_hub.kit.clock import SystemClock

_KNOWN: Final = """
fragment Known on FlowCoverage {
  ratio sampling lateCount withoutFlowsCount partlyToldCount
  lateClusters { name } clustersWithoutFlows { name } partlyToldClusters { name }
  observed unmeasured droppedByReason { reason rows } lostByReason { reason count }
}
"""
DEPENDENCIES: Final = (
    _KNOWN
    + """
query Dependencies(
  $first: Int!, $since: DateTime, $level: DependencyLevel!, $crossCluster: Boolean!, $cluster: ID, $namespace: String,
  $name: String
) {
  dependencies(
    first: $first, since: $since, level: $level, crossCluster: $crossCluster, cluster: $cluster,
    namespace: $namespace, name: $name
  ) {
    edges {
      source { cluster { id name } namespace kind name rules }
      destination { cluster { id name } namespace kind name rules }
      ports { protocol port }
      bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits rttUs isPartUnmeasured sampling
      firstSeen lastSeen state silentSince onlySeenBy
    }
    edgeCount unresolvedCount
    coverage {
      ...Known
    }
  }
}
"""
)
COVERAGE: Final = (
    _KNOWN
    + """
query Coverage($since: DateTime) {
  coverage(since: $since) {
    ...Known
    clusters {
      ratio toldFrom toldUntil sampling rows rejected nodes nodesSilent observed unmeasured cluster { id name }
    }
  }
}
"""
)
_COLUMNS: Final = ("from", "to", "port", "state", "bytes to", "bytes back", "connections")
_COVERAGE_COLUMNS: Final = ("cluster", "told until", "known", "nodes silent", "rows", "rejected")
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400}
_PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}
_PORTS_SHOWN: Final = 3
_MOST_BACK: Final = 10_000

SinceOption = Annotated[
    str, typer.Option(metavar="<time>", help="How far back: 30m, 24h or 7d, counted in whole hours.")
]


class Of(NamedTuple):
    """What `--of` names."""

    namespace: str | None
    name: str | None
    cluster: str | None


def dependencies(
    *,
    of: Annotated[
        str | None,
        typer.Option(metavar="<namespace/name@cluster>", help="Only of this. Also namespace/name, @cluster, name."),
    ] = None,
    cross_cluster: Annotated[
        bool, typer.Option("--cross-cluster", help="Only those between two clusters that are known.")
    ] = False,
    by: Annotated[str, typer.Option(metavar="<level>", help="workload, namespace or cluster.")] = "workload",
    since: SinceOption = "24h",
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who talks to whom, the heaviest first, with the bytes each way and how much of it is known."""
    named = _of(of)
    if by.upper() not in _LEVELS:
        fail(f"there is no level {by!r}", "Use --by workload, --by namespace or --by cluster.", Exit.USAGE)
    with hub(url, token_file) as client:
        concerned = None if named.cluster is None else find(client, named.cluster)["id"]
        asked = {"first": first, "since": _since(since), "level": by.upper(), "crossCluster": cross_cluster}
        asked |= {"cluster": concerned, "namespace": named.namespace, "name": named.name}
        found = client.ask(DEPENDENCIES, asked)["dependencies"]
    if as_json:
        tell_json(document(found))
        return
    rows = [_row(edge) for edge in found["edges"]]
    Listing(_COLUMNS, rows, found["edges"], "No dependency is known.", numbers=3).show(as_json=False)
    if found["edgeCount"] > len(rows):
        say_labelled("note", f"{found['edgeCount'] - len(rows):,} more are not shown; see --first")
    if found["unresolvedCount"]:
        ends = counted(found["unresolvedCount"], "line")
        say_labelled("note", f"{ends} of all with an end that is ambiguous or an address of nobody known")
    _tell_coverage(found["coverage"])


_LEVELS: Final = ("WORKLOAD", "NAMESPACE", "CLUSTER")


def coverage(
    *,
    since: SinceOption = "24h",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """How much of the flows of the last hours is known, cluster by cluster."""
    with hub(url, token_file) as client:
        found = client.ask(COVERAGE, {"since": _since(since)})["coverage"]
    if as_json:
        tell_json(document(found))
        return
    rows: list[tuple[str, ...]] = [
        (
            each["cluster"]["name"],
            "never" if each["toldUntil"] is None else minute(each["toldUntil"]),
            _percent(each["ratio"]),
            f"{each['nodesSilent']} of {each['nodes']}" if each["nodes"] else "",
            each["rows"],
            each["rejected"],
        )
        for each in found["clusters"]
    ]
    Listing(_COVERAGE_COLUMNS, rows, [], "No cluster is active.", numbers=3).show(as_json=False)
    _tell_coverage(found)


def _of(text: str | None) -> Of:
    if text is None:
        return Of(None, None, None)
    place, at, cluster = text.partition("@")
    namespace, slash, name = place.rpartition("/")
    if not (place or cluster) or (at and not cluster) or (slash and not name):
        fail(f"--of {text!r} names nothing", "Write it like shop/web@prod-1, shop/web, web or @prod-1.", Exit.USAGE)
    return Of(namespace if slash else None, name or None, cluster or None)


def _since(text: str) -> str:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or not 0 < int(number) <= _MOST_BACK:
        fail(f"--since {text!r} is no time", "Write it like 30m, 24h or 7d.", Exit.USAGE)
    return (SystemClock().now() - timedelta(seconds=int(number) * _UNITS[unit])).isoformat()


def _row(edge: dict[str, Any]) -> tuple[str, ...]:
    ports = [_port(each) for each in edge["ports"]]
    shown = ", ".join(ports[:_PORTS_SHOWN])
    state = word(edge["state"])
    if edge["silentSince"]:
        state = f"silent since {minute(edge['silentSince'])}"
    elif edge["onlySeenBy"]:
        state = f"{state}, only seen by the {word(edge['onlySeenBy'])}"
    return (
        _end(edge["source"]),
        _end(edge["destination"]),
        f"{shown} and {len(ports) - _PORTS_SHOWN} more" if len(ports) > _PORTS_SHOWN else shown,
        state,
        _number(edge["bytesTx"]),
        _number(edge["bytesRx"]),
        _number(edge["connectionsOpened"]),
    )


def _end(end: dict[str, Any]) -> str:
    """As `--of` takes it, where it is in a cluster."""
    place = "/".join(filter(None, (end["namespace"], end["name"])))
    if end["cluster"] is None:
        return f"{end['kind']} {place}".strip()
    named = f"{word(end['kind'])} {place}" if end["kind"] in {"Node", "other"} else place
    return f"{named}@{end['cluster']['name']}"


def _port(port: dict[str, Any]) -> str:
    protocol = _PROTOCOLS.get(port["protocol"], f"protocol {port['protocol']}")
    return f"{protocol} {port['port']}" if port["port"] else protocol


def _number(text: str | None) -> str:
    return "unknown" if text is None else text


def _percent(share: float | None) -> str:
    """Rounded down: 100 % only of all."""
    return "nothing yet" if share is None else f"{int(share * 1_000 + 1e-9) / 10:g} %"


def _tell_coverage(told: dict[str, Any]) -> None:
    """Beside the answer: what it is made of, and what it may lack."""
    say_labelled("coverage", f"{_percent(told['ratio'])} of what active clusters were to tell")
    if told["sampling"] > 1:
        say_labelled("note", f"numbers were scaled up from one packet in {told['sampling']:,}")
    if told["lateCount"]:
        say_labelled("note", f"late, so that what passes there now is not known: {_some(told['lateClusters'])}")
    if told["withoutFlowsCount"]:
        say_labelled("note", f"no flows are told by {_some(told['clustersWithoutFlows'])}")
    if told["partlyToldCount"]:
        clusters = _some(told["partlyToldClusters"])
        say_labelled("note", f"some nodes tell nothing, so that what they alone see is not known: {clusters}")
    observed, unmeasured = int(told["observed"]), int(told["unmeasured"])
    if unmeasured:
        say_labelled("note", f"of {unmeasured:,} of {observed:,} connections no source can tell bytes; agents log why")
    for each in told["droppedByReason"]:
        say_labelled("note", f"{int(each['rows']):,} rows were given up: {each['reason']}")
    for each in told["lostByReason"]:
        say_labelled("note", f"not seen by the sources: {each['reason']}, {int(each['count']):,}")


def _some(clusters: list[dict[str, Any]]) -> str:
    return some([each["name"] for each in clusters])
