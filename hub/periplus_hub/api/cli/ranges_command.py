"""`periplus ranges add|list|remove`. The group is in `ranges_group`."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.ranges.engine.rules import USES, Broken, time_of
from periplus_hub.addresses.ranges.model import RangeUse
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import range_of, range_or_address
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import EndedOption, JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.lasting import until
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.hub_client import HubClient

RANGES: Final = """
query Ranges($first: Int!, $after: String, $domain: ID, $within: Cidr, $ended: Boolean!) {
  ranges(first: $first, after: $after, domain: $domain, within: $within, ended: $ended) {
    nodes {
      id cidr rangeUse: use name owner note rangeSource: source origin
      createdAt createdBy changedAt changedBy expiresAt endedAt endedBy
      networkDomain { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ADD: Final = """
mutation AddRange($input: AddRangeInput!) {
  addRange(input: $input) {
    __typename
    ... on EnteredRange { id cidr rangeUse: use name owner note domainName expiresAt }
    ... on Problem { message remedy }
  }
}
"""
REMOVE: Final = """
mutation RemoveRange($range: ID!) {
  removeRange(range: $range) {
    __typename
    ... on EnteredRange { id cidr rangeUse: use name owner note domainName endedAt }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("range", "id", "for", "domain", "name", "owner", "until", "source")
DomainOption = Annotated[str | None, typer.Option(help="Only this network domain, by name or id.")]


def add(
    cidr: Annotated[str, typer.Argument(metavar="RANGE", help="The range, as 10.20.0.0/16.")],
    *,
    domain: Annotated[str, typer.Option(help="The network domain it is in, by name or id.")],
    use: Annotated[str, typer.Option(help=f"What for: {USES}.")],
    name: Annotated[str, typer.Option(help="What it is called.")] = "",
    owner: Annotated[str, typer.Option(help="Whom to ask about it.")] = "",
    note: Annotated[str, typer.Option(help="What else is worth knowing.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When it ends by itself: a day, or a time with its offset.")
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter a range: from now on it is compared with what clusters use."""
    meant = range_of(cidr)
    if use.lower() not in set(RangeUse):
        fail(f"--use {use!r} is none of {USES}", code=Exit.USAGE)
    wish = {"cidr": meant, "use": use.upper().replace("-", "_"), "name": name, "owner": owner, "note": note}
    if expires is not None:
        wish["expiresAt"] = _end_of(expires)
    with hub(url, token_file) as client:
        wish["domain"] = find_domain(client, domain)["id"]
        made = queries.outcome(client.ask(ADD, {"input": wish}), "addRange")
    if as_json:
        tell_json(document(queries.told(made)))
    else:
        tell(f"entered {made['cidr']} in {made['domainName']} ({made['id']})")


def list_ranges(
    *,
    domain: DomainOption = None,
    within: Annotated[str | None, typer.Option(help="Only what lies inside or around this range or address.")] = None,
    ended: EndedOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What people entered, by address."""
    around = None if within is None else range_or_address(within)
    with hub(url, token_file) as client:
        known = all_ranges(client, domain, {"within": around, "ended": ended})
    Listing(_COLUMNS, [_row(each) for each in known], known, "No range is entered.").show(as_json=as_json)


def remove(
    identity: Annotated[
        str, typer.Argument(metavar="RANGE|ID", help="The range, or its id in 'periplus ranges list'.")
    ],
    *,
    domain: DomainOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an entered range out again; where several network domains have it, name one."""
    with hub(url, token_file) as client:
        found = choose("EnteredRange", identity, all_ranges(client, domain), key="cidr")
        gone = queries.outcome(client.ask(REMOVE, {"range": found["id"]}), "removeRange")
    if as_json:
        tell_json(document(queries.told(gone)))
    else:
        tell(f"{gone['cidr']} is not entered in {gone['domainName']} any more")


def all_ranges(client: HubClient, domain: str | None, only: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Those that count, or whatever `only` asks for."""
    asked: dict[str, Any] = {"first": 500, "ended": False} | (only or {})
    if domain is not None:
        asked["domain"] = find_domain(client, domain)["id"]
    return [node for page in queries.pages(client, RANGES, "ranges", asked) for node in page["nodes"]]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    lasts, domain = until(node["expiresAt"], node["endedAt"], "ended"), node["networkDomain"]["name"]
    return (
        *(node["cidr"], node["id"], word(node["rangeUse"]), domain),
        *(node["name"], node["owner"], lasts, word(node["rangeSource"])),
    )


def _end_of(text: str) -> str:
    """As the hub takes it; leaves for what is no time."""
    found = time_of(text)
    if isinstance(found, Broken):
        fail(f"--expires: {found.message}", found.remedy, Exit.USAGE)
    return found.isoformat()
