"""`periplus reach …`: what people say of the reach of addresses, over what clusters tell."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import names_of
from periplus_hub.api.cli.clusters_command import find_each
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

reach = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Whether pods, services and nodes are reached from outside, where what their cluster tells is wrong.",
)

_CORRECTED: Final = """
fragment Corrected on CorrectedReach {
  clusters { id name } domains { id name } sameClusters { id name } sameDomains { id name }
}
"""
SET: Final = (
    """
mutation SetReach($clusters: [ID!]!, $domains: [ID!]!, $kind: AllocationKind!, $reach: Reach!, $reason: String!) {
  setReach(clusters: $clusters, domains: $domains, kind: $kind, reach: $reach, reason: $reason) {
    __typename
    ... on CorrectedReach { ...Corrected }
    ... on Problem { message remedy }
  }
}
"""
    + _CORRECTED
)
CLEAR: Final = (
    """
mutation ClearReach($clusters: [ID!]!, $domains: [ID!]!, $kind: AllocationKind!) {
  clearReach(clusters: $clusters, domains: $domains, kind: $kind) {
    __typename
    ... on CorrectedReach { ...Corrected }
    ... on Problem { message remedy }
  }
}
"""
    + _CORRECTED
)
_CORRECTION: Final = "fragment Correction on ReachCorrection { allocationKind: kind reach reason setBy setAt }"
OF_CLUSTERS: Final = (
    """
query CorrectionsOfClusters($first: Int!, $after: String) {
  clusters(first: $first, after: $after, states: [PENDING, ACTIVE]) {
    nodes { name reachCorrections { ...Correction } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _CORRECTION
)
OF_DOMAINS: Final = (
    """
query CorrectionsOfDomains($first: Int!, $after: String) {
  networkDomains(first: $first, after: $after) {
    nodes { name reachCorrections { ...Correction } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _CORRECTION
)
_KINDS: Final = ("pod", "service", "node")
_REACHES: Final = ("routed", "masqueraded")

KindArgument = Annotated[str, typer.Argument(help="Of which addresses: pod, service or node.")]
ClustersArgument = Annotated[list[str] | None, typer.Argument(help="Clusters: names or ids, a,b or a b.")]
DomainOption = Annotated[
    str | None,
    typer.Option(help="All clusters of this network domain, now or later. What is said of a cluster wins."),
]


def _one_of(what: str, given: str, words: tuple[str, ...]) -> str:
    if given not in words:
        fail(f"{what} {given!r} is none of {', '.join(words)}", code=Exit.USAGE)
    return given.upper()


def _whom(client: HubClient, clusters: list[str] | None, domain: str | None) -> dict[str, list[str]]:
    if not names_of(clusters) and domain is None:
        fail("nobody is named", "Name clusters, or a network domain: --domain.", Exit.USAGE)
    domains = [] if domain is None else [find_domain(client, domain)["id"]]
    return {"clusters": [each["id"] for each in find_each(client, clusters)], "domains": domains}


def _named(clusters: list[dict[str, Any]], domains: list[dict[str, Any]]) -> list[str]:
    return [*(each["name"] for each in clusters), *(f"all clusters in {each['name']}" for each in domains)]


def _tell(result: dict[str, Any], changed: str, same: str, *, as_json: bool) -> None:
    """What changed and what was so already; the texts have a place for the name."""
    if as_json:
        tell_json(document(queries.told(result)))
        return
    for name in _named(result["clusters"], result["domains"]):
        tell(changed.format(name))
    for name in _named(result["sameClusters"], result["sameDomains"]):
        tell(same.format(name))


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
    as_json: JsonOption = False,
) -> None:
    """Say that addresses are reached from outside as they are, or only masqueraded. It wins over what clusters tell."""
    asked = {"kind": _one_of("the kind", kind, _KINDS), "reach": _one_of("the reach", how, _REACHES), "reason": reason}
    with hub(url, token_file) as client:
        result = queries.outcome(client.ask(SET, {**_whom(client, clusters, domain), **asked}), "setReach")
    said = f"the {kind}s of {{}} are {how}"
    _tell(result, said, f"{said}: that was said already, for the same reason", as_json=as_json)


@reach.command("clear")
def clear_reach(
    kind: KindArgument,
    clusters: ClustersArgument = None,
    *,
    domain: DomainOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back what was said: what is said of the network domain holds again, or what the clusters tell."""
    asked = _one_of("the kind", kind, _KINDS)
    with hub(url, token_file) as client:
        result = queries.outcome(client.ask(CLEAR, {**_whom(client, clusters, domain), "kind": asked}), "clearReach")
    taken_back = f"what was said of the {kind}s of {{}} is taken back"
    _tell(result, taken_back, f"nothing was said of the {kind}s of {{}}", as_json=as_json)


@reach.command("list")
def list_corrections(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """What people said, of clusters and of network domains."""
    with hub(url, token_file) as client:
        found = [
            {"of": of, "name": node["name"], **each}
            for of, query, root in (("cluster", OF_CLUSTERS, "clusters"), ("domain", OF_DOMAINS, "networkDomains"))
            for page in queries.pages(client, query, root, {"first": 200})
            for node in page["nodes"]
            for each in node["reachCorrections"]
        ]
    rows: list[tuple[str, ...]] = [
        (
            each["of"],
            each["name"],
            word(each["allocationKind"]),
            word(each["reach"]),
            each["setBy"],
            when(each["setAt"]),
            each["reason"],
        )
        for each in found
    ]
    columns = ("of", "name", "kind", "reach", "by", "at", "reason")
    Listing(columns, rows, found, "Nobody corrected anything.").show(as_json=as_json)
