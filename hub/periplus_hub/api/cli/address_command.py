"""`periplus address IP`: whose an address is, or was."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import address_of, time_of
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.report import some
from periplus_hub.api.cli.rich_text import Text
from periplus_hub.api.cli.tables import print_table, print_text, standard_output, when
from periplus_hub.api.hub_client import HubClient

OWNER: Final = """
query Owner($ip: IpAddress!, $domain: ID, $at: DateTime) {
  addressOwner(ip: $ip, domain: $domain, at: $at) {
    __typename
    ... on AddressOwned { owner { ...Owner } enteredRanges(first: 100) { ...Around } }
    ... on AddressAmbiguous {
      reason candidateCount candidates { ...Owner } enteredRanges(first: 100) { ...Around }
    }
    ... on AddressUnknown { reason enteredRanges(first: 100) { ...Around } }
  }
}
fragment Around on EnteredRangeConnection {
  nodes { id cidr rangeUse: use name owner networkDomain { id name } }
}
fragment Owner on AddressOwner {
  kind namespace name workloadKind workloadName node zone validFrom validTo rule
  serviceCount services { namespace name publishedAs }
  cluster { id name } networkDomain { id name }
}
"""
RANGES: Final = """
query RangesOfClusters($first: Int!, $after: String, $within: Cidr!) {
  allocations(first: $first, after: $after, within: $within) {
    nodes { cidr allocationKind: kind clusterName networkDomain { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_SHOWN: Final = 10
_COLUMNS: Final = ("cluster", "domain", "kind", "name", "workload", "node", "since", "until")


def address(
    ip: Annotated[str, typer.Argument(help="The address.")],
    *,
    at: Annotated[
        str | None, typer.Option(metavar="<time>", help="Time in ISO 8601; UTC unless it has an offset. Default: now.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="<name>", help="Only in this network domain. Default: in all.")
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who has an address, or had it at a time. If several owners are equally likely, all are shown.

    Ranges that people entered around the address are named too, with whom to ask about them; of an address that nobody
    has, also the ranges of clusters that it lies in.
    An address of a node belongs to the node; services that listen on it (load balancers that publish nodes' addresses,
    external IPs, node ports) are named beside it.
    """
    asked = {"ip": address_of(ip), "at": None if at is None else time_of("--at", at)}
    with hub(url, token_file) as client:
        inside = None if domain is None else find_domain(client, domain)["id"]
        found = client.ask(OWNER, asked | {"domain": inside})["addressOwner"]
        unknown = [name for name, node in queries.clusters(client).items() if node["state"] != "COMPLETE"]
        owners = [found["owner"]] if "owner" in found else found.get("candidates", [])
        clusters = [] if owners or at is not None else _ranges_of_clusters(client, asked["ip"], inside)
    around = found["enteredRanges"]["nodes"]
    if as_json:
        told = {"owners": owners, "enteredRanges": around, "clusterRanges": clusters}
        tell_json(document(told | {"reason": found.get("reason"), "notKnownWhole": unknown}))
    elif owners:
        _print(found, owners)
    for line in () if as_json else (*_of_clusters(asked["ip"], clusters), *(_around(asked["ip"], e) for e in around)):
        tell(line)
    if not owners and not as_json:
        fail(found["reason"], _remedy(unknown))
    if not owners:
        raise typer.Exit(int(Exit.FAILED))


def _ranges_of_clusters(client: HubClient, ip: str | None, domain: str | None) -> list[dict[str, Any]]:
    """What clusters have now around an address that nobody has: of each the widest for a kind."""
    asked = {"first": 500, "within": str(ip_network(ip or ""))}
    widest: dict[tuple[str, str], dict[str, Any]] = {}
    for each in (node for page in queries.pages(client, RANGES, "allocations", asked) for node in page["nodes"]):
        if domain is None or each["networkDomain"]["id"] == domain:
            told = {name: each[name] for name in ("cidr", "allocationKind", "clusterName")}
            widest.setdefault((each["clusterName"], each["allocationKind"]), told)
    return list(widest.values())


def _of_clusters(ip: str | None, ranges: Sequence[dict[str, Any]]) -> Iterator[str]:
    for each in ranges:
        yield f"{ip} lies in {each['cidr']}, of the {word(each['allocationKind'])}s of {each['clusterName']}"


def _remedy(unknown: Sequence[str]) -> str:
    see = "See what is read with 'periplus clusters list'."
    return f"It may be of a cluster that is not known whole: {some(unknown)}. {see}" if unknown else see


def _print(found: dict[str, Any], owners: list[dict[str, Any]]) -> None:
    console = standard_output()
    if "candidateCount" in found:
        print_text(Text(f"ambiguous: {found['reason']} ({found['candidateCount']} candidates)", style="bold"), console)
    print_table(_COLUMNS, [tuple(map(Text, _row(each))) for each in owners], console)
    for each in owners:
        if each["serviceCount"]:
            print_text(Text(_listening(each)), console)


def _around(ip: str | None, entered: dict[str, Any]) -> str:
    """What people say of the address."""
    named = f", {entered['name']}" if entered["name"] else ""
    whom = f"ask {entered['owner']}" if entered["owner"] else "whom to ask is not said"
    use, domain = word(entered["rangeUse"]), entered["networkDomain"]["name"]
    return f"{ip} lies in {entered['cidr']}, entered in {domain} as {use}{named}: {whom}"


def _listening(owner: dict[str, Any]) -> str:
    """What answers on ports of a node's address. Which port was meant, only who asks knows."""
    named = [f"{each['namespace']}/{each['name']} ({each['publishedAs']})" for each in owner["services"]]
    more = owner["serviceCount"] - _SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"on {owner['name']} of {owner['cluster']['name']} listen: {', '.join(named[:_SHOWN])}{rest}"


def _row(owner: dict[str, Any]) -> tuple[str, ...]:
    workload = "/".join(filter(None, (owner["workloadKind"], owner["workloadName"])))
    return (
        owner["cluster"]["name"],
        owner["networkDomain"]["name"],
        owner["kind"].lower(),
        "/".join(filter(None, (owner["namespace"], owner["name"]))),
        workload or "–",
        owner["node"] or "–",
        when(owner["validFrom"]),
        when(owner["validTo"], "now"),
    )
