"""`periplus join-token …` for spokes and `periplus api-token …` for people and programs."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from periplus_contract.names import is_id
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.confirmation import YesOption, confirm
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.secret_output import handing_out
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient
from periplus_hub.fleet.model import AGENT_TOKEN_DAYS, MAX_AGENT_TOKEN_DAYS

join_tokens = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tokens with which a spoke joins the fleet, or agents a cluster."
)
api_tokens = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tokens with which people and programs ask the hub."
)

JOIN_TOKENS: Final = """
query JoinTokens($first: Int!, $after: String, $usable: Boolean!) {
  joinTokens(first: $first, after: $after, usable: $usable) {
    nodes {
      id publicId clusterName networkDomain { id name } autoApprove usable createdBy createdAt expiresAt
      usedAt usedBy { id name } agentsOf { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
WITHDRAW: Final = """
mutation WithdrawJoinToken($token: ID!) {
  withdrawJoinToken(token: $token) {
    __typename
    ... on WithdrawnJoinToken { id publicId }
    ... on Problem { message remedy }
  }
}
"""
CREATE_AGENTS: Final = """
mutation CreateAgentsToken($cluster: ID!, $days: Int!) {
  createAgentsToken(cluster: $cluster, lifetimeDays: $days) {
    __typename
    ... on CreatedJoinToken { token }
    ... on Problem { message remedy }
  }
}
"""
API_TOKENS: Final = """
query ApiTokens($first: Int!, $after: String) {
  apiTokens(first: $first, after: $after) {
    nodes { id name role prefix createdAt expiresAt revokedAt lastUsedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
CREATE: Final = """
mutation CreateApiToken($name: String!, $role: Role!, $days: Int) {
  createApiToken(input: {name: $name, role: $role, lifetimeDays: $days}) {
    __typename
    ... on CreatedApiToken { token }
    ... on Problem { message remedy }
  }
}
"""
REVOKE: Final = """
mutation RevokeApiToken($token: ID!) {
  revokeApiToken(token: $token) {
    __typename
    ... on ApiToken { id name prefix }
    ... on Problem { message remedy }
  }
}
"""

RoleName = Literal["viewer", "analyst", "operator", "admin"]
OutOption = Annotated[Path | None, typer.Option(help="Write it to this file (0600) instead of printing it.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file of --out when there is one.")]


@join_tokens.command("create")
def create_join_token(
    *,
    cluster_name: Annotated[
        str | None, typer.Option(help="Name the cluster gets, whatever its spoke's --cluster-name says.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(help="Network domain of the cluster. Default: the one it was in before, else one of its own."),
    ] = None,
    auto_approve: Annotated[bool, typer.Option(help="The cluster needs no approval by a person.")] = False,
    agents_of: Annotated[
        str | None, typer.Option(help="Make it for the agents of the nodes of this active cluster instead.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_AGENT_TOKEN_DAYS, help="How long one of --agents-of lives. Default: 30."),
    ] = None,
    out: OutOption = None,
    force: ForceOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Make a join token, shown once: for one spoke within the hour, or with --agents-of for agents of many nodes."""
    if agents_of is not None and (cluster_name or domain or auto_approve):
        raise typer.BadParameter("a token for agents names no cluster, domain or approval: their cluster has them")
    if agents_of is None and days is not None:
        raise typer.BadParameter("--days is for tokens of --agents-of: one for a spoke lives an hour")
    with handing_out(out, force=force) as hand_out, hub(url, token_file) as client:
        if agents_of is not None:
            found = find(client, agents_of)["id"]
            variables = {"cluster": found, "days": days or AGENT_TOKEN_DAYS}
            hand_out(str(queries.outcome(client.ask(CREATE_AGENTS, variables), "createAgentsToken")["token"]))
            return
        landing = None if domain is None else find_domain(client, domain)["id"]
        hand_out(queries.create_join_token(client, cluster_name, auto_approve=auto_approve, domain=landing))


@join_tokens.command("list")
def list_join_tokens(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were used or have expired.")] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Join tokens somebody may still use, newest first. Their secrets are not kept and not shown."""
    with hub(url, token_file) as client:
        documents = _nodes(client, JOIN_TOKENS, "joinTokens", usable=not everything)
    columns = ("id", "for", "domain", "state", "approval", "made by", "expires")
    empty = "No join tokens that can be used. Make one: 'periplus join-token create'."
    Listing(columns, [_join_row(node) for node in documents], documents, empty).show(as_json=as_json)


def _join_row(node: dict[str, Any]) -> tuple[str, ...]:
    state = "usable" if node["usable"] else "expired"
    if node["usedAt"]:
        state = f"used by {node['usedBy']['name']}" if node["usedBy"] else "used"
    approval = "automatic" if node["autoApprove"] else "by a person"
    domain = node["networkDomain"]["name"] if node["networkDomain"] else "–"
    made = (node["createdBy"], when(node["expiresAt"]))
    whom = f"agents of {node['agentsOf']['name']}" if node["agentsOf"] else node["clusterName"] or "any"
    return (node["publicId"], whom, domain, state, approval, *made)


@join_tokens.command("withdraw")
def withdraw_join_token(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id in 'periplus join-token list'.")],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Take back a join token: nobody can join with it any more. One for a spoke must be unused."""
    with hub(url, token_file) as client:
        known = _nodes(client, JOIN_TOKENS, "joinTokens", usable=False)
        found = choose("JoinToken", identity, known, key="publicId")
        result = queries.outcome(client.ask(WITHDRAW, {"token": found["id"]}), "withdrawJoinToken")
    tell(f"join token {result['publicId']} is withdrawn")


@api_tokens.command("create")
def create_api_token(
    name: Annotated[str, typer.Argument(help="What will use it.")],
    *,
    role: Annotated[RoleName, typer.Option(help="What it may do; each role includes those before it.")] = "viewer",
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="How long it lives, 1 to 366. Default: until it is revoked.")
    ] = None,
    out: OutOption = None,
    force: ForceOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Make an API token, shown once."""
    with handing_out(out, force=force) as hand_out, hub(url, token_file) as client:
        variables = {"name": name, "role": role.upper(), "days": days}
        hand_out(str(queries.outcome(client.ask(CREATE, variables), "createApiToken")["token"]))


@api_tokens.command("list")
def list_api_tokens(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """Every API token of the tenant, newest first, without its secret."""
    with hub(url, token_file) as client:
        documents = _nodes(client, API_TOKENS, "apiTokens")
    columns = ("id", "name", "role", "made", "expires", "last used", "revoked")
    Listing(columns, [_api_row(node) for node in documents], documents, "No API tokens.").show(as_json=as_json)


def _api_row(node: dict[str, Any]) -> tuple[str, ...]:
    times = (*(when(node[name]) for name in ("createdAt", "expiresAt", "lastUsedAt")), when(node["revokedAt"], "–"))
    return (node["prefix"], node["name"], word(node["role"]), *times)


@api_tokens.command("revoke")
def revoke_api_token(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id in 'periplus api-token list', or its name.")],
    *,
    yes: YesOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """End an API token; it is refused within five seconds. Asks first."""
    with hub(url, token_file) as client:
        known = _nodes(client, API_TOKENS, "apiTokens")
        found = choose("ApiToken", identity, [node for node in known if is_id(identity) or not node["revokedAt"]])
        confirm(f"revoke API token {found['name']} ({word(found['role'])}, {found['prefix']})", is_sure=yes)
        result = queries.outcome(client.ask(REVOKE, {"token": found["id"]}), "revokeApiToken")
    tell(f"API token {result['prefix']} ({result['name']}) is revoked")


def _nodes(client: HubClient, document: str, field: str, **variables: object) -> list[dict[str, Any]]:
    pages = queries.pages(client, document, field, {"first": 200, **variables})
    return [node for page in pages for node in page["nodes"]]
