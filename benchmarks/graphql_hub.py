"""A page of 1,000 and 10,000 pods x 10 fields through the hub: request checks, PostgreSQL, executor and JSON.

Beside it, in the same run, the same page on stock Strawberry's executor, and the bare read of the rows.
Run: make bench ROW=graphql_hub
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy import text
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from periplus_hub.access.repository import add_tenant
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service import Authenticator
from periplus_hub.api import graphql_run
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.graphql_checks import request_of
from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.inventory.repository_graphql import LISTINGS
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.windows import Window

from benchmarks._row import report
from tests.support.graphql_hub import Fleet, seed
from tests.support.hub_db import migrate

ROUNDS: Final = 7
QUERY: Final = (
    '{cluster(name:"cluster-000"){pods(first:%d){nodes'
    "{id uid name namespace node workloadKind workloadName ipv4 phase validFrom}}}}"
)
_PODS: Final = """
INSERT INTO pods (tenant_id, registration_id, uid, namespace, name, node, workload_kind, workload_name,
                  ipv4, phase, host_network, labels, valid_from, seen_at)
SELECT :tenant, :cluster, gen_random_uuid()::text, 'ns-' || i % 50, 'pod-' || i, 'node-' || i % 100, 'Deployment',
       'web-' || i % 500, ('10.1.' || i / 250 || '.' || i % 250)::inet, 'Running', false, '{app=web,tier=front}',
       now(), now()
FROM generate_series(1, 9999) AS i
"""


async def best_ms(work: Callable[[], Awaitable[object]]) -> float:
    """Best of ROUNDS."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        began = perf_counter()
        await work()
        best = min(best, (perf_counter() - began) * 1_000)
    return best


async def filled(db: Database) -> tuple[Scope, Fleet]:
    """A tenant with 10,000 pods in its first cluster."""
    scope = system_scope(new_id(), "bench")
    async with db.write(scope) as c:
        await add_tenant(c, scope, "bench")
    fleet = await seed(db, scope, clusters=2, objects=1)
    async with db.write(scope) as c:
        await c.execute(text(_PODS), {"tenant": scope.tenant_id, "cluster": fleet.clusters[0]})
    return scope, fleet


async def compare(db: Database, scope: Scope, fleet: Fleet) -> dict[str, float]:
    """Print the three for both sizes."""
    measured: dict[str, float] = {}
    app = GraphQLApp(db, SystemClock(), Authenticator(db))
    ours = CompiledExecutor
    for count in (1_000, 10_000):

        async def page(count: int = count) -> bytes:
            request = request_of({"query": QUERY % count}, app.limits)
            admitted = await app.checks.admit(request, str(perf_counter()), now_s=0, ad_hoc=True)
            return await app.runner.run(admitted, app.context(scope, "bench", ""))

        async def rows(count: int = count) -> object:
            async with db.read(scope) as c:
                return await LISTINGS["Pod"].slices(c, scope, [fleet.clusters[0]], Window(count), None)

        ours_ms, rows_ms, answer = await best_ms(page), await best_ms(rows), await page()
        setattr(graphql_run, "CompiledExecutor", StrawberryGraphQLCoreExecutionContext)  # noqa: B010 - for comparison
        stock_ms, stock_answer = await best_ms(page), await page()
        setattr(graphql_run, "CompiledExecutor", ours)  # noqa: B010 - as it was
        assert answer == stock_answer
        measured |= {
            f"ms_{count}": round(ours_ms, 1),
            f"reading_ms_{count}": round(rows_ms, 1),
            f"times_faster_{count}": round(stock_ms / ours_ms, 1),
        }
        print(
            f"{count:6} pods x 10: {ours_ms:7.1f} ms, of it {rows_ms:6.1f} ms reading; stock {stock_ms:7.1f} ms,"
            f" {stock_ms / ours_ms:4.1f} times slower,"
            f" {(stock_ms - rows_ms) / (ours_ms - rows_ms):4.1f} without reading"
        )
    return measured


async def run(folder: Path) -> dict[str, float]:
    """On an embedded PostgreSQL of its own."""
    postgres = EmbeddedPostgres(folder / "server", ephemeral=True)
    await postgres.start()
    db = Database(postgres.urls.hub, SystemClock())
    try:
        await migrate(postgres.urls.hub)
        return await compare(db, *await filled(db))
    finally:
        await db.dispose()
        await postgres.stop()


def main() -> int:
    """In a folder that PostgreSQL's own account may pass through."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        measured = asyncio.run(run(Path(folder)))
    return 0 if report("graphql_hub", measured, {}) else 1


if __name__ == "__main__":
    sys.exit(main())
