"""Fair shares: a quiet one beside 200 hostile questions, or ten noisy clusters, against the same hub idle.

The hostile questions are dear but allowed ones of fifty tokens in five other tenants, 200 at a time. The noisy clusters
belong to the quiet one's own tenant, and each sends snapshots of 20,000 pods, two at a time. Whoever asks and sends
runs on the same cores.

Run: make bench ROW=fairness
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp

from periplus_contract.messages import BATCH_CONTENT_TYPE
from periplus_contract.tables import Kind

from benchmarks._row import report
from benchmarks.hub import Hub, empty_folder, running
from benchmarks.inventory import NOW, Member, delta_sections, enrol, question, snapshot_sections
from tests.support.batches import pod, section

TENANTS: Final = 5
TOKENS: Final = 10
HOSTILE: Final = 200
NOISY: Final = 10
PODS: Final = 20_000
IDLE_S: Final = 5.0
BUSY_S: Final = 15.0
EVERY_S: Final = 0.1
TARGET: Final = 5.0
VIEWER: Final = 'mutation { createApiToken(input: {name: "v%d", role: VIEWER}) { ... on CreatedApiToken { token } } }'
QUIET: Final = "{ clusters(first: 50) { nodes { name state liveness counts { nodes pods services } } } }"
DEAR: Final = (
    '{ cluster(name: "cluster-0100") { pods(first: 5000) { nodes '
    "{ id uid name namespace node workloadKind workloadName ipv4 phase } } } }"
)


def many_pods(count: int) -> list[Any]:
    """Sections of one cluster with that many pods."""
    pods = [
        pod(f"{number:08x}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW) for number in range(count)
    ]
    return [section(Kind.INVENTORY, "pods", pods)]


async def ask(http: aiohttp.ClientSession, hub: Hub, document: str) -> int:
    """The status of one question's answer."""
    headers = {"Authorization": f"Bearer {hub.token}"}
    async with http.post(f"{hub.api}/graphql", json={"query": document}, headers=headers) as answer:
        body = await answer.read()
        return HTTPStatus.BAD_GATEWAY if b'"errors"' in body and answer.status == HTTPStatus.OK else answer.status


async def give(http: aiohttp.ClientSession, hub: Hub, member: Member, sealed: bytes) -> int:
    """The status of one batch's answer."""
    headers = {"Authorization": f"Bearer {member.credential}", "Content-Type": BATCH_CONTENT_TYPE}
    async with http.post(f"{hub.spokes}/v1/batches", data=sealed, headers=headers) as answer:
        await answer.read()
        return answer.status


async def watch(once: Callable[[], Awaitable[int]], seconds: float) -> tuple[float, int]:
    """Median milliseconds of a quiet one that asks ten times a second, and how often it was refused."""
    taken, refused, end = [], 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        refused += await once() != HTTPStatus.OK
        taken.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(EVERY_S)
    return statistics.median(taken), refused


@asynccontextmanager
async def beside(*work: Callable[[], Awaitable[int]]) -> AsyncIterator[list[int]]:
    """All of it again and again; how often it was answered, and how often it was told to come again."""
    counts = [0, 0]

    async def repeat(once: Callable[[], Awaitable[int]]) -> None:
        while True:
            refused = await once() != HTTPStatus.OK
            counts[refused] += 1
            await asyncio.sleep(0.5 if refused else 0)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(repeat(each)) for each in work]
        await asyncio.sleep(2)
        yield counts
        for task in tasks:
            task.cancel()


def tenant_token(folder: Path, number: int) -> str:
    """The first token of a new tenant."""
    command = [sys.executable, "-m", "periplus_hub", "hub", "tenants", "create", f"noisy-{number}"]
    return subprocess.run(
        [*command, "--data-dir", str(folder / "data")], check=True, capture_output=True, text=True
    ).stdout.split()[-1]


async def hostile_hubs(http: aiohttp.ClientSession, hub: Hub, folder: Path) -> list[Hub]:
    """The hub as each hostile token knows it; their tenants have a cluster with something to list."""
    found, sections = [], many_pods(5_000)
    for number in range(TENANTS):
        admin = replace(hub, token=tenant_token(folder, number))
        member = await enrol(http, admin, 100)
        await give(http, admin, member, member.spoke.inventory_snapshot(sections))
        for token in range(TOKENS):
            made = await question(http, admin, VIEWER % token)
            found.append(replace(hub, token=made["createApiToken"]["token"]))
    return found


async def questions(http: aiohttp.ClientSession, hub: Hub, folder: Path) -> dict[str, float]:
    """Alone, then beside the hostile ones."""

    async def quiet() -> int:
        return await ask(http, hub, QUIET)

    hostile = await hostile_hubs(http, hub, folder)
    idle_ms, _ = await watch(quiet, IDLE_S)
    dear = [partial(ask, http, hostile[number % len(hostile)], DEAR) for number in range(HOSTILE)]
    async with beside(*dear) as counts:
        busy_ms, refused = await watch(quiet, BUSY_S)
    print(f"question: {idle_ms:.1f} ms alone, {busy_ms:.1f} ms beside {counts[0]} dear ones ({counts[1]} refused)")
    return {
        "idle_question_ms": round(idle_ms, 1),
        "question_slowdown": round(busy_ms / idle_ms, 2),
        "questions_refused": refused,
        "min_hostile_answered": counts[0],
        "hostile_refused": counts[1],
    }


async def ingest(http: aiohttp.ClientSession, hub: Hub) -> dict[str, float]:
    """Alone, then beside the noisy clusters."""
    member, sections = await enrol(http, hub, 1), [delta_sections(turn) for turn in range(20)]
    await give(http, hub, member, member.spoke.inventory_snapshot(snapshot_sections()))

    async def quiet() -> int:
        return await give(http, hub, member, member.spoke.inventory_delta(sections[member.spoke.seq % 20]))

    noisy, large = [await enrol(http, hub, 2 + number) for number in range(NOISY)], many_pods(PODS)
    idle_ms, _ = await watch(quiet, IDLE_S)

    async def noise(each: Member) -> int:
        return await give(http, hub, each, each.spoke.inventory_snapshot(large))

    work = [partial(noise, each) for each in noisy]
    async with beside(*work, *work) as counts:
        busy_ms, refused = await watch(quiet, BUSY_S)
    print(f"batch: {idle_ms:.1f} ms alone, {busy_ms:.1f} ms beside {counts[0]} snapshots ({counts[1]} refused)")
    return {
        "idle_batch_ms": round(idle_ms, 1),
        "batch_slowdown": round(busy_ms / idle_ms, 2),
        "batches_refused": refused,
        "min_noisy_rows_per_s": round(counts[0] * PODS / (BUSY_S + 2)),
    }


async def measure(hub: Hub, folder: Path) -> dict[str, float]:
    """Both halves."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        return await questions(http, hub, folder) | await ingest(http, hub)


def main() -> int:
    """A hub of its own in an empty folder."""
    with empty_folder() as folder, running(folder) as hub:
        measured = asyncio.run(measure(hub, folder))
    target = {
        "question_slowdown": TARGET,
        "questions_refused": 0,
        "min_hostile_answered": 1,
        "batch_slowdown": TARGET,
        "batches_refused": 0,
        "min_noisy_rows_per_s": 1,
    }
    return 0 if report("fairness", measured, target) else 1


if __name__ == "__main__":
    sys.exit(main())
