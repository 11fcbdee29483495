"""Join tokens and API tokens from the command line, against a real hub."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start

from tests.support.hub_process import config_for, hub

Run = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
async def run(database_url: str, tmp_path: Path) -> AsyncIterator[Run]:
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        env = {
            "PERIPLUS_URL": ready["api_url"],
            "PERIPLUS_TOKEN": str(await start("admin_token", config)),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

        async def invoke(*arguments: str, code: int = 0, **changes: str) -> Result:
            result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=env | changes)
            assert result.exit_code == code, (result.output, result.exception)
            return result

        yield invoke


async def test_join_tokens_are_listed_and_withdrawn(run: Run, tmp_path: Path) -> None:
    assert "periplus join-token create" in (await run("join-token", "list")).stdout
    secret = (await run("join-token", "create", "--cluster-name", "prod-eu")).stdout.strip()
    file = tmp_path / "join-token"
    await run("join-token", "create", "--auto-approve", "--out", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    identity, _, hidden = secret.partition(".")
    table = (await run("join-token", "list")).stdout
    assert identity in table
    assert hidden not in table
    assert [("prod-eu" in line, "any" in line) for line in table.splitlines()[1:]] == [(False, True), (True, False)]
    withdrawn = (await run("join-token", "withdraw", identity)).stdout
    assert withdrawn == f"join token {identity} is withdrawn\n"
    documents = json.loads((await run("join-token", "list", "--all", "--json")).stdout)
    assert [(each["usable"], each["autoApprove"]) for each in documents] == [(True, True)]
    gone = await run("join-token", "withdraw", identity, code=1)
    assert f"there is no join token with the id '{identity}'" in gone.stderr
    assert "join-token list" in gone.stderr


async def test_a_join_token_says_where_its_cluster_lands(run: Run) -> None:
    assert "no network domain 'vpc'" in (await run("join-token", "create", "--domain", "vpc", code=1)).stderr
    await run("domains", "create", "vpc")
    await run("join-token", "create", "--domain", "vpc")
    (listed,) = json.loads((await run("join-token", "list", "--json")).stdout)
    assert listed["networkDomain"]["name"] == "vpc"
    assert "vpc" in (await run("join-token", "list")).stdout


async def test_api_tokens_are_made_listed_and_revoked(run: Run) -> None:
    first = (await run("api-token", "create", "ci", "--role", "analyst", "--days", "30")).stdout.strip()
    second = (await run("api-token", "create", "ci")).stdout.strip()
    documents = json.loads((await run("api-token", "list", "--json")).stdout)
    assert [(each["name"], each["role"]) for each in documents[:2]] == [("ci", "viewer"), ("ci", "analyst")]
    assert (documents[0]["expiresAt"], bool(documents[1]["expiresAt"])) == (None, True)
    prefix = documents[1]["prefix"]
    assert first.startswith(prefix)
    table = (await run("api-token", "list")).stdout
    assert prefix in table
    assert first not in table
    assert "2 API tokens are called 'ci'" in (await run("api-token", "revoke", "ci", code=1)).stderr
    assert "Give --yes" in (await run("api-token", "revoke", prefix, code=64)).stderr
    await run("api-token", "revoke", prefix, "--yes")
    await run("api-token", "revoke", "ci", "--yes")  # only one is left
    assert "no API token 'ci'" in (await run("api-token", "revoke", "ci", code=1)).stderr
    refused = await run("api-token", "list", code=1, PERIPLUS_TOKEN=second)
    assert "does not accept this token" in refused.stderr
    assert "--days" in (await run("api-token", "create", "x", "--days", "0", code=2)).stderr


def hidden(folder: Path) -> list[str]:
    return [each.name for each in folder.glob(".*")]


async def test_a_secret_that_cannot_be_kept_is_not_made(run: Run, tmp_path: Path) -> None:
    for out in (tmp_path / "nowhere" / "token", tmp_path):
        for command in (("join-token", "create"), ("api-token", "create", "ci")):
            refused = await run(*command, "--out", str(out), code=1)
            assert f"{out} cannot be written" in refused.stderr
            assert "--out" in refused.stderr
    assert json.loads((await run("join-token", "list", "--json")).stdout) == []
    assert "ci" not in (await run("api-token", "list")).stdout
    kept = tmp_path / "kept"
    kept.write_text("before")
    for command in (("join-token", "create"), ("api-token", "create", "ci")):
        assert "--force" in (await run(*command, "--out", str(kept), code=1)).stderr
    assert json.loads((await run("join-token", "list", "--json")).stdout) == []
    assert "ci" not in (await run("api-token", "list")).stdout
    await run("api-token", "create", " ", "--out", str(kept), "--force", code=1)
    assert (kept.read_text(), hidden(tmp_path)) == ("before", [])
    await run("api-token", "create", "ci", "--out", str(kept), "--force")
    assert kept.read_text().startswith("ppt_")
