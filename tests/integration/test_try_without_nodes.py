"""`periplus try` where nobody may list nodes: what tells a cluster from its copy is missing."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import yaml

from tests.support.commands import Outcome, periplus
from tests.support.kube_api import FakeKube, Trouble, write_kubeconfig


def without_nodes() -> FakeKube:
    kube = FakeKube()
    kube.add_namespace("kube-system", "one-uid")
    kube.trouble("/api/v1/nodes", Trouble(status=403, times=1_000))
    return kube


async def tried(folder: Path, *servers: str) -> Outcome:
    """With a context for each."""
    path = write_kubeconfig(folder / "config", servers[0], context="c0")
    content = yaml.safe_load(path.read_text())
    for number, server in enumerate(servers[1:], start=1):
        content["clusters"].append({"name": f"at{number}", "cluster": {"server": server}})
        content["contexts"].append({"name": f"c{number}", "context": {"cluster": f"at{number}"}})
    path.write_text(yaml.safe_dump(content))
    return await asyncio.to_thread(lambda: periplus("try", "--kubeconfig", str(path), "--json", home=folder))


async def test_two_contexts_at_one_address_are_one_cluster_and_two_addresses_are_not_known_to_be(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(without_nodes().serving()) for _ in range(2)]
        seen = await tried(tmp_path, first, first, second)
    lines = seen.document["clusters"]
    assert sorted(line["reason"] == "same_cluster" for line in lines) == [False, False, True]
    assert lines[2]["state"] == "incomplete"
    (note,) = seen.document["copies"]
    assert "have one kube-system uid. It is not known whether they are one cluster" in note
    assert "c2" in note
