"""Mutations of network domains: make one, move clusters into it, connect two."""

from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.hub_client import HubClient

CREATE_DOMAIN: Final = """
mutation CreateDomain($name: String!, $description: String!) {
  createNetworkDomain(input: {name: $name, description: $description}) {
    __typename
    ... on NetworkDomain { id name }
    ... on Problem { message remedy }
  }
}
"""
MOVE_CLUSTERS: Final = """
mutation Move($domain: ID!, $clusters: [ID!]!) {
  moveClusters(domain: $domain, clusters: $clusters) {
    __typename
    ... on NetworkDomain { id }
    ... on Problem { message remedy }
  }
}
"""
CONNECT: Final = """
mutation Connect($a: ID!, $b: ID!, $mode: ConnectionMode!, $note: String!) {
  connectDomains(a: $a, b: $b, mode: $mode, note: $note) {
    __typename
    ... on DomainLink { mode }
    ... on Problem { message remedy }
  }
}
"""


def create_domain(client: HubClient, name: str, description: str) -> str:
    """The new domain's id."""
    data = client.ask(CREATE_DOMAIN, {"name": name, "description": description})
    return str(queries.outcome(data, "createNetworkDomain")["id"])


def move_clusters(client: HubClient, domain: str, members: list[str]) -> None:
    """Move clusters (by id) into a domain (by id)."""
    queries.outcome(client.ask(MOVE_CLUSTERS, {"domain": domain, "clusters": members}), "moveClusters")


def connect(client: HubClient, a: str, b: str, *, mode: str, note: str) -> dict[str, Any]:
    """Connect two domains (by id)."""
    data = client.ask(CONNECT, {"a": a, "b": b, "mode": mode, "note": note})
    return queries.outcome(data, "connectDomains")
