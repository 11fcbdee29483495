"""A page of 1,000 and 10,000 pods x 10 fields through the hub: request checks, PostgreSQL, executor and JSON.

Beside it, in the same run, the same page on stock Strawberry's executor, and the bare read of the rows.
Run: make bench ROW=graphql_hub
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

from sqlalchemy import text
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from periplus_hub.access.scope import Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.api import graphql_run
from periplus_hub.api.credentials import Credential
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.graphql_checks import request_of
from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.inventory.repository_graphql import LISTINGS
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.windows import Window

from benchmarks._row import report
from benchmarks._stores import new_tenant, stores
from tests.support.graphql_hub import Fleet, seed

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
    scope = await new_tenant(db)
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
            return await app.runner.run(admitted, app.context(scope, "bench", Credential()))

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


async def run() -> dict[str, float]:
    """Over a PostgreSQL of its own."""
    async with stores() as (db, _, _):
        return await compare(db, *await filled(db))


def main() -> int:
    """Has no targets."""
    return 0 if report("graphql_hub", asyncio.run(run()), {}) else 1


if __name__ == "__main__":
    sys.exit(main())
