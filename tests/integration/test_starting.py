"""What whoever starts a hub is told, and what stands at its front."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import make_url

from periplus_hub.api.config import HubConfig
from periplus_hub.api.start_process import Action, start
from periplus_hub.kit.errors import Refusal

from tests.support.hub_process import config_for, hub, started, terminate


@pytest.mark.parametrize("action", ["serve", "work", "migrate", "admin_token"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database": "no-such"}, ('database "no-such" does not exist', "createdb")),
        ({"user": "no-such"}, ('role "no-such" does not exist', "user and password")),
        ({"port": "1"}, ("No such file", "host and port")),
    ],
)
async def test_whatever_is_started_says_what_keeps_it_from_its_database(
    database_url: str, tmp_path: Path, action: Action, change: dict[str, str], said: tuple[str, str]
) -> None:
    url = make_url(database_url)
    if "port" in change:
        url = url.update_query_dict({"port": change["port"]})
    else:
        url = url.set(database=change.get("database", url.database), username=change.get("user", url.username))
    config = config_for(url.render_as_string(hide_password=False), tmp_path)
    with pytest.raises(Refusal, match=f"the database cannot be used: .*{said[0]}") as refused:
        await start(action, config)
    assert said[1] in refused.value.remedy


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A PostgreSQL without TLS, as far as anybody asks."""
    await reader.read(8)
    writer.write(b"N")
    await reader.read()
    writer.close()


@pytest.mark.parametrize("action", ["serve", "work", "migrate", "admin_token", "list_tenants"])
@pytest.mark.parametrize(
    "asked",
    [
        ("sslmode=verify-full&sslrootcert=/no/such.crt", "/no/such.crt", "path"),
        ("sslmode=verify-full&sslrootcert=/dev/null", "no certificate", "sslrootcert"),
        ("sslmode=verify-full", "root.crt", "sslrootcert"),
        ("sslmode=sometimes", "sslmode", "parameter"),
        ("sslmode=require", "rejected SSL upgrade", "ssl = on"),
    ],
)
async def test_trouble_with_the_database_is_one_line_with_the_remedy_of_its_cause(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    action: Action,
    asked: tuple[str, str, str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    query, said, remedy = asked
    async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://periplus@127.0.0.1:{port}/periplus?{query}"
        config = config_for(url, tmp_path, log_level="info", log_format="json")
        with pytest.raises(Refusal, match="the database") as refused:
            await start(action, config)
    assert said in refused.value.message
    assert refused.value.message.isprintable()
    assert remedy in refused.value.remedy
    assert "host and port" not in refused.value.remedy
    assert capfd.readouterr().err == ""


async def test_work_goes_beside_serve_on_one_machine(database_url: str, tmp_path: Path) -> None:
    defaults = HubConfig()
    assert defaults.work_metrics_port != defaults.metrics_port
    with socket.create_server(("127.0.0.1", 0)) as of_serve:
        port = of_serve.getsockname()[1]
        config = config_for(database_url, tmp_path, metrics_port=port, work_metrics_port=0)
        task = asyncio.create_task(start("work", config))
        found = await started(task, config)
        assert urlsplit(found["metrics_url"]).port not in {port, None}
        terminate()
        await task


async def test_the_front_page_says_where_to_go_and_repeats_no_markup(database_url: str, tmp_path: Path) -> None:
    async with hub(config_for(database_url, tmp_path)) as urls, httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(urls["api_url"] + "/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert f"{urls['api_url']}/graphql" in page.text
        hostile = await http.get(urls["api_url"] + "/", headers={"Host": "a<script>b"})
        assert "<script>" not in hostile.text
