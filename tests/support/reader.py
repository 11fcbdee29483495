"""Somebody at a shell who types what a page of the documentation says."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from tests.support.kube_api import FakeKube
from tests.support.kube_objects import node, pod

PATIENCE_S: Final = 120
_FREE_PORTS: Final = "PERIPLUS_SPOKES_PORT=0 PERIPLUS_API_PORT=0 PERIPLUS_METRICS_PORT=0 PERIPLUS_READY_FILE=ready.json"


@dataclass
class Reader:
    """Somebody who types what the page says into one shell; what serves goes to the background."""

    home: Path
    clusters: Mapping[str, FakeKube]
    exports: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    serving: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def types(self, line: str) -> str:
        """What the command printed; it must end well."""
        if line.startswith("export "):
            self.exports.append(line)
            return ""
        process = await self._start(line)
        out, err = await process.communicate()
        if process.returncode != 0:
            raise AssertionError(f"{line}: exit {process.returncode}\n{out.decode()}{err.decode()}")
        return out.decode()

    async def leaves_running(self, line: str) -> None:
        """It serves until the reader leaves."""
        self.serving.append(await self._start(f"exec {line}"))

    async def sees(self, line: str, wanted: Callable[[str], bool]) -> str:
        """Type it again until it shows what is wanted: the page says "within seconds"."""
        async with asyncio.timeout(PATIENCE_S):
            shown = await self.types(line)
            while not wanted(shown):
                await asyncio.sleep(1)  # as a reader would: a token's budget fills by the second
                shown = await self.types(line)
        return shown

    async def leaves(self) -> None:
        """End what serves, the last first."""
        for process in reversed(self.serving):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()

    async def _start(self, line: str) -> asyncio.subprocess.Process:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PERIPLUS", "KUBE"))}
        with (self.home / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", "\n".join([*self.exports, line])),
                cwd=self.home,
                stdout=log if line.startswith("exec ") else asyncio.subprocess.PIPE,
                stderr=log if line.startswith("exec ") else asyncio.subprocess.PIPE,
                env=kept | self.environment,
            )


@asynccontextmanager
async def reader_at_home(folder: Path) -> AsyncIterator[Reader]:
    """Two clusters that use the same pod range, as contexts of one kubeconfig."""
    await asyncio.to_thread(folder.mkdir, mode=0o711)
    async with AsyncExitStack() as stack:
        clusters = {name: cluster(name) for name in ("my-cluster", "my-other-cluster")}
        urls = {name: await stack.enter_async_context(kube.serving()) for name, kube in clusters.items()}
        config = {
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in urls.items()],
            "users": [{"name": name, "user": {}} for name in urls],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in urls],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        reader = Reader(folder, clusters)
        reader.environment = {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PWD": str(folder),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        try:
            yield reader
        finally:
            await reader.leaves()


def cluster(name: str) -> FakeKube:
    """One node, one pod."""
    kube = FakeKube()
    kube.add_namespace("kube-system", uid=f"uid-of-{name}")
    kube.put("/api/v1/nodes", node(f"{name}-1", podCIDR="10.8.0.0/24", podCIDRs=["10.8.0.0/24"]))
    kube.put("/api/v1/pods", pod("p1", ("10.8.0.5",)))
    return kube


async def serves_hub(reader: Reader, line: str) -> dict[str, str]:
    """Leave the `periplus hub serve` of a page running, on free ports; answers what its ready file says."""
    file = reader.home / "ready.json"
    await reader.leaves_running(f"env {_FREE_PORTS} {line}")
    hub = reader.serving[-1]
    async with asyncio.timeout(PATIENCE_S):
        while not file.exists():
            if hub.returncode is not None:
                raise AssertionError((reader.home / "log").read_text())
            await asyncio.sleep(0.05)  # another process writes it, and tells nobody
    found: dict[str, str] = json.loads(file.read_text())
    reader.environment["PERIPLUS_URL"] = found["api_url"]
    return found
