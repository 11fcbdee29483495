"""What goes on while the demonstration serves, and how it ends."""

import io
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import typer.main
from graphql import build_schema, parse, validate

from periplus_contract.messages import BatchAnswer
from periplus_hub.api.cli import command_line
from periplus_hub.api.cli.child_processes import Children, HubReady
from periplus_hub.api.cli.demo_flows import COMMANDS, QUERY, DemoFlows
from periplus_hub.api.cli.exit_codes import STOPPING
from periplus_hub.api.cli.keep_serving import More, serve_until_interrupted
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.temporary_fleet import Fleet
from periplus_hub.api.demo.node_agents import _Agent
from periplus_hub.api.hub_client import HubClient, Reply

from tests.support.clock import FakeClock
from tests.support.shown_commands import ROOT


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL where nobody listens, and nobody can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def fleet(tmp_path: Path, nobody: str) -> Fleet:
    ready = HubReady(nobody, nobody, nobody, "")
    return Fleet([], Children(tmp_path), ready, cast("HubClient", None), "token", Progress(io.StringIO()))


@pytest.fixture
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_minute_that_cannot_be_sent_is_said_once_and_sent_later(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    flows = DemoFlows(fleet, clock)
    flows._agents._agents = [_Agent("payments-dublin-node-1", flows._agents.start_s)]
    flows.each_second()
    assert capsys.readouterr().err == "", "no minute is over"
    clock.advance(60)
    flows.each_second()
    flows.each_second()
    assert capsys.readouterr().err.count("flows wait to be sent") == 1
    sent: list[str] = []

    async def post(path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        del content, headers
        sent.append(path)
        answer = BatchAnswer(result="accepted", epoch="", settled_through=1)
        return Reply(200, "application/json", msgspec.json.encode(answer))

    flows._post = post
    flows.each_second()
    flows.each_second()
    assert sent == ["/v1/batches"]


@pytest.mark.usefixtures("handlers")
def test_what_goes_on_each_second_ends_with_ctrl_c(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    seconds: list[None] = []

    def each_second() -> None:
        seconds.append(None)
        os.kill(os.getpid(), signal.SIGINT)

    more = More(query="{ coverage { ratio } }", commands=("coverage --since 1h",), each_second=each_second)
    serve_until_interrupted(fleet, err=False, more=more)
    assert len(seconds) == 1
    said = capsys.readouterr().out
    assert " coverage --since 1h\n" in said
    assert '{"query": "{ coverage { ratio } }"}' in said


def test_the_query_to_paste_is_one_of_the_schema() -> None:
    schema = build_schema((ROOT / "hub" / "schema.graphql").read_text())
    assert validate(schema, parse(QUERY)) == []


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_to_paste_are_understood(line: str) -> None:
    name, *options = line.split()
    root: Any = typer.main.get_command(command_line())
    assert root.commands[name].make_context(name, options).args == []
