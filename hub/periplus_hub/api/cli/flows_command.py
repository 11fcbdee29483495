"""`periplus flows`: which flows are the largest, once or again and again."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from periplus_contract.streams import is_output_lost
from periplus_hub.api.cli.coverage_command import KNOWN, tell_coverage
from periplus_hub.api.cli.dependencies_words import (
    CrossOption,
    FromOption,
    OfOption,
    PortOption,
    SinceOption,
    ToOption,
    at_least,
    dependency_filter,
    named_end,
    named_port,
    one_of,
    port_filter,
    since_ago,
    tell_part,
)
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, start_anew, tell, tell_json, tell_json_line
from periplus_hub.api.cli.report import counted
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.clock import SystemClock

TOP: Final = (
    KNOWN
    + """
query TopFlows($first: Int!, $since: DateTime, $by: FlowMeasure!, $filter: DependencyFilter!) {
  topFlows(first: $first, since: $since, by: $by, filter: $filter) {
    sources { clusterIds clusterNames namespaces kinds names }
    destinations { clusterIds clusterNames namespaces kinds names }
    protocols ports verdicts values arePartUnmeasured flowCount unmeasuredCount total
    coverage { ...Known }
  }
}
"""
)
_MEMBERS: Final = {
    "BYTES": ("bytes", "bytes"),
    "CONNECTIONS": ("connections", "connectionsOpened"),
    "FAILURES": ("failures", "failures"),
    "RETRANSMITS": ("retransmits", "retransmits"),
    "RTT": ("rtt in us", "rttUs"),
}
"""How a measure is called in a table, and its member of a flow in JSON."""
_VERDICTS: Final = ("UNKNOWN", "FORWARDED", "DROPPED", "ERROR", "AUDITED")
_LONGEST_PAUSE_S: Final = 3_600


def flows(
    *,
    of: OfOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    port: PortOption = None,
    verdict: Annotated[
        list[str] | None,
        typer.Option(metavar="<verdict>", help="Only forwarded, dropped, error, audited or unknown. Several times."),
    ] = None,
    cross_cluster: CrossOption = False,
    by: Annotated[
        str, typer.Option(metavar="<measure>", help="bytes, connections, failures, retransmits or rtt.")
    ] = "bytes",
    since: SinceOption = "24h",
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", help="Ask again and again until Ctrl-C. With --json a document is a line.")
    ] = False,
    every: Annotated[
        int, typer.Option(metavar="<seconds>", min=1, max=_LONGEST_PAUSE_S, help="How often --watch asks.")
    ] = 5,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The flows with the most bytes, connections, failures, retransmits or the longest round trip.

    A flow is from one end to another with one port and verdict; what an end has in all, 'periplus dependencies' tells.
    """
    measure = one_of("measure", by, tuple(_MEMBERS))
    verdicts = [one_of("verdict", each, _VERDICTS) for each in verdict or []]
    narrowed = {"crossCluster": cross_cluster, "verdicts": verdicts, **port_filter(port)}
    since_ago(since)
    with hub(url, token_file) as client:
        wanted = dependency_filter(client, of, from_, to, narrowed)
        while True:
            found = _found(client, {"first": first, "by": measure, "filter": wanted, "since": since_ago(since)})
            if watch:
                found = {"at": SystemClock().now().isoformat(), **found}
            _show(found, measure, is_watched=watch, as_json=as_json)
            if not watch or is_output_lost():
                return
            time.sleep(every)


def _found(client: HubClient, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub answers in columns, a document for each flow."""
    answer = client.ask(TOP, asked)["topFlows"]
    _, member = _MEMBERS[asked["by"]]
    ends = [_ends(answer[side]) for side in ("sources", "destinations")]
    columns = (answer[name] for name in ("protocols", "ports", "verdicts", "values", "arePartUnmeasured"))
    found = [
        {
            "source": source,
            "destination": destination,
            "protocol": protocol,
            "port": port,
            "verdict": word(verdict),
            member: None if value is None else int(value),
            "isPartUnmeasured": is_part,
        }
        for source, destination, protocol, port, verdict, value, is_part in zip(*ends, *columns, strict=True)
    ]
    total = None if answer["total"] is None else int(answer["total"])
    counts = {"flowCount": answer["flowCount"], "unmeasuredCount": answer["unmeasuredCount"], "total": total}
    return {"flows": found, **counts, "coverage": answer["coverage"]}


def _ends(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = ("clusterIds", "clusterNames", "namespaces", "kinds", "names")
    return [
        {
            "cluster": None if cluster_id is None else {"id": cluster_id, "name": cluster},
            "namespace": namespace,
            "kind": kind,
            "name": name,
        }
        for cluster_id, cluster, namespace, kind, name in zip(*(columns[each] for each in names), strict=True)
    ]


def _show(found: dict[str, Any], measure: str, *, is_watched: bool, as_json: bool) -> None:
    if as_json:
        (tell_json_line if is_watched else tell_json)(document(found))
        return
    if is_watched:
        start_anew()
        tell(found["at"])
    heading, member = _MEMBERS[measure]
    rows: list[tuple[str, ...]] = [
        (
            named_end(each["source"]),
            named_end(each["destination"]),
            named_port(each),
            each["verdict"],
            at_least(each[member], is_part_unmeasured=each["isPartUnmeasured"]),
        )
        for each in found["flows"]
    ]
    columns = ("from", "to", "port", "verdict", heading)
    Listing(columns, rows, [], "No flow is known.", numbers=1).show(as_json=False)
    _tell_rest(found, len(rows), heading)
    tell_coverage(found["coverage"])


def _tell_rest(found: dict[str, Any], shown: int, heading: str) -> None:
    say_more(found["flowCount"], shown)
    if found["unmeasuredCount"]:
        say_labelled("note", f"{counted(found['unmeasuredCount'], 'flow')} of all, at the end: {heading} not known")
    tell_part(each["isPartUnmeasured"] for each in found["flows"])
