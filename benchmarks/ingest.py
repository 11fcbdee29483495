"""Rows of flows per second from HTTP to the flow store, against what the bare engine inserts in the same run.

`min_rows_per_s` is from the first request until the store has all rows, as fast as the hub takes them; an answer is
given when PostgreSQL has committed. Then 17 batches a second come, 85,000 rows, while people ask for dependencies:
`ack_p99_ms` is of these answers, and `query_slowdown` compares the questions with those of the idle hub.
`visible_s` is how long after its answer the last of these rows could be asked for. The bare engine inserts blocks of
200,000 of the same rows, in this process and one after the other.

Run: make bench ROW=ingest        (python -m benchmarks.ingest 4 for fewer clusters)
"""

import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import aiohttp

from periplus_hub.access.scope import system_scope
from periplus_hub.kit.ids import new_id

from benchmarks._flows import ROWS, body, now_minute_s, percentile_ms, wait_until_loaded, work
from benchmarks._row import report
from benchmarks._stores import flow_store
from benchmarks.hub import Hub, empty_folder, running
from benchmarks.inventory import Member, cpu_s, enrol_all, question, send, send_all

CLUSTERS: Final = 50
MINUTES: Final = 20
OFFERED_PER_S: Final = 17
OFFERED_S: Final = 20
BLOCK: Final = 200_000
QUESTION: Final = (
    "{ dependencies(first: 100, filter: {crossCluster: true}) { edgeCount edges { bytesTx } coverage { ratio } } }"
)
_STORED: Final = "SELECT database FROM system.tables WHERE name = 'flows' AND total_rows > 0"
_BLOCK: Final = "SELECT * FROM {stored:Identifier}.flows LIMIT {rows:UInt32}"


async def asked_s(http: aiohttp.ClientSession, hub: Hub, until: asyncio.Event) -> list[float]:
    """What each of a row of questions took."""
    taken = []
    while not until.is_set():
        began = perf_counter()
        await question(http, hub, QUESTION)
        taken.append(perf_counter() - began)
        await asyncio.sleep(0.2)
    return taken


async def for_a_while(seconds: float) -> asyncio.Event:
    """Set when so much time has passed."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return over


async def offered(http: aiohttp.ClientSession, hub: Hub, batches: list[tuple[Member, bytes]]) -> list[float]:
    """Each batch when its turn has come; what each answer took."""
    began, taken = perf_counter(), list[float]()

    async def one(number: int, member: Member, sealed: bytes) -> None:
        await asyncio.sleep(max(began + number / OFFERED_PER_S - perf_counter(), 0))
        sent = perf_counter()
        await send(http, hub, member, sealed)
        taken.append(perf_counter() - sent)

    await asyncio.gather(*(one(number, *each) for number, each in enumerate(batches)))
    return taken


async def measure(hub: Hub, clusters: int) -> dict[str, float]:
    """Saturated, then at the offered rate."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as http:
        members = await enrol_all(http, hub, clusters)
        last = now_minute_s()
        minutes = [body(last - 60 * minute) for minute in range(MINUTES)]
        batches = work(members, minutes)
        rows = len(batches) * ROWS
        began, used = perf_counter(), cpu_s(hub.pid)
        await send_all(http, hub, batches)
        await wait_until_loaded(http, hub.metrics, rows)
        saturated_s, used = perf_counter() - began, cpu_s(hub.pid) - used
        idle = await asked_s(http, hub, await for_a_while(10))
        more = work(members, [*minutes] * (OFFERED_PER_S * OFFERED_S // len(batches) + 1))[: OFFERED_PER_S * OFFERED_S]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            busy = group.create_task(asked_s(http, hub, over))
            answers = await offered(http, hub, more)
            answered = perf_counter()
            over.set()
        await wait_until_loaded(http, hub.metrics, rows + len(more) * ROWS)
        visible_s = perf_counter() - answered
    slow, fast = (sorted(each)[len(each) // 2] for each in (busy.result(), idle))
    return {
        "rows": rows,
        "min_rows_per_s": round(rows / saturated_s),
        "cpu_us_per_row": round(used / rows * 1e6, 2),
        "ack_p50_ms": percentile_ms(answers, 0.5),
        "ack_p99_ms": percentile_ms(answers, 0.99),
        "visible_s": round(visible_s, 2),
        "idle_query_ms": round(fast * 1_000, 1),
        "query_slowdown": round(slow / fast, 2),
    }


async def bare(folder: Path, rows: int) -> float:
    """Rows a second that the engine alone inserts of what the hub stored."""
    scope = system_scope(new_id(), "bench")
    async with flow_store(folder, memory_bytes=2 * 1024**3) as store:
        [found] = (await store.query(scope, _STORED)).to_pylist()
        given = {"stored": found["database"], "rows": BLOCK}
        block = await store.query(scope, _BLOCK, given)
        began = perf_counter()
        for number in range(max(rows // BLOCK, 1)):
            await store.insert(scope, "flows", block, lane="bench", token=str(number))
        return float(block.num_rows * max(rows // BLOCK, 1)) / (perf_counter() - began)


def main() -> int:
    """A hub of its own in an empty folder."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else CLUSTERS
    with empty_folder() as folder:
        with running(folder) as hub:
            measured = asyncio.run(measure(hub, clusters))
        engine_per_s = asyncio.run(bare(folder / "data" / "flows", int(measured["rows"])))
    measured["engine_rows_per_s"] = round(engine_per_s)
    measured["min_share_of_engine"] = round(measured["min_rows_per_s"] / engine_per_s, 2)
    target = {"min_rows_per_s": 500_000, "min_share_of_engine": 0.55, "ack_p99_ms": 100, "visible_s": 3}
    return 0 if report("ingest", measured, {**target, "query_slowdown": 1.5}) else 1


if __name__ == "__main__":
    sys.exit(main())
