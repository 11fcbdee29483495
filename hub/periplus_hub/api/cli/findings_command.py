"""`periplus findings …`."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled, tell
from periplus_hub.api.cli.report import minute
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.some_names import some

findings = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What detectors say: list, ack.")

FINDINGS: Final = """
query Findings($first: Int!, $after: String, $states: [FindingState!], $cluster: ID) {
  findings(first: $first, after: $after, states: $states, cluster: $cluster) {
    nodes {
      id detector severity state title why whatToDo openedAt changedAt resolvedAt
      acknowledgedBy acknowledgedAt note cluster { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ACKNOWLEDGE: Final = """
mutation Acknowledge($finding: ID!, $note: String!) {
  acknowledgeFinding(finding: $finding, note: $note) {
    __typename
    ... on Finding { id title state }
    ... on Problem { message remedy }
  }
}
"""
ROUND: Final = "query Round { findingRound { current endedAt undecided partlyUndecided { detector count } } }"
_LOOK: Final = "Look at /readyz and the log of the hub, and run 'periplus hub work' where nothing does."
_COLUMNS: Final = ("id", "severity", "state", "cluster", "since", "finding", "what to do")
_GOING_ON: Final = ["OPEN", "ACKNOWLEDGED"]


@findings.command("list")
def list_findings(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    cluster: Annotated[str | None, typer.Option(metavar="<name>", help="Only what concerns this cluster.")] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What goes on, last changed first, with what to do."""
    with hub(url, token_file) as client:
        concerned = None if cluster is None else find(client, cluster)["id"]
        known = _findings(client, states=None if everything else _GOING_ON, cluster=concerned)
        last = client.ask(ROUND)["findingRound"]
    doubt = _doubt(last)
    nothing = "No findings." if last["current"] and not _of_some(last) else "No findings are known."
    if known or as_json or not doubt:
        Listing(_COLUMNS, [_row(node) for node in known], known, nothing).show(as_json=as_json)
    if doubt and not known:
        fail(f"no findings are known, but {doubt}", _LOOK)
    for note in filter(None, (doubt, _of_some(last))):
        say_labelled("note", note)


def _doubt(last: dict[str, Any]) -> str:
    """Why what is listed may not be all there is; empty: it is."""
    if not last["current"]:
        how = f"nobody has looked since {minute(last['endedAt'])}" if last["endedAt"] else "nobody has ever looked"
        return f"{how}: no 'periplus hub work' runs, or its job findings.detect fails"
    return f"{some(last['undecided'])} could not tell when they last looked" if last["undecided"] else ""


def _of_some(last: dict[str, Any]) -> str:
    """Which detectors could not tell of some things; empty: of all."""
    told = [f"{each['detector']} ({each['count']:,})" for each in last["partlyUndecided"]]
    return f"when they last looked, these could not tell of some things: {some(told)}" if told else ""


def _findings(client: HubClient, **asked: object) -> list[dict[str, Any]]:
    pages = queries.pages(client, FINDINGS, "findings", {"first": 200, **asked})
    return [node for page in pages for node in page["nodes"]]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    return (
        node["id"],
        word(node["severity"]),
        word(node["state"]),
        node["cluster"]["name"] if node["cluster"] else "–",
        when(node["openedAt"]),
        node["title"],
        node["whatToDo"],
    )


@findings.command("ack")
def acknowledge(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id in 'periplus findings list'.")],
    *,
    note: Annotated[str, typer.Option(help="What to say about it.")] = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Say that somebody knows about a finding. It stays until its reason is gone."""
    with hub(url, token_file) as client:
        found = choose("Finding", identity, _findings(client), key="id")
        data = client.ask(ACKNOWLEDGE, {"finding": found["id"], "note": note})
        result = queries.outcome(data, "acknowledgeFinding")
    tell(f"{result['title']}: {word(result['state'])}")
