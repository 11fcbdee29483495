"""Questions about a day of flows of 1,000 clusters, through GraphQL: overview, the heaviest edges, the map.

The flow store has the edges of 24 hours that 20 M raw rows make: 50,000 in each hour, a fifth of them between clusters.
The hours that are over are added up, as the job `flows.spans` does it. Each cluster has an agent on each of its ten
nodes, and they told of the week before, too.
Each question is asked as people's clients do, with all checks, statements and JSON; `p95` is of 40 times. Beside it, in
the same run, a statement in PostgreSQL that finds as much, over the same rows with an index for each.

Run: make bench ROW=queries        (python -m benchmarks.queries 5000 for fewer edges)
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from periplus_hub.access.scope import Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.api.credentials import Credential
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.graphql_checks import request_of
from periplus_hub.flows.service_spans import Spans
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database

from benchmarks._row import report
from benchmarks._stores import new_tenant, stores
from tests.support.graphql_hub import seed

CLUSTERS: Final = 1_000
EDGES: Final = 50_000
HOURS: Final = 24
NODES: Final = 10
TOLD_HOURS: Final = 8 * 24
ROUNDS: Final = 40
PLAIN_ROUNDS: Final = 5
TARGETS: Final = {
    "overview_p95_ms": 50,
    "top_p95_ms": 100,
    "map_p95_ms": 200,
    "min_overview_times_faster": 10,
    "min_top_times_faster": 10,
    "min_map_times_faster": 10,
}
LAST: Final = int(datetime.now(UTC).timestamp()) // 3_600 * 3_600
QUESTIONS: Final = {
    "overview": "{ coverage { ratio lateCount withoutFlowsCount } dependencies(first: 20, level: CLUSTER) "
    "{ edgeCount edges { source { cluster { name } } destination { cluster { name } } bytesTx bytesRx state } } }",
    "top": "{ dependencies(first: 100, filter: {crossCluster: true}) { edgeCount edges { source { cluster { name } "
    "namespace name } destination { cluster { name } namespace name } ports { port } bytesTx bytesRx "
    "connectionsOpened state firstSeen lastSeen } coverage { ratio } } }",
    "map": "{ dependencyMap(filter: {crossCluster: true}) { nodes { ids parents levels names states bytesSent "
    "bytesReceived } edges { sources destinations states sums { bytesTx bytesRx connectionsOpened failures } } "
    "leftOutEdgeCount foldedEndCount coverage { ratio } } }",
}
_EDGES: Final = """
    INSERT INTO edges_hourly
    WITH arrayMap(each -> toUUID(each), {clusters:Array(String)}) AS ids
    SELECT toDateTime({last:UInt32} - 3600 * hour, 'UTC'), ids[source + 1], concat('team-', toString(edge % 40)),
      'Deployment', concat('w', toString(cityHash64(edge) % 300)), ids[target + 1],
      concat('team-', toString(edge % 37)), 'Deployment', concat('w', toString(cityHash64(edge, 1) % 300)),
      'region-1', concat('zone-', toString(edge % 3)), 'region-1', concat('zone-', toString(edge % 2)),
      8000 + edge % 20, 6, 1, 'own-pod', 'domain-pod', 1000 + cityHash64(edge, hour) % 10000000,
      500 + cityHash64(hour, edge) % 500000, 100, 80, 10, 10, 0, 0, 0, 0, 0, 0, 3103, 992, 1000, 1000, 3, 18, 1,
      toDateTime({last:UInt32} - 3600 * hour, 'UTC'), toDateTime({last:UInt32} - 3600 * hour + 3600, 'UTC')
    FROM (SELECT number % {edges:UInt32} AS edge, intDiv(number, {edges:UInt32}) AS hour,
        edge % length({clusters:Array(String)}) AS source,
        if(cityHash64(edge, 2) % 5 = 0, (source + 1 + edge % 9) % length({clusters:Array(String)}), source) AS target
      FROM numbers({total:UInt64}))
"""
_HOURS: Final = text(
    "INSERT INTO flow_hours (tenant_id, hour, raw_version, rolled_raw, rolled_identity, made)"
    " SELECT :tenant, :last - 3600 * ago, 1, 1, 0, 1 FROM generate_series(0, :hours - 1) AS ago"
)
_COVERAGE: Final = text("""
    INSERT INTO flow_coverage (tenant_id, registration_id, hour, minutes, last_window, rows, rejected, sampling,
      observed, unmeasured, other_rows, other_hosts, lost, nodes, node_minutes)
    SELECT :tenant, cluster, :last - 3600 * ago, (1::bigint << 60) - 1, :last - 3600 * ago + 3600, 800, 0, 1, 800, 0,
      0, 0, '{}', 0, 0
    FROM unnest(CAST(:clusters AS uuid[])) AS cluster, generate_series(0, :told_hours - 1) AS ago
""")
_NODES: Final = text("""
    INSERT INTO nodes (tenant_id, registration_id, uid, name)
    SELECT :tenant, cluster, 'node-' || number, 'node-' || number
    FROM unnest(CAST(:clusters AS uuid[])) AS cluster, generate_series(1, :nodes) AS number
""")
_NODE_COVERAGE: Final = text("""
    INSERT INTO flow_node_coverage (tenant_id, registration_id, day_start, node, minutes)
    SELECT :tenant, cluster, :last / 86400 * 86400 - 86400 * ago, 'node-' || number, ~(0::bit(1440))
    FROM unnest(CAST(:clusters AS uuid[])) AS cluster, generate_series(0, :told_hours / 24) AS ago,
      generate_series(1, :nodes) AS number
""")
_PLAIN_TABLE: Final = (
    "CREATE TABLE plain_edges (hour bigint, src uuid, src_namespace text, src_workload text, dst uuid,"
    " dst_namespace text, dst_workload text, port int, bytes_tx bigint, bytes_rx bigint, connections bigint,"
    " failures bigint, reporters int)"
)
_PLAIN_INDEXES: Final = (
    "CREATE INDEX ON plain_edges (hour) INCLUDE (src, dst, bytes_tx, bytes_rx, reporters)",
    "CREATE INDEX ON plain_edges (hour) WHERE src <> dst",
)
_PLAIN_COLUMNS: Final = (
    "SELECT toUnixTimestamp(hour) AS hour, toString(src_registration) AS src, src_namespace, src_workload,"
    " toString(dst_registration) AS dst, dst_namespace, dst_workload, dst_port, bytes_tx, bytes_rx, connections_opened,"
    " failures_refused + failures_timeout + failures_other AS failures, reporters FROM edges_hourly"
)
_PLAIN: Final = {
    "overview": text("""
        SELECT src, dst, sum(bytes_tx), sum(bytes_rx), bit_or(reporters), min(hour), max(hour), count(*) OVER ()
        FROM plain_edges WHERE hour >= :since
        GROUP BY 1, 2 ORDER BY sum(bytes_tx) + sum(bytes_rx) DESC LIMIT 20
    """),
    "top": text("""
        SELECT src, src_namespace, src_workload, dst, dst_namespace, dst_workload, array_agg(DISTINCT port),
          sum(bytes_tx), sum(bytes_rx), sum(connections), bit_or(reporters), min(hour), max(hour), count(*) OVER ()
        FROM plain_edges WHERE hour >= :since AND src <> dst
        GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY sum(bytes_tx) + sum(bytes_rx) DESC LIMIT 100
    """),
    "map": text("""
        SELECT src, src_namespace, dst, dst_namespace, sum(bytes_tx), sum(bytes_rx), sum(connections), sum(failures),
          bit_or(reporters), min(hour), max(hour)
        FROM plain_edges WHERE hour >= :since AND src <> dst
        GROUP BY 1, 2, 3, 4
    """),
}
"""Without states, and the map without boxes: these are reckoned of what is found."""


async def taken_ms(work: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    """Each time it was done, sorted; the first one, which warms up, is left out."""
    await work()
    taken = []
    for _ in range(rounds):
        began = perf_counter()
        await work()
        taken.append((perf_counter() - began) * 1_000)
    return sorted(taken)


async def filled(db: Database, store: ColumnStore, edges: int) -> Scope:
    """A tenant with a day of edges that every cluster told all of."""
    scope = await new_tenant(db)
    fleet = await seed(db, scope, clusters=CLUSTERS, objects=0)
    given = {"tenant": scope.tenant_id, "last": LAST, "hours": HOURS}
    told = given | {"clusters": fleet.clusters, "told_hours": TOLD_HOURS, "nodes": NODES}
    async with db.write(scope) as c:
        await c.execute(_HOURS, given)
        for statement in (_COVERAGE, _NODES, _NODE_COVERAGE):
            await c.execute(statement, told)
    ids = [str(each) for each in fleet.clusters]
    await store.command(
        scope, _EDGES, {"clusters": ids, "edges": edges, "last": LAST, "total": edges * HOURS}, lane="bench"
    )
    await Spans(db, store).refresh(scope, int(SystemClock().now().timestamp()))
    return scope


async def plain_ms(owner: Database, store: ColumnStore, scope: Scope) -> dict[str, float]:
    """What is found in PostgreSQL for each question, median."""
    rows = await store.query(scope, _PLAIN_COLUMNS)
    async with owner.write(scope) as c:
        await c.execute(text(_PLAIN_TABLE))
        raw = await c.raw()
        columns = (column.to_pylist() for column in rows.columns)
        records = (
            (hour, UUID(src), a, b, UUID(dst), *rest) for hour, src, a, b, dst, *rest in zip(*columns, strict=True)
        )
        await raw.copy_records_to_table("plain_edges", records=records)
        for index in _PLAIN_INDEXES:
            await c.execute(text(index))
        await c.execute(text("ANALYZE plain_edges"))
    found = {}
    for name, statement in _PLAIN.items():

        async def ask(statement: TextClause = statement) -> object:
            async with owner.read(scope) as c:
                return await c.rows(statement, {"since": LAST - 3_600 * HOURS})

        found[name] = (await taken_ms(ask, PLAIN_ROUNDS))[PLAIN_ROUNDS // 2]
    return found


async def measure(db: Database, owner: Database, store: ColumnStore, edges: int) -> dict[str, float]:
    """Every question."""
    scope = await filled(db, store, edges)
    async with owner.write(scope) as c:
        await c.execute(text("ANALYZE"))  # as the server does by itself within a minute
    app = GraphQLApp(db, SystemClock(), Authenticator(db), columns=store)
    measured: dict[str, float] = {"edges": edges, "edge_hours": edges * HOURS}
    middle_ms = {}
    for name, question in QUESTIONS.items():

        async def ask(question: str = question) -> bytes:
            request = request_of({"query": question}, app.limits)
            admitted = await app.checks.admit(request, str(perf_counter()), now_s=0, ad_hoc=True)
            answer = await app.runner.run(admitted, app.context(scope, "bench", Credential()))
            if b'"errors"' in answer:
                sys.exit(answer[:2_000].decode())
            return answer

        taken = await taken_ms(ask, ROUNDS)
        middle_ms[name] = taken[ROUNDS // 2]
        measured |= {f"{name}_p50_ms": round(taken[ROUNDS // 2], 1), f"{name}_p95_ms": round(taken[-ROUNDS // 20], 1)}
    for name, plain in (await plain_ms(owner, store, scope)).items():
        faster = round(plain / middle_ms[name], 1)
        measured |= {f"plain_{name}_ms": round(plain, 1), f"min_{name}_times_faster": faster}
    return measured


async def run(edges: int) -> dict[str, float]:
    """Over stores of its own."""
    async with stores() as (db, owner, columns):
        return await measure(db, owner, columns, edges)


def main() -> int:
    """All questions against their targets."""
    edges = int(sys.argv[1]) if len(sys.argv) > 1 else EDGES
    return 0 if report("queries", asyncio.run(run(edges)), TARGETS) else 1


if __name__ == "__main__":
    sys.exit(main())
