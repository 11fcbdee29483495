"""The GraphQL operations of the command line, and their answers as report lines."""

from collections.abc import Iterator
from typing import Any, Final

from periplus_hub.api.cli.report import (
    ClusterLine,
    ClusterState,
    CountLine,
    GroupLine,
    HitLine,
    MemberLine,
    Severity,
    sort_groups,
)
from periplus_hub.api.client import HubCallError, HubClient

_PAGE: Final = 200
_GROUPS: Final = 100
_MEMBERS: Final = 100

_FACTS: Final = """
fragment Facts on Cluster {
  id name state liveness lastSeenAt spokeVersion clockSkewMs
  duplicate { name state }
  facts { provider region kubernetesVersion cnis }
  counts { nodes pods services }
  sources { name state reason message remedy }
  networkDomain { id name }
}
"""

CLUSTERS: Final = (
    """
query Clusters($first: Int!, $after: String) {
  clusters(first: $first, after: $after) {
    nodes { ...Facts }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _FACTS
)

CLUSTER: Final = (
    """
query Cluster($id: ID!) {
  cluster(id: $id) {
    ...Facts
    quarantine(first: 10) { nodes { at kind section reason rows } totalCount }
  }
}
"""
    + _FACTS
)

OVERLAPS: Final = """
query Overlaps($first: Int!, $after: String, $members: Int!, $ifAllJoined: Boolean!) {
  overlapGroups(first: $first, after: $after, ifAllJoined: $ifAllJoined) {
    nodes {
      cidr family severity since breaks remedies freeRanges memberCount clusterCount
      clusterCounts { severity clusters }
      clusters(first: $members) { nodes { clusterName severity kinds memberCount } }
      members(first: $members) { nodes { clusterName kind cidr severity } }
    }
    pageInfo { hasNextPage endCursor }
    asOf
  }
}
"""

REGISTER: Final = "query Register { overlapRegister { current } }"

_CREATE_JOIN: Final = """
mutation CreateJoinToken($clusterName: String, $autoApprove: Boolean!) {
  createJoinToken(input: {clusterName: $clusterName, autoApprove: $autoApprove}) {
    __typename
    ... on CreatedJoinToken { token expiresAt }
    ... on Problem { message remedy }
  }
}
"""


def pages(client: HubClient, document: str, field: str, variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each page of the root connection `field`, until the last."""
    after = None
    while True:
        page = client.ask(document, variables | {"after": after})[field]
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def clusters(client: HubClient) -> dict[str, dict[str, Any]]:
    """Every cluster that is not revoked, by name."""
    found: dict[str, dict[str, Any]] = {}
    for page in pages(client, CLUSTERS, "clusters", {"first": _PAGE}):
        found |= {node["name"]: node for node in page["nodes"] if node["state"] != "REVOKED"}
    return found


def slow_sources(client: HubClient) -> list[str]:
    """What is still being listed, each as "cluster: source"."""
    return [
        f"{name}: {source['name']}"
        for name, known in clusters(client).items()
        for source in known["sources"]
        if source["state"] == "SLOW"
    ]


def twin_of(known: dict[str, Any] | None) -> str:
    """The name under which the cluster of a registration that waits is known already."""
    twin = (known or {}).get("duplicate") or {}
    return str(twin.get("name") or "another context")


def cluster_line(name: str, context: str, known: dict[str, Any] | None) -> ClusterLine:
    """A cluster's answer as a report line; a source that could not be read makes it partial."""
    if known is None:
        return ClusterLine(
            name=name, context=context, state=ClusterState.FAILED, reason="unknown", message="the hub does not know it"
        )
    facts, counts = known["facts"] or {}, known["counts"] or {}
    trouble = [source for source in known["sources"] if source["state"] in {"FORBIDDEN", "FAILED", "SLOW"}]
    first = trouble[0] if trouble else {}
    names = ", ".join(source["name"] for source in trouble)
    return ClusterLine(
        name=name,
        context=context,
        state=ClusterState.PARTIAL if trouble else ClusterState.SETTLED,
        reason=first.get("reason") or "",
        message=f"could not read {names}: {first['message']}" if trouble else "",
        remedy=first.get("remedy") or "",
        provider=facts.get("provider") or "",
        region=facts.get("region") or "",
        version=facts.get("kubernetesVersion") or "",
        cnis=tuple(facts.get("cnis") or ()),
        nodes=counts.get("nodes"),
        pods=counts.get("pods"),
        services=counts.get("services"),
    )


def overlap_groups(client: HubClient, *, joined: bool) -> tuple[tuple[GroupLine, ...], str]:
    """All groups, worst first, and the instant they stand for."""
    groups: list[GroupLine] = []
    as_of = ""
    variables = {"first": _GROUPS, "members": _MEMBERS, "ifAllJoined": joined}
    for page in pages(client, OVERLAPS, "overlapGroups", variables):
        as_of = page["asOf"] or ""
        groups.extend(_group(node) for node in page["nodes"])
    return sort_groups(groups), as_of


def _group(node: dict[str, Any]) -> GroupLine:
    return GroupLine(
        cidr=node["cidr"],
        family=node["family"],
        severity=_severity(node["severity"]),
        members=tuple(map(_member, node["members"]["nodes"])),
        member_count=int(node["memberCount"]),
        clusters=tuple(map(_hit, node["clusters"]["nodes"])),
        cluster_count=int(node["clusterCount"]),
        since=node["since"] or "",
        breaks=tuple(node["breaks"]),
        remedies=tuple(node["remedies"]),
        free_ranges=tuple(node["freeRanges"]),
        cluster_counts=tuple(
            CountLine(severity=_severity(each["severity"]), clusters=int(each["clusters"]))
            for each in node["clusterCounts"]
        ),
    )


def _severity(name: str) -> Severity:
    return Severity(name.lower().replace("_", "-"))


def _member(node: dict[str, Any]) -> MemberLine:
    severity = None if node["severity"] is None else _severity(node["severity"])
    return MemberLine(cluster=node["clusterName"], kind=node["kind"].lower(), cidr=node["cidr"], severity=severity)


def _hit(node: dict[str, Any]) -> HitLine:
    return HitLine(
        cluster=node["clusterName"],
        severity=_severity(node["severity"]),
        kinds=tuple(kind.lower() for kind in node["kinds"]),
        member_count=int(node["memberCount"]),
    )


def register_is_current(client: HubClient) -> bool:
    """Whether the overlap register includes every change the hub has committed."""
    return bool(client.ask(REGISTER)["overlapRegister"]["current"])


def outcome(data: dict[str, Any], field: str) -> dict[str, Any]:
    """A mutation's union result; its problem becomes HubCallError."""
    result: dict[str, Any] = data[field]
    if "message" in result:
        raise HubCallError(str(result["message"]), str(result.get("remedy") or ""), str(result["__typename"]))
    return result


def create_join_token(client: HubClient, cluster_name: str | None, *, auto_approve: bool) -> str:
    """`id.secret`, shown once."""
    variables = {"clusterName": cluster_name, "autoApprove": auto_approve}
    return str(outcome(client.ask(_CREATE_JOIN, variables), "createJoinToken")["token"])
