"""Every command of docs/start, run in the order of the page: from nothing to two joined clusters."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kube_api import FakeKube
from tests.support.kube_objects import node, pod
from tests.support.shown_commands import ROOT, lines_shown

PAGE = ROOT / "docs" / "start" / "index.md"
BY_HAND = ("git clone", "make setup")
"""Done already, or these tests would not run."""
PATIENCE_S = 120


@dataclass
class Reader:
    """Somebody who types what the page says into one shell; what serves goes to the background."""

    home: Path
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
        assert process.returncode == 0, f"{line}: exit {process.returncode}\n{out.decode()}{err.decode()}"
        return out.decode()

    async def leaves_running(self, line: str) -> None:
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
    names = ("my-cluster", "my-other-cluster")
    await asyncio.to_thread(folder.mkdir, mode=0o711)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(cluster(name).serving()) for name in names]
        config = {
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in zip(names, urls, strict=True)],
            "users": [{"name": name, "user": {}} for name in names],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        reader = Reader(folder)
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
    kube = FakeKube()
    kube.add_namespace("kube-system", uid=f"uid-of-{name}")
    kube.put("/api/v1/nodes", node(f"{name}-1", podCIDR="10.8.0.0/24", podCIDRs=["10.8.0.0/24"]))
    kube.put("/api/v1/pods", pod("p1", ("10.8.0.5",)))
    return kube


async def hub_is_ready(reader: Reader) -> dict[str, str]:
    file = reader.home / "ready.json"
    async with asyncio.timeout(PATIENCE_S):
        while not file.exists():
            assert reader.serving[0].returncode is None, (reader.home / "log").read_text()
            await asyncio.sleep(0.05)  # another process writes it, and tells nobody
    found: dict[str, str] = json.loads(file.read_text())
    return found


def severities(shown: str) -> set[str]:
    document: Any = json.loads(shown)
    groups = document if isinstance(document, list) else document["overlapGroups"]
    return {group["severity"] for group in groups}


@pytest.mark.promise("the-start-page-works")
async def test_the_page_takes_a_reader_from_nothing_to_joined_clusters(open_folder: Path) -> None:
    lines = iter([line for line in lines_shown(PAGE.read_text()) if not line.startswith(BY_HAND)])
    ports = "PERIPLUS_SPOKES_PORT=0 PERIPLUS_PEOPLE_PORT=0 PERIPLUS_METRICS_PORT=0 PERIPLUS_READY_FILE=ready.json"
    async with reader_at_home(open_folder / "reader") as reader:
        ready: dict[str, str] = {}
        for line in lines:
            if line.startswith("periplus hub serve"):
                await reader.leaves_running(f"env {ports} {line}")
                ready = await hub_is_ready(reader)
                reader.environment["PERIPLUS_URL"] = ready["people_url"]
            elif line.startswith("periplus-spoke run"):
                await reader.leaves_running(line.replace("http://127.0.0.1:7946", ready["spokes_url"]))
                await reader.sees("periplus clusters list", lambda shown: "pending" in shown)
            elif line.startswith("periplus clusters approve"):
                await reader.types(line)
                await second_cluster_joins(reader, ready["spokes_url"])
                await reader.sees("periplus overlaps --json", lambda shown: "latent" in severities(shown))
            else:
                await reader.types(line)
        await reader.sees("periplus overlaps --json", lambda shown: "conflict" in severities(shown))
        await what_the_page_only_mentions(reader)


async def second_cluster_joins(reader: Reader, spokes_url: str) -> None:
    await reader.types("periplus join-token create --cluster-name my-other-cluster --auto-approve --out other-token")
    await reader.leaves_running(
        f"periplus-spoke run --hub {spokes_url} --join-token-file other-token --state-dir other"
        " --cluster-name my-other-cluster --context my-other-cluster"
    )


async def what_the_page_only_mentions(reader: Reader) -> None:
    for listing in ("clusters list", "domains list"):
        named = {each["name"] for each in json.loads(await reader.types(f"periplus {listing} --json"))}
        assert named >= ({"my-cluster"} if listing == "clusters list" else {"aws-backbone", "on-prem"})
    await reader.types("periplus clusters revoke my-other-cluster --yes")
    listed = json.loads(await reader.types("periplus clusters list --json"))
    assert {each["name"]: each["registration"] for each in listed} == {
        "my-cluster": "active",
        "my-other-cluster": "revoked",
    }
