"""`periplus try` on the kubeconfigs that people have: several files, second paths, broken ones among good ones."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.support.commands import Outcome, periplus
from tests.support.kube_api import FakeKube, write_kubeconfig
from tests.support.kube_objects import node

ADMIN = "kubernetes-admin@kubernetes"


def cluster(uid: str, number: int) -> FakeKube:
    kube = FakeKube()
    kube.add_namespace("kube-system", uid)
    services = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [f"10.{96 + number}.0.0/16"]}}
    kube.put("/apis/networking.k8s.io/v1/servicecidrs", services)
    pods = {"ClusterConfiguration": f"networking: {{podSubnet: 10.{200 + number}.0.0/16}}"}
    kube.put("/api/v1/configmaps", {"metadata": {"name": "kubeadm-config", "namespace": "kube-system"}, "data": pods})
    addresses = [{"type": "InternalIP", "address": f"10.{number}.0.10"}]
    kube.put("/api/v1/nodes", node(f"n{number}", podCIDRs=[f"10.{200 + number}.0.0/24"], addresses=addresses))
    return kube


@asynccontextmanager
async def admin_files(folder: Path, *kubes: FakeKube) -> AsyncIterator[list[Path]]:
    """One file for each, all with the same names for everything."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(kube.serving()) for kube in kubes]
        yield [
            write_kubeconfig(folder / f"{name}.conf", url, context=ADMIN)
            for name, url in zip(("alpha", "beta", "gamma"), urls, strict=False)
        ]


async def tried(folder: Path, *arguments: str, **environment: str) -> Outcome:
    return await asyncio.to_thread(lambda: periplus("try", *arguments, home=folder, **environment))


@pytest.mark.promise("no-false-all-clear")
async def test_every_file_of_kubeconfig_is_read_or_named(tmp_path: Path) -> None:
    (tmp_path / "broken.conf").write_text("{unclosed")
    async with admin_files(tmp_path, cluster("a", 1), cluster("b", 2), cluster("c", 3)) as files:
        listed = [*files, tmp_path / "broken.conf", tmp_path / "absent.conf"]
        seen = await tried(tmp_path, "--json", "--fail-on", "conflict", KUBECONFIG=":".join(map(str, listed)))
    lines = {line["name"]: line for line in seen.document["clusters"]}
    read = [f"{ADMIN} ({name}.conf)" for name in ("alpha", "beta", "gamma")]
    assert list(lines) == [*read, str(tmp_path / "broken.conf")]
    assert {lines[name]["state"] for name in read} == {"complete"}, lines
    assert {lines[name]["context"] for name in read} == {ADMIN}
    assert len({lines[name]["networkDomain"] for name in read}) == 3
    broken = lines[str(tmp_path / "broken.conf")]
    assert (broken["state"], broken["reason"], "not YAML" in broken["message"]) == ("unread", "bad_kubeconfig", True)
    notes = " ".join(seen.document["notes"])
    assert f"3 files of KUBECONFIG have a context '{ADMIN}'" in notes
    assert f"KUBECONFIG names {tmp_path / 'absent.conf'}, and there is no such file" in notes
    assert seen.code == 1, "a file that nobody could read may hold anything"
    assert "broken.conf" in seen.err


class Gate:
    """Holds connections up until it is opened."""

    def __init__(self, url: str) -> None:
        self.opened = asyncio.Event()
        self._place = (urlsplit(url).hostname, urlsplit(url).port)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        held: set[asyncio.Task[None]] = set()

        async def hold_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            held.add(task)
            with suppress(OSError, asyncio.CancelledError):
                await self.opened.wait()
                ahead = await asyncio.open_connection(*self._place)
                await asyncio.gather(_pour(reader, ahead[1]), _pour(ahead[0], writer), return_exceptions=True)
            writer.close()

        server = await asyncio.start_server(hold_up, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


def wait_settled(folder: Path) -> None:
    """Return when some spoke below `folder` says that it has settled."""
    until = time.monotonic() + 120
    while not any('"settled"' in path.read_text() for path in folder.glob("*/spoke-*/status.json")):
        assert time.monotonic() < until, list(folder.glob("*/spoke-*/*"))
        time.sleep(0.05)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary ones which another account may pass through, as PostgreSQL must."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


async def test_of_two_paths_to_one_cluster_the_first_is_read_though_it_was_the_slowest(
    tmp_path: Path, scratch: Path
) -> None:
    kube = cluster("a", 1)
    async with kube.serving() as url:
        gate = Gate(url)
        async with gate.serving() as slow:
            path = write_kubeconfig(tmp_path / "config", slow, context="first")
            content = yaml.safe_load(path.read_text())
            content["clusters"].append({"name": "fast", "cluster": {"server": url}})
            content["contexts"].append({"name": "second", "context": {"cluster": "fast"}})
            path.write_text(yaml.safe_dump(content))
            trial = asyncio.create_task(tried(tmp_path, "--kubeconfig", str(path), "--json", TMPDIR=str(scratch)))
            await asyncio.to_thread(wait_settled, scratch)
            gate.opened.set()
            seen = await trial
    assert seen.code == 0, seen.err
    first, second = seen.document["clusters"]
    assert (first["name"], first["state"], first["nodes"]) == ("first", "complete", 1), first
    assert (second["name"], second["state"], second["reason"]) == ("second", "pending", "same_cluster")
    assert second["message"] == "same as first: both lead to one cluster, which is read once"
    assert (seen.document["complete"], seen.document["completeClusters"]) == (True, 1)
