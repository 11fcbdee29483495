"""A real Prometheus on a port of its own, and exporters with samples of times that a test chooses.

Samples have their own timestamps, so that a question about a time has one answer, however late the scrape came. A test
waits until the server has them, and asks it then.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from tests.cluster.rig.processes import Child, free_port
from tests.support.web_apps import listening

PATIENCE_S = 120
USER, PASSWORD = "reader", "let-me-read"
_HASH = "$2b$04$01o.nMIwSyth6cXhJzV96uJ2xiDoEJI66.Oh40c/Bxy9ia42ueUmq"
"""bcrypt of `PASSWORD`, as Prometheus' web configuration wants it."""


class Line(NamedTuple):
    """One sample as an exporter writes it."""

    metric: str
    labels: Mapping[str, str]
    value: float
    at_s: float | None = None
    """None for the time of the scrape."""

    def text(self) -> str:
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in self.labels.items())
        stamp = "" if self.at_s is None else f" {round(self.at_s * 1000)}"
        return f"{self.metric}{{{labels}}} {self.value!r}{stamp}\n"


@dataclass
class Exporter:
    """Serves `lines` to whoever scrapes it."""

    lines: Sequence[Line] = ()
    address: str = ""
    """HOST:PORT while it serves."""
    scrapes: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        del request
        self.scrapes += 1
        text = "".join(line.text() for line in self.lines)
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})


@asynccontextmanager
async def exporting(*lines: Line) -> AsyncIterator[Exporter]:
    """An exporter while the block runs."""
    exporter = Exporter(lines)
    app = web.Application()
    app.router.add_get("/metrics", exporter.answer)
    async with listening(app) as (host, port):
        exporter.address = f"{host}:{port}"
        yield exporter


@dataclass
class RealPrometheus:
    """Runs while its block does (`prometheus`)."""

    url: str
    child: Child
    session: aiohttp.ClientSession = field(repr=False)

    async def query(self, query: str, at_s: float) -> list[dict[str, Any]] | None:
        """The elements of its answer; None while it does not answer yet."""
        params = {"query": query, "time": str(at_s)}
        try:
            async with self.session.get(f"{self.url}/api/v1/query", params=params) as response:
                document = await response.json()
        except (aiohttp.ClientError, OSError):
            return None
        found: list[dict[str, Any]] = document["data"]["result"]
        return found

    async def has(self, query: str, at_s: float, count: int = 1) -> None:
        """Wait until the answer has so many elements."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self.query(query, at_s)) is None or len(found) != count:
                self.child.check()
                await asyncio.sleep(0.1)

    async def has_line(self, line: Line) -> None:
        """Wait until it has this sample, and so all that were scraped with it: a scrape is stored whole."""
        assert line.at_s is not None
        matchers = ",".join(f"{name}={json.dumps(value)}" for name, value in line.labels.items())
        await self.has(f"{line.metric}{{{matchers}}} == {line.value!r}", line.at_s)


@asynccontextmanager
async def prometheus(
    program: Path, folder: Path, jobs: Sequence[Mapping[str, Any]], *, wants_password: bool = False, **config: Any
) -> AsyncIterator[RealPrometheus]:
    """One that scrapes as the `jobs` say, which are entries of `scrape_configs`; `config` is what else stands there."""
    await asyncio.to_thread(_configure, folder, jobs, wants_password, config)
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--web.config.file={folder / 'web.yml'}",
        f"--web.listen-address={address}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--log.level=warn",
    ]
    child = Child("prometheus", command, folder / "log")
    headers = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    async with aiohttp.ClientSession(headers=headers if wants_password else {}) as session:
        child.start()
        try:
            yield RealPrometheus(f"http://{address}", child, session)
        finally:
            await asyncio.to_thread(child.kill)


def _configure(folder: Path, jobs: Sequence[Mapping[str, Any]], wants_password: bool, more: Mapping[str, Any]) -> None:
    labels = {"external_labels": more["external_labels"]} if "external_labels" in more else {}
    whole = {name: value for name, value in more.items() if name not in labels} | {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", **labels},
        "scrape_configs": list(jobs),
    }
    folder.mkdir()
    # What is JSON is YAML.
    (folder / "prometheus.yml").write_text(json.dumps(whole))
    (folder / "web.yml").write_text(json.dumps({"basic_auth_users": {USER: _HASH}} if wants_password else {}))


def job(name: str, *exporters: Exporter, **settings: Any) -> dict[str, Any]:
    """An entry of `scrape_configs`. Labels of the exporters win, as with those that a mesh's proxies have."""
    targets = [{"targets": [exporter.address for exporter in exporters]}]
    return {"job_name": name, "honor_labels": True, "static_configs": targets, **settings}
