"""The network story of the demonstration, told through the same mutations a person would use."""

from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.run_fleet import Fleet
from periplus_hub.api.client import HubClient
from periplus_hub.api.demo.fleet import CONNECTIONS, DOMAINS

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


def tell(fleet: Fleet) -> None:
    """Put the clusters that came up into their domains, and connect the domains."""
    client = fleet.client
    known = queries.clusters(client)
    domains = {name: cluster["networkDomain"]["id"] for name, cluster in known.items()}
    for domain in DOMAINS:
        members = [known[name]["id"] for name in domain.clusters if name in known]
        domains[domain.name] = create_domain(client, domain.name, domain.description)
        if members:
            move_clusters(client, domains[domain.name], members)
    for link in CONNECTIONS:
        if link.a in domains and link.b in domains:
            connect(client, domains[link.a], domains[link.b], mode=link.mode, note=link.note)


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
