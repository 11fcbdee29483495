"""Roll-up: one closed hour of 5 M raw rows of 1,000 clusters, from addresses to merged edges, replaced at once.

Every edge is reported by both of its ends, minute by minute and by address alone, as agents of nodes do; a fifth of
the edges crosses clusters of one network domain. 600 k pods had addresses in that hour, on nodes in three zones.
`told_s` is the same hour with
edges that spokes merged themselves, so that only what crosses clusters is merged by the hub. `group_s` is the bare
engine: the sums of the hour's rows by ends as they were told, without resolving or merging anything.

Run: make bench ROW=rollup        (python -m benchmarks.rollup 100 for a smaller fleet)
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter, process_time
from typing import Final

from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.fleet import service as fleets
from periplus_hub.flows import repository_blocks
from periplus_hub.flows.service_rollup import RollUp
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database

from benchmarks._row import report
from benchmarks._stores import new_tenant, stores
from tests.support.graphql_hub import seed

TARGET_S: Final = 5
CLUSTERS: Final = 1_000
DOMAIN: Final = 10
"""Clusters of one network domain."""
WORKLOADS: Final = 300
EDGES: Final = 300
"""Of each cluster."""
WINDOWS: Final = 9
"""Minutes of the hour in which anything passed over an edge."""
CLIENT, SERVER, BOTH = 1, 2, 3
HOUR: Final = int(datetime.now(UTC).timestamp()) // 3_600 * 3_600 - 7_200
_PODS: Final = text("""
    INSERT INTO pods (tenant_id, registration_id, uid, namespace, name, node, workload_kind, workload_name, ipv4,
      phase, host_network, valid_from, seen_at)
    SELECT :tenant, c.id, 'pod-' || p, 'team-' || p % 20, 'w' || p / 2 || '-' || p % 2, 'node-' || p % 10, 'Deployment',
      'w' || p / 2, ('10.' || c.at % :domain || '.' || p / 250 || '.' || p % 250 + 1)::inet, 'Running', false,
      :since, :since
    FROM unnest(CAST(:clusters AS uuid[])) WITH ORDINALITY AS c(id, at), generate_series(0, :pods - 1) AS p
""")
_NODES: Final = text("""
    INSERT INTO endpoint_addresses (tenant_id, registration_id, owner_kind, owner_uid, ip, role, name, node, region,
      zone, valid_from)
    SELECT :tenant, c.id, 'node', 'node-' || n, ('192.168.' || c.at % :domain || '.' || n + 1)::inet, 'InternalIP',
      'node-' || n, 'node-' || n, 'region-1', 'zone-' || n % 3, :since
    FROM unnest(CAST(:clusters AS uuid[])) WITH ORDINALITY AS c(id, at), generate_series(0, 9) AS n
""")
_ROWS: Final = """
    INSERT INTO flows (block, registration, window_start, window_s, reporter, collector, protocol, verdict, src_address,
      dst_address, dst_port, bytes_tx, bytes_rx, packets_tx, packets_rx, connections_opened, connections_closed,
      unmeasured, sampling)
    WITH arrayMap(each -> toUUID(each), {clusters:Array(String)}) AS ids
    SELECT 1, ids[if(told = 2, target, source) + 1], {hour:UInt32} + 60 * minute, 60, told, 1, 6, 1,
      address(source, from_pod), address(target, to_pod), 8000 + edge % 20, 1000 + cityHash64(edge, minute) % 100000,
      500 + cityHash64(minute, edge) % 5000, 10, 8, 1, 1, 992, 1
    FROM (
      SELECT intDiv(n, {windows:UInt32}) AS number, number % {edges:UInt32} AS edge,
        intDiv(number, {edges:UInt32}) AS source, (n % {windows:UInt32} * 7 + edge) % 60 AS minute,
        cityHash64(source, edge) % {pods:UInt32} AS from_pod, cityHash64(edge, source) % {pods:UInt32} AS to_pod,
        if(edge % 5 = 0, intDiv(source, {domain:UInt32}) * {domain:UInt32} + edge % {domain:UInt32}, source) AS target,
        arrayJoin(if(target = source AND {merged:UInt8}, [3], [1, 2])) AS told
      FROM (SELECT number AS n FROM numbers({total:UInt64})))
"""
_ADDRESS: Final = """
    CREATE FUNCTION IF NOT EXISTS address AS (cluster, pod) -> toIPv6(concat('::ffff:10.', toString((cluster + 1) % 10),
      '.', toString(intDiv(pod, 250)), '.', toString(pod % 250 + 1)))
"""
_GROUP: Final = """
    SELECT count() FROM (SELECT registration, src_address, dst_address, dst_port, protocol, verdict, reporter,
      sum(bytes_tx), sum(bytes_rx), sum(packets_tx), sum(packets_rx), sum(connections_opened)
    FROM flows WHERE toStartOfHour(window_start) = toDateTime({hour:UInt32}, 'UTC') GROUP BY ALL)
"""
_EDGES: Final = "SELECT count() AS edges, sum(bytes_tx) AS bytes FROM edges_hourly"
_COUNT: Final = "SELECT count() AS n FROM flows"


@dataclass(frozen=True)
class Taken:
    """What a piece of work took."""

    wall_s: float
    cpu_s: float


async def timed(work: Callable[[], Awaitable[object]]) -> Taken:
    """Once; the engine's threads are this process's."""
    began, cpu = perf_counter(), process_time()
    await work()
    return Taken(perf_counter() - began, process_time() - cpu)


async def fleet(db: Database, owner: Database, clusters: int) -> tuple[Scope, list[str]]:
    """Clusters in network domains, and the pods of all."""
    scope = await new_tenant(db)
    made = await seed(db, scope, clusters=clusters, objects=0)
    since = datetime.fromtimestamp(HOUR, UTC) - timedelta(days=1)
    for first in range(0, clusters, DOMAIN):
        async with db.write(scope) as c:
            domain = await fleets.create_domain(c, scope, f"network-{first}")
            await fleets.move_clusters(c, scope, domain.id, made.clusters[first : first + DOMAIN], now=since)
    values = {"tenant": scope.tenant_id, "clusters": made.clusters, "since": since, "domain": DOMAIN}
    async with db.write(scope) as c:
        await c.execute(_PODS, values | {"pods": 2 * WORKLOADS})
        await c.execute(_NODES, values)
    async with owner.write(scope) as c:
        await c.execute(text("ANALYZE pods"))
    return scope, [str(each) for each in made.clusters]


async def fill(store: ColumnStore, scope: Scope, clusters: list[str], *, merged: bool) -> int:
    """The hour's rows, made in the engine; returns how many."""
    await store.command(scope, "TRUNCATE TABLE flows", lane="bench")
    await store.command(scope, _ADDRESS, lane="bench")
    given = {
        "clusters": clusters, "hour": HOUR, "windows": WINDOWS, "edges": EDGES, "pods": 2 * WORKLOADS, "domain": DOMAIN,
        "merged": int(merged), "total": len(clusters) * EDGES * WINDOWS,
    }  # fmt: skip
    await store.command(scope, _ROWS, given, lane="bench")
    return int((await store.query(scope, _COUNT)).column("n")[0].as_py())


async def measure(db: Database, owner: Database, store: ColumnStore, clusters: int) -> dict[str, float]:
    """Both hours, one after the other."""
    scope, ids = await fleet(db, owner, clusters)
    roll_up = RollUp(db, store)

    async def close() -> None:
        async with db.write(scope) as c:
            await repository_blocks.touch(c, scope, [HOUR], raw=True)
        await roll_up.refresh(scope, HOUR)

    measured: dict[str, float] = {}
    for name, merged in (("told", True), ("closed", False)):
        rows = await fill(store, scope, ids, merged=merged)
        await close()
        again = await timed(close)
        [found] = (await store.query(scope, _EDGES)).to_pylist()
        measured |= {f"{name}_rows": rows, f"{name}_s": round(again.wall_s, 2), f"{name}_cpu_s": round(again.cpu_s, 2)}
        measured[f"{name}_edges"] = found["edges"]
    bare = await timed(lambda: store.query(scope, _GROUP, {"hour": HOUR}))
    return measured | {"group_s": round(bare.wall_s, 2), "group_cpu_s": round(bare.cpu_s, 2)}


async def run(clusters: int) -> dict[str, float]:
    """Over stores of its own."""
    async with stores(memory_bytes=4 * 1024**3) as (db, owner, columns):
        return await measure(db, owner, columns, clusters)


def main() -> int:
    """The hour against its target."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else CLUSTERS
    return 0 if report("rollup", asyncio.run(run(clusters)), {"closed_s": TARGET_S}) else 1


if __name__ == "__main__":
    sys.exit(main())
