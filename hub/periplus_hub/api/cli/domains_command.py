"""`periplus domains …`."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import domain_changes, queries
from periplus_hub.api.cli.clusters_command import find_each
from periplus_hub.api.cli.confirmation import YesOption, confirm
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.report import counted
from periplus_hub.api.hub_client import HubClient

domains = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Network domains: which clusters share one address space."
)

_LINK: Final = "fragment Link on DomainLink { mode note other { id name } }"
DOMAINS: Final = (
    """
query Domains($first: Int!, $after: String) {
  networkDomains(first: $first, after: $after) {
    nodes {
      id name description implicit
      connections(first: 10) { nodes { ...Link } pageInfo { hasNextPage endCursor } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _LINK
)
LINKS: Final = (
    """
query Links($domain: ID!, $first: Int!, $after: String) {
  node(id: $domain) {
    ... on NetworkDomain {
      connections(first: $first, after: $after) { nodes { ...Link } pageInfo { hasNextPage endCursor } }
    }
  }
}
"""
    + _LINK
)
MEMBERS: Final = """
query Members($first: Int!, $after: String) {
  clusters(first: $first, after: $after, states: [PENDING, ACTIVE]) {
    nodes { id name networkDomain { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ISOLATE: Final = """
mutation Isolate($clusters: [ID!]!) {
  isolateClusters(clusters: $clusters) {
    __typename
    ... on IsolatedClusters { clusters { name networkDomain { name } } }
    ... on Problem { message remedy }
  }
}
"""
DISCONNECT: Final = """
mutation Disconnect($a: ID!, $b: ID!) {
  disconnectDomains(a: $a, b: $b) { __typename ... on NetworkDomain { id name } ... on Problem { message remedy } }
}
"""
DELETE: Final = """
mutation Delete($domain: ID!) {
  deleteNetworkDomain(domain: $domain) {
    __typename
    ... on DeletedNetworkDomain { name enteredRangeCount }
    ... on Problem { message remedy }
  }
}
"""
ENTERED: Final = "query Entered($domain: ID!) { ranges(domain: $domain, first: 1) { totalCount } }"

DomainArgument = Annotated[str, typer.Argument(help="A domain's name or id.")]


def _all(client: HubClient) -> list[dict[str, Any]]:
    return [node for page in queries.pages(client, DOMAINS, "networkDomains", {"first": 200}) for node in page["nodes"]]


def _links(client: HubClient, domain: dict[str, Any]) -> list[dict[str, Any]]:
    """All of a domain's connections; nearly all have them in their first page."""
    page = domain["connections"]
    found = list(page["nodes"])
    while page["pageInfo"]["hasNextPage"]:
        after = {"domain": domain["id"], "first": 1_000, "after": page["pageInfo"]["endCursor"]}
        page = client.ask(LINKS, after)["node"]["connections"]
        found += page["nodes"]
    return found


def _with_clusters(client: HubClient, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each domain with all of its clusters, which are a list of their own: there may be thousands in one."""
    members: dict[str, list[dict[str, Any]]] = {domain["id"]: [] for domain in found}
    for page in queries.pages(client, MEMBERS, "clusters", {"first": 1_000}):
        for cluster in page["nodes"]:
            members.setdefault(cluster["networkDomain"]["id"], []).append({key: cluster[key] for key in ("id", "name")})
    return [domain | {"clusters": members[domain["id"]], "connections": _links(client, domain)} for domain in found]


def find_domain(client: HubClient, name: str) -> dict[str, Any]:
    """The network domain with this id, or else this name; leaves when there is none."""
    return choose("NetworkDomain", name, _all(client))


@domains.command("list")
def list_domains(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """Every network domain with its clusters and connections."""
    with hub(url, token_file) as client:
        found = _with_clusters(client, _all(client))
    rows: list[tuple[str, ...]] = [
        (
            domain["name"],
            ", ".join(cluster["name"] for cluster in domain["clusters"]) or "–",
            ", ".join(f"{word(link['mode'])} {link['other']['name']}" for link in domain["connections"]) or "isolated",
            domain["description"] or ("made with its cluster" if domain["implicit"] else ""),
        )
        for domain in found
    ]
    Listing(("domain", "clusters", "connections", "note"), rows, found, "No network domains yet.").show(as_json=as_json)


@domains.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The new domain's name.")],
    *,
    description: Annotated[str, typer.Option(help="What it stands for.")] = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Make a network domain, empty at first."""
    with hub(url, token_file) as client:
        domain_changes.create_domain(client, name, description)
    tell(f"created {name}")


@domains.command("move")
def move(
    domain: DomainArgument,
    clusters: Annotated[list[str], typer.Argument(help="Clusters (names or ids) to move in.")],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Move clusters into a domain."""
    with hub(url, token_file) as client:
        target = find_domain(client, domain)
        found = find_each(client, clusters)
        domain_changes.move_clusters(client, target["id"], [each["id"] for each in found])
    tell(f"moved {', '.join(each['name'] for each in found)} into {target['name']}")


@domains.command("isolate")
def isolate(
    clusters: Annotated[list[str], typer.Argument(help="Clusters (names or ids) to take out.")],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Give each cluster a domain of its own again, isolated from all others: the way back from 'move'."""
    with hub(url, token_file) as client:
        ids = [each["id"] for each in find_each(client, clusters)]
        result = queries.outcome(client.ask(ISOLATE, {"clusters": ids}), "isolateClusters")
    for cluster in result["clusters"]:
        tell(f"{cluster['name']} is in {cluster['networkDomain']['name']}")


@domains.command("connect")
def connect(
    a: DomainArgument,
    b: DomainArgument,
    *,
    mode: Annotated[str, typer.Option(help="flat, nat or planned.")] = "flat",
    note: Annotated[str, typer.Option(help="Why.")] = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Say how two domains are connected. Flat connections do not chain."""
    if mode not in {"flat", "nat", "planned"}:
        fail(f"--mode {mode!r} is none of flat, nat, planned", code=Exit.USAGE)
    with hub(url, token_file) as client:
        ends = (find_domain(client, a)["id"], find_domain(client, b)["id"])
        domain_changes.connect(client, *ends, mode=mode.upper(), note=note)
    tell(f"{a} and {b} are connected: {mode}")


@domains.command("disconnect")
def disconnect(
    a: DomainArgument, b: DomainArgument, *, url: UrlOption = None, token_file: TokenFileOption = None
) -> None:
    """Remove the connection of two domains."""
    with hub(url, token_file) as client:
        ends = {"a": find_domain(client, a)["id"], "b": find_domain(client, b)["id"]}
        queries.outcome(client.ask(DISCONNECT, ends), "disconnectDomains")
    tell(f"{a} and {b} are not connected any more")


@domains.command("delete")
def delete(
    domain: DomainArgument, *, yes: YesOption = False, url: UrlOption = None, token_file: TokenFileOption = None
) -> None:
    """Delete a domain without clusters. Where ranges are entered in it, it asks first: they end with it."""
    with hub(url, token_file) as client:
        found = find_domain(client, domain)
        if count := client.ask(ENTERED, {"domain": found["id"]})["ranges"]["totalCount"]:
            confirm(f"delete {found['name']} and its {counted(count, 'entered range')}", is_sure=yes)
        gone = queries.outcome(client.ask(DELETE, {"domain": found["id"]}), "deleteNetworkDomain")
    ended = counted(gone["enteredRangeCount"], "entered range")
    tell(f"deleted {gone['name']}" + (f"; {ended} ended with it" if gone["enteredRangeCount"] else ""))
