"""What an address lies in: ranges that people entered, and where nobody has it, ranges of clusters and reservations."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.reservations_command import all_reservations
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

RANGES: Final = """
query RangesOfClusters($first: Int!, $after: String, $within: Cidr!) {
  allocations(first: $first, after: $after, within: $within) {
    nodes { cidr allocationKind: kind clusterName networkDomain { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
Around = dict[str, list[dict[str, Any]]]
"""By what they are: `enteredRanges`, `clusterRanges`, `reservations`."""


def free_surroundings(client: HubClient, ip: str, domain: str | None) -> Around:
    """Of an address that nobody has now; `domain` is the id of the one to look in. Reservations have none."""
    return {"clusterRanges": _of_clusters(client, ip, domain), "reservations": _reserved(client, ip)}


def _of_clusters(client: HubClient, ip: str, domain: str | None) -> list[dict[str, Any]]:
    """Of each cluster the widest range for a kind."""
    asked = {"first": 500, "within": str(ip_network(ip))}
    widest: dict[tuple[str, str], dict[str, Any]] = {}
    for each in (node for page in queries.pages(client, RANGES, "allocations", asked) for node in page["nodes"]):
        if domain is None or each["networkDomain"]["id"] == domain:
            told = {name: each[name] for name in ("cidr", "allocationKind", "clusterName")}
            widest.setdefault((each["clusterName"], each["allocationKind"]), told)
    return list(widest.values())


def _reserved(client: HubClient, ip: str) -> list[dict[str, Any]]:
    known = all_reservations(client, ended=False)
    return [each for each in known if ip_address(ip) in ip_network(each["cidr"])]


def surroundings_lines(ip: str, around: Around) -> Iterator[str]:
    """A line for each, for people."""
    for each in around.get("clusterRanges", ()):
        yield f"{ip} lies in {each['cidr']}, of {_whose(each)}"
    for each in around.get("reservations", ()):
        because = f", because: {each['reason']}" if each["reason"] else ""
        yield f"{ip} lies in {each['cidr']}, reserved for {_whose(each)} until {when(each['expiresAt'])}{because}"
    for each in around["enteredRanges"]:
        named = f", {each['name']}" if each["name"] else ""
        whom = f"ask {each['owner']}" if each["owner"] else "whom to ask is not said"
        use, domain = word(each["rangeUse"]), each["networkDomain"]["name"]
        yield f"{ip} lies in {each['cidr']}, entered in {domain} as {use}{named}: {whom}"


def _whose(each: dict[str, Any]) -> str:
    return f"the {word(each['allocationKind'])}s of {each['clusterName']}"
