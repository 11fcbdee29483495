"""The GraphQL operations of the command line, and their answers as report lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from periplus_hub.addresses.overlaps.model import ENTERED_IN, FederationTarget
from periplus_hub.api.cli.report import (
    ClusterLine,
    ClusterState,
    CountLine,
    GroupLine,
    HitLine,
    MemberLine,
    MissingLine,
    Severity,
    by_address,
    minute,
    sort_groups,
)
from periplus_hub.api.hub_client import HubCallError, HubClient
from periplus_hub.kit.some_names import some

_PAGE: Final = 200
_GROUPS: Final = 100
_MEMBERS: Final = 100

_FACTS: Final = """
fragment Facts on Cluster {
  id name registration: state state: knowledge lastSeenAt spokeVersion clockSkewMs
  missing { source state reason message remedy }
  duplicate { name state }
  copies { isToldApart cluster { name } }
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
    agentCounts { connected stale superseded revoked lastSeenAt }
    flowCommand flowSources { kind state where chosen why command }
    quarantine(first: 10) { nodes { at kind section reason rows agent { nodeName } } totalCount }
  }
}
"""
    + _FACTS
)

RANGES: Final = """
query Ranges($first: Int!, $after: String, $cluster: ID) {
  allocations(first: $first, after: $after, cluster: $cluster) {
    nodes { cidr allocationKind: kind family provider source name node quality claim reach since }
    pageInfo { hasNextPage endCursor }
  }
}
"""

OVERLAPS: Final = """
query Overlaps(
  $first: Int!, $after: String, $members: Int!, $severities: [OverlapSeverity!], $cluster: ID, $domain: ID,
  $ifJoined: [ID!], $ifAllJoined: Boolean!
) {
  overlapGroups(
    first: $first, after: $after, severities: $severities, cluster: $cluster, domain: $domain,
    ifJoined: $ifJoined, ifAllJoined: $ifAllJoined
  ) {
    nodes {
      cidr family severity since breaks remedies renumbered memberCount clusterCount
      stopped { stops mayStop doesNotStop }
      clusterCounts { severity clusters }
      clusters(first: $members) { nodes { clusterName severity kinds memberCount } }
      members(first: $members) {
        nodes { clusterName kind cidr severity node source name quality claim reach }
      }
    }
    pageInfo { hasNextPage endCursor }
    asOf
  }
}
"""

REGISTER: Final = "query Register { overlapRegister { current } }"

_CREATE_JOIN: Final = """
mutation CreateJoinToken($clusterName: String, $domain: ID, $autoApprove: Boolean!) {
  createJoinToken(input: {clusterName: $clusterName, domain: $domain, autoApprove: $autoApprove}) {
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


def cluster_line(name: str, context: str, known: dict[str, Any] | None) -> ClusterLine:
    """A cluster's answer as a report line."""
    if known is None:
        return ClusterLine(
            name=name, context=context, state=ClusterState.UNREAD, reason="unknown", message="the hub does not know it"
        )
    facts, counts = known["facts"] or {}, known["counts"] or {}
    state = ClusterState(known["state"].lower())
    missing = tuple(MissingLine(**(each | {"state": each["state"].lower()})) for each in known["missing"])
    why = _why(known, state, missing)
    return ClusterLine(
        name=name,
        context=context,
        state=state,
        network_domain=known["networkDomain"]["name"],
        last_heard=known["lastSeenAt"] or "",
        reason=why[0],
        message=why[1],
        remedy=why[2],
        missing=missing,
        provider=facts.get("provider") or "",
        region=facts.get("region") or "",
        version=facts.get("kubernetesVersion") or "",
        cnis=tuple(facts.get("cnis") or ()),
        nodes=counts.get("nodes"),
        pods=counts.get("pods"),
        services=counts.get("services"),
    )


def _why(known: dict[str, Any], state: ClusterState, missing: Sequence[MissingLine]) -> tuple[str, str, str]:
    """Reason, message and remedy of a cluster of which something is not known; empty when all is."""
    name = known["name"]
    if state is ClusterState.PENDING:
        return "pending", "it waits for approval", f"See it with 'periplus clusters show {name}', then approve it."
    if state is ClusterState.UNREAD:
        return "no_inventory", "its inventory is not here yet", f"See 'periplus clusters show {name}'."
    lacks = f"its addresses are not known whole without {some([each.source for each in missing])}" if missing else ""
    if state is ClusterState.STALE:
        heard = f"last heard {minute(known['lastSeenAt'])}: what is known of it is as of then"
        message = "; ".join(filter(None, (heard, lacks)))
        return "silent", message, "Look at its spoke's pod and log, and whether it reaches the hub."
    if missing:
        return missing[0].reason, f"{lacks}: {missing[0].message}", missing[0].remedy
    trouble = [source for source in known["sources"] if source["state"] in {"FORBIDDEN", "FAILED", "SLOW"}]
    if not trouble:
        return "", "", ""
    message = f"could not read {some([source['name'] for source in trouble])}: {trouble[0]['message']}"
    return trouble[0]["reason"] or "", message, trouble[0]["remedy"] or ""


@dataclass(frozen=True)
class OverlapAsk:
    """Which overlap groups. `joined` are ids of clusters to take as one network: empty is all of them, None none."""

    joined: tuple[str, ...] | None = None
    cluster: str | None = None
    domain: str | None = None
    severities: tuple[Severity, ...] = ()


def overlap_groups(
    client: HubClient, ask: OverlapAsk, networks: Mapping[str, str]
) -> tuple[tuple[GroupLine, ...], str]:
    """Those asked for, worst first, and the instant they stand for.

    `networks` has the network domain of each cluster by name.
    """
    groups: list[GroupLine] = []
    as_of = ""
    variables = {
        "first": _GROUPS,
        "members": _MEMBERS,
        "severities": [each.upper().replace("-", "_") for each in ask.severities] or None,
        "cluster": ask.cluster,
        "domain": ask.domain,
        "ifJoined": list(ask.joined) if ask.joined else None,
        "ifAllJoined": ask.joined == (),
    }
    for page in pages(client, OVERLAPS, "overlapGroups", variables):
        as_of = page["asOf"]
        groups.extend(_group(node, networks) for node in page["nodes"])
    return sort_groups(groups), as_of


def _group(node: dict[str, Any], networks: Mapping[str, str]) -> GroupLine:
    members = map(_member, node["members"]["nodes"])
    hits = (_hit(each, networks) for each in node["clusters"]["nodes"])
    return GroupLine(
        cidr=node["cidr"],
        family=node["family"],
        severity=_severity(node["severity"]),
        members=tuple(sorted(members, key=lambda each: (by_address(each.cidr), each.cluster, each.kind))),
        member_count=int(node["memberCount"]),
        clusters=tuple(sorted(hits, key=lambda each: (each.severity.rank, each.cluster))),
        cluster_count=int(node["clusterCount"]),
        since=node["since"] or "",
        breaks=tuple(node["breaks"]),
        stops=_targets(node["stopped"]["stops"]),
        may_stop=_targets(node["stopped"]["mayStop"]),
        does_not_stop=_targets(node["stopped"]["doesNotStop"]),
        remedies=tuple(node["remedies"]),
        renumbered=tuple(kind.lower() for kind in node["renumbered"]),
        cluster_counts=tuple(
            CountLine(severity=_severity(each["severity"]), clusters=int(each["clusters"]))
            for each in node["clusterCounts"]
        ),
    )


def _targets(names: Sequence[str]) -> tuple[FederationTarget, ...]:
    return tuple(FederationTarget(each.lower().replace("_", "-")) for each in names)


def _severity(name: str) -> Severity:
    return Severity(name.lower().replace("_", "-"))


def _member(node: dict[str, Any]) -> MemberLine:
    severity = None if node["severity"] is None else _severity(node["severity"])
    return MemberLine(
        cluster=node["clusterName"],
        kind=node["kind"].lower(),
        cidr=node["cidr"],
        severity=severity,
        node=node["node"],
        source=node["source"],
        name=node["name"],
        quality=node["quality"].lower(),
        claim=node["claim"],
        reach=node["reach"].lower(),
    )


def _domain_of(owner: str, networks: Mapping[str, str]) -> str:
    """Of a cluster, or of what people entered, which is called by it."""
    entered = owner.removeprefix(ENTERED_IN) if owner.startswith(ENTERED_IN) else ""
    return networks.get(owner, entered)


def _hit(node: dict[str, Any], networks: Mapping[str, str]) -> HitLine:
    return HitLine(
        cluster=node["clusterName"],
        network_domain=_domain_of(node["clusterName"], networks),
        severity=_severity(node["severity"]),
        kinds=tuple(kind.lower() for kind in node["kinds"]),
        member_count=int(node["memberCount"]),
    )


def register_is_current(client: HubClient) -> bool:
    """Whether the overlap register includes every change the hub has committed."""
    return bool(client.ask(REGISTER)["overlapRegister"]["current"])


def doubt(client: HubClient) -> str:
    """Why stored groups do not follow from what is known now; empty: they do. The hub refuses those never computed."""
    return "" if register_is_current(client) else "the overlaps do not include the latest changes, or nobody keeps them"


def outcome(data: dict[str, Any], field: str) -> dict[str, Any]:
    """A mutation's union result; its problem becomes HubCallError."""
    result: dict[str, Any] = data[field]
    if "message" in result:
        raise HubCallError(str(result["message"]), str(result.get("remedy") or ""), str(result["__typename"]))
    return result


def told(result: dict[str, Any]) -> dict[str, Any]:
    """What a mutation answered, for programs: which member of the union it was says nothing by then."""
    return {name: value for name, value in result.items() if name != "__typename"}


def create_join_token(
    client: HubClient, cluster_name: str | None, *, auto_approve: bool, domain: str | None = None
) -> str:
    """`id.secret`, shown once. `domain` is an id."""
    variables = {"clusterName": cluster_name, "domain": domain, "autoApprove": auto_approve}
    return str(outcome(client.ask(_CREATE_JOIN, variables), "createJoinToken")["token"])
