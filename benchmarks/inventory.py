"""Inventory through HTTP to committed: cold snapshots of a fleet, then deltas while people ask.

A delta batch is what a spoke sends when it has something to say: 20 changed objects here, so the offered 102 batches a
second are 2,040 changed objects. All batches are sealed before a measurement begins; its sender costs a few percent of
what the hub does, on the same cores.

Run: make bench ROW=inventory        (python -m benchmarks.inventory 100 for a smaller fleet)
"""

import asyncio
import base64
import math
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from periplus_contract import batch as contract
from periplus_contract.messages import (
    BATCH_CONTENT_TYPE,
    Challenge,
    ChallengeRequest,
    Credential,
    CredentialRequest,
    EnrolAnswer,
    EnrolRequest,
    proof_bytes,
)
from periplus_contract.tables import Kind

from benchmarks._row import report
from benchmarks.hub import Hub, empty_folder, running
from tests.support.batches import Spoke, node, pod, section, service, upsert

T = TypeVar("T")
CLUSTERS: Final = 1_000
PODS: Final = 500
CHANGED: Final = 20
DELTA_S: Final = 20.0
DELTAS_PER_S: Final = 102
SENDERS: Final = 32
"""Requests in flight; a fleet that starts has up to two of each spoke."""
TARGET_COLD_PER_S: Final = 50_000
TARGET_DELTAS_PER_S: Final = 2_000
TARGET_SLOWDOWN: Final = 1.5
NOW: Final = datetime.now(UTC) - timedelta(minutes=1)
JOIN: Final = "mutation { createJoinToken(input: {autoApprove: true}) { ... on CreatedJoinToken { token } } }"
QUESTION: Final = "{ clusters(first: 50) { nodes { name state liveness counts { nodes pods services } } } }"


@dataclass
class Member:
    """An enrolled spoke."""

    spoke: Spoke
    credential: str


def rows(name: str) -> list[dict[str, Any]]:
    """One cluster's objects of a kind; uids need only be unique within a cluster, so all clusters share them."""
    match name:
        case "pods":
            return [
                pod(
                    f"{number:08x}-aaaa-4aaa-8aaa-0123456789ab",
                    f"10.0.{number // 250}.{number % 250 + 1}",
                    NOW,
                    name=f"web-{number % 50}-7c9f6d-{number:05x}",
                    workload_kind="Deployment",
                    workload_name=f"web-{number % 50}",
                    labels=[f"app=web-{number % 50}", "tier=frontend"],
                    started_at=NOW,
                )
                for number in range(PODS)
            ]
        case "nodes":
            return [node(f"node-{number}", f"InternalIP=172.16.0.{number + 1}", at=NOW) for number in range(10)]
        case "services":
            return [service(f"service-{number}", f"10.96.0.{number + 1}", at=NOW) for number in range(25)]
        case "endpoints":
            ports = {"service": "web", "address_type": "IPv4", "ready": True, "ports": ["http|TCP|8080"]}
            return [
                upsert(f"{number:08x}-slice/10.0.0.1", NOW, namespace="shop", node="node-1", **ports)
                for number in range(PODS)
            ]
    return [upsert(f"{name}-{number}", NOW, name=f"{name}-{number}") for number in range(50)]


def snapshot_sections() -> list[Any]:
    """Sealed once: only the header differs between clusters."""
    names = ("namespaces", "nodes", "workloads", "pods", "services", "endpoints")
    return [section(Kind.INVENTORY, name, rows(name)) for name in names]


def delta_sections(turn: int) -> list[Any]:
    """Half changed pods, half changed endpoints."""
    first = turn * 7 % (PODS - CHANGED)
    pods = [{**row, "phase": f"turn {turn}"} for row in rows("pods")[first : first + CHANGED // 2]]
    endpoints = [{**row, "ready": turn % 2 == 0} for row in rows("endpoints")[first : first + CHANGED // 2]]
    return [section(Kind.INVENTORY, "pods", pods), section(Kind.INVENTORY, "endpoints", endpoints)]


async def ask(http: aiohttp.ClientSession, url: str, message: msgspec.Struct, kind: type[T]) -> T:
    """One contract message."""
    async with http.post(url, data=msgspec.json.encode(message)) as answer:
        return msgspec.json.decode(await answer.read(), type=kind)


async def question(http: aiohttp.ClientSession, hub: Hub, document: str) -> Any:  # noqa: ANN401 - GraphQL's data
    """One GraphQL operation."""
    headers = {"Authorization": f"Bearer {hub.token}"}
    async with http.post(f"{hub.api}/graphql", json={"query": document}, headers=headers) as answer:
        return (await answer.json())["data"]


async def enrol(http: aiohttp.ClientSession, hub: Hub, number: int) -> Member:
    """A member of the fleet."""
    key = Ed25519PrivateKey.generate()
    request = EnrolRequest(
        method="token",
        join_token=(await question(http, hub, JOIN))["createJoinToken"]["token"],
        public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        cluster_uid=f"uid-{number}",
        cluster_name=f"cluster-{number:04}",
        spoke_version="0",
        contract="1.0",
    )
    answer = await ask(http, f"{hub.spokes}/v1/enroll", request, EnrolAnswer)
    challenged = ChallengeRequest(registration=answer.registration)
    nonce = (await ask(http, f"{hub.spokes}/v1/challenge", challenged, Challenge)).nonce
    signature = key.sign(proof_bytes(answer.hub_id, answer.registration, nonce))
    proof = CredentialRequest(
        registration=answer.registration, nonce=nonce, signature=base64.b64encode(signature).decode()
    )
    credential = await ask(http, f"{hub.spokes}/v1/credential", proof, Credential)
    return Member(Spoke(answer.registration, at=NOW), credential.credential)


async def send(http: aiohttp.ClientSession, hub: Hub, member: Member, sealed: bytes) -> None:
    """One batch, again for as long as the hub asks to wait."""
    headers = {"Authorization": f"Bearer {member.credential}", "Content-Type": BATCH_CONTENT_TYPE}
    while True:
        async with http.post(f"{hub.spokes}/v1/batches", data=sealed, headers=headers) as answer:
            body = await answer.read()
        if answer.status == 200:
            return
        if answer.status not in (429, 503):
            sys.exit(body.decode())
        await asyncio.sleep(0.05)


async def send_all(
    http: aiohttp.ClientSession, hub: Hub, work: Iterable[tuple[Member, bytes]], per_s: float = math.inf
) -> float:
    """Seconds for all of it, by a few senders at once; each batch is sent when its turn has come, not before."""
    queue: Iterator[tuple[int, tuple[Member, bytes]]] = iter(enumerate(work))
    began = time.perf_counter()

    async def sender() -> None:
        for number, (member, sealed) in queue:
            await asyncio.sleep(max(began + number / per_s - time.perf_counter(), 0))
            await send(http, hub, member, sealed)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return time.perf_counter() - began


async def ask_for(http: aiohttp.ClientSession, hub: Hub, seconds: float) -> float:
    """Median milliseconds of a fleet question asked ten times a second."""
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        await question(http, hub, QUESTION)
        taken.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(0.1)
    return statistics.median(taken)


def deltas(members: list[Member]) -> list[tuple[Member, bytes]]:
    """What `DELTA_S` seconds bring, each cluster's in their order."""
    sections = [delta_sections(turn) for turn in range(20)]
    return [
        (member, member.spoke.inventory_delta(sections[number % 20]))
        for number, member in enumerate((members * 1_000)[: int(DELTA_S * DELTAS_PER_S)])
    ]


def cpu_s(pid: int) -> float:
    """Processor seconds of the hub and its database so far."""
    hub = psutil.Process(pid)
    times = [each.cpu_times() for each in (hub, *hub.children(recursive=True))]
    return sum(each.user + each.system for each in times)


async def enrol_all(http: aiohttp.ClientSession, hub: Hub, clusters: int) -> list[Member]:
    """The fleet."""
    numbers = iter(range(clusters))

    async def enroller() -> list[Member]:
        return [await enrol(http, hub, number) for number in numbers]

    return [member for some in await asyncio.gather(*(enroller() for _ in range(8))) for member in some]


async def measure(hub: Hub, clusters: int) -> dict[str, float]:
    """The whole row."""
    connector = aiohttp.TCPConnector(limit=64, force_close=False, keepalive_timeout=30)
    async with aiohttp.ClientSession(connector=connector) as http:
        members = await enrol_all(http, hub, clusters)
        sections = snapshot_sections()
        objects = sum(part.rows for part, _ in sections)
        work = [(member, member.spoke.inventory_snapshot(sections)) for member in members]
        used, own = cpu_s(hub.pid), time.process_time()
        cold_s = await send_all(http, hub, work)
        used, own = cpu_s(hub.pid) - used, time.process_time() - own
        changes = deltas(members)
        idle_ms = await ask_for(http, hub, 5)
        changing = cpu_s(hub.pid)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(ask_for(http, hub, DELTA_S))
            changed = group.create_task(send_all(http, hub, changes, DELTAS_PER_S))
        changing = cpu_s(hub.pid) - changing
    return {
        "objects": objects * clusters,
        "sealed_bytes": len(contract.split(work[0][1])[1]),
        "min_cold_objects_per_s": round(objects * clusters / cold_s),
        "cold_cpu_us_per_object": round(used / (objects * clusters) * 1e6, 1),
        "sender_cpu_us_per_object": round(own / (objects * clusters) * 1e6, 1),
        "min_delta_objects_per_s": round(len(changes) * CHANGED / changed.result()),
        "delta_batches_per_s": round(len(changes) / changed.result(), 1),
        "cpu_ms_per_delta_batch": round(changing / len(changes) * 1_000, 2),
        "idle_query_ms": round(idle_ms, 1),
        "query_slowdown_under_deltas": round(asked.result() / idle_ms, 2),
    }


def main() -> int:
    """A hub of its own in an empty folder."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else CLUSTERS
    with empty_folder() as folder, running(folder) as hub:
        measured = asyncio.run(measure(hub, clusters))
    target = {
        "min_cold_objects_per_s": TARGET_COLD_PER_S,
        "min_delta_objects_per_s": TARGET_DELTAS_PER_S,
        "query_slowdown_under_deltas": TARGET_SLOWDOWN,
    }
    return 0 if report("inventory", measured, target) else 1


if __name__ == "__main__":
    sys.exit(main())
