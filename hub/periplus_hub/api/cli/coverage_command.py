"""`periplus coverage`: how much of the flows is known; and how commands say that of the flows they answer with."""

from operator import itemgetter
from shlex import quote
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.coverage_hours import HOURS, show_hours
from periplus_hub.api.cli.dependencies_words import SinceOption, since_ago
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.cli.output import say_labelled, tell_json
from periplus_hub.api.cli.report import minute
from periplus_hub.kit.some_names import some

KNOWN: Final = """
fragment Known on FlowCoverage {
  ratio sampling waitingSince wholeDaysUntil keptFrom lateCount withoutFlowsCount partlyToldCount begunLaterCount
  lateClusters { name } clustersWithoutFlows { name flowCommand } partlyToldClusters { name }
  clustersBegunLater { since cluster { name } }
  observed unmeasured otherRows otherHosts droppedByReason { reason rows } lostByReason { reason count }
}
"""
"""What `tell_coverage` tells of, as the fragment `Known` of a query."""
COVERAGE: Final = (
    KNOWN
    + """
query Coverage($since: DateTime) {
  coverage(since: $since) {
    ...Known
    clusters {
      ratio toldFrom toldUntil sampling rows rejected nodes nodesSilent observed unmeasured otherRows otherHosts
      cluster { id name }
    }
  }
}
"""
)
_COLUMNS: Final = ("cluster", "told until", "known", "nodes silent", "rows", "rejected")
_COMMANDS_SHOWN: Final = 4
_BEGUN_SHOWN: Final = 4
_ACCOUNTING: Final = "sysctl -w net.netfilter.nf_conntrack_acct=1"


def coverage(
    *,
    since: SinceOption = "24h",
    cluster: Annotated[
        str | None, typer.Option(help="Hour by hour of this one, by name or id: what became of the rows it collected.")
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """How much of the flows of the last hours is known, cluster by cluster; of one, hour by hour what became of it."""
    with hub(url, token_file) as client:
        if cluster is not None:
            asked = {"id": find(client, cluster)["id"], "since": since_ago(since)}
            _tell_hours(client.ask(HOURS, asked)["cluster"], as_json=as_json)
            return
        found = client.ask(COVERAGE, {"since": since_ago(since)})["coverage"]
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
    Listing(_COLUMNS, rows, [], "No cluster is active.", numbers=3).show(as_json=False)
    tell_coverage(found)


def _tell_hours(cluster: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        tell_json(document(cluster))
    else:
        show_hours(cluster)


def _percent(share: float | None) -> str:
    """Rounded down: 100 % only of all."""
    return "nothing yet" if share is None else f"{int(share * 1_000 + 1e-9) / 10:g} %"


def tell_coverage(told: dict[str, Any]) -> None:
    """Beside the answer: what it is made of, and what it may lack."""
    say_labelled("coverage", f"{_percent(told['ratio'])} of what active clusters were to tell")
    if told["sampling"] > 1:
        say_labelled("note", f"numbers were scaled up from one packet in {told['sampling']:,}")
    _tell_times(told)
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
    _tell_rows(told)
    for each in told["lostByReason"]:
        say_labelled("note", f"not seen by the sources: {each['reason']}, {int(each['count']):,}")


def _tell_rows(told: dict[str, Any]) -> None:
    if beyond := int(told["otherRows"]):
        budgets = "the row budgets of spokes (flow_row_budget)"
        say_labelled("note", f"{beyond:,} rows were beyond {budgets}: whose they are is not told")
    if nameless := int(told["otherHosts"]):
        lost = "lost the name that a client asked for: their windows had too many names"
        say_labelled("note", f"{nameless:,} rows {lost}")
    for each in told["droppedByReason"]:
        say_labelled("note", f"{int(each['rows']):,} rows were given up: {each['reason']}")


def _tell_times(told: dict[str, Any]) -> None:
    if told["waitingSince"]:
        since = minute(told["waitingSince"])
        say_labelled("note", f"flows since {since} came and are not all in this answer: see the hub's log, and /readyz")
    if told["wholeDaysUntil"]:
        until = minute(told["wholeDaysUntil"])
        say_labelled("note", f"what is told of the time before {until} is of whole UTC days: hours of it are not kept")
    if told["keptFrom"]:
        say_labelled("note", f"of the time before {minute(told['keptFrom'])} nothing is kept: what passed is not known")
    _tell_begun(told)


def _tell_begun(told: dict[str, Any]) -> None:
    """Those that began in one minute together, as a new fleet's clusters do."""
    by_minute: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(told["clustersBegunLater"], key=itemgetter("since")):
        by_minute.setdefault(minute(each["since"]), []).append(each["cluster"])
    shown = list(by_minute.items())[:_BEGUN_SHOWN]
    for since, clusters in shown:
        by = _some(clusters)
        say_labelled("note", f"flows are told only since {since} by {by}: what passed there before is not known")
    if others := told["begunLaterCount"] - sum(len(clusters) for _, clusters in shown):
        more = "1 more cluster" if others == 1 else f"{others:,} more clusters"
        say_labelled("note", f"so it is of {more}, told only since later than asked for; --json names them")


def _how_to_get_flows(cluster: dict[str, Any]) -> str:
    """The one command for it, or where to see why there is none."""
    look = f"'periplus clusters show {quote(cluster['name'])}' says what there is to read them from"
    return f"flows of {cluster['name']}: {cluster['flowCommand'] or look}"


def _some(clusters: list[dict[str, Any]]) -> str:
    return some([each["name"] for each in clusters])
