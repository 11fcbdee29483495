"""`periplus reach …`: what people say of the reach of addresses, over what clusters tell."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

reach = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Whether pods and services are reached from outside their clusters, where what a cluster tells is wrong.",
)

SET: Final = """
mutation SetReach($clusters: [ID!]!, $kind: AllocationKind!, $reach: Reach!, $reason: String!) {
  setReach(clusters: $clusters, kind: $kind, reach: $reach, reason: $reason) {
    __typename
    ... on CorrectedReach { clusters { name } }
    ... on Problem { message remedy }
  }
}
"""
CLEAR: Final = """
mutation ClearReach($clusters: [ID!]!, $kind: AllocationKind!) {
  clearReach(clusters: $clusters, kind: $kind) {
    __typename
    ... on CorrectedReach { clusters { name } }
    ... on Problem { message remedy }
  }
}
"""
CORRECTIONS: Final = """
query Corrections($first: Int!, $after: String) {
  clusters(first: $first, after: $after, states: [PENDING, ACTIVE]) {
    nodes { id name networkDomain { id } reachCorrections { allocationKind: kind reach reason setBy setAt } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_KINDS: Final = ("pod", "service")
_REACHES: Final = ("routed", "masqueraded")

KindArgument = Annotated[str, typer.Argument(help="Of which addresses: pod or service.")]
ClustersArgument = Annotated[list[str] | None, typer.Argument(help="Clusters (names or ids).")]
DomainOption = Annotated[str | None, typer.Option(help="All clusters that are in this network domain now.")]


def _nodes(client: HubClient) -> list[dict[str, Any]]:
    return [node for page in queries.pages(client, CORRECTIONS, "clusters", {"first": 200}) for node in page["nodes"]]


def _one_of(what: str, given: str, words: tuple[str, ...]) -> str:
    if given not in words:
        fail(f"{what} {given!r} is none of {', '.join(words)}", code=Exit.USAGE)
    return given.upper()


def _ids(client: HubClient, clusters: list[str] | None, domain: str | None) -> list[str]:
    ids = [find(client, name)["id"] for name in clusters or []]
    if domain is not None:
        home = find_domain(client, domain)["id"]
        ids += [node["id"] for node in _nodes(client) if node["networkDomain"]["id"] == home]
    if not ids:
        fail("no cluster is named", "Name clusters, or a network domain with clusters in it: --domain.", Exit.USAGE)
    return ids


@reach.command("set")
def set_reach(
    kind: KindArgument,
    how: Annotated[str, typer.Argument(metavar="REACH", help="routed or masqueraded.")],
    clusters: ClustersArgument = None,
    *,
    reason: Annotated[str, typer.Option(help="Why you know better.")],
    domain: DomainOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Say that addresses are reached from outside as they are, or only masqueraded. It wins over what clusters tell."""
    asked = {"kind": _one_of("the kind", kind, _KINDS), "reach": _one_of("the reach", how, _REACHES), "reason": reason}
    with hub(url, token_file) as client:
        ids = _ids(client, clusters, domain)
        result = queries.outcome(client.ask(SET, {"clusters": ids, **asked}), "setReach")
    for cluster in result["clusters"]:
        tell(f"the {kind}s of {cluster['name']} are {how}")


@reach.command("clear")
def clear_reach(
    kind: KindArgument,
    clusters: ClustersArgument = None,
    *,
    domain: DomainOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Take back what was said: what the clusters tell holds again."""
    asked = _one_of("the kind", kind, _KINDS)
    with hub(url, token_file) as client:
        ids = _ids(client, clusters, domain)
        result = queries.outcome(client.ask(CLEAR, {"clusters": ids, "kind": asked}), "clearReach")
    for cluster in result["clusters"]:
        tell(f"of the {kind}s of {cluster['name']} holds what it tells")


@reach.command("list")
def list_corrections(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """What people said, by cluster."""
    with hub(url, token_file) as client:
        found = [{"cluster": node["name"], **each} for node in _nodes(client) for each in node["reachCorrections"]]
    rows: list[tuple[str, ...]] = [
        (
            each["cluster"],
            word(each["allocationKind"]),
            word(each["reach"]),
            each["setBy"],
            when(each["setAt"]),
            each["reason"],
        )
        for each in found
    ]
    columns = ("cluster", "kind", "reach", "by", "at", "reason")
    Listing(columns, rows, found, "Nobody corrected anything.").show(as_json=as_json)
