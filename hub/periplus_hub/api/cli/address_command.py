"""`periplus address IP`: whose an address is, or was."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.address_surroundings import free_surroundings, surroundings_lines
from periplus_hub.api.cli.arguments import address_of, time_of
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.rich_text import Text
from periplus_hub.api.cli.tables import print_table, print_text, standard_output, when
from periplus_hub.kit.some_names import some

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
    has, also the ranges of clusters and the reservations that it lies in.
    An address of a node belongs to the node; services that listen on it (load balancers that publish nodes' addresses,
    external IPs, node ports) are named beside it.
    How flows find out whose an address is, seen from a cluster, is 'periplus explain-address'.
    """
    wanted, when_asked = address_of(ip), None if at is None else time_of("--at", at)
    with hub(url, token_file) as client:
        inside = None if domain is None else find_domain(client, domain)["id"]
        found = client.ask(OWNER, {"ip": wanted, "at": when_asked, "domain": inside})["addressOwner"]
        unknown = [name for name, node in queries.clusters(client).items() if node["state"] != "COMPLETE"]
        owners = [found["owner"]] if "owner" in found else found.get("candidates", [])
        around = {"enteredRanges": found["enteredRanges"]["nodes"]}
        if not owners and at is None:
            around |= free_surroundings(client, wanted, inside)
    if as_json:
        tell_json(document({"owners": owners, **around, "reason": found.get("reason"), "notKnownWhole": unknown}))
    elif owners:
        _print(found, owners)
    for line in () if as_json else surroundings_lines(wanted, around):
        tell(line)
    if not owners and not as_json:
        fail(found["reason"], _remedy(unknown))
    if not owners:
        raise typer.Exit(int(Exit.FAILED))


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
