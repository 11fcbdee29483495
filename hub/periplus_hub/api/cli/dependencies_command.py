"""`periplus dependencies`: who talks to whom."""

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
    dependency_filter,
    named_end,
    named_port,
    narrowed_by,
    number,
    one_of,
    since_ago,
    with_verdict,
)
from periplus_hub.api.cli.dependency_in_full import in_full, show_in_full
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, tell_json
from periplus_hub.api.cli.report import counted, minute

KNOWN: Final = """
fragment Known on FlowCoverage {
  ratio sampling waitingSince lateCount withoutFlowsCount partlyToldCount
  lateClusters { name } clustersWithoutFlows { name flowCommand } partlyToldClusters { name }
  observed unmeasured droppedByReason { reason rows } lostByReason { reason count }
}
"""
DEPENDENCIES: Final = (
    KNOWN
    + """
query Dependencies(
  $first: Int!, $since: DateTime, $level: DependencyLevel!, $filter: DependencyFilter!, $order: DependencyOrder!
) {
  dependencies(first: $first, since: $since, level: $level, filter: $filter, order: $order) {
    edges {
      source { cluster { id name } namespace kind name rules }
      destination { cluster { id name } namespace kind name rules }
      verdict ports { protocol port }
      bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits rttUs isPartUnmeasured sampling
      firstSeen lastSeen state silentSince onlySeenBy
    }
    edgeCount unresolvedCount unorderedCount
    coverage {
      ...Known
    }
  }
}
"""
)
_COLUMNS: Final = ("from", "to", "port", "state", "bytes to", "bytes back", "connections")
_PORTS_SHOWN: Final = 3
_ORDERS: Final = ("BYTES", "CONNECTIONS", "FAILURES", "RTT", "RETRANSMITS", "LAST_SEEN")
_SELDOM: Final = {
    "FAILURES": ("failures", "failures"),
    "RTT": ("rtt in µs", "rttUs"),
    "RETRANSMITS": ("retransmits", "retransmits"),
}
"""Orders whose measure is no column otherwise: how it is called, and its member."""


def dependencies(
    *,
    of: OfOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    port: PortOption = None,
    state: StateOption = None,
    dropped: DroppedOption = False,
    cross_cluster: CrossOption = False,
    by: LevelOption = "workload",
    sort: Annotated[
        str,
        typer.Option(metavar="<measure>", help="bytes, connections, failures, rtt, retransmits or last-seen."),
    ] = "bytes",
    since: SinceOption = "24h",
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who talks to whom, with the bytes each way and how much of it is known. What was dropped is a line of its own.

    Where two of --of, --from and --to leave one dependency alone, it is shown in full: its ports, who reported it, how
    the addresses were found out, and what passed hour by hour.
    """
    order = one_of("order", sort, _ORDERS)
    asked = {"first": first, "since": since_ago(since), "level": one_of("level", by, LEVELS), "order": order}
    narrowed = narrowed_by(port, state, dropped=dropped, cross_cluster=cross_cluster)
    with hub(url, token_file) as client:
        wanted = dependency_filter(client, of, from_, to, narrowed)
        found = client.ask(DEPENDENCIES, {**asked, "filter": wanted})["dependencies"]
        if len(list(filter(None, (of, from_, to)))) > 1 and asked["level"] == LEVELS[0]:
            found["inFull"] = in_full(client, found["edges"], since_ago(since))
    if as_json:
        tell_json(document(found))
        return
    show(found, order)


def show(found: dict[str, Any], order: str) -> None:
    """Print the answer of DEPENDENCIES in this order for a person."""
    seldom = _SELDOM.get(order)
    columns = (*_COLUMNS, *([] if seldom is None else [seldom[0]]))
    rows = [(*_row(edge), *([] if seldom is None else [number(edge[seldom[1]])])) for edge in found["edges"]]
    Listing(columns, rows, found["edges"], "No dependency is known.", numbers=len(columns) - 4).show(as_json=False)
    say_more(found["edgeCount"], len(rows))
    if found["unorderedCount"]:
        lines = counted(found["unorderedCount"], "line")
        say_labelled("note", f"{lines} of all, at the end, of which {word(order)} is not known")
    if found["unresolvedCount"]:
        ends = counted(found["unresolvedCount"], "line")
        say_labelled("note", f"{ends} of all with an end that is ambiguous or an address of nobody known")
    if found.get("inFull"):
        show_in_full(found["inFull"])
    tell_coverage(found["coverage"])


def _row(edge: dict[str, Any]) -> tuple[str, ...]:
    ports = [named_port(each) for each in edge["ports"]]
    shown = ", ".join(ports[:_PORTS_SHOWN])
    state = word(edge["state"])
    if edge["silentSince"]:
        state = f"silent since {minute(edge['silentSince'])}"
    elif edge["onlySeenBy"]:
        state = f"{state}, only seen by the {word(edge['onlySeenBy'])}"
    return (
        named_end(edge["source"]),
        named_end(edge["destination"]),
        f"{shown} and {len(ports) - _PORTS_SHOWN} more" if len(ports) > _PORTS_SHOWN else shown,
        with_verdict(edge["verdict"], state),
        number(edge["bytesTx"]),
        number(edge["bytesRx"]),
        number(edge["connectionsOpened"]),
    )


def _percent(share: float | None) -> str:
    """Rounded down: 100 % only of all."""
    return "nothing yet" if share is None else f"{int(share * 1_000 + 1e-9) / 10:g} %"


def tell_coverage(told: dict[str, Any]) -> None:
    """Beside the answer: what it is made of, and what it may lack."""
    say_labelled("coverage", f"{_percent(told['ratio'])} of what active clusters were to tell")
    if told["sampling"] > 1:
        say_labelled("note", f"numbers were scaled up from one packet in {told['sampling']:,}")
    if told["waitingSince"]:
        since = minute(told["waitingSince"])
        say_labelled("note", f"flows since {since} came and are not all in this answer: see the hub's log, and /readyz")
    if told["lateCount"]:
        say_labelled("note", f"late, so that what passes there now is not known: {_some(told['lateClusters'])}")
    if told["withoutFlowsCount"]:
        say_labelled("note", f"no flows are told by {_some(told['clustersWithoutFlows'])}")
        for each in told["clustersWithoutFlows"][:_COMMANDS_SHOWN]:
            say_labelled("note", _how_to_get_flows(each))
    if told["partlyToldCount"]:
        clusters = _some(told["partlyToldClusters"])
        say_labelled("note", f"some nodes tell nothing, so that what they alone see is not known: {clusters}")
    observed, unmeasured = int(told["observed"]), int(told["unmeasured"])
    if unmeasured:
        say_labelled("note", f"of {unmeasured:,} of {observed:,} connections no source can tell bytes; agents log why")
        say_labelled("note", f"on nodes that do not count bytes: {_ACCOUNTING}")
    for each in told["droppedByReason"]:
        say_labelled("note", f"{int(each['rows']):,} rows were given up: {each['reason']}")
    for each in told["lostByReason"]:
        say_labelled("note", f"not seen by the sources: {each['reason']}, {int(each['count']):,}")


def _how_to_get_flows(cluster: dict[str, Any]) -> str:
    """The one command for it, or where to see why there is none."""
    look = f"'periplus clusters show {quote(cluster['name'])}' says what there is to read them from"
    return f"flows of {cluster['name']}: {cluster['flowCommand'] or look}"


def _some(clusters: list[dict[str, Any]]) -> str:
    return some([each["name"] for each in clusters])
