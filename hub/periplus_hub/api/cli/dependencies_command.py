"""`periplus dependencies`: who talks to whom."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.arguments import time_of
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
    named_port,
    narrowed_by,
    one_of,
    since_ago,
    tell_part,
    with_verdict,
)
from periplus_hub.api.cli.dependency_evidence import LAST
from periplus_hub.api.cli.dependency_in_full import in_full, show_in_full
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, tell_json
from periplus_hub.api.cli.report import counted, minute

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
    "RTT": ("rtt in us", "rttUs"),
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
    evidence: Annotated[
        str | None,
        typer.Option(
            metavar="<time>",
            help="Of one dependency in full also the raw rows of the hour of this time, or of the last one with any.",
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who talks to whom, with the bytes each way and how much of it is known. What was dropped is a line of its own.

    Where two of --of, --from and --to leave one dependency alone, it is shown in full: its ports, who reported it, how
    the addresses were found out, and what passed hour by hour; with --evidence also what was sent of one hour.
    """
    order = one_of("order", sort, _ORDERS)
    hour = evidence if evidence in {None, LAST} else time_of("--evidence", str(evidence))
    asked = {"first": first, "since": since_ago(since), "level": one_of("level", by, LEVELS), "order": order}
    narrowed = narrowed_by(port, state, dropped=dropped, cross_cluster=cross_cluster)
    with hub(url, token_file) as client:
        wanted = dependency_filter(client, of, from_, to, narrowed)
        found = client.ask(DEPENDENCIES, {**asked, "filter": wanted})["dependencies"]
        if len(list(filter(None, (of, from_, to)))) > 1 and asked["level"] == LEVELS[0]:
            found["inFull"] = in_full(client, found["edges"], since_ago(since), hour, first)
    if hour is not None and not found.get("inFull"):
        say_labelled("note", "--evidence is of one dependency: let two of --of, --from and --to leave one alone")
    if as_json:
        tell_json(document(found))
        return
    show(found, order)


def show(found: dict[str, Any], order: str) -> None:
    """Print the answer of DEPENDENCIES in this order for a person."""
    seldom = _SELDOM.get(order)
    columns = (*_COLUMNS, *([] if seldom is None else [seldom[0]]))
    rows = [(*_row(edge), *([] if seldom is None else [_measured(edge, seldom[1])])) for edge in found["edges"]]
    Listing(columns, rows, found["edges"], "No dependency is known.", numbers=len(columns) - 4).show(as_json=False)
    say_more(found["edgeCount"], len(rows))
    tell_part(each["isPartUnmeasured"] for each in found["edges"])
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
        *(_measured(edge, name) for name in ("bytesTx", "bytesRx", "connectionsOpened")),
    )


def _measured(edge: dict[str, Any], name: str) -> str:
    is_sum = name != "rttUs"
    return at_least(edge[name], is_part_unmeasured=is_sum and edge["isPartUnmeasured"])
