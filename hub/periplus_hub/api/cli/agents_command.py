"""`periplus agents …`."""

from shlex import quote
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.confirmation import YesOption, confirm
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

agents = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Agents of the nodes of a cluster: list, revoke."
)

AGENTS: Final = """
query Agents($cluster: ID!, $first: Int!, $after: String, $ended: Boolean!) {
  cluster(id: $cluster) {
    agents(first: $first, after: $after, includeEnded: $ended) {
      nodes {
        id name: nodeName liveness joinedAt lastSeenAt spokeVersion clockSkewMs queuedBatches queuedBytes
        joinToken earlier end endedAt endedBy
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
REVOKE: Final = """
mutation RevokeAgent($agent: ID!) {
  revokeAgent(agent: $agent) {
    __typename
    ... on NodeAgent { id nodeName joinToken }
    ... on Problem { message remedy }
  }
}
"""

ClusterArgument = Annotated[str, typer.Argument(help="The cluster's name or id.")]


@agents.command("list")
def list_agents(
    cluster: ClusterArgument,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were superseded or revoked.")] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The agents of a cluster's nodes, by node, with when each was last heard and which join token it came with."""
    with hub(url, token_file) as client:
        found = find(client, cluster)
        documents = _all(client, found["id"], ended=everything)
    columns = ("node", "state", "last heard", "joined", "earlier", "join token", "version")
    name = quote(found["name"])
    ended = "" if everything else f" Those that ended: 'periplus agents list {name} --all'."
    empty = f"No agents of {found['name']}.{ended} A token for them: 'periplus join-token create --agents-of {name}'."
    Listing(columns, [_row(each) for each in documents], documents, empty).show(as_json=as_json)


def _all(client: HubClient, cluster: str, *, ended: bool) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    after = None
    while True:
        variables = {"cluster": cluster, "first": 500, "after": after, "ended": ended}
        page = client.ask(AGENTS, variables)["cluster"]["agents"]
        documents += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return documents
        after = page["pageInfo"]["endCursor"]


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    state = word(node["end"]) if node["end"] else {"CONNECTED": "heard", "STALE": "silent"}[node["liveness"]]
    times = (when(node["lastSeenAt"]), when(node["joinedAt"]))
    return (node["name"], state, *times, str(node["earlier"]), node["joinToken"], node["spokeVersion"])


@agents.command("revoke")
def revoke_agent(
    cluster: ClusterArgument,
    node: Annotated[str, typer.Argument(help="The node's name, or the agent's id.")],
    *,
    yes: YesOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Let the agent of a node send no more. Asks first; withdraw its join token too where that is in wrong hands."""
    with hub(url, token_file) as client:
        where = find(client, cluster)
        known = _all(client, where["id"], ended=False)
        # A node may be called like an id: then its name is meant.
        found = next((each for each in known if each["name"] == node), None) or choose("NodeAgent", node, known)
        confirm(f"revoke the agent of node {found['name']} of {where['name']} ({found['id']})", is_sure=yes)
        result = queries.outcome(client.ask(REVOKE, {"agent": found["id"]}), "revokeAgent")
    tell(f"the agent of node {result['nodeName']} is revoked; it came with join token {result['joinToken']}")
