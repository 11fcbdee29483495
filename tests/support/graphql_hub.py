"""The GraphQL door over a test's database, tokens to knock with, and a small fleet behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from periplus_hub.access import tables as access
from periplus_hub.access.scope import Role, Scope, insert_owned
from periplus_hub.access.service import Authenticator, create_token
from periplus_hub.addresses.free import tables as free_tables
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.addresses.overlaps import tables as overlaps_tables
from periplus_hub.addresses.ranges import tables as ranges_tables
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.findings import tables as findings
from periplus_hub.findings.config import NotificationsConfig
from periplus_hub.fleet import tables as fleet
from periplus_hub.ingest import tables as ingest
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.ids import new_id

from tests.support.clock import FakeClock
from tests.support.unhurried import UNHURRIED

SETTINGS = NotificationsConfig(receivers_file=Path(__file__).with_name("receivers.toml"))
SEEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    data: dict[str, Any] | None
    errors: list[dict[str, Any]]
    headers: httpx.Headers

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def good(self) -> dict[str, Any]:
        assert not self.errors, self.errors
        assert self.data is not None
        return self.data


class Door:
    """Knocks with a token and a document."""

    def __init__(self, app: GraphQLApp, http: httpx.AsyncClient | None = None) -> None:
        self.app = app
        self._http = http or httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub")

    async def ask(self, document: str, token: str | None, /, **variables: object) -> Answer:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self.post({"query": document, "variables": variables}, headers)

    async def post(self, message: object, headers: dict[str, str]) -> Answer:
        response = await self._http.post("/graphql", json=message, headers=headers)
        body = response.json()
        return Answer(response.status_code, body.get("data"), body.get("errors", []), response.headers)

    async def raw(self, method: str, content: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
        return await self._http.request(method, "/graphql", content=content, headers=headers)


def door(db: Database, clock: FakeClock, **extra: Any) -> Door:
    """The real endpoint, without a socket."""
    given: dict[str, Any] = {"settings": SETTINGS, "limits": UNHURRIED} | extra
    return Door(GraphQLApp(db, clock, Authenticator(db), **given))


async def token_for(db: Database, scope: Scope, role: Role) -> str:
    """A token of this role in the scope's tenant."""
    async with db.write(scope) as c:
        _, text = await create_token(c, scope, f"test-{role}", role, now=SEEN)
    return text


@dataclass(frozen=True)
class Fleet:
    """Ids of what `seed` made."""

    clusters: list[UUID]
    domains: list[UUID]
    group: UUID
    finding: UUID
    acceptance: UUID
    join_token: UUID
    pending: UUID
    empty_domain: UUID
    api_token: UUID
    reservation: UUID
    entered_range: UUID
    agent: UUID
    session: UUID

    @property
    def uuids(self) -> set[str]:
        """Everything that is this tenant's alone."""
        decided = (self.acceptance, self.reservation, self.entered_range)
        rest = (self.group, self.finding, self.join_token, self.pending, self.empty_domain, self.api_token, self.agent)
        return {str(each) for each in (*self.clusters, *self.domains, *decided, *rest, self.session)}

    @property
    def ids(self) -> dict[str, str]:
        """A global id of each kind."""
        cluster = self.clusters[0]
        return {
            "Cluster": f"Cluster:{cluster}",
            "Cluster2": f"Cluster:{self.clusters[1]}",
            "PendingCluster": f"Cluster:{self.pending}",
            "NetworkDomain": f"NetworkDomain:{self.domains[0]}",
            "NetworkDomain2": f"NetworkDomain:{self.domains[1]}",
            "EmptyDomain": f"NetworkDomain:{self.empty_domain}",
            "ApiToken": f"ApiToken:{self.api_token}",
            "Session": f"Session:{self.session}",
            "OverlapGroup": f"OverlapGroup:{self.group}",
            "OverlapAcceptance": f"OverlapAcceptance:{self.acceptance}",
            "RangeReservation": f"RangeReservation:{self.reservation}",
            "EnteredRange": f"EnteredRange:{self.entered_range}",
            "Finding": f"Finding:{self.finding}",
            "JoinToken": f"JoinToken:{self.join_token}",
            "NodeAgent": f"NodeAgent:{self.agent}",
            "Pod": f"Pod:{cluster}:pod-0",
            "KubernetesNode": f"KubernetesNode:{cluster}:node-0",
            "Namespace": f"Namespace:{cluster}:namespace-0",
            "Service": f"Service:{cluster}:service-0",
            "Workload": f"Workload:{cluster}:workload-0",
            "Endpoint": f"Endpoint:{cluster}:endpoint-0",
        }


async def seed(db: Database, scope: Scope, *, clusters: int = 2, objects: int = 2) -> Fleet:
    """A fleet: every cluster uses 10.244.0.0/16, so all are in one overlap group; ids differ per tenant."""
    ids = [new_id() for _ in range(2 * clusters)]
    made = Fleet(ids[:clusters], ids[clusters:], *(new_id() for _ in range(11)))
    async with db.write(scope) as c:
        for at, (cluster, domain) in enumerate(zip(made.clusters, made.domains, strict=True)):
            await _cluster(c, scope, at, cluster, domain)
            await _inventory(c, scope, cluster, objects)
            await _addresses(c, scope, cluster)
        await _tenant_wide(c, scope, made)
    return made


def keys(cidr: str) -> dict[str, object]:
    """`cidr`, `family`, `first_key` and `last_key` as the addresses slice stores them."""
    network = ip_network(cidr)
    family = bytes([network.version])
    ends = (network.network_address, network.broadcast_address)
    first, last = (family + int(end).to_bytes(16, "big") for end in ends)
    return {"cidr": cidr, "family": network.version, "first_key": first, "last_key": last}


async def _put(c: WriteConnection, scope: Scope, table: Any, *rows: Mapping[str, object]) -> None:
    for row in rows:
        await c.execute(insert_owned(scope, table, row))


async def _cluster(c: WriteConnection, scope: Scope, at: int, cluster: UUID, domain: UUID) -> None:
    await _put(c, scope, fleet.network_domains, {"id": domain, "name": f"domain-{at:03}", "description": "a VPC"})
    row = {
        "id": cluster, "name": f"cluster-{at:03}", "cluster_uid": str(cluster), "state": "active",
        "domain_id": domain, "public_key": "key", "method": "join-token", "last_seen_at": SEEN, "clock_skew_ms": 5,
    }  # fmt: skip
    await _put(c, scope, fleet.registrations, row)


async def _inventory(c: WriteConnection, scope: Scope, cluster: UUID, objects: int) -> None:
    own = {"registration_id": cluster}
    fact = own | {
        "uid": str(cluster),
        "provider": "aws",
        "region": "eu-west-1",
        "cnis": ["cilium"],
        "observed_at": SEEN,
    }
    await _put(c, scope, inventory.clusters, fact)
    source = own | {"uid": "pods", "state": "forbidden", "reason": "forbidden", "observed_at": SEEN}
    await _put(c, scope, inventory.sources, source)
    await _put(c, scope, inventory.counts, own | {"pods": objects, "nodes": objects})
    for at in range(objects):
        name = {"name": f"name-{at}"}
        placed = name | {"namespace": "default"}
        await _put(c, scope, inventory.namespaces, own | name | {"uid": f"namespace-{at}", "labels": ["a=b"]})
        await _put(c, scope, inventory.nodes, own | name | {"uid": f"node-{at}", "pod_cidrs": ["10.244.0.0/24"]})
        await _put(c, scope, inventory.workloads, own | placed | {"uid": f"workload-{at}", "kind": "Deployment"})
        await _put(c, scope, inventory.services, own | placed | {"uid": f"service-{at}", "type": "ClusterIP"})
        await _put(c, scope, inventory.endpoints, own | {"uid": f"endpoint-{at}", "namespace": "default"})
        pod = {
            "uid": f"pod-{at}",
            "ipv4": f"10.244.0.{at + 1}",
            "host_network": False,
            "valid_from": SEEN,
            "seen_at": SEEN,
        }
        await _put(c, scope, inventory.pods, own | placed | pod)
    aside = {"epoch": cluster, "seq": 3, "kind": "inventory", "reason": "bad_address", "rows": 2, "detail": "pods"}
    await _put(c, scope, ingest.quarantine, own | aside | {"id": new_id(), "sample": b"[{'uid': 'p'}]", "at": SEEN})
    outcome = {"hour_start": 1_767_225_600, "kind": "inventory", "collected": 7, "folded": 0, "settled": 7}
    await _put(c, scope, ingest.outcomes, own | outcome | {"rejected": 0, "dropped": {}})


async def _addresses(c: WriteConnection, scope: Scope, cluster: UUID) -> None:
    own = {"registration_id": cluster, "provider": "cluster", "source": "node"}
    for cidr in ("10.244.0.0/16", "10.244.1.0/24"):
        await _put(c, scope, ipam_tables.allocations, own | keys(cidr) | {"kind": "pod", "since": SEEN})
    pool = {"name": "default", "family": 4, "scope": "cluster", "cidrs": ["10.244.0.0/16"], "capacity": "65536"}
    await _put(c, scope, ipam_tables.pools, own | pool | {"quality": "nominal", "observed_at": SEEN})


async def _tenant_wide(c: WriteConnection, scope: Scope, made: Fleet) -> None:
    count = len(made.clusters)
    group = {"id": made.group, "severity": "latent", "clusters": count, "members": 2 * count, "pairs": count}
    times = {"since": SEEN, "changed_at": SEEN}
    await _put(c, scope, overlaps_tables.overlap_groups, keys("10.244.0.0/16") | group | times)
    for cluster in made.clusters:
        share = {"group_id": made.group, "registration_id": cluster, "severity": "latent", "uses": ["pod"]}
        await _put(c, scope, overlaps_tables.overlap_group_clusters, share | {"members": 2})
    await _put(c, scope, overlaps_tables.register_state, {"revision": 0, "at": SEEN})
    said = {"kind": "pod", "reach": "routed", "reason": "BGP", "set_by": "me", "set_at": SEEN}
    await _put(c, scope, ipam_tables.reach_corrections, said | {"registration_id": made.clusters[0]})
    await _put(c, scope, ipam_tables.domain_reach_corrections, said | {"domain_id": made.domains[0]})
    accepted = {"id": made.acceptance, "cidr": "10.99.0.0/16", "reason": "lab", "accepted_by": "me"}
    accepted |= {"severity": "latent", "clusters": count, "expires_at": SEEN + timedelta(days=36_500)}
    await _put(c, scope, overlaps_tables.overlap_acceptances, accepted)
    reserved = {key: value for key, value in keys("10.77.0.0/20").items() if key != "family"}
    reserved |= {
        "id": made.reservation,
        "kind": "pod",
        "cluster_name": "cluster-000",
        "reason": "",
        "reserved_by": "me",
    }
    reserved |= {"expires_at": SEEN + timedelta(days=3_650)}
    await _put(c, scope, free_tables.range_reservations, reserved)
    entered = {"id": made.entered_range, "domain_id": made.empty_domain, "use": "office", "name": "Berlin"}
    entered |= {"source": "entered", "created_at": SEEN, "created_by": "me", "changed_at": SEEN, "changed_by": "me"}
    finding = {
        "id": made.finding, "detector": "test", "fingerprint": "x", "severity": "warning", "state": "open",
        "title": "Something", "why": "because", "what_to_do": "this", "evidence": {"cidr": "10.244.0.0/16"},
        "registration_id": made.clusters[0], "opened_at": SEEN, "changed_at": SEEN,
    }  # fmt: skip
    await _put(c, scope, findings.findings, finding)
    token = {"id": made.join_token, "public_id": str(made.join_token), "secret_sha256": "x", "auto_approve": False}
    token |= {"created_by": "me", "expires_at": SEEN + timedelta(hours=1)}
    await _put(c, scope, fleet.join_tokens, token)
    agent = {"id": made.agent, "registration_id": made.clusters[0], "node_name": "name-0", "public_key": "key"}
    agent |= {"join_token": "ppj_0", "spoke_version": "0.1.0", "contract": "1.0", "earlier": 0}
    await _put(c, scope, fleet.agents, agent | {"joined_at": SEEN, "heard_at": SEEN})
    pending = {"id": made.pending, "name": "pending", "cluster_uid": "x", "state": "pending", "public_key": "key"}
    await _put(c, scope, fleet.registrations, pending | {"domain_id": made.domains[0], "method": "join-token"})
    await _put(c, scope, fleet.network_domains, {"id": made.empty_domain, "name": "empty"})
    ends = sorted([made.empty_domain, made.domains[-1]])
    await _put(c, scope, fleet.domain_connections, {"domain_a": ends[0], "domain_b": ends[1], "mode": "nat"})
    await _who_asks(c, scope, made)
    await _put(c, scope, ranges_tables.entered_ranges, keys("192.168.40.0/24") | entered)


async def _who_asks(c: WriteConnection, scope: Scope, made: Fleet) -> None:
    api_token = {"id": made.api_token, "name": "ci", "role": "viewer", "prefix": str(made.api_token)}
    await _put(c, scope, access.api_tokens, api_token | {"secret_sha256": "x"})
    signed_in = {"id": made.session, "secret_sha256": str(made.session), "sign_in_sha256": str(made.session)}
    signed_in |= {"issuer": "https://login.example.org", "subject": "2482", "name": "ada", "role": "operator"}
    signed_in |= {"groups": ["network-team"], "signed_in_at": SEEN, "last_seen_at": SEEN}
    always = SEEN + timedelta(days=36_500)
    await _put(c, scope, access.sessions, signed_in | {"idle_ends_at": always, "ends_at": always})
