"""`periplus flows` against a hub that takes flows from spokes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from periplus_hub.kit.clock import SystemClock

from tests.support.flow_desk import FlowDesk, flow_desk
from tests.support.flow_hub import BOTH, Flow, Peer, bytes_of

WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
DROPPED, INTERRUPTED = 2, 130


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[FlowDesk]:
    async with flow_desk(database_url, tmp_path) as opened:
        yield opened


def recent_flows() -> list[Flow]:
    at = int(SystemClock().now().timestamp()) // 60 * 60 - 300
    dropped = Flow(WEB, Peer("198.51.100.7"), at, BOTH, port=25, verdict=DROPPED, measures={"failures_refused": 4})
    return [Flow(WEB, API, at, BOTH, measures=bytes_of(1_234_567, 89) | {"connections_opened": 3}), dropped]


async def test_the_largest_flows_are_printed_and_told_to_programs(desk: FlowDesk) -> None:
    nothing = await desk.terminal.type("flows")
    assert nothing.stdout == "No flow is known.\n"
    assert "no flows are told by prod-1" in nothing.stderr
    await desk.tell(recent_flows())
    found = await desk.terminal.type("flows")
    assert [line.split() for line in found.stdout.splitlines()[1:]] == [
        ["shop/web@prod-1", "shop/api@prod-1", "TCP", "443", "forwarded", "1234656"],
        ["shop/web@prod-1", "external", "198.51.100.0/24", "TCP", "25", "dropped", "unknown"],
    ]
    assert "1 flow of all, at the end: bytes not known" in found.stderr
    told = await desk.terminal.documents("flows", "--by", "failures", "--verdict", "dropped", "--port", "25")
    [flow] = told["flows"]
    assert (flow["failures"], flow["verdict"], flow["source"]["cluster"]["name"]) == (4, "dropped", "prod-1")
    assert (told["flowCount"], told["total"]) == (1, 4)
    assert (await desk.terminal.documents("flows", "--to", "shop/api", "--first", "1"))["flows"][0][
        "bytes"
    ] == 1_234_656


async def test_one_dependency_alone_is_shown_in_full(desk: FlowDesk) -> None:
    await desk.tell(recent_flows())
    shown = (await desk.terminal.type("dependencies", "--from", "shop/web", "--to", "shop/api")).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["TCP", "443", "forwarded", "1234567", "89", "3"] in lines
    assert ["told", "told", "1234656"] in lines
    assert "reported by client and server" in shown
    found = await desk.terminal.documents("dependencies", "--from", "shop/web", "--to", "shop/api")
    assert sum(each or 0 for each in found["inFull"]["history"]["bytesTx"]) == 1_234_567
    assert found["inFull"]["reportedBy"] == ["client", "server"]
    several = await desk.terminal.documents("dependencies", "--of", "shop/web", "--from", "web")
    assert (len(several["edges"]), several["inFull"]) == (2, None)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--by", "packets"), "there is no measure"),
        (("--verdict", "lost"), "there is no verdict"),
        (("--since", "soon"), "is no time"),
        (("--from", "shop@"), "--from 'shop@' names nothing"),
    ],
)
async def test_what_cannot_be_asked_is_said(desk: FlowDesk, words: tuple[str, ...], why: str) -> None:
    assert why in (await desk.terminal.type("flows", *words, code=64)).stderr


async def test_watching_prints_a_document_a_line_until_it_is_interrupted(desk: FlowDesk) -> None:
    await desk.tell(recent_flows())
    command = (sys.executable, "-m", "periplus_hub", "flows", "--watch", "--every", "1", "--json")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | desk.terminal.env, stdout=pipe, stderr=pipe
    )
    assert process.stdout is not None
    lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert [line["flows"][0]["bytes"] for line in lines] == [1_234_656] * 2
    assert lines[0]["at"] < lines[1]["at"]
    assert (process.returncode, said.decode()) == (INTERRUPTED, "interrupted\n")
