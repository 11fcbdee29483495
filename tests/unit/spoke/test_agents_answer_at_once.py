"""Both agents answer probes from their start: one that waits for a hub or a person is not to be killed for it."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from periplus_spoke.agent import Agent
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.node_agent import NodeAgent

from tests.support.kube_api import FakeKube, write_kubeconfig


class Runs(Protocol):
    async def run(self) -> None: ...


class _Opened(logging.Handler):
    """Holds the port that an agent said it opened."""

    def __init__(self) -> None:
        super().__init__()
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "health port open":
            self.port.set_result(record.__dict__["port"])


@asynccontextmanager
async def probed(agent: Runs, caplog: pytest.LogCaptureFixture) -> AsyncIterator[int]:
    """The health port of an agent that runs while the block does."""
    opened, log = _Opened(), logging.getLogger("periplus_spoke.health")
    caplog.set_level(logging.INFO, log.name)
    log.addHandler(opened)
    running = asyncio.create_task(agent.run())
    try:
        async with asyncio.timeout(30):
            await asyncio.wait({running, opened.port}, return_when=asyncio.FIRST_COMPLETED)
            assert not running.done(), running
            yield await opened.port
    finally:
        log.removeHandler(opened)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def status(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


@pytest.mark.parametrize("kind", [Agent, NodeAgent])
async def test_it_is_alive_and_not_ready_while_no_hub_answers(
    kind: type[Agent] | type[NodeAgent], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = FakeKube()
    cluster.add_namespace("kube-system", "uid-1")
    async with cluster.serving() as url:
        settings = SpokeConfig(
            hub="http://127.0.0.1:1",
            state_dir=tmp_path / "state",
            kubeconfig=write_kubeconfig(tmp_path / "kubeconfig", url),
            node_name="node-1",
            health_port=0,
            health_host="127.0.0.1",
        )
        async with probed(kind(settings, "id.secret", SystemClock(), random.Random(1)), caplog) as port:
            assert (await status(port, "/healthz"), await status(port, "/readyz")) == (200, 503)
            assert await status(port, "/metrics") == 200
