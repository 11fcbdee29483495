"""What strangers, clients that leave, and a store that goes away make of a hub's log: little, and nothing but JSON."""

import asyncio
import contextlib
import json
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from periplus_contract.log_lines import TOLD

from tests.support.hub_child import hub_process
from tests.support.hub_db import PostgresForTests

MANY = 60
MOST_BYTES = 10_000
MOST_LINES = 2 * (TOLD + 1)
"""Of one kind: on a slow machine a minute may end in the middle."""
HOSTILE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nxx",
    b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnull",
    b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
]
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FRAMES = [
    b"\xff\xff\xff\xff no frame",
    b"\x81\x05hello",  # not masked
    b"\x81\xfe\xff\xff",  # longer than what follows
    b"\x81\x82\0\0\0\0\xc3\x28",  # no UTF-8
]


async def _fire(url: str, words: bytes, then: bytes = b"") -> None:
    """Send, wait for an answer if there is more to send, and leave with a reset in the middle of whatever happens."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(words)
    if then and await reader.read(64):
        writer.write(then)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    writer.transport.abort()


async def _answers(url: str) -> None:
    """Everything sent before it was seen: connections are taken in turn."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for _ in range(3):
            await http.get("/v1/contract")


@pytest.mark.promise("logs-stay-small")
async def test_a_hub_under_fire_says_little_and_only_json(
    postgres: PostgresForTests, database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "hub.log"
    async with hub_process(database_url, tmp_path, log=log) as (spokes_url, process):
        ready = json.loads((tmp_path / "ready.json").read_text())
        for url in (spokes_url, ready["api_url"], ready["metrics_url"]):
            for words in HOSTILE:
                await asyncio.gather(*(_fire(url, words) for _ in range(MANY)))
        for frame in FRAMES:
            await asyncio.gather(*(_fire(ready["api_url"], UPGRADE, frame) for _ in range(MANY)))
        await _answers(spokes_url)
        await postgres.drop(database_url)  # every session ends, and no new one begins
        async with httpx.AsyncClient(timeout=60) as http:
            challenge = {"registration": "01890000-0000-7000-8000-000000000000"}
            question = {"json": {"query": "{viewer{actor}}"}, "headers": {"Authorization": "Bearer ppt_AbCd1234_x"}}
            async with asyncio.timeout(30):  # what it found a moment ago is told once more
                found = HTTPStatus.OK.value
                while found != HTTPStatus.SERVICE_UNAVAILABLE:
                    found = (await http.get(f"{ready['metrics_url']}/readyz")).status_code
            statuses = set()
            for _ in range(MANY):
                statuses.add((await http.post(f"{spokes_url}/v1/challenge", json=challenge)).status_code)
                statuses.add((await http.post(f"{ready['api_url']}/graphql", **question)).status_code)
                statuses.add((await http.get(f"{ready['metrics_url']}/readyz")).status_code)
        assert statuses == {503}
        process.terminate()
        await process.wait()
    said = log.read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line for line in lines if "exception" in line] == []
    assert max(Counter(line["message"].partition(" (seen")[0] for line in lines).values()) <= MOST_LINES
    assert any(line.get("repeated") for line in lines)
    assert len(said) < MOST_BYTES
