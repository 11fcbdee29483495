"""Pools of 1,000 clusters with 200 nodes each: which are full, and one cluster's next sample.

`all_s` is what a round of the detectors, the metrics and a person with the fullest 1,000 pools ask, together; of the
pools of clusters a week of hours is kept. `change_ms` is a sample of 201 pools of which one is different, in a
transaction of its own, from its begin to the end of its commit, which waits for the disk; `commit_ms` is the same
around one row that changes, `compare_ms` around a sample that says the same again. `prepare_ms` is the checking before,
which a thread does outside the transaction. Medians.
Targets: 2 s and 5 ms. Run: make bench ROW=pools
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.engine.pool_account import accounted
from periplus_hub.addresses.ipam.model import PoolFilter
from periplus_hub.addresses.ipam.repository_graphql import POOL_ORDERS
from periplus_hub.addresses.ipam.repository_intake import replace_pools
from periplus_hub.addresses.ipam.repository_pool_history import remember_pools
from periplus_hub.addresses.ipam.repository_pool_leaks import leaking_pools
from periplus_hub.addresses.ipam.repository_pools import clusters_with_full_nodes, pools_by_fill, short_pools
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.kit.db import Database
from periplus_hub.kit.windows import Window

from benchmarks._row import report
from benchmarks._stores import new_tenant, stores
from tests.support.graphql_hub import Fleet, seed

CLUSTERS: Final = 1_000
NODES: Final = 200
ROUNDS: Final = 15
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCOPES: Final = ("cluster", "node")
_PAST: Final = text(
    "INSERT INTO pool_history SELECT tenant_id, registration_id, provider, name, family,"
    " hour - ago * interval '1 hour', capacity, free, leaked FROM pool_history, generate_series(1, 168) AS ago"
)
_TOUCH: Final = text("UPDATE pools SET taken_ppm = :taken WHERE registration_id = :cluster AND name = 'pods'")
_COUNTS: Final = ("assigned", "reserved", "cooling", "leaked", "unusable", "borrowed", "largest_free_block")


def rows(changed: int) -> list[dict[str, Any]]:
    """A pool that hands a block to each of the nodes; `changed` addresses more are used on the first."""
    base: dict[str, Any] = {
        **dict.fromkeys(_COUNTS),
        "provider": "kubernetes",
        "family": 4,
        "source": "nodes",
        "quality": "derived",
        "observed_at": NOW,
        "evidence": [],
    }
    whole = {"name": "pods", "scope": "cluster", "node": "", "capacity": "65536", "used": "20000", "free": "14336"}
    made = [base | whole | {"cidrs": ["10.0.0.0/16"]}]
    for node in range(NODES):
        used = 100 + (changed if node == 0 else node % 150)
        own = {"name": f"node-{node}", "scope": "node", "node": f"node-{node}", "cidrs": [f"10.0.{node}.0/24"]}
        made.append(base | own | {"capacity": "254", "used": str(used), "free": str(254 - used)})
    return made


def prepared(changed: int) -> list[dict[str, Any]]:
    """As the intake's thread leaves them."""
    made = rows(changed)
    return accounted(made, [[parse(cidr) for cidr in row["cidrs"]] for row in made])


async def median_s(work: Callable[[int], Awaitable[object]]) -> float:
    """Of ROUNDS."""
    passed_s = []
    for number in range(ROUNDS):
        began = perf_counter()
        await work(number)
        passed_s.append(perf_counter() - began)
    return median(passed_s)


async def filled(db: Database, owner: Database) -> tuple[Scope, Fleet]:
    """The fleet."""
    scope = await new_tenant(db)
    fleet = await seed(db, scope, clusters=CLUSTERS, objects=1)
    told = prepared(0)
    async with db.write(scope) as c:
        for cluster in fleet.clusters:
            await replace_pools(c, scope, cluster, told, SCOPES)
            await remember_pools(c, scope, cluster, told, NOW)
        await c.execute(_PAST)
    async with owner.write(scope) as c:
        await c.execute(text("ANALYZE pools, pool_history"))
    return scope, fleet


async def measure(db: Database, owner: Database) -> dict[str, float]:
    """All figures."""
    scope, fleet = await filled(db, owner)
    cluster = fleet.clusters[0]
    samples = [prepared(number) for number in range(ROUNDS)]

    async def everything(_: int) -> None:
        async with db.read(scope) as c:
            await short_pools(c, scope, 1_000, NOW)
            await clusters_with_full_nodes(c, scope)
            await leaking_pools(c, scope, 1_000)
            await pools_by_fill(c, scope)
            await POOL_ORDERS["taken", True].slices(c, scope, [None], Window(1_000), PoolFilter())

    async def tell(sample: Sequence[dict[str, Any]]) -> None:
        async with db.write(scope) as c:
            await replace_pools(c, scope, cluster, sample, SCOPES)
            await remember_pools(c, scope, cluster, sample, NOW)

    async def commit(number: int) -> None:
        async with db.write(scope) as c:
            await c.execute(_TOUCH, {"cluster": cluster, "taken": number})

    began = perf_counter()
    prepared(1)
    prepare_ms = (perf_counter() - began) * 1_000
    return {
        "pools": float(CLUSTERS * (NODES + 1)),
        "all_s": round(await median_s(everything), 3),
        "change_ms": round(await median_s(lambda number: tell(samples[number])) * 1_000, 1),
        "compare_ms": round(await median_s(lambda _: tell(samples[-1])) * 1_000, 1),
        "commit_ms": round(await median_s(commit) * 1_000, 1),
        "prepare_ms": round(prepare_ms, 1),
    }


async def run() -> dict[str, float]:
    """Over a PostgreSQL of its own."""
    async with stores() as (db, owner, _):
        return await measure(db, owner)


def main() -> int:
    """All figures against their targets."""
    return 0 if report("pools", asyncio.run(run()), {"all_s": 2, "change_ms": 5}) else 1


if __name__ == "__main__":
    sys.exit(main())
