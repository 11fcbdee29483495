"""`periplus blast-radius`: whom failures of a workload or service reach, and why there may be more of them."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.coverage_command import KNOWN, tell_coverage
from periplus_hub.api.cli.dependencies_words import (
    END,
    SinceOption,
    at_least,
    end_filter,
    named_end,
    since_ago,
    tell_part,
)
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, tell_json
from periplus_hub.api.cli.report import minute
from periplus_hub.kit.some_names import some

BLAST: Final = (
    KNOWN
    + """
fragment End on FlowEnd { cluster { id name } namespace kind name }
query BlastRadius(
  $of: DependencyEndFilter!, $direction: BlastDirection!, $depth: Int!, $nodes: Int!, $since: DateTime
) {
  blastRadius(of: $of, direction: $direction, depth: $depth, nodesAtMost: $nodes, since: $since) {
    starts { ...End }
    reached {
      hop end { ...End } through { ...End } isFollowed byInventory
      bytesTx bytesRx connectionsOpened failures isPartUnmeasured state lastSeen
    }
    isComplete incomplete { gap amount clusters { id name } }
    coverage { ...Known }
  }
}
"""
)
_COLUMNS: Final = ("hop", "reached", "over", "state", "last seen", "bytes to", "bytes back", "connections")
_NO_ANSWER: Final = "Do what the coverage says of clusters, or ask about less of the time with --since."
_MORE: Final = {
    "NO_FLOWS": "no flows are told by {clusters}",
    "LATE": "late, so that what passes there now is not known: {clusters}",
    "PARTLY_TOLD": "some nodes tell nothing in {clusters}",
    "BEGUN_LATER": "flows are told only since later than asked for by {clusters}",
    "NOT_KEPT": "of the beginning of the asked time nothing is kept",
    "COVERAGE": "not all of the time was told",
    "WAITING": "flows that came are not all among dependencies yet",
    "LOST": "sources did not see {count} connections, events or readings",
    "SAMPLED": "only one packet in {count} was looked at",
    "UNKNOWN_ENDS": "of {count} dependencies in the fleet it is not known whether they are of these",
    "ON_HOSTS": "{count} pods of it have their nodes' addresses: what passes there is told of the nodes",
    "NOT_FOLLOWED": "who is behind {count} of them is not known: addresses, nodes, what is outside",
    "DEPTH": "{count} more are one hop further; see --depth",
    "ROOM": "{count} more had no room, nor was looked behind them; see --nodes",
}


def blast_radius(
    *,
    of: Annotated[str, typer.Argument(metavar=END, help="What fails. Also namespace/name, or name.")],
    depends_on: Annotated[
        bool, typer.Option("--depends-on", help="What it depends on, instead of who depends on it.")
    ] = False,
    depth: Annotated[int, typer.Option(min=1, max=5, help="How many hops.")] = 3,
    nodes: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 100,
    since: SinceOption = "24h",
    fail_if_reached: Annotated[
        bool,
        typer.Option("--fail-if-reached", help="For scripts: exit with 1 if anything is reached, or not all is known."),
    ] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who is reached by failures of a workload or service: its callers, theirs, and so on."""
    asked: dict[str, Any] = {"depth": depth, "nodes": nodes, "since": since_ago(since)}
    asked["direction"] = "DEPENDENCIES" if depends_on else "CALLERS"
    with hub(url, token_file) as client:
        named = end_filter(client, "the name", of) or {}
        if not named["name"]:
            fail(f"{of!r} has no name", "Write it like shop/web@prod-1, shop/web or web.", Exit.USAGE)
        found = client.ask(BLAST, {**asked, "of": named})["blastRadius"]
    if as_json:
        tell_json(document(found))
    else:
        _show(found, asked["direction"])
    if fail_if_reached:
        _leave(found)


def _leave(found: dict[str, Any]) -> None:
    """Unknown never passes as nothing."""
    if found["reached"]:
        fail(f"--fail-if-reached: {some([named_end(each['end']) for each in found['reached']])}")
    if not found["isComplete"]:
        gaps = some([word(each["gap"]) for each in found["incomplete"]])
        fail(f"--fail-if-reached has no answer while not all is known: {gaps}", _NO_ANSWER)


def _show(found: dict[str, Any], direction: str) -> None:
    rows = [_row(each) for each in found["reached"]]
    Listing(_COLUMNS, rows, [], _nothing(found, direction), numbers=3).show(as_json=False)
    tell_part(each["isPartUnmeasured"] for each in found["reached"])
    for gap in found["incomplete"]:
        clusters = some([each["name"] for each in gap["clusters"]])
        count = f"{int(gap['amount'] or 0):,}"
        say_labelled("incomplete", _MORE[gap["gap"]].format(clusters=clusters, count=count))
    tell_coverage(found["coverage"])


def _nothing(found: dict[str, Any], direction: str) -> str:
    """Of nobody it is said only where all that can tell did."""
    if not found["starts"]:
        return "No flow of it is known."
    if found["isComplete"]:
        return "Nothing depends on it." if direction == "CALLERS" else "It depends on nothing."
    return "Nothing that depends on it is known." if direction == "CALLERS" else "Nothing that it depends on is known."


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(each["hop"]),
        named_end(each["end"]),
        named_end(each["through"]),
        "by inventory" if each["byInventory"] else word(each["state"]),
        "" if each["lastSeen"] is None else minute(each["lastSeen"]),
        *(
            at_least(each[name], is_part_unmeasured=each["isPartUnmeasured"])
            for name in ("bytesTx", "bytesRx", "connectionsOpened")
        ),
    )
