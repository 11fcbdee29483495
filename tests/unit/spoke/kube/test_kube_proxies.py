"""API servers behind proxies: each kind works, or is refused by name before anything is dialled."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web

from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import server_version
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.problems import KubeProblem

from tests.support.certificates import Authority
from tests.support.kube_api import FakeKube, write_kubeconfig
from tests.support.kube_session import SkippingTimer
from tests.support.proxies import SmallProxy
from tests.support.web_apps import listening

HIDDEN = "api.behind.example:6443"
"""Nobody but the proxy knows this name."""
ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def place(url: str) -> tuple[str, int]:
    found = urlsplit(url)
    assert found.hostname
    assert found.port
    return found.hostname, found.port


@dataclass
class Behind:
    """An API server with TLS, whose certificate is for 127.0.0.1 alone."""

    address: tuple[str, int]
    tls: ssl.SSLContext
    seen: list[str]
    """Headers Proxy-Authorization that reached it."""


@asynccontextmanager
async def behind(folder: Path) -> AsyncIterator[Behind]:
    authority = Authority.new(folder / "ca.crt")
    authority.issue(folder / "server", "server")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Proxy-Authorization", ""))
        return web.json_response({"gitVersion": "v1.36.3"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with listening(app, tls=tls) as address:
        yield Behind(address, tls, seen)


def kubeconfig(folder: Path, server: str, **cluster: Any) -> Path:
    path = write_kubeconfig(folder / "config", server)
    content = yaml.safe_load(path.read_text())
    content["clusters"][0]["cluster"] |= {key.replace("_", "-"): value for key, value in cluster.items()}
    path.write_text(yaml.safe_dump(content))
    return path


async def asked(path: Path) -> str:
    client = KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())
    try:
        return (await server_version(client)).git_version
    finally:
        await client.close()


async def problem_of(path: Path) -> KubeProblem:
    with pytest.raises(KubeProblem) as caught:
        await asked(path)
    return caught.value


@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("login", ["", "me:s3cret"])
async def test_a_server_that_only_the_proxy_knows_is_asked_through_it(tmp_path: Path, kind: str, login: str) -> None:
    """With TLS inside, its trust, and the name of its certificate as tls-server-name has it."""
    async with behind(tmp_path) as server:
        proxy = SmallProxy({HIDDEN: server.address}, login)
        serving = proxy.socks(kind) if "socks" in kind else proxy.http(server.tls if kind == "https" else None)
        async with serving as url:
            trust = {"certificate_authority": "ca.crt", "tls_server_name": "127.0.0.1"}
            path = kubeconfig(tmp_path, f"https://{HIDDEN}", proxy_url=url, **trust)
            assert await asked(path) == "v1.36.3"
        assert proxy.asked == [HIDDEN]
        assert server.seen == [""], "what is for the proxy is not for the API server"


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_the_certificate_of_the_server_counts_behind_a_proxy_too(tmp_path: Path, kind: str) -> None:
    async with behind(tmp_path) as server:
        proxy = SmallProxy({HIDDEN: server.address})
        async with proxy.socks() if kind == "socks5" else proxy.http() as url:
            path = kubeconfig(tmp_path, f"https://{HIDDEN}", proxy_url=url, certificate_authority="ca.crt")
            problem = await problem_of(path)
    assert (problem.reason, "tls-server-name" in problem.remedy) == ("tls", True)


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_plain_http_goes_through_a_proxy(tmp_path: Path, kind: str) -> None:
    async with FakeKube().serving() as server:
        proxy = SmallProxy({HIDDEN: place(server)})
        async with proxy.socks() if kind == "socks5" else proxy.http() as url:
            assert await asked(kubeconfig(tmp_path, f"http://{HIDDEN}", proxy_url=url)) == "v1.33.1"
    assert set(proxy.asked) == {HIDDEN}


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_an_address_is_given_to_the_proxy_as_it_stands(tmp_path: Path, kind: str) -> None:
    async with FakeKube().serving() as server:
        proxy = SmallProxy({"192.0.2.7:6443": place(server)})
        async with proxy.socks() if kind == "socks5" else proxy.http() as url:
            assert await asked(kubeconfig(tmp_path, "http://192.0.2.7:6443", proxy_url=url)) == "v1.33.1"


@pytest.mark.promise("secrets-are-not-shown")
@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
@pytest.mark.parametrize("trouble", ["away", "elsewhere", "login"])
async def test_a_proxy_that_fails_is_named_without_its_password(tmp_path: Path, kind: str, trouble: str) -> None:
    async with behind(tmp_path) as server:
        proxy = SmallProxy({} if trouble == "elsewhere" else {HIDDEN: server.address}, "me:s3cret")
        serving = proxy.socks(kind) if kind == "socks5" else proxy.http(server.tls if kind == "https" else None)
        async with serving as url:
            shown = url.replace("me:s3cret@", "")
            if trouble == "login":
                proxy.login = "me:another"
            trust = {"certificate_authority": "ca.crt", "tls_server_name": "127.0.0.1"}
            path = kubeconfig(tmp_path, f"https://{HIDDEN}", proxy_url=url, **trust)
            problem = await problem_of(path) if trouble != "away" else None
        problem = problem or await problem_of(path)
    assert problem.reason == "unreachable"
    assert f"the proxy {shown}" in problem.message
    assert "s3cret" not in f"{problem!r} {problem.message} {problem.remedy}"
    assert "proxy" in problem.remedy


async def test_a_proxy_whose_certificate_nobody_signed_is_told_from_the_server(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with behind(tmp_path) as server, behind(tmp_path / "other") as stranger:
        proxy = SmallProxy({HIDDEN: server.address})
        async with proxy.http(stranger.tls) as url:
            path = kubeconfig(tmp_path, f"https://{HIDDEN}", proxy_url=url, certificate_authority="ca.crt")
            problem = await problem_of(path)
    assert (problem.reason, f"TLS with the proxy {url} fails" in problem.message) == ("tls", True)


async def test_what_speaks_no_socks_is_said(tmp_path: Path) -> None:
    async with FakeKube().serving() as server:
        path = kubeconfig(tmp_path, f"https://{HIDDEN}", proxy_url=server.replace("http", "socks5"))
        problem = await problem_of(path)
    assert problem.reason == "unreachable"
    assert "speaks no SOCKS 5" in problem.message or "hung up" in problem.message


@pytest.mark.parametrize(
    ("proxy_url", "said"),
    [
        ("socks4://me:s3cret@127.0.0.1:1", "names a proxy of kind socks4, and only http, https, socks5 or socks5h"),
        ("ftp://127.0.0.1:1", "names a proxy of kind ftp"),
        ("127.0.0.1:1080", "is not the URL of a proxy"),
        ("bastion:1080", "is not the URL of a proxy"),
        ("http://:1", "is not the URL of a proxy"),
        ("http://a:b", "is not the URL of a proxy"),
    ],
)
async def test_another_kind_of_proxy_is_refused_before_anything_is_dialled(
    tmp_path: Path, proxy_url: str, said: str
) -> None:
    kube = FakeKube()
    async with kube.serving() as server:
        problem = await problem_of(kubeconfig(tmp_path, server, proxy_url=proxy_url))
    assert problem.reason == "bad_kubeconfig"
    assert f"proxy-url of cluster 'fake' {said}" in problem.message
    assert "s3cret" not in problem.message
    assert kube.requests == []


async def test_the_environments_proxy_is_used_as_kubectl_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with behind(tmp_path) as server:
        proxy = SmallProxy({HIDDEN: server.address})
        path = kubeconfig(tmp_path, f"https://{HIDDEN}", certificate_authority="ca.crt", tls_server_name="127.0.0.1")
        async with proxy.socks() as socks, proxy.http() as http:
            monkeypatch.setenv("HTTPS_PROXY", socks)
            assert await asked(path) == "v1.36.3"
            monkeypatch.setenv("HTTPS_PROXY", http.removeprefix("http://"))
            assert await asked(path) == "v1.36.3"
            assert proxy.asked == [HIDDEN, HIDDEN]
            monkeypatch.setenv("NO_PROXY", "behind.example")
            assert (await problem_of(path)).reason == "unreachable"
            assert proxy.asked == [HIDDEN, HIDDEN]


async def test_an_environments_proxy_of_another_kind_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "socks4://127.0.0.1:1")
    problem = await problem_of(kubeconfig(tmp_path, f"https://{HIDDEN}"))
    assert problem.reason == "bad_kubeconfig"
    assert problem.message.startswith("https_proxy names a proxy of kind socks4")
    assert "NO_PROXY" in problem.remedy


async def test_a_netrc_file_gives_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    kube = FakeKube()
    async with kube.serving() as server:
        assert await asked(kubeconfig(tmp_path, server)) == "v1.33.1"
    assert [request.token for request in kube.requests] == [""]
