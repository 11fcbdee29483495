"""A backup while people ask: how fast, and how much longer questions take. Targets: 100 MB/s, 1.5 times idle.

Half of the size given (in MB, 64 without it) is in PostgreSQL, half in the flow store. A question asks both stores.
`p95_ratio` is the 95th percentile of questions during backups over that of the idle process, in the same run.

Run: make bench ROW=backup
"""

import asyncio
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.backups.model import Manifest
from periplus_hub.backups.service_backup import Source, take
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.flows.repository_blocks import touch

from benchmarks._row import report
from benchmarks._stores import Stores, new_tenant, stores
from benchmarks.hub import empty_folder

TARGET_MB_S: Final = 100.0
TARGET_P95_RATIO: Final = 1.5
SIZE_MB: Final = 64
ROUNDS: Final = 3
IDLE_S: Final = 5.0
PAUSE_S: Final = 0.01
_IN_POSTGRES: Final = (
    "CREATE TABLE ballast AS SELECT i, md5(i::text) || md5((-i)::text) AS t FROM generate_series(1, {}) i"
)
_IN_FLOWS: Final = (
    "CREATE TABLE ballast ENGINE = MergeTree ORDER BY a AS SELECT rand64() AS a, rand64(1) AS b FROM numbers({})"
)
_BYTES_OF_ROW: Final = 100
_BYTES_OF_FLOW: Final = 16


async def fill(opened: Stores, scope: Scope, size_mb: int) -> None:
    """Rows of the row's own; an hour says that the tenant has flows."""
    half = size_mb * 500_000
    async with opened.owner.write(scope) as c:
        await c.execute(text(_IN_POSTGRES.format(half // _BYTES_OF_ROW)))
    await opened.columns.command(scope, _IN_FLOWS.format(half // _BYTES_OF_FLOW), lane="bench")
    async with opened.db.write(scope) as c:
        await touch(c, scope, [0], raw=True)


async def ask(opened: Stores, scope: Scope, ended: asyncio.Event) -> list[float]:
    """One question after the other until then, in seconds each."""
    took = []
    while not ended.is_set():
        began = time.perf_counter()
        async with opened.db.read(scope) as c:
            await all_registrations(c, scope)
        await opened.columns.query(scope, "SELECT count() AS n FROM edges_hourly")
        took.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    return took


async def during(opened: Stores, scope: Scope, folder: Path) -> tuple[list[float], float, Manifest]:
    """What questions took while a backup was taken, and how long that took."""
    ended = asyncio.Event()
    source = Source(opened.db, opened.owner.dsn, opened.columns, None, version("periplus-hub"))
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(opened, scope, ended))
        began = time.perf_counter()
        manifest = await take(source, folder)
        took = time.perf_counter() - began
        ended.set()
    return asking.result(), took, manifest


async def measure(size_mb: int) -> dict[str, float]:
    """Idle, then backups."""
    async with stores() as opened:
        scope = await new_tenant(opened.db)
        await fill(opened, scope, size_mb)
        ended = asyncio.Event()
        asyncio.get_running_loop().call_later(IDLE_S, ended.set)
        idle = await ask(opened, scope, ended)
        with empty_folder() as folder:
            rounds = [await during(opened, scope, folder / str(number)) for number in range(ROUNDS)]
    seconds = statistics.median(took for _, took, _ in rounds)
    mb = (rounds[0][2].database_bytes + rounds[0][2].flow_bytes) / 1e6
    busy = [each for took, _, _ in rounds for each in took]
    return {
        "min_mb_s": round(mb / seconds, 1),
        "p95_ratio": round(p95(busy) / p95(idle), 2),
        "stored_mb": round(mb, 1),
        "backup_mb": round(rounds[0][2].bytes / 1e6, 1),
    }


def p95(times: list[float]) -> float:
    """Their 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def main() -> int:
    """A PostgreSQL and a flow store of the row's own."""
    size_mb = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE_MB
    measured = asyncio.run(measure(size_mb))
    return 0 if report("backup", measured, {"min_mb_s": TARGET_MB_S, "p95_ratio": TARGET_P95_RATIO}) else 1


if __name__ == "__main__":
    sys.exit(main())
