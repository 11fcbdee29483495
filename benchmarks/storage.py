"""Bytes of one flow row: on the wire, in the flow store's folder, and how large the inbox gets meanwhile.

Through the spokes' listener of a real hub, as fast as it takes them. `disk_bytes_per_row` is what the store's raw rows
take once its parts are merged; `written_bytes_per_row` before that.

Run: make bench ROW=storage        (python -m benchmarks.storage 4 for fewer clusters)
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import aiohttp

from periplus_hub.access.scope import system_scope
from periplus_hub.kit.ids import new_id

from benchmarks._flows import ROWS, body, now_minute_s, wait_until_loaded, work
from benchmarks._row import report
from benchmarks._stores import flow_store
from benchmarks.hub import Hub, empty_folder, running
from benchmarks.inventory import enrol_all, send_all

CLUSTERS: Final = 20
MINUTES: Final = 20
TARGET_DISK: Final = 11
TARGET_WIRE: Final = 19
_PARTS: Final = (
    "SELECT database, sum(bytes_on_disk) AS bytes, sum(p.rows) AS row_count FROM system.parts AS p"
    " WHERE p.active AND p.table = 'flows' AND p.rows > 0 GROUP BY database"
)


async def fill(hub: Hub, clusters: int) -> dict[str, float]:
    """Send it all, and wait until the store has it."""
    async with aiohttp.ClientSession() as http:
        members = await enrol_all(http, hub, clusters)
        last = now_minute_s()
        batches = work(members, [body(last - 60 * minute) for minute in range(MINUTES)])
        await send_all(http, hub, batches)
        rows = len(batches) * ROWS
        await wait_until_loaded(http, hub.metrics, rows)
    return {"rows": rows, "wire_bytes_per_row": round(sum(len(sealed) for _, sealed in batches) / rows, 2)}


async def on_disk(folder: Path) -> dict[str, float]:
    """What the hub left, by the engine itself."""
    scope = system_scope(new_id(), "bench")
    async with flow_store(folder, memory_bytes=2 * 1024**3) as store:
        [written] = (await store.query(scope, _PARTS)).to_pylist()
        await store.command(scope, f"OPTIMIZE TABLE `{written['database']}`.flows FINAL", lane="bench")
        [merged] = (await store.query(scope, _PARTS)).to_pylist()
    per_row = {name: each["bytes"] / each["row_count"] for name, each in (("written", written), ("disk", merged))}
    return {f"{name}_bytes_per_row": round(value, 2) for name, value in per_row.items()}


def main() -> int:
    """A hub of its own in an empty folder."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else CLUSTERS
    with empty_folder() as folder:
        with running(folder) as hub:
            measured = asyncio.run(fill(hub, clusters))
        measured |= asyncio.run(on_disk(folder / "data" / "flows"))
    target = {"disk_bytes_per_row": TARGET_DISK, "wire_bytes_per_row": TARGET_WIRE}
    return 0 if report("storage", measured, target) else 1


if __name__ == "__main__":
    sys.exit(main())
