"""`periplus plan reserved|release`: ranges that somebody means to use. The group is in `plan_command`."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

RESERVED: Final = """
query Reserved($first: Int!, $after: String) {
  rangeReservations(first: $first, after: $after) {
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
_COLUMNS: Final = ("range", "id", "cluster", "for", "until", "released", "by", "reason")


def reserved(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """What was reserved, newest first, with what has ended."""
    with hub(url, token_file) as client:
        known = _reservations(client)
    Listing(_COLUMNS, [_row(node) for node in known], known, "No range is reserved.").show(as_json=as_json)


def release(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id in 'periplus plan reserved'.")],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Give a reserved range back before its time: it is free again."""
    with hub(url, token_file) as client:
        found = choose("RangeReservation", identity, _reservations(client), key="id")
        result = queries.outcome(client.ask(RELEASE, {"reservation": found["id"]}), "releaseRange")
    tell(f"{result['cidr']} is not reserved any more")


def _reservations(client: HubClient) -> list[dict[str, Any]]:
    pages = queries.pages(client, RESERVED, "rangeReservations", {"first": 200})
    return [node for page in pages for node in page["nodes"]]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    return (
        node["cidr"],
        node["id"],
        node["clusterName"],
        f"{word(node['allocationKind'])}s",
        when(node["expiresAt"]),
        when(node["releasedAt"], "–"),
        node["reservedBy"],
        node["reason"],
    )
