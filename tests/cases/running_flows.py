"""Cases of flows, each in a hub of its own: enrol its clusters, send what it says, ask as a person does, judge."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.fleet import service as fleet
from periplus_hub.fleet.model import Mode
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.model import DAY_S, HOUR_S
from periplus_hub.kit.db import Database

from tests.cases.case import UnreadableCase
from tests.cases.flow_case import ENROLLED_AT, START, Cluster, FlowCase, Pod, Row, moment, told_end, workload
from tests.cases.judging_findings import finding_differences
from tests.cases.judging_flows import differences
from tests.cases.looking_flows import Watch
from tests.support.batches import Spoke, gone, node, service, upsert
from tests.support.clock import FakeClock
from tests.support.flow_hub import Flow, FlowHub, Peer, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.hub_db import PostgresForTests, Server, make_template, make_tenant
from tests.support.overlap_fleet import allocation
from tests.support.spokes_door import Member, RefusedByHubError
from tests.support.unhurried import UNHURRIED

Json = dict[str, Any]

REPORTERS = {"client": 1, "server": 2, "both": 3}
_BEFORE = timedelta(hours=1)
_KEPT = FlowsConfig(flow_raw_days=365)
"""Rows of long ago become edges here at once, which come day by day elsewhere."""
_LISTED = ("apps/deployments", "apps/statefulsets", "apps/daemonsets", "batch/cronjobs")
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
    AND host = {host:String} AND hour <= {at:UInt32} AND hour > {at:UInt32} - 3600 ORDER BY since DESC LIMIT 1"""


@dataclass(frozen=True)
class Told:
    """A cluster of the case, and its spoke."""

    cluster: Cluster
    member: Member
    spoke: Spoke


def run(cases: Sequence[FlowCase]) -> Iterator[list[str] | UnreadableCase]:
    """The differences of each case, in the order given; none is as it should be. Or why it could not be sent."""
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
                    try:
                        yield runner.run(_judged(case, postgres, folder / f"case-{number}"))
                    except (RefusedByHubError, UnreadableCase) as error:
                        yield UnreadableCase(f"{case.id}: the hub does not take what a spoke of it sends: {error}")
            finally:
                runner.run(server.stop())


async def _judged(case: FlowCase, postgres: PostgresForTests, folder: Path) -> list[str]:
    url = await postgres.copy()
    clock = FakeClock(ENROLLED_AT)
    db = Database(url, clock)
    try:
        scope = await make_tenant(db, "case")
        assert isinstance(scope, Scope)
        async with flow_hub(db, folder / "flows", (IpamApplier(IpamConfig()),)) as hub:
            hub.config = _KEPT
            told = await _enrolled(hub, case, scope)
            watch = Watch.of(hub, scope, case, clock)
            await _say(watch, told)
            found = await _asked(hub, case, scope, told)
            return [*differences(case, *found), *finding_differences(case.expect, *await watch.found())]
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


async def _say(watch: Watch, told: dict[str, Told]) -> None:
    """Each cluster's spoke tells everything when it is heard last; most are when the hub is asked."""
    heard = {name: moment(each.cluster.heard_until or watch.case.now) for name, each in told.items()}
    for at in sorted({*heard.values(), moment(watch.case.now)}):
        await watch.until(at, [each.member for name, each in told.items() if heard[name] >= at])
        await _say_all(watch, {name: each for name, each in told.items() if heard[name] == at})


async def _say_all(watch: Watch, told: dict[str, Told]) -> None:
    """What is known in time, then the rows, then what is told late; the hub makes edges after each."""
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
        await _tell_times(watch, each)
    for row in watch.case.rows:
        if row.by in told:
            await _tell_rows(told[row.by], row)
    await watch.hub.settle()
    for each in told.values():
        for number, pod in enumerate(each.cluster.pods):
            if pod.told:
                each.spoke.at = moment(pod.told)
                rows = [_pod(number, pod), *([_gone(number, pod)] if pod.until else [])]
                for change in rows:
                    await each.member.send(each.spoke.delta({"pods": [change]}))
    await watch.hub.settle()


async def _tell_rows(sender: Told, row: Row) -> None:
    """One batch tells what follows each other, up to a day of it: the time of a batch is all told."""
    flows = list(_flows(row))
    at_once = DAY_S // row.window_s if row.every_s in {None, row.window_s} else 1
    for first in range(0, len(flows), at_once):
        sealed = seal_flows(sender.spoke, flows[first : first + at_once])
        for _ in range(row.times):
            if rejected := (await sender.member.send(sealed)).rejected:
                raise UnreadableCase(f"rows of {sender.cluster.name} are set aside: {rejected}")


async def _tell_times(watch: Watch, told: Told) -> None:
    """Times of which a source told, in batches without rows. What it had is said in that of the last hour."""
    sources = {"": (told.member, told.spoke)}
    for node_name in sorted({each.node for each in told.cluster.tells} - sources.keys()):
        agent = await watch.hub.door.agent(watch.scope, told.member.registration, node_name)
        sources[node_name] = (agent, Spoke(agent.registration))
    for each in told.cluster.tells:
        member, spoke = sources[each.node]
        first, end = seconds(moment(each.since)), seconds(moment(each.until or watch.case.now))
        last = max(first, end - HOUR_S)
        for start in range(first, last, DAY_S):
            window = {"window_start_s": start, "window_s": min(DAY_S, last - start)}
            await member.send(seal_flows(spoke, [], **window, flows=FlowsMark(node=each.node)))
        had = {name: getattr(each, name) for name in ("node", "observed", "unmeasured", "other_rows", "lost")}
        await member.send(seal_flows(spoke, [], window_start_s=last, window_s=end - last, flows=FlowsMark(**had)))


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
    listed = [] if cluster.workloads is None else [upsert(each, at, state="ok") for each in _LISTED]
    return {
        "sources": listed,
        "workloads": list(_workloads(cluster)),
        "cluster": itself,
        "pods": pods,
        "nodes": nodes,
        "services": services,
        "endpoints": list(_endpoints(cluster)),
    }


def _workloads(cluster: Cluster) -> Iterator[Json]:
    for number, each in enumerate(cluster.workloads or ()):
        namespace, kind, name = workload(each.name)
        columns = {"namespace": namespace, "kind": kind, "name": name, "replicas": each.replicas}
        yield upsert(f"workload-{number}", START - _BEFORE, **columns)


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
            replace(_peer(row.dst), host=row.host),
            seconds(moment(row.at)) + number * (row.every_s or row.window_s),
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
    asking = door(hub.db, clock, columns=hub.store, limits=UNHURRIED)
    answer = (await asking.ask(_ASK, token, **variables)).good["dependencies"]
    links = (await asking.ask(_LINKS, token, since=variables["since"])).good
    names = {each.member.registration: name for name, each in told.items()}
    owners = []
    for owner in case.expect.owners:
        asked = {"registration": told[owner.seen_from].member.registration, "ip": owner.ip, "host": owner.host}
        rows = await hub.rows(scope, _OWNER, **asked, at=seconds(moment(owner.at)))
        owners.append({"clusters": names, "rows": rows})
    return answer, links, owners
