"""`periplus plan reserved|release`: ranges that somebody means to use. The group is in `plan_command`."""

from typing import Annotated, Any, Final

import typer

from periplus_contract.names import is_id
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import names_of
from periplus_hub.api.cli.clusters_command import find_each
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import EndedOption, JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.lasting import holds, until
from periplus_hub.api.cli.output import tell
from periplus_hub.api.hub_client import HubClient

RESERVED: Final = """
query Reserved($first: Int!, $after: String, $ended: Boolean!) {
  rangeReservations(first: $first, after: $after, ended: $ended) {
    nodes { id cidr allocationKind: kind clusterName reason reservedBy createdAt expiresAt releasedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
RELEASE: Final = """
mutation Release($reservation: ID!) {
  releaseRange(reservation: $reservation) {
    __typename
    ... on RangeReservation { id cidr }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("range", "id", "cluster", "for", "until", "by", "reason")


def reserved(
    *,
    cluster: Annotated[
        list[str] | None, typer.Option(metavar="<names>", help="Only for these, a,b. Repeatable.")
    ] = None,
    ended: EndedOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is reserved, newest first."""
    with hub(url, token_file) as client:
        names = _names(client, names_of(cluster))
        known = [each for each in all_reservations(client, ended=ended) if not names or each["clusterName"] in names]
    empty = f"No range is reserved{' for ' if names else ''}{', '.join(names)}."
    Listing(_COLUMNS, [_row(node) for node in known], known, empty).show(as_json=as_json)


def release(
    identity: Annotated[
        str, typer.Argument(metavar="RANGE|ID", help="The range, or its id in 'periplus plan reserved'.")
    ],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Give a reserved range back before its time: it is free again."""
    with hub(url, token_file) as client:
        known = all_reservations(client, ended=True)
        found = choose("RangeReservation", identity, known, key="cidr", is_live=_holds)
        result = queries.outcome(client.ask(RELEASE, {"reservation": found["id"]}), "releaseRange")
    tell(f"{result['cidr']} is not reserved any more")


def _names(client: HubClient, typed: list[str]) -> list[str]:
    """Ids by the names of their clusters: a reservation only has a name, also of a cluster that is not there yet."""
    there = find_each(client, [each for each in typed if is_id(each)])
    return [*(each for each in typed if not is_id(each)), *(each["name"] for each in there)]


def _holds(reservation: dict[str, Any]) -> bool:
    return holds(reservation["expiresAt"], reservation["releasedAt"])


def all_reservations(client: HubClient, *, ended: bool) -> list[dict[str, Any]]:
    """What is in force, newest first, and what ended if that is wanted."""
    pages = queries.pages(client, RESERVED, "rangeReservations", {"first": 200, "ended": ended})
    return [node for page in pages for node in page["nodes"]]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    return (
        node["cidr"],
        node["id"],
        node["clusterName"],
        f"{word(node['allocationKind'])}s",
        until(node["expiresAt"], node["releasedAt"], "released"),
        node["reservedBy"],
        node["reason"],
    )
