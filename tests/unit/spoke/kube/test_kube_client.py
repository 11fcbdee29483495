"""Requests: every way an API server can fail becomes a reason with a remedy; 401 renews; a slow one is a fact."""

import asyncio
import ssl
from pathlib import Path

import pytest
import yaml

from periplus_spoke.conversion.objects import Pod
from periplus_spoke.kube.client import KubeClient, KubeSettings
from periplus_spoke.kube.discovery import api_groups, first_page, listable, server_version
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.lists import PageDecoder, Resource, pages
from periplus_spoke.kube.pace import Pace
from periplus_spoke.kube.problems import REMEDIES, KubeProblem, Status, decode_status, from_status

from tests.support.certificates import self_signed, untrustworthy
from tests.support.kube_api import FakeKube, Trouble, write_kubeconfig
from tests.support.kube_objects import pod
from tests.support.kube_session import SkippingTimer, session

PODS = Resource(source="pods", group="", plural="pods", version="v1", type=Pod)


def patience(trouble: Trouble) -> KubeSettings:
    """Soon at its end only where no answer will come: however slow this machine is, every other one is waited for."""
    return KubeSettings(request_timeout_s=0.05 if trouble.hang else 60)


async def test_one_way_is_the_same_place_address_and_authority_whoever_asks(tmp_path: Path) -> None:
    async def way(name: str, vantage: str = "here", **cluster: str) -> str:
        path = write_kubeconfig(tmp_path / name, "https://10.0.0.1:6443")
        content = yaml.safe_load(path.read_text())
        content["clusters"][0]["cluster"] |= cluster
        content["users"][0]["user"] = {"token": name}
        path.write_text(yaml.safe_dump(content))
        client = KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())
        found = await client.way_sha256(vantage)
        await client.close()
        return found

    mine = await way("one")
    assert await way("another") == mine
    others = [
        await way("place", vantage="there"),
        await way("address", server="https://10.0.0.2:6443"),
        await way("proxy", **{"proxy-url": "http://127.0.0.1:3128"}),
        await way("name", **{"tls-server-name": "kubernetes"}),
    ]
    assert len({mine, *others}) == 5


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Trouble(status=403), "forbidden"),
        (Trouble(status=404), "not_found"),
        (Trouble(status=410), "gone"),
        (Trouble(status=429, headers={"Retry-After": "7"}), "throttled"),
        (Trouble(status=500), "server_error"),
        (Trouble(status=503), "server_error"),
        (Trouble(status=401, times=2), "unauthorized"),
        (Trouble(status=401, times=2, message="token has expired"), "expired_token"),
        (Trouble(body=b"<html>log in</html>"), "server_error"),
        (Trouble(hang=True), "timeout"),
    ],
)
async def test_failures_have_a_reason_and_a_remedy(tmp_path: Path, trouble: Trouble, reason: str) -> None:
    fake = FakeKube()
    fake.trouble("/version", trouble)
    async with session(fake, tmp_path, settings=patience(trouble)) as client:
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
    assert (caught.value.reason, caught.value.remedy) == (reason, REMEDIES[reason])
    assert "/version" in caught.value.message
    assert caught.value.retry_after_s == (7 if reason == "throttled" else None)


@pytest.mark.parametrize(
    ("trouble", "reason", "said"),
    [
        (
            Trouble(status=403, times=2, message='nodes is forbidden: User "system:anonymous" cannot'),
            "unauthorized",
            "Log in",
        ),
        (Trouble(hang=True), "timeout", "GET http://127.0.0.1:"),
    ],
)
async def test_a_failure_names_what_a_person_has_to_look_at(
    tmp_path: Path, trouble: Trouble, reason: str, said: str
) -> None:
    fake = FakeKube()
    fake.trouble("/version", trouble)
    async with session(fake, tmp_path, settings=patience(trouble)) as client:
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
    assert caught.value.reason == reason
    assert said in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"kind": "Status", "message": "no"}', "no"),
        (b"Client sent an HTTP request to an HTTPS server.\n", "Client sent an HTTP request to an HTTPS server."),
        (b"<html>log in</html>", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_a_line_of_text_is_said_and_a_page_is_not(body: bytes, message: str) -> None:
    assert decode_status(body).message == message


async def test_a_server_nobody_vouches_for_says_why(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        config = write_kubeconfig(tmp_path / "config", f"https://me:s3cret@127.0.0.1:{port}")
        client = KubeClient(KubeconfigCredentials(str(config)), SkippingTimer())
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
        await client.close()
    assert caught.value.reason == "tls"
    assert f"GET https://127.0.0.1:{port}/version: the server's certificate is not trusted: " in caught.value.message
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        ("other name", "not valid for '127.0.0.1'", "tls-server-name"),
        ("expired", "has expired", "Renew"),
        ("not yet valid", "not yet valid", "clock"),
        ("unknown authority", "self-signed", "certificate-authority-data"),
        ("no tls", "speaks no TLS", "http://"),
    ],
)
async def test_what_is_wrong_with_tls_to_an_api_server_is_told_apart(
    tmp_path: Path, trouble: str, said: str, remedy: str
) -> None:
    certificate, key = untrustworthy(tmp_path, trouble)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    plain = trouble == "no tls"
    async with await asyncio.start_server(answer_plain, "127.0.0.1", 0, ssl=None if plain else tls) as server:
        path = write_kubeconfig(tmp_path / "config", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        content = yaml.safe_load(path.read_text())
        if trouble != "unknown authority":
            content["clusters"][0]["cluster"]["certificate-authority"] = str(certificate)
        path.write_text(yaml.safe_dump(content))
        client = KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
        await client.close()
    assert caught.value.reason == "tls"
    assert said in caught.value.message
    assert "SSL" not in caught.value.message
    assert remedy in caught.value.remedy


def test_an_api_server_that_is_asked_without_tls_is_told_of() -> None:
    said = Status(message="Client sent an HTTP request to an HTTPS server.")
    found = from_status(400, said, "GET /version")
    assert (found.reason, "https://" in found.remedy) == ("tls", True)


def answer_plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def test_nobody_listening_is_unreachable(tmp_path: Path) -> None:
    config = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    client = KubeClient(KubeconfigCredentials(str(config)), SkippingTimer())
    with pytest.raises(KubeProblem, match="/version") as caught:
        await server_version(client)
    assert caught.value.reason == "unreachable"
    await client.close()


async def test_a_rotated_token_file_is_read_again(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.token = "second"
    (tmp_path / "token").write_text("first\n")
    async with fake.serving() as url:
        config = write_kubeconfig(tmp_path / "config", url)
        content = yaml.safe_load(config.read_text())
        content["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
        config.write_text(yaml.safe_dump(content))
        client = KubeClient(KubeconfigCredentials(str(config)), SkippingTimer())
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
        assert caught.value.reason == "unauthorized"
        (tmp_path / "token").write_text("second\n")
        assert (await server_version(client)).git_version == "v1.33.1"
        await client.close()
    assert [request.token for request in fake.requests] == ["first", "first", "first", "second"]


@pytest.mark.promise("secrets-are-not-shown")
async def test_a_problem_never_shows_the_token(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.token = "s3cret-token"
    async with session(fake, tmp_path) as client:
        fake.token = "another"
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
    assert "s3cret" not in f"{caught.value!r} {caught.value.message} {caught.value.remedy}"


async def test_pages_follow_each_other_and_keep_only_what_is_wanted(tmp_path: Path) -> None:
    fake = FakeKube()
    for index in range(7):
        fake.put("/api/v1/pods", pod(f"p{index}", (f"10.0.0.{index}",)))
    async with session(fake, tmp_path) as client:
        found = [page async for page in pages(client, PODS, PageDecoder(Pod), limit=3)]
    assert [len(page.items) for page in found] == [3, 3, 1]
    assert found[0].items[0].status.pod_ips is not None
    assert found[0].items[0].status.pod_ips[0].ip == "10.0.0.0"
    assert [request.query.get("limit") for request in fake.requests] == ["3", "3", "3"]


@pytest.mark.promise("the-rest-goes-on")
async def test_one_odd_object_costs_only_itself(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put("/api/v1/pods", pod("good"))
    odd = pod("odd")
    odd["status"]["podIPs"] = "not a list"
    fake.put("/api/v1/pods", odd)
    async with session(fake, tmp_path) as client:
        (page,) = [page async for page in pages(client, PODS, PageDecoder(Pod))]
    assert [item.metadata.name for item in page.items] == ["good"]
    assert len(page.misfits) == 1
    message, uid = page.misfits[0]
    assert ("podIPs" in message, uid) == (True, "uid-pods-default/odd")


async def test_discovery(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.extra_groups = {"cilium.io": ("v2", "v2alpha1")}
    for index in range(3):
        fake.put("/api/v1/pods", pod(f"p{index}"))
    async with session(fake, tmp_path) as client:
        assert (await api_groups(client))["cilium.io"] == ("v2", "v2alpha1")
        assert await listable(client, "networking.k8s.io", "v1") == {"servicecidrs", "ipaddresses"}
        assert await listable(client, "networking.k8s.io", "v1beta1") == frozenset()
        fake.put("/api/v1/pods", {**pod("p1"), "status": {"podIPs": 7}})
        found, number = await first_page(client, "/api/v1/pods", Pod, 2)
        assert ([each.metadata.name for each in found], number) == (["p0"], 3)


async def test_a_stream_is_cut_into_lines_of_any_length(tmp_path: Path) -> None:
    fake = FakeKube()
    huge = pod("huge", labels={"app": "x" * 300_000})
    fake.put("/api/v1/pods", huge)
    fake.put("/api/v1/pods", pod("small"))
    async with session(fake, tmp_path) as client:
        lines = client.lines("/api/v1/pods", {"watch": "true", "resourceVersion": "0"}, quiet_s=lambda: 5)
        sizes = [len(await anext(lines)), len(await anext(lines))]
        await lines.aclose()
    assert sizes[0] > 300_000 > sizes[1]


async def test_a_line_beyond_the_bound_is_a_problem(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.trouble("/api/v1/pods", Trouble(body=b"x" * 2_000))
    async with session(fake, tmp_path, settings=KubeSettings(max_line_bytes=1_000)) as client:
        with pytest.raises(KubeProblem, match="more than 1000 bytes"):
            await anext(client.lines("/api/v1/pods", {}, quiet_s=lambda: 5))


async def test_silence_on_a_stream_is_a_timeout(tmp_path: Path) -> None:
    fake = FakeKube()
    async with session(fake, tmp_path) as client:
        with pytest.raises(KubeProblem) as caught:
            await anext(client.lines("/api/v1/pods", {"watch": "true", "resourceVersion": "999"}, quiet_s=lambda: 0.05))
    assert caught.value.reason == "timeout"


async def test_cancelling_a_hanging_request_ends_it(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.trouble("/version", Trouble(hang=True))
    async with session(fake, tmp_path) as client:
        task = asyncio.create_task(server_version(client))
        await fake.asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_budget_allows_a_burst_and_then_the_rate() -> None:
    timer = SkippingTimer()
    pace = Pace(timer, per_s=5, burst=3)
    for _ in range(5):
        await pace.turn()
    assert timer.waits == pytest.approx([0.2, 0.2])
    timer.advance(60)
    for _ in range(4):
        await pace.turn()
    assert len(timer.waits) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_is_not_followed(tmp_path: Path, status: int) -> None:
    """Wherever it leads, no answer from there is one of this cluster, and the question may not go there."""
    fake, elsewhere = FakeKube(), FakeKube()
    async with elsewhere.serving() as url, session(fake, tmp_path) as client:
        fake.trouble("/version", Trouble(status=status, headers={"Location": f"{url}/version"}))
        with pytest.raises(KubeProblem, match=f"leads elsewhere .HTTP {status}.") as caught:
            await server_version(client)
    assert caught.value.reason == "server_error"
    assert "Name the API server itself" in caught.value.remedy
    assert elsewhere.requests == []
