"""A spoke that starts again while some of its cluster cannot be read takes nothing away from the hub."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.tables import allocations
from periplus_hub.inventory import tables
from periplus_hub.kit.db import Database
from periplus_spoke.collectors.cluster_collectors import ClusterCollectors
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient, KubeSettings
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.sink import OutboxSink

from tests.support.clock import FakeClock
from tests.support.collecting import EVERYTHING, BelievingSink
from tests.support.kube_api import FakeKube, Trouble, write_kubeconfig
from tests.support.kube_objects import node, owned_by, pod, service
from tests.support.overlap_fleet import Fleet
from tests.support.spokes_door import Member

NODES, PODS, SERVICES = "/api/v1/nodes", "/api/v1/pods", "/api/v1/services"
CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
DEPLOYMENTS = "/apis/apps/v1/deployments"
DAEMONSETS = "/apis/apps/v1/daemonsets"
REFUSED = Trouble(status=403, times=999)
BROKEN = Trouble(status=500, times=999)
SLOW = Trouble(hang=True, times=999)
STATES = {403: "forbidden", 500: "failed", 0: "slow"}


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


class HubTime(SystemClock):
    """Waits really pass; the wall is the hub's."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def wall_us(self) -> int:
        return self._clock.wall_us()


class Cluster:
    """A cluster, its spoke's folder, and lives of that spoke one after the other."""

    def __init__(self, fleet: Fleet, member: Member, folder: Path) -> None:
        self.fleet, self.member, self.folder = fleet, member, folder
        self.kube = FakeKube()
        self.kube.put(NODES, node("n1", podCIDRs=["10.244.0.0/26"], providerID="aws:///eu-west-1a/i-1"))
        self.kube.put(NODES, node("n2", podCIDRs=["10.244.0.64/26"]))
        self.kube.put(PODS, pod("a", ("10.244.0.5",)))
        self.kube.put(PODS, pod("b", ("10.244.0.66",), owners=owned_by("DaemonSet", "agent", "uid-agent")))
        self.kube.put(SERVICES, service("web", ingress=[{"ip": "198.51.100.4"}], externalIPs=["203.0.113.7"]))
        self.kube.put(CIDRS, {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16"]}})
        self.kube.put(DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "default"}})
        self.kube.put(DAEMONSETS, {"metadata": {"name": "kindnet", "namespace": "kube-system"}})

    @asynccontextmanager
    async def life(self, *, wait_s: float = 10) -> AsyncIterator[BelievingSink]:
        """The spoke runs until its first statement is sealed; all it sealed has arrived when the block ends."""
        clock = self.fleet.db.clock
        assert isinstance(clock, FakeClock)
        clock.advance(600)
        timer, told, thread = HubTime(clock), BelievingSink(), OutboxThread()
        outbox = Outbox(FolderFileSystem(self.folder), timer, random.Random(1), str(self.member.registration))
        sink = OutboxSink(thread, outbox, ChangeSignal(), timer)

        class Noting:
            async def emit(self, sealable: Sealable) -> None:
                await sink.emit(sealable)
                await told.emit(sealable)

        async with self.kube.serving() as url:
            config = write_kubeconfig(self.folder.with_suffix(".yaml"), url)
            settings = KubeSettings(requests_per_s=1_000, burst=1_000, request_timeout_s=5)
            client = KubeClient(KubeconfigCredentials(str(config)), timer, settings)
            quick = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=wait_s)
            collectors = ClusterCollectors(client, quick, timer, random.Random(2))
            task = asyncio.create_task(collectors.run(Noting()))
            await collectors.wait_until_settled()
            try:
                yield told
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await client.close()
                thread.close()
        for opened in [outbox.read(identity) for identity in outbox.held()]:
            assert opened is not None
            await self.member.send(opened.sealed)
        await self.fleet.settle()

    async def known(self) -> dict[str, Any]:
        """What the hub has of it, without what is expected to move."""
        async with self.fleet.db.read(self.fleet.scope) as c:
            found: dict[str, Any] = {
                name: {row.uid for row in await c.rows(select(table.c.uid))}
                for name, table in (
                    ("nodes", tables.nodes),
                    ("services", tables.services),
                    ("cidrs", tables.service_cidrs),
                    ("workloads", tables.workloads),
                )
            }
            found["pods"] = {
                row.uid for row in await c.rows(select(tables.pods).where(tables.pods.c.valid_to.is_(None)))
            }
            found["cluster"] = [
                (row.region, row.provider, row.cnis, row.kubernetes_version)
                for row in await c.rows(select(tables.clusters))
            ]
            rows = await c.rows(select(allocations).where(allocations.c.registration_id == self.member.registration))
            found["allocations"] = {(row.kind, str(row.cidr), row.source, row.since) for row in rows}
        found["groups"] = [(str(group.cidr), group.since) for group in await self.fleet.groups(86_400)]
        return found

    async def source(self, name: str) -> tuple[str, Any]:
        async with self.fleet.db.read(self.fleet.scope) as c:
            (row,) = await c.rows(select(tables.sources).where(tables.sources.c.uid == name))
        return row.state, row.as_of


@pytest.fixture
async def cluster(fleet: Fleet, tmp_path: Path) -> Cluster:
    folder = tmp_path / "outbox"
    folder.mkdir()
    await fleet.cluster("other", ("pod", "10.244.0.0/16"), ("service", "10.96.0.0/16"), ("node", "192.168.0.0/24"))
    return Cluster(fleet, await fleet.door.member(fleet.scope, "prod"), folder)


@pytest.mark.promise("nothing-disappears")
@pytest.mark.parametrize(
    ("paths", "trouble"),
    [
        ((NODES,), REFUSED),
        ((PODS,), SLOW),
        ((SERVICES,), BROKEN),
        ((CIDRS,), REFUSED),
        ((CIDRS,), BROKEN),
        ((NODES, PODS), BROKEN),
        ((NODES, PODS), SLOW),
        ((DAEMONSETS, DEPLOYMENTS), REFUSED),
    ],
)
async def test_what_cannot_be_read_after_a_restart_is_not_gone(
    cluster: Cluster, paths: tuple[str, ...], trouble: Trouble
) -> None:
    async with cluster.life():
        pass
    before = await cluster.known()
    assert {kind for kind, *_ in before["allocations"]} == {"pod", "node", "service", "loadbalancer", "external"}
    assert len(before["groups"]) >= 3
    for path in paths:
        cluster.kube.trouble(path, replace(trouble))
    async with cluster.life(wait_s=0.5 if trouble.hang else 10):
        pass
    after = await cluster.known()
    assert after == before
    state, as_of = await cluster.source(paths[0].removeprefix("/api/v1/").removeprefix("/apis/").replace("/v1/", "/"))
    assert (state, as_of is not None) == (STATES[trouble.status], True)


async def test_what_vanished_unseen_ends_once_its_kind_is_read_again(cluster: Cluster) -> None:
    async with cluster.life():
        pass
    await cluster.kube.end_watches()
    for path, name in ((NODES, "n2"), (SERVICES, "web"), (PODS, "b"), (DEPLOYMENTS, "web"), (CIDRS, "kubernetes")):
        cluster.kube.forget(path, name, "default" if path in {PODS, SERVICES, DEPLOYMENTS} else "")
        cluster.kube.trouble(path, Trouble(status=500, times=2))
    async with cluster.life(wait_s=0.2) as told:
        await told.until(lambda hub: any(EVERYTHING.issubset(each.covers) for each in hub.told))
        await told.until(lambda hub: {"allocations/pod", "allocations/service"}.issubset(hub.told[-1].covers))
    found = await cluster.known()
    assert {name: len(found[name]) for name in ("nodes", "pods", "services", "workloads", "cidrs")} == {
        "nodes": 1,
        "pods": 1,
        "services": 0,
        "workloads": 1,
        "cidrs": 0,
    }
    assert {(kind, cidr) for kind, cidr, *_ in found["allocations"]} == {
        ("node", "192.168.0.10/32"),
        ("pod", "10.244.0.0/26"),
    }


async def test_a_kind_that_was_never_readable_holds_back_only_what_is_made_of_it(cluster: Cluster) -> None:
    for path in (NODES, CIDRS):
        cluster.kube.trouble(path, replace(REFUSED))
    async with cluster.life():
        pass
    found = await cluster.known()
    assert {(kind, cidr, source) for kind, cidr, source, _ in found["allocations"]} == {
        ("pod", "10.244.0.5/32", "pods"),
        ("pod", "10.244.0.66/32", "pods"),
        ("service", "10.96.0.10/32", "services"),
        ("loadbalancer", "198.51.100.4/32", "services"),
        ("external", "203.0.113.7/32", "services"),
    }
    assert (len(found["nodes"]), len(found["pods"]), len(found["services"])) == (0, 2, 1)
