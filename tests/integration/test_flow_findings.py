"""What detectors say of flows: through the doors of spokes, the flow store, and `periplus findings list`'s field."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.jobs_flows import FlowLookJob
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, flow_hub, seal_flows, seconds

HOUR = 3_600
AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
DB = Peer(workload="data/StatefulSet/db")


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


def hourly(src: Peer, dst: Peer, hours: range, **more: Any) -> list[Flow]:
    return [Flow(src, dst, AT + HOUR * hour, BOTH, window_s=HOUR, **more) for hour in hours]


async def test_scratch(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    clock.advance(80 * HOUR + 300)
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    ok = {"connections_opened": 100, "failures_refused": 0, "failures_timeout": 0, "rtt_us_sum": 100_000, "rtt_count": 100}
    bad = {**ok, "failures_refused": 60, "rtt_us_sum": 3_000_000}
    flows = [
        *hourly(WEB, API, range(80)),
        *hourly(API, DB, range(75)),
        *hourly(DB, WEB, range(78), measures=ok),
        *hourly(DB, WEB, range(78, 80), measures=bad),
        *hourly(WEB, DB, range(79, 80)),
        *hourly(WEB, Peer("198.51.100.7"), range(79, 80)),
    ]
    answer = await member.send(seal_flows(spoke, flows))
    print(answer)
    import time

    t = time.time()
    await hub.settle()
    print("settled", time.time() - t)
    looks = FlowLooks()
    now = clock.now()
    t = time.time()
    await FlowLookJob(hub.db, hub.store, looks).look(tenant.tenant_id, now)
    print("looked", time.time() - t)
    print(looks.coverage(tenant.tenant_id, now))
    w = looks.watched(tenant.tenant_id, now)
    for each in [*w.new, *w.quiet, *w.lopsided, *w.hours]:
        print(each)
    await FindingsJob(hub.db, None, looks).run(now)
    from periplus_hub.findings.tables import findings
    from sqlalchemy import select
    async with hub.db.read(tenant) as c:
        for r in await c.rows(select(findings.c.detector, findings.c.severity, findings.c.title, findings.c.why, findings.c.evidence)):
            print(tuple(r))
