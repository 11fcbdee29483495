"""Clusters whose pods are in regions and zones."""

from datetime import timedelta

from periplus_hub.access.scope import Scope

from tests.support.batches import Spoke, node, pod, upsert
from tests.support.clock import START
from tests.support.flow_hub import FlowHub
from tests.support.spokes_door import Member

Where = tuple[str, str | None, str | None]
Told = tuple[Member, Spoke]


async def located(
    hub: FlowHub, tenant: Scope, name: str, number: int, provider: str | None, *where: Where, account: str | None = None
) -> Told:
    """A cluster with a node and a pod on it in each of these places (a workload's name, region and zone)."""
    member = await hub.door.member(tenant, name)
    before = START - timedelta(days=1)
    ips = [f"10.{number}.0.{at}" for at in range(1, len(where) + 1)]
    pods = [
        pod(f"p{at}", ip, before, node=f"node-{at}", workload_kind="Deployment", workload_name=each[0])
        for at, (ip, each) in enumerate(zip(ips, where, strict=True))
    ]
    nodes = [
        node(str(at), f"InternalIP=192.168.{number}.{at}", at=before, region=region, zone=zone)
        for at, (_, region, zone) in enumerate(where)
    ]
    itself = [upsert("itself", before, provider=provider, account=account)]
    spoke = Spoke(member.registration, at=before)
    await member.send(spoke.snapshot({"cluster": itself, "pods": pods, "nodes": nodes}))
    return member, spoke
