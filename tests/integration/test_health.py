import asyncio
import base64
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from periplus_contract import problems
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api import http_middleware, http_protocol
from periplus_hub.api.config import ConfigError, HubConfig, load_config
from periplus_hub.api.health import Health
from periplus_hub.api.ready_file import ensure_admin_token
from periplus_hub.api.start_process import start
from periplus_hub.backups import jobs as backup_jobs
from periplus_hub.findings import jobs_figures
from periplus_hub.kit import metrics
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.certificates import self_signed
from tests.support.clock import FakeClock
from tests.support.hub_db import PostgresForTests, as_owner
from tests.support.hub_process import config_for, hub, started, talk, terminate


@pytest.fixture
async def urls(database_url: str, tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    async with hub(config_for(database_url, tmp_path)) as ready:
        yield ready


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        yield client


async def test_the_ready_file_says_where_everything_is(urls: dict[str, Any], tmp_path: Path) -> None:
    assert sorted(urls) == ["admin_token_file", "api_url", "metrics_url", "pid", "spokes_url"]
    assert urls["pid"] == os.getpid()
    assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("listener", "path", "status"),
    [
        ("metrics", "/healthz", 200),
        ("metrics", "/readyz", 200),
        ("metrics", "/metrics", 200),
        ("api", "/healthz", 200),
        ("api", "/readyz", 200),
        ("api", "/", 200),
        ("api", "/metrics", 404),
        ("api", "/v1/contract", 404),
        ("spokes", "/v1/contract", 200),
        ("spokes", "/graphql", 404),
        ("spokes", "/metrics", 404),
        ("spokes", "/docs", 404),
        ("spokes", "/openapi.json", 404),
        ("metrics", "/graphql", 404),
    ],
)
async def test_each_listener_answers_its_own(
    urls: dict[str, Any], http: httpx.AsyncClient, listener: str, path: str, status: int
) -> None:
    answer = await http.get(urls[f"{listener}_url"] + path)
    assert answer.status_code == status
    for header in ("x-content-type-options", "x-frame-options", "content-security-policy", "x-request-id"):
        assert header in answer.headers
    assert "server" not in answer.headers
    if status == 404:
        assert answer.headers["content-type"] == problems.CONTENT_TYPE
        assert problems.by_uri(answer.json()["type"]) is None, "a wrong path is no verdict for a spoke"


async def test_a_wrong_method_is_a_problem_too(urls: dict[str, Any], http: httpx.AsyncClient) -> None:
    answer = await http.delete(urls["api_url"] + "/readyz")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
    assert "GET" in answer.headers["allow"]


async def test_every_metric_is_documented(urls: dict[str, Any], http: httpx.AsyncClient) -> None:
    text = (await http.get(urls["metrics_url"] + "/metrics")).text
    exposed = {line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# HELP")}
    documented = {metric.name.removesuffix("_total") for metric in metrics.documented()}
    pictures = (*vars(jobs_figures).values(), *vars(backup_jobs).values())
    counted_now_and_then = {each.name for each in pictures if isinstance(each, metrics.Metric)}
    assert exposed <= documented
    assert documented - exposed <= counted_now_and_then
    assert "periplus_ready 1.0" in text


@pytest.mark.promise("ready-means-commits")
async def test_a_hub_that_cannot_commit_is_not_ready_and_becomes_so_again(
    urls: dict[str, Any], http: httpx.AsyncClient, postgres: PostgresForTests, database_url: str
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]

    async def ready(status: int) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                answer = await http.get(urls["metrics_url"] + "/readyz")
                if answer.status_code == status:
                    found: dict[str, Any] = answer.json()
                    return found
                await asyncio.sleep(0.05)

    async def scraped(line: str) -> None:
        async with asyncio.timeout(30):
            while True:
                if line in (await http.get(urls["metrics_url"] + "/metrics")).text.splitlines():
                    return
                await asyncio.sleep(0.05)

    await postgres.admin(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await postgres.admin(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    await scraped("periplus_ready 0.0")  # first of all, as where nothing but Prometheus asks
    assert "database" in (await ready(503))["detail"]
    assert (await http.get(urls["metrics_url"] + "/healthz")).status_code == 200
    batch = await http.post(urls["spokes_url"] + "/v1/batches", headers={"Authorization": "Bearer ppc_of.somebody"})
    assert batch.status_code == 503
    assert batch.json()["type"] == problems.OVERLOADED.uri
    await postgres.admin(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await scraped("periplus_ready 1.0")
    await ready(200)


@pytest.mark.promise("ready-means-commits")
async def test_a_hub_whose_database_ran_out_of_room_is_ready_only_when_there_is_some(
    database_url: str, clock: FakeClock, postgres: PostgresForTests
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    await postgres.admin(f"ALTER DATABASE {name} SET temp_file_limit = '1MB'")
    db = Database(database_url, clock)
    health = Health(db)
    assert await health.trouble() is None, "a log that still has room takes a commit"
    with pytest.raises(DBAPIError):
        async with db.write(NO_TENANT) as c:
            await c.execute(text("DO $$ BEGIN RAISE disk_full; END $$"))
    clock.advance(1)
    assert "does not commit" in str(await health.trouble())
    await postgres.admin(f"ALTER DATABASE {name} RESET temp_file_limit")
    await db.dispose()
    clock.advance(1)
    assert await health.trouble() is None
    await db.dispose()


@pytest.mark.promise("ready-means-commits")
async def test_a_hub_that_is_locked_out_of_the_ledger_is_not_ready(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("periplus_hub.api.health._PROBE_S", 0.2)
    health = Health(db)
    async with db.write(NO_TENANT) as c:
        await c.execute(text("LOCK TABLE batches IN SHARE MODE"))
        assert "did not commit" in str(await health.trouble())
    clock.advance(1)
    assert await health.trouble() is None


async def test_a_body_that_declares_too_much_is_refused_unread(urls: dict[str, Any]) -> None:
    head = b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 999999999\r\n\r\n"
    answer = await talk(urls["spokes_url"], head)
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert problems.TOO_LARGE.uri.encode() in answer


async def test_a_large_question_is_refused_in_the_words_of_people(
    urls: dict[str, Any], http: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    token = await start("admin_token", config_for(database_url, tmp_path))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = await http.post(urls["api_url"] + "/graphql", headers=headers, content=b" " * 5_000_000)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (413, "body-too-large")
    assert "32,768" in error["message"]
    assert "several requests" in error["extensions"]["remedy"]


@pytest.mark.promise("spokes-get-their-share")
async def test_a_body_that_never_ends_is_refused_when_it_is_too_much(urls: dict[str, Any]) -> None:
    rest = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = await talk(urls["metrics_url"], b"POST /healthz" + rest, b"0\r\n\r\n")
    assert b" 405 " in answer.partition(b"\r\n")[0]
    answer = await talk(urls["spokes_url"], b"POST /v1/enroll" + rest, *[chunk] * 4)
    assert answer == b"" or answer.partition(b"\r\n")[0].split()[1] == b"413"


@pytest.mark.promise("spokes-get-their-share")
async def test_a_body_that_does_not_come_is_not_waited_for(
    urls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_middleware, "BODY_TIMEOUT_S", 0.05)
    head = b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"
    answer = await talk(urls["spokes_url"], head, b"{")
    assert b" 408 " in answer.partition(b"\r\n")[0]


async def test_headers_without_end_are_refused(urls: dict[str, Any]) -> None:
    line = b"X-Filler: " + b"x" * 1_000 + b"\r\n"
    answer = await talk(urls["api_url"], b"GET /healthz HTTP/1.1\r\nHost: x\r\n", *[line] * 12)
    assert answer == b"" or b" 431 " in answer.partition(b"\r\n")[0]
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line * 12 + b"\r\n"
    assert b" 431 " in (await talk(urls["api_url"], whole)).partition(b"\r\n")[0]
    path = b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert b" 431 " in (await talk(urls["api_url"], path)).partition(b"\r\n")[0]


@pytest.mark.parametrize("start", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_headers_that_do_not_come_are_not_waited_for(
    urls: dict[str, Any], monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_TIMEOUT_S", 0.05)
    assert b" 408 " in (await talk(urls["api_url"], start)).partition(b"\r\n")[0]


async def test_requests_on_one_connection_are_limited_each_for_itself(urls: dict[str, Any]) -> None:
    line = b"X-Filler: " + b"x" * 5_000 + b"\r\n"
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line
    answer = await talk(urls["api_url"], one + b"\r\n", one + b"\r\n", one + b"Connection: close\r\n\r\n")
    assert answer.count(b" 200 OK") == 3


@pytest.mark.promise("spokes-get-their-share")
@pytest.mark.parametrize("piece", [b"X-Filler: " + b"x" * 990 + b"\r\n", b"x" * 1_000])
async def test_trailers_without_end_are_refused(urls: dict[str, Any], piece: bytes) -> None:
    head = b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-First: "
    answer = await talk(urls["spokes_url"], head, *[piece * 50] * 10)
    assert answer == b"" or b" 400 " in answer.partition(b"\r\n")[0]


async def test_trailers_are_no_headers(urls: dict[str, Any], database_url: str, tmp_path: Path) -> None:
    token = await start("admin_token", config_for(database_url, tmp_path))
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n1a\r\n" + b'{"query": "{__typename}" }' + b"\r\n0\r\n"
    secret = f"Authorization: Bearer {token}\r\n".encode()
    assert b" 200 " in (await talk(urls["api_url"], head + secret + chunked + b"\r\n")).partition(b"\r\n")[0]
    assert b" 401 " in (await talk(urls["api_url"], head + chunked + secret + b"\r\n")).partition(b"\r\n")[0]


@pytest.mark.promise("spokes-get-their-share")
async def test_requests_sent_far_ahead_of_their_answers_are_refused(urls: dict[str, Any]) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await talk(urls["api_url"], one * 10 + last)).count(b" 200 OK") == 11
    assert (await talk(urls["api_url"], one * 1_000 + last)).count(b" 200 OK") <= 17


@pytest.mark.promise("stops-are-clean")
async def test_sigterm_lets_requests_finish_and_removes_the_ready_file(database_url: str, tmp_path: Path) -> None:
    config = config_for(database_url, tmp_path)
    head = b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(start("serve", config))
        ready = await started(task, config)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(ready["spokes_url"].rpartition(":")[2]))
        writer.write(head)
        await writer.drain()
        terminate()
        writer.write(b"{}")
        answer = await reader.read()
        writer.close()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert not (tmp_path / "ready.json").exists()


@pytest.mark.promise("stops-are-clean")
async def test_a_request_that_outlives_the_stop_is_told_to_come_again(
    db: Database, database_url: str, tmp_path: Path, http: httpx.AsyncClient
) -> None:
    config = config_for(database_url, tmp_path, drain_s=0)
    async with db.write(NO_TENANT) as c, asyncio.TaskGroup() as group:
        task = group.create_task(start("serve", config))
        ready = await started(task, config)
        await c.execute(text("LOCK TABLE join_tokens"))
        body = {"method": "token", "join_token": "0" * 12 + "." + "a" * 43, "cluster_name": "a", "cluster_uid": "a"}
        body |= {"public_key": base64.b64encode(bytes(range(32))).decode(), "spoke_version": "0.1.0", "contract": "1.0"}
        asked = group.create_task(http.post(ready["spokes_url"] + "/v1/enroll", json=body))
        while not await c.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)
        terminate()
        answer = await asked
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == problems.OVERLOADED.uri
    assert "stopping" in answer.json()["detail"]


async def test_tls_is_served_to_spokes_and_people(database_url: str, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "localhost", "127.0.0.1")
    async with (
        hub(config_for(database_url, tmp_path, tls_certificate=certificate, tls_key=key)) as ready,
        httpx.AsyncClient(verify=ssl.create_default_context(cafile=certificate), trust_env=False) as client,
    ):
        for name in ("spokes", "api"):
            assert ready[f"{name}_url"].startswith("https://")
        answer = await client.get(ready["api_url"] + "/readyz")
        assert answer.status_code == 200
        assert "strict-transport-security" in answer.headers
        assert (await client.get(ready["metrics_url"] + "/metrics")).status_code == 200


async def test_a_certificate_that_cannot_be_used_is_named(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    config = config_for(database_url, tmp_path, tls_certificate=tmp_path / "a", tls_key=tmp_path / "a")
    with pytest.raises(Refusal, match=r"certificate .* cannot be used"):
        await start("serve", config)


async def test_an_address_somebody_has_is_named(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = config_for(database_url, tmp_path, api_port=port)
        words = f"api listener cannot use 127.0.0.1:{port}"
        with pytest.raises(Refusal, match=words):
            await start("serve", config)


async def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = config_for("postgresql://u:hunter2@127.0.0.1:1/d", tmp_path)
    with pytest.raises(Refusal, match=r"the database cannot be used: .*127\.0\.0\.1") as refused:
        await start("serve", config)
    assert "hunter2" not in refused.value.message


async def test_a_database_without_a_schema_is_refused_and_migrate_makes_it(
    empty_database_url: str, tmp_path: Path
) -> None:
    config = config_for(empty_database_url, tmp_path)
    with pytest.raises(Refusal, match="has no schema"):
        await start("serve", config)
    owner = as_owner(empty_database_url)
    await start("migrate", config_for(empty_database_url, tmp_path, migration_database_url=owner))
    async with hub(config):
        pass


async def test_the_first_admin_token_is_written_once_for_its_owner_only(db: Database, tmp_path: Path) -> None:
    assert await ensure_admin_token(db, None) is None
    await ensure_default_tenant(db)
    path = await ensure_admin_token(db, tmp_path)
    assert path == tmp_path / "admin-token"
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert await ensure_admin_token(db, tmp_path) == path
    assert path.read_text() == first
    found = await Authenticator(db).authenticate(first.strip())
    assert found is not None
    assert found.role == "admin"


async def test_an_admin_token_comes_from_the_command_line_while_the_hub_runs(
    urls: dict[str, Any], http: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    text = await start("admin_token", config_for(database_url, tmp_path))
    answer = await http.post(
        urls["api_url"] + "/graphql",
        headers={"Authorization": f"Bearer {text}"},
        json={"query": "{ viewer { role } }"},
    )
    assert answer.json()["data"] == {"viewer": {"role": "ADMIN"}}


async def test_work_needs_a_shared_database(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="needs a database it can share"):
        await start("work", HubConfig(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"api_host": "0.0.0.0"}, ["api_host", "no TLS", "allow_plain_http"]),
        ({"spokes_host": "::"}, ["spokes_host", "no TLS"]),
        ({"tls_certificate": "/x"}, ["belong together"]),
        ({"database_url": "mysql://u:hunter2@h/d"}, ["--database-url", "postgresql://"]),
        ({"all_in_one": False}, ["embedded store belongs to one process"]),
        ({"settle_after_s": -1}, ["--settle-after-s", "-1", "greater than or equal to 0"]),
    ],
)
def test_settings_that_do_not_fit_together_stop_the_start(flags: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, flags)
    assert all(word in refused.value.message for word in words)
    assert "hunter2" not in refused.value.message


def test_plain_http_beyond_loopback_is_possible_on_purpose() -> None:
    assert load_config(None, {"api_host": "0.0.0.0", "allow_plain_http": True}).allow_plain_http
