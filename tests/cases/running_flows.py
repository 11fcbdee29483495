"""Cases of flows, each in a hub of its own: enrol its clusters, send what it says, ask as a person does, judge."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.fleet import service as fleet
from periplus_hub.fleet.model import Mode
from periplus_hub.kit.db import Database

from tests.cases.flow_case import START, Cluster, FlowCase, Pod, Row, moment, told_end, workload
from tests.cases.judging_flows import differences
from tests.support.batches import Spoke, gone, node, service, upsert
from tests.support.clock import FakeClock
from tests.support.flow_hub import Flow, FlowHub, Peer, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.hub_db import PostgresForTests, Server, make_template, make_tenant
from tests.support.overlap_fleet import allocation
from tests.support.spokes_door import Member

Json = dict[str, Any]

REPORTERS = {"client": 1, "server": 2, "both": 3}
_BEFORE = timedelta(hours=1)
_ASK = """query($cross: Boolean!, $since: DateTime!) {
  dependencies(first: 500, filter: {crossCluster: $cross}, since: $since) {
    edges {
      source { cluster { name } namespace kind name rules } destination { cluster { name } namespace kind name rules }
      ports { port } bytesTx bytesRx connectionsOpened failures state onlySeenBy
    }
    edgeCount
    coverage { ratio sampling lateClusters { name } clustersWithoutFlows { name } }
  }
}"""
_LINKS = """query($since: DateTime!) {
  zone: clusterLinks(first: 500, by: ZONE, since: $since) { ...Found }
  region: clusterLinks(first: 500, by: REGION, since: $since) { ...Found }
}
fragment Found on ClusterLinks {
  linkCount links { clusterA { name } clusterB { name } placeA { ...Place } placeB { ...Place } bytesAToB bytesBToA }
}
fragment Place on LinkPlace { isKnown provider region zone }"""
_OWNER = """SELECT owner, namespace, kind, workload, candidates FROM flow_identities
  WHERE registration = {registration:UUID} AND address = toIPv6({ip:String}) AND since <= {at:UInt32}
    AND hour <= {at:UInt32} AND hour > {at:UInt32} - 3600 ORDER BY since DESC LIMIT 1"""


@dataclass(frozen=True)
class Told:
    """A cluster of the case, and its spoke."""

    cluster: Cluster
    member: Member
    spoke: Spoke


def run(cases: Sequence[FlowCase]) -> Iterator[list[str]]:
    """The differences of each case, in the order given; none is as it should be."""
    with TemporaryDirectory(prefix="periplus-flow-cases-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, PostgreSQL runs as somebody who has to pass
        with asyncio.Runner() as runner:
            server = EmbeddedPostgres(folder / "server", ephemeral=True)
            runner.run(server.start())
            try:
                postgres = PostgresForTests(cast("Server", server))
                runner.run(make_template(postgres))
                for number, case in enumerate(cases):
                    yield runner.run(_judged(case, postgres, folder / f"case-{number}"))
            finally:
                runner.run(server.stop())


async def _judged(case: FlowCase, postgres: PostgresForTests, folder: Path) -> list[str]:
    url = await postgres.copy()
    clock = FakeClock(START - timedelta(days=1))
    db = Database(url, clock)
    try:
        scope = await make_tenant(db, "case")
        assert isinstance(scope, Scope)
        async with flow_hub(db, folder / "flows", (IpamApplier(IpamConfig()),)) as hub:
            told = await _enrolled(hub, case, scope)
            await _say(hub, case, told, clock)
            found = await _asked(hub, case, scope, told)
            return list(differences(case, *found))
    finally:
        await db.dispose()
        await postgres.drop(url)


async def _enrolled(hub: FlowHub, case: FlowCase, scope: Scope) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for cluster in case.clusters:
        member = await hub.door.member(scope, cluster.name)
        told[cluster.name] = Told(cluster, member, Spoke(member.registration))
        if cluster.ranges:
            told[cluster.name].spoke.at = hub.db.clock.now()
            await member.send(told[cluster.name].spoke.ipam({"allocations": _ranges(cluster)}))
    now = hub.db.clock.now()
    domains = {}
    async with hub.db.write(scope) as c:
        for name in sorted({cluster.domain or cluster.name for cluster in case.clusters}):
            members = [
                told[each.name].member.registration for each in case.clusters if (each.domain or each.name) == name
            ]
            domains[name] = (await fleet.create_domain(c, scope, f"domain of {name}")).id
            await fleet.move_clusters(c, scope, domains[name], members, now=now)
        for each in case.connections:
            pair = (domains[each.domains[0]], domains[each.domains[1]])
            await fleet.connect(c, scope, pair, Mode(each.mode), now=now)
        for entered in case.ranges:
            where = domains[entered.domain]
            wish = Wish(domain_id=where, cidr=entered.cidr, use=RangeUse(entered.use), name=entered.name)
            await add_range(c, scope, wish, now)
    return told


async def _say(hub: FlowHub, case: FlowCase, told: dict[str, Told], clock: FakeClock) -> None:
    """What is known in time, then the rows, then what is told late; the hub makes edges after each."""
    clock.advance((moment(case.now) - clock.now()).total_seconds())
    for each in told.values():
        await each.member.renew()
        each.spoke.at = START - _BEFORE
        pods = [(number, pod) for number, pod in enumerate(each.cluster.pods) if not pod.told]
        await each.member.send(each.spoke.snapshot(_inventory(each.cluster, [_pod(*pod) for pod in pods])))
        for at, changes in sorted(_meanings(each.cluster).items()):
            each.spoke.at = at
            await each.member.send(each.spoke.delta({"meanings": changes}))
        ended = [_gone(number, pod) for number, pod in pods if pod.until]
        if ended:
            each.spoke.at = max(moment(pod.until) for _, pod in pods if pod.until)
            await each.member.send(each.spoke.delta({"pods": ended}))
    for row in case.rows:
        sender = told[row.by]
        sealed = seal_flows(sender.spoke, list(_flows(row)))
        for _ in range(row.times):
            await sender.member.send(sealed)
    await hub.settle()
    for each in told.values():
        for number, pod in enumerate(each.cluster.pods):
            if pod.told:
                each.spoke.at = moment(pod.told)
                rows = [_pod(number, pod), *([_gone(number, pod)] if pod.until else [])]
                for change in rows:
                    await each.member.send(each.spoke.delta({"pods": [change]}))
    await hub.settle()


def _inventory(cluster: Cluster, pods: list[Json]) -> dict[str, list[Json]]:
    at = START - _BEFORE
    nodes = [
        node(each.name, *(f"InternalIP={ip}" for ip in each.ips), *(f"ExternalIP={ip}" for ip in each.external), at=at)
        | {"name": each.name, "region": each.region or None, "zone": each.zone or None}
        for each in cluster.nodes
    ]
    services = [
        service(
            f"service-{number}", *each.cluster_ips, at=at, namespace=each.namespace, name=each.name, ports=each.ports
        )
        | {"load_balancer_ips": each.load_balancer_ips}
        for number, each in enumerate(cluster.services)
    ]
    itself = [upsert(f"uid-of-{cluster.name}", at, aliases=cluster.aliases, provider=cluster.provider or None)]
    return {
        "cluster": itself,
        "pods": pods,
        "nodes": nodes,
        "services": services,
        "endpoints": list(_endpoints(cluster)),
    }


def _meanings(cluster: Cluster) -> dict[datetime, list[Json]]:
    """What is told of them when."""
    changes: dict[datetime, list[Json]] = {}
    for number, each in enumerate(cluster.meanings):
        uid = f"meaning-{number}"
        names = ("source", "role", "cidr", "kind", "namespace", "name", "clusters")
        said = {name: getattr(each, name) for name in names}
        changes.setdefault(moment(each.since), []).append(upsert(uid, moment(each.since), **said))
        if each.until:
            changes.setdefault(moment(each.until), []).append(gone(uid, moment(each.until)))
    return changes


def _ranges(cluster: Cluster) -> list[Json]:
    at = START - timedelta(days=1)
    return [allocation(each.kind, each.cidr, reach=each.reach or None, observed_at=at) for each in cluster.ranges]


def _endpoints(cluster: Cluster) -> Iterator[Json]:
    for each in cluster.services:
        for number, pod in enumerate(cluster.pods):
            if {workload(text) for text in each.backends} & {workload(pod.workload)}:
                yield upsert(
                    f"{each.namespace}/{each.name}/pod-{number}",
                    START - _BEFORE,
                    namespace=each.namespace,
                    service=each.name,
                    address=pod.ips[0],
                    target_uid=f"pod-{number}",
                    target_kind="Pod",
                    ports=["|".join((*text.split("|")[:2], text.split("|")[3], "")) for text in each.ports],
                )


def _pod(number: int, pod: Pod) -> Json:
    namespace, kind, name = workload(pod.workload)
    ips = {f"ipv{6 if ':' in ip else 4}": ip for ip in pod.ips}
    told = moment(pod.told) if pod.told else START - _BEFORE
    columns = {"namespace": namespace, "name": f"{name}-{number}", "workload_kind": kind, "workload_name": name}
    fixed = {"node": pod.node, "phase": "Running", "host_network": False, "labels": []}
    return upsert(f"pod-{number}", told, **columns, **ips, **fixed, started_at=moment(pod.since))


def _gone(number: int, pod: Pod) -> Json:
    return gone(f"pod-{number}", moment(pod.until), ended_at=moment(pod.until))


def _flows(row: Row) -> Iterator[Flow]:
    for number in range(row.windows):
        yield Flow(
            _peer(row.src),
            _peer(row.dst),
            seconds(moment(row.at)) + number * row.window_s,
            REPORTERS[row.reporter],
            port=row.port,
            protocol=row.protocol,
            window_s=row.window_s,
            sampling=row.sampling,
            measures=row.measures,
        )


def _peer(text: str) -> Peer:
    address, named, cluster = told_end(text)
    return Peer(address or "::", named, cluster)


async def _asked(hub: FlowHub, case: FlowCase, scope: Scope, told: dict[str, Told]) -> tuple[Json, Json, list[Json]]:
    token = await token_for(hub.db, scope, Role.VIEWER)
    clock = hub.db.clock
    assert isinstance(clock, FakeClock)
    variables = {"cross": case.cross_cluster, "since": START.isoformat()}
    asking = door(hub.db, clock, columns=hub.store)
    answer = (await asking.ask(_ASK, token, **variables)).good["dependencies"]
    links = (await asking.ask(_LINKS, token, since=variables["since"])).good
    names = {each.member.registration: name for name, each in told.items()}
    owners = []
    for owner in case.expect.owners:
        asked = {"registration": told[owner.seen_from].member.registration, "ip": owner.ip}
        rows = await hub.rows(scope, _OWNER, **asked, at=seconds(moment(owner.at)))
        owners.append({"clusters": names, "rows": rows})
    return answer, links, owners
