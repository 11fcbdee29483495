"""Every command of both programs, with an output that nobody reads: no traceback, and the exit code of its work."""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.kit.db import Database
from periplus_spoke.main import command_line as spoke_command_line

from tests.support.graphql_hub import Fleet, seed
from tests.support.hub_process import config_for, hub

HELP, USAGE, LOST = 0, 64, 1
"""Exit codes. A secret that nobody reads is lost, which is a failure."""


def hub_commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Whatever can be called, groups too."""
    yield path
    for name, found in getattr(command, "commands", {}).items():
        yield from hub_commands(found, (*path, name))


def spoke_commands() -> Iterator[tuple[str, ...]]:
    (choices,) = (
        each.choices for each in spoke_command_line()._actions if isinstance(each, argparse._SubParsersAction)
    )
    yield from ((), *((name,) for name in choices))


_ROOT = typer.main.get_command(command_line())
EVERY = [("periplus_hub", *path) for path in hub_commands(_ROOT)] + [
    ("periplus_spoke", *path) for path in spoke_commands()
]


@contextmanager
def nobody_reads() -> Iterator[int]:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


def run(*words: str, stdout: int | None = None, shell: str = "", env: dict[str, str] | None = None) -> Ended:
    """As a process of its own. `shell` closes or redirects streams, as in `exec "$@" >&-`."""
    command = [sys.executable, "-m", *words]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERIPLUS", "KUBE"))}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=kept | (env or {}),
        text=True,
        timeout=240,
        check=False,
    )
    assert not any(each in done.stderr for each in ("Traceback", "Exception", "Assertion", "Broken pipe")), done.stderr
    return Ended(done.returncode, done.stderr)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_ends_well_when_its_reader_has_left(words: tuple[str, ...]) -> None:
    with nobody_reads() as pipe:
        assert run(*words, "--help", stdout=pipe) == Ended(HELP, "")


@pytest.mark.parametrize("program", ["periplus_hub", "periplus_spoke"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>&- >/dev/null"])
def test_streams_may_be_closed_from_the_start(program: str, closed: str) -> None:
    assert run(program, "--version", shell=closed, stdout=subprocess.DEVNULL) == Ended(HELP, "")
    assert run(program, "--nonsense", shell=closed, stdout=subprocess.DEVNULL).code == USAGE


@pytest.mark.parametrize("program", ["periplus_hub", "periplus_spoke"])
def test_a_full_disk_is_said(program: str) -> None:
    for words in (("--version",), ("--help",)):
        ended = run(program, *words, shell=">/dev/full")
        assert (ended.code, "standard output cannot be written: No space left on device" in ended.said) == (1, True)


@dataclass(frozen=True)
class Desk:
    """A hub with something of everything, and how to ask it."""

    env: dict[str, str]
    fleet: Fleet

    def run(self, *words: str, **streams: Any) -> Ended:
        return run(*words, env=self.env, **streams)


@pytest.fixture
async def desk(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    fleet = await seed(db, system_scope(await ensure_default_tenant(db), "test"))
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        env = {
            "PERIPLUS_URL": ready["api_url"],
            "PERIPLUS_TOKEN": str(await start("admin_token", config)),
            "PERIPLUS_DATABASE_URL": database_url,
            "PERIPLUS_DATA_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        yield Desk(env, fleet)


Calls = dict[tuple[str, ...], tuple[tuple[str, ...], int]]


def address_calls(ids: dict[str, str]) -> Calls:
    """Of the commands about addresses, as `calls`."""
    none: tuple[str, ...] = ()
    return {
        ("overlaps",): (("--fail-on", "latent"), 2),
        ("overlaps", "accept"): (("10.244.0.0/16", "--reason", "a lab"), 0),
        ("overlaps", "accepted"): (none, 0),
        ("overlaps", "withdraw"): ((ids["OverlapAcceptance"],), 0),
        ("address",): (("10.244.0.1",), 0),
        ("explain-address",): (("10.244.0.1",), 0),
        ("reach", "set"): (("pod", "masqueraded", ids["Cluster"], "--reason", "an overlay"), 0),
        ("reach", "clear"): (("pod", ids["Cluster"]), 0),
        ("reach", "list"): (none, 0),
        ("pools",): (none, 0),
        ("plan",): (("--cluster", "not-there-yet"), 1),
        ("plan", "reserved"): (none, 0),
        ("plan", "release"): (("none-such",), 1),
        ("preflight",): (("--into", "skupper"), 0),
        ("ranges", "add"): (("10.200.0.0/16", "--domain", ids["NetworkDomain"], "--use", "office"), 0),
        ("ranges", "list"): (none, 0),
        ("ranges", "export"): (none, 0),
        ("ranges", "import"): (("/nowhere",), 1),
        ("ranges", "import-netbox"): (("http://127.0.0.1:1",), USAGE),
        ("ranges", "remove"): (("10.200.0.0/16",), 0),
    }


FLOW_CALLS: Calls = {
    ("dependencies",): (("--cross-cluster",), 0),
    ("dependency-map",): ((), 0),
    ("flows",): (("--watch",), 0),
    ("blast-radius",): (("default/name-0",), 0),
    ("cluster-links",): ((), 0),
    ("coverage",): ((), 0),
    ("costs",): (("--explain",), 0),
    ("prices", "list"): ((), 0),
    ("prices", "check"): (("/nowhere",), 1),
}
"""Of the commands about flows."""
CARE_CALLS: Calls = {
    ("backup",): (("/nowhere/at-all",), 1),
    ("restore",): (("/nowhere/at-all",), 1),
    ("doctor",): ((), 2),
    ("support-bundle",): (("-o", "/nowhere/bundle.tar.gz"), 1),
}
"""Of the commands that look after a hub."""


def calls(ids: dict[str, str]) -> Calls:
    """For each command, by the words that name it, further arguments and the code it ends with."""
    none: tuple[str, ...] = ()
    missing, kubeconfig = ("--config", "/nowhere"), ("--kubeconfig", "/nowhere")
    shared = address_calls(ids) | FLOW_CALLS | CARE_CALLS
    hub_side: Calls = shared | {
        ("demo",): (("--once",), 0),
        ("try",): (kubeconfig, 1),
        ("hub", "serve"): (missing, USAGE),
        ("hub", "work"): (missing, USAGE),
        ("hub", "migrate"): (none, 0),
        ("hub", "tenants", "create"): (("globex",), LOST),
        ("hub", "admin-token"): (("--tenant", "globex"), LOST),
        ("hub", "tenants", "list"): (none, 0),
        ("join-token", "create"): (none, LOST),
        ("join-token", "list"): (("--all",), 0),
        ("join-token", "withdraw"): ((ids["JoinToken"],), 0),
        ("api-token", "create"): (("ci",), LOST),
        ("api-token", "list"): (none, 0),
        ("api-token", "revoke"): ((ids["ApiToken"], "--yes"), 0),
        ("sessions", "list"): (("--all",), 0),
        ("sessions", "revoke"): ((ids["Session"], "--yes"), 0),
        ("login",): (none, 1),
        ("logout",): (none, 0),
        ("clusters", "list"): (none, 0),
        ("clusters", "show"): ((ids["Cluster"],), 0),
        ("clusters", "approve"): ((ids["Cluster"],), 0),
        ("clusters", "revoke"): ((ids["Cluster2"], "--yes"), 0),
        ("agents", "list"): ((ids["Cluster"],), 0),
        ("agents", "revoke"): ((ids["Cluster"], "name-0", "--yes"), 0),
        ("findings", "list"): (none, 0),
        ("findings", "ack"): ((ids["Finding"],), 0),
        ("notify", "list"): (none, 0),
        ("notify", "test"): (("nobody",), 1),
        ("audit", "list"): (none, 0),
        ("audit", "export"): (none, 0),
        ("domains", "list"): (none, 0),
        ("domains", "create"): (("vpc",), 0),
        ("domains", "move"): (("vpc", ids["Cluster"]), 0),
        ("domains", "isolate"): ((ids["Cluster"],), 0),
        ("domains", "connect"): (("vpc", ids["NetworkDomain"]), 0),
        ("domains", "disconnect"): (("vpc", ids["NetworkDomain"]), 0),
        ("domains", "delete"): (("vpc",), 0),
    }
    spoke_side = {("run",): (none, USAGE), ("node",): (none, USAGE), ("once",): (none, USAGE)}
    spoke_side[("check",)] = (kubeconfig, 3)
    return {("periplus_hub", *words): call for words, call in hub_side.items()} | {
        ("periplus_spoke", *words): call for words, call in spoke_side.items()
    }


_CALLED_ALONE_TOO = {("periplus_hub", "overlaps"), ("periplus_hub", "plan")}
"""Commands that have commands of their own."""


async def test_every_command_ends_as_it_would_with_a_reader(desk: Desk) -> None:
    table = calls(desk.fleet.ids)
    groups = {words[:at] for words in EVERY for at in range(len(words))} - _CALLED_ALONE_TOO
    assert set(table) == set(EVERY) - groups, "a new command belongs into `calls`"

    def all_of_them() -> dict[str, int]:
        with nobody_reads() as pipe:
            return {
                " ".join(words): desk.run(*words, *more, stdout=pipe).code for words, (more, _code) in table.items()
            }

    assert await asyncio.to_thread(all_of_them) == {" ".join(words): code for words, (_more, code) in table.items()}


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("style", [(), ("--json",)])
async def test_the_threshold_is_decided_whoever_reads(desk: Desk, style: tuple[str, ...]) -> None:
    def codes(*options: str) -> list[int]:
        words = ("periplus_hub", "overlaps", *style, *options)
        with nobody_reads() as pipe:
            found = [desk.run(*words, stdout=pipe)]
        return [each.code for each in (*found, *(desk.run(*words, shell=each) for each in (">&-", ">/dev/full")))]

    assert await asyncio.to_thread(codes, "--fail-on", "latent") == [2, 2, 2]
    assert await asyncio.to_thread(codes, "--fail-on", "conflict") == [1, 1, 1], "a cluster is unread"
    assert await asyncio.to_thread(codes) == [0, 0, 1]


async def test_a_secret_that_nobody_reads_is_said_to_be_lost(desk: Desk) -> None:
    def lost() -> tuple[Ended, Ended]:
        words = ("periplus_hub", "api-token", "create", "ci")
        with nobody_reads() as pipe:
            return desk.run(*words, stdout=pipe), desk.run(*words[:-1], "never-made", shell=">&-")

    broken, closed = await asyncio.to_thread(lost)
    assert (broken.code, closed.code) == (1, 1)
    assert "take it back" in broken.said
    assert "take it back" not in closed.said
    listed = await asyncio.to_thread(
        subprocess.check_output, [sys.executable, "-m", "periplus_hub", "api-token", "list"], env=os.environ | desk.env
    )
    assert b"never-made" not in listed
