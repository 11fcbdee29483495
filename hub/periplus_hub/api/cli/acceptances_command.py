"""`periplus overlaps accept|accepted|withdraw`: overlaps that are meant. The group is in `overlaps_command`."""

from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import range_of
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import EndedOption, JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.lasting import holds, until
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.clock import SystemClock

ACCEPT: Final = """
mutation Accept($cidr: Cidr!, $reason: String!, $until: DateTime!) {
  acceptOverlap(input: {cidr: $cidr, reason: $reason, expiresAt: $until}) {
    __typename
    ... on OverlapAcceptance { id cidr expiresAt }
    ... on Problem { message remedy }
  }
}
"""
ACCEPTED: Final = """
query Accepted($first: Int!, $after: String, $ended: Boolean!) {
  overlapAcceptances(first: $first, after: $after, ended: $ended) {
    nodes { id cidr reason acceptedBy createdAt expiresAt withdrawnAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
WITHDRAW: Final = """
mutation Withdraw($acceptance: ID!) {
  withdrawAcceptance(acceptance: $acceptance) {
    __typename
    ... on OverlapAcceptance { id cidr }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("range", "id", "until", "by", "reason")


def accept(
    cidr: Annotated[str, typer.Argument(metavar="RANGE", help="The overlap's range, as 'periplus overlaps' has it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why it is meant.")],
    days: Annotated[int, typer.Option(min=1, max=730, help="For how long, 1 to 730 days.")] = 90,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Accept an overlap as intended, for a time. What joins it later or gets worse is shown again."""
    meant = range_of(cidr)
    until = (SystemClock().now() + timedelta(days=days)).isoformat()
    with hub(url, token_file) as client:
        data = client.ask(ACCEPT, {"cidr": meant, "reason": reason, "until": until})
        result = queries.outcome(data, "acceptOverlap")
    tell(f"{result['cidr']} is accepted until {when(result['expiresAt'])} ({result['id']})")


def accepted(
    *,
    ended: EndedOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is accepted, newest first."""
    with hub(url, token_file) as client:
        known = _acceptances(client, ended=ended)
    Listing(_COLUMNS, [_row(node) for node in known], known, "No overlap is accepted.").show(as_json=as_json)


def withdraw(
    identity: Annotated[
        str, typer.Argument(metavar="RANGE|ID", help="The range, or its id in 'periplus overlaps accepted'.")
    ],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """End an acceptance before its time: the overlap has its own severity again."""
    with hub(url, token_file) as client:
        known = _acceptances(client, ended=True)
        found = choose("OverlapAcceptance", identity, known, key="cidr", is_live=_holds)
        result = queries.outcome(client.ask(WITHDRAW, {"acceptance": found["id"]}), "withdrawAcceptance")
    tell(f"{result['cidr']} is not accepted any more")


def _holds(acceptance: dict[str, Any]) -> bool:
    return holds(acceptance["expiresAt"], acceptance["withdrawnAt"])


def _acceptances(client: HubClient, *, ended: bool) -> list[dict[str, Any]]:
    pages = queries.pages(client, ACCEPTED, "overlapAcceptances", {"first": 200, "ended": ended})
    return [node for page in pages for node in page["nodes"]]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    lasts = until(node["expiresAt"], node["withdrawnAt"], "withdrawn")
    return (node["cidr"], node["id"], lasts, node["acceptedBy"], node["reason"])
