"""`periplus-spoke` as people run it: a process, a cluster's API, a hub."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from periplus_contract import problems
from periplus_contract.tables import Kind

from tests.support.fake_hub import CREDENTIAL, JOIN_TOKEN, FakeHub, Handler, refuse, refuse_kind
from tests.support.kube_api import FakeKube, write_kubeconfig
from tests.support.kube_objects import node, pod

SECRET = JOIN_TOKEN.partition(".")[2]
pytestmark = pytest.mark.chaos


@dataclass
class Spoke:
    """One command line; `said` is everything it wrote."""

    process: asyncio.subprocess.Process
    said: str = ""

    async def says(self, words: str) -> str:
        """The line of the log with these words, once it is there."""
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.said += line
            if words in line:
                return line
        raise AssertionError(self.said)

    async def end(self) -> int:
        async with asyncio.timeout(60):
            out, err = await self.process.communicate()
        self.said += out.decode() + err.decode()
        return self.process.returncode if self.process.returncode is not None else -1


@dataclass
class Stage:
    """A cluster, a hub and a state folder."""

    hub: FakeHub
    kube: FakeKube
    folder: Path
    kubeconfig: Path
    token: str = JOIN_TOKEN
    started: list[Spoke] = field(default_factory=list)

    async def spoke(self, command: str, *more: str) -> Spoke:
        token_file = self.folder / "token"
        token_file.write_text(self.token)
        arguments = ["--hub", self.hub.url, "--join-token-file", str(token_file), "--state-dir", str(self.folder / "s")]
        arguments += ["--kubeconfig", str(self.kubeconfig), "--status-file", str(self.folder / "status.json")]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "periplus_spoke", command, *arguments, *more),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={key: value for key, value in os.environ.items() if not key.startswith("PERIPLUS_")},
        )
        self.started.append(Spoke(process))
        return self.started[-1]

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "status.json").read_text())
        return found


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    kube = FakeKube()
    kube.put("/api/v1/nodes", node("n1", podCIDR="10.0.0.0/24", podCIDRs=["10.0.0.0/24"]))
    kube.put("/api/v1/pods", pod("p1", ("10.0.0.5",)))
    async with FakeHub() as hub, kube.serving() as url:
        made = Stage(hub, kube, folder, write_kubeconfig(folder / "kubeconfig", url))
        try:
            yield made
        finally:
            for spoke in made.started:
                if spoke.process.returncode is None:
                    spoke.process.kill()
                    await spoke.process.wait()


@pytest.mark.promise("secrets-are-not-shown")
async def test_once_brings_a_complete_picture_and_no_secret_leaves(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        spoke = await made.spoke("once", "--cluster-name", "prod-1", "--log-level", "debug", "--timeout", "50")
        assert await spoke.end() == 0, spoke.said
        assert {header.kind for header in made.hub.ledger.values()} == {Kind.INVENTORY, Kind.IPAM}
        status = made.status()
        assert (status["phase"], status["cluster_name"]) == ("settled", "prod-1")
        assert isinstance(status["objects"], int)
        checked = await made.spoke("check")
        assert await checked.end() == 0, checked.said
        assert "enrolled as prod-1" in checked.said
    haystack = spoke.said + checked.said + "".join(written_files(tmp_path))
    assert SECRET not in haystack
    assert CREDENTIAL not in haystack


async def test_a_version_that_is_none_is_named_and_left_out(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.kube.git_version = "v1.33\x1b[2J"
        spoke = await made.spoke("once", "--timeout", "50")
        assert await spoke.end() == 0, spoke.said
        assert {header.kind for header in made.hub.ledger.values()} == {Kind.INVENTORY, Kind.IPAM}
        checked = await made.spoke("check")
        assert await checked.end() == 0, checked.said
    for said in (spoke.said, checked.said):
        assert "v1.33" in said
        assert "printable" in said
        assert "\x1b" not in said
    assert "Kubernetes of an unknown version" in checked.said


async def test_the_cluster_is_read_while_the_hub_is_still_starting(tmp_path: Path) -> None:
    """A hub that answers nobody before the pods were read would never hear of a spoke that joins first."""
    async with stage(tmp_path) as made:

        async def start_slowly(request: web.Request, handler: Handler) -> web.StreamResponse:
            await made.kube.asked(lambda seen: seen.path == "/api/v1/pods")
            return await handler(request)

        made.hub.misbehave("/v1/contract", start_slowly)
        spoke = await made.spoke("once", "--timeout", "25")  # less than a request to the hub may take
        assert await spoke.end() == 0, spoke.said
        assert Kind.INVENTORY in {header.kind for header in made.hub.ledger.values()}


def written_files(folder: Path) -> list[str]:
    """What the spoke itself left on disk."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("token", "kubeconfig")]
    return [path.read_bytes().decode("latin-1") for path in found]


async def test_a_running_spoke_answers_probes_and_stops_when_asked(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        spoke = await made.spoke("run", "--health-port", "0", "--health-host", "127.0.0.1")
        await asyncio.wait_for(made.hub.reached(lambda: len(made.hub.ledger) >= 2).wait(), 60)
        port = json.loads(await spoke.says('"port"'))["port"]
        assert "200 OK" in await ask(port, "/healthz")
        assert "200 OK" in await ask(port, "/readyz")
        metrics = await ask(port, "/metrics")
        assert "periplus_spoke_outbox_held_batches" in metrics
        assert CREDENTIAL not in metrics
        assert "404" in await ask(port, "/debug")
        second = await made.spoke("run")
        assert await second.end() == 1
        assert f"process {spoke.process.pid}" in second.said
        spoke.process.send_signal(signal.SIGTERM)
        assert await spoke.end() == 0
        assert SECRET not in spoke.said
        again = await made.spoke("once", "--accepted")
        assert await again.end() == 0, again.said
    assert made.hub.requests.count("/v1/enroll") == 1
    assert (made.hub.conflicts, made.hub.gaps) == (0, 0)


async def ask(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


async def test_a_refused_token_ends_with_4_and_the_remedy(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.hub.misbehave("/v1/enroll", refuse(problems.PROOF_REFUSED))
        spoke = await made.spoke("run")
        assert await spoke.end() == 4
        assert problems.PROOF_REFUSED.remedy in spoke.said
        status = made.status()
        assert (status["phase"], status["reason"]) == ("failed", "proof_refused")
        assert status["remedy"] == problems.PROOF_REFUSED.remedy


@pytest.mark.promise("wrong-clocks-are-shown")
async def test_a_picture_that_the_hub_sets_aside_is_not_done(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.hub.rejected = {"clock_ahead": 5}
        spoke = await made.spoke("once")
        assert await spoke.end() == 1
        assert "Set this machine's clock" in spoke.said
        conditions = made.status()["conditions"]
    assert isinstance(conditions, dict)
    assert conditions["rows_set_aside"].endswith("clock_ahead 10")


async def test_once_that_waits_for_approval_is_not_refused_and_not_done(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.hub.approved = False
        spoke = await made.spoke("once", "--timeout", "3")
        assert await spoke.end() == 1, spoke.said
        assert problems.PENDING.remedy in spoke.said
        assert made.status()["phase"] == "pending"


async def test_once_that_is_stopped_is_not_done(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.hub.settle = False
        spoke = await made.spoke("once")
        await asyncio.wait_for(spoke.says("--accepted ends without this wait"), 60)
        assert len(made.hub.ledger) >= 2
        spoke.process.send_signal(signal.SIGTERM)
        assert await spoke.end() == 1
        assert "Run it again" in spoke.said
        assert spoke.said.count("--accepted ends without this wait") == 1


async def test_once_ends_with_4_when_it_is_revoked(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        made.hub.revoked = True
        spoke = await made.spoke("once", "--timeout", "50")
        assert await spoke.end() == 4, spoke.said


@pytest.mark.promise("inventory-ends-equal")
async def test_once_is_not_done_while_a_picture_is_to_be_told_again(tmp_path: Path) -> None:
    """The hub cannot place the snapshot: nothing is held then, and the next one is still to come."""
    async with stage(tmp_path) as made:
        made.hub.misbehave("/v1/batches", refuse_kind(made.hub, Kind.INVENTORY, problems.INVENTORY_GAP))
        spoke = await made.spoke("once", "--timeout", "58")
        assert await spoke.end() == 0, spoke.said
        assert Kind.INVENTORY in {header.kind for header in made.hub.ledger.values()}


@pytest.mark.parametrize("seconds", ["nan", "0", "-1", "inf", "soon"])
async def test_a_timeout_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    async with stage(tmp_path) as made:
        spoke = await made.spoke("once", f"--timeout={seconds}")
        assert await spoke.end() == 64
        assert "--timeout" in spoke.said


async def test_an_unreachable_cluster_ends_with_3(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        write_kubeconfig(made.kubeconfig, "http://127.0.0.1:1")
        spoke = await made.spoke("run")
        assert await spoke.end() == 3
        status = made.status()
        assert (status["phase"], status["reason"]) == ("failed", "unreachable")
        assert made.hub.requests == []


@pytest.mark.parametrize(("token", "code"), [("", 64), ("wrong.secret", 4)])
async def test_without_a_good_token_nothing_is_sent(tmp_path: Path, token: str, code: int) -> None:
    async with stage(tmp_path) as made:
        made.token = token
        spoke = await made.spoke("run")
        assert await spoke.end() == code
        assert "periplus join-token create" in spoke.said
        assert token or f"{made.folder / 'token'} is not there, or empty" in spoke.said
        assert made.hub.ledger == {}
