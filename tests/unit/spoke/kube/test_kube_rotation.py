"""Credentials that are replaced while the spoke runs: certificates in place, tokens in files and from plugins."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from kubernetes_asyncio.config.config_exception import ConfigException
from kubernetes_asyncio.config.openid import OpenIDRequestor

from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.connection import Configuration
from periplus_spoke.kube.credentials import InClusterCredentials
from periplus_spoke.kube.discovery import server_version
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.problems import KubeProblem

from tests.support.certificates import Authority
from tests.support.kube_api import FakeKube, write_kubeconfig
from tests.support.kube_session import SkippingTimer
from tests.support.web_apps import listening


@dataclass
class TlsKube:
    """An API server that knows people by their client certificate or token."""

    folder: Path
    person: str = "one"
    token: str = ""
    port: int = 0
    handshakes: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, authority: Authority) -> AsyncIterator[str]:
        authority.issue(self.folder / "server", "server")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.folder / "ca.crt"))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        async with listening(app, port=self.port, tls=context) as (host, self.port):
            yield f"https://{host}:{self.port}"

    async def _handle(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = (request.transport.get_extra_info("peercert") or {}).get("subject", ())
        name = next((value for part in subject for key, value in part if key == "commonName"), "")
        self.handshakes.append(name)
        knows = request.headers.get("Authorization") == f"Bearer {self.token}" if self.token else name == self.person
        return web.json_response({"gitVersion": "v1.33.1"}) if knows else web.json_response({"code": 401}, status=401)


def context_of(folder: Path, url: str, user: dict[str, Any]) -> KubeClient:
    path = write_kubeconfig(folder / "config", url)
    content = yaml.safe_load(path.read_text())
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    content["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(content))
    return KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())


CERTIFICATES = {"client-certificate": "person.crt", "client-key": "person.key"}


async def test_a_client_certificate_that_is_replaced_in_place_is_used(tmp_path: Path) -> None:
    authority, kube = Authority.new(tmp_path / "ca.crt"), TlsKube(tmp_path)
    authority.issue(tmp_path / "person", "one")
    async with kube.serving(authority) as url:
        client = context_of(tmp_path, url, CERTIFICATES)
        await server_version(client)
        authority.issue(tmp_path / "person", "two")
        kube.person = "two"
        assert (await server_version(client)).git_version == "v1.33.1"
        await client.close()


async def test_an_authority_that_is_replaced_in_place_is_trusted(tmp_path: Path) -> None:
    kube = TlsKube(tmp_path)
    authority = Authority.new(tmp_path / "ca.crt")
    authority.issue(tmp_path / "person", "one")
    async with kube.serving(authority) as url:
        client = context_of(tmp_path, url, CERTIFICATES)
        await server_version(client)
        first = await client.ca_sha256()
    stranger = Authority.new(tmp_path / "elsewhere.crt")
    authority = Authority.new(tmp_path / "ca.crt")
    authority.issue(tmp_path / "person", "one")
    async with kube.serving(authority):
        assert (await server_version(client)).git_version == "v1.33.1"
        assert await client.ca_sha256() != first
    async with kube.serving(stranger):
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
        assert caught.value.reason == "tls"
    await client.close()


async def test_a_plugins_token_is_asked_for_again_at_401(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.token = "first"
    (tmp_path / "answer").write_text(json.dumps({"status": {"token": "first"}}))
    script = tmp_path / "bin" / "login"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    script.chmod(0o700)
    async with fake.serving() as url:
        path = write_kubeconfig(tmp_path / "config", url)
        content = yaml.safe_load(path.read_text())
        content["users"][0]["user"] = {"exec": {"apiVersion": "v1", "command": "bin/login"}}
        path.write_text(yaml.safe_dump(content))
        client = KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())
        await server_version(client)
        fake.token = "second"
        (tmp_path / "answer").write_text(json.dumps({"status": {"token": "second"}}))
        assert (await server_version(client)).git_version == "v1.33.1"
        await client.close()
    assert [request.token for request in fake.requests] == ["first", "first", "second"]


async def test_a_plugins_certificates_do_not_pile_up(tmp_path: Path) -> None:
    authority, kube = Authority.new(tmp_path / "ca.crt"), TlsKube(tmp_path)
    script = tmp_path / "login"
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    script.chmod(0o700)

    def give(name: str) -> None:
        authority.issue(tmp_path / "person", name)
        texts = {
            key: (tmp_path / f"person.{end}").read_text()
            for key, end in (("clientCertificateData", "crt"), ("clientKeyData", "key"))
        }
        (tmp_path / "answer").write_text(json.dumps({"status": texts}))

    give("one")
    async with kube.serving(authority) as url:
        client = context_of(tmp_path, url, {"exec": {"apiVersion": "v1", "command": str(script)}})
        await server_version(client)
        give("two")
        kube.person = "two"
        await server_version(client)
        await client.close()
    assert kube.handshakes == ["one", "one", "two"]
    credentials = KubeconfigCredentials(str(tmp_path / "config"))
    assert len({(await credentials.load()).key_file for _ in range(2)}) == 1


async def test_a_pods_credentials_follow_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, kube = Authority.new(tmp_path / "ca.crt"), TlsKube(tmp_path, token="first")
    (tmp_path / "token").write_text("first\n")
    async with kube.serving(authority):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(kube.port))
        client = KubeClient(InClusterCredentials(str(tmp_path / "token"), str(tmp_path / "ca.crt")), SkippingTimer())
        await server_version(client)
        (tmp_path / "token").write_text("second")
        kube.token = "second"
        await server_version(client)
    authority = Authority.new(tmp_path / "ca.crt")
    async with kube.serving(authority):
        await server_version(client)
        (tmp_path / "token").write_text("")
        kube.token = "third"
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
        assert (caught.value.reason, "Token file" in caught.value.message) == ("bad_kubeconfig", True)
    await client.close()


@pytest.mark.parametrize("error", [ConfigException("Token file exists but empty."), FileNotFoundError("token")])
async def test_a_token_that_cannot_be_read_in_between_is_a_problem_with_a_remedy(error: Exception) -> None:
    class Unreadable:
        label = ""

        async def load(self) -> Configuration:
            def fail(_: Any) -> None:
                raise error

            return Configuration(host="http://127.0.0.1:1", refresh_api_key_hook=fail)

    client = KubeClient(Unreadable(), SkippingTimer())
    with pytest.raises(KubeProblem, match="cannot be read now") as caught:
        await server_version(client)
    assert (caught.value.reason, "token file" in caught.value.remedy) == ("unauthorized", True)
    await client.close()


async def test_a_refreshed_login_is_kept_and_nothing_else_of_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider may take the old refresh token back: to lose the new one would log the person out."""

    async def refresh(_: OpenIDRequestor, refresh_token: str) -> dict[str, str]:
        assert refresh_token == "old"
        return {"id_token": "fresh", "refresh_token": "new"}

    monkeypatch.setattr(OpenIDRequestor, "refresh_token", refresh)
    path = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1")
    content = yaml.safe_load(path.read_text())
    (tmp_path / "ca.crt").touch()
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    settings = {"client-id": "c", "client-secret": "s", "idp-issuer-url": "https://i", "refresh-token": "old"}
    content["users"][0]["user"] = {"as": None, "auth-provider": {"name": "oidc", "config": settings}}
    path.write_text(yaml.safe_dump(content))
    found = await KubeconfigCredentials(str(path)).load()
    assert found.authorization() == "Bearer fresh"
    content["users"][0]["user"]["auth-provider"]["config"] |= {"id-token": "fresh", "refresh-token": "new"}
    assert yaml.safe_load(path.read_text()) == content
