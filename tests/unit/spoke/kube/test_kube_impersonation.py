"""A context that acts as somebody else is never asked with the rights of the person behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.objects import Pod
from periplus_spoke.kube.access import Access, lacking
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import api_groups, listable, server_version
from periplus_spoke.kube.impersonation import headers
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.lists import PageDecoder, Resource, pages
from periplus_spoke.kube.problems import KubeProblem

from tests.support.kube_api import FakeKube, Trouble, write_kubeconfig
from tests.support.kube_session import SkippingTimer

PODS = Resource(source="pods", group="", plural="pods", version="v1", type=Pod)
WHOLE = {
    "as": "net-audit",
    "as-uid": "7",
    "as-groups": ["readers", "auditors"],
    "as-user-extra": {"Reason/why": ["look", "again"]},
}


def kubeconfig(folder: Path, url: str, user: dict[str, Any]) -> KubeClient:
    path = write_kubeconfig(folder / "config", url)
    content = yaml.safe_load(path.read_text())
    content["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(content))
    return KubeClient(KubeconfigCredentials(str(path)), SkippingTimer())


@asynccontextmanager
async def acting(folder: Path, fake: FakeKube, user: dict[str, Any]) -> AsyncIterator[KubeClient]:
    async with fake.serving() as url:
        client = kubeconfig(folder, url, user)
        try:
            yield client
        finally:
            await client.close()


@pytest.mark.promise("no-more-rights-than-given")
async def test_every_kind_of_request_says_whom_it_acts_as(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.token = "jump"
    fake.put("/api/v1/pods", {"metadata": {"name": "p"}})
    fake.trouble("/apis", Trouble(status=401))  # asked again with credentials that were read again
    async with acting(tmp_path, fake, {"token": "jump"} | WHOLE) as client:
        await server_version(client)
        await api_groups(client)
        await listable(client, "apps", "v1")
        assert [page async for page in pages(client, PODS, PageDecoder(Pod))]
        await lacking(client, [Access("list", "", "pods"), Access("list", "", "nodes")])
        watch = client.lines("/api/v1/pods", {"watch": "true", "resourceVersion": "0"}, quiet_s=lambda: 60)
        await anext(watch)
        await watch.aclose()
    assert {request.method for request in fake.requests} == {"GET", "POST"}
    assert any(request.is_watch for request in fake.requests)
    for request in fake.requests:
        assert request.token == "jump"
        assert sorted(request.acting_as) == [
            ("impersonate-extra-reason%2fwhy", "again"),
            ("impersonate-extra-reason%2fwhy", "look"),
            ("impersonate-group", "auditors"),
            ("impersonate-group", "readers"),
            ("impersonate-uid", "7"),
            ("impersonate-user", "net-audit"),
        ]


@pytest.mark.parametrize("user", [{}, {"as": "", "as-groups": [], "as-uid": None, "as-user-extra": {}}])
async def test_who_acts_as_nobody_says_nothing(tmp_path: Path, user: dict[str, Any]) -> None:
    fake = FakeKube()
    async with acting(tmp_path, fake, user) as client:
        await server_version(client)
    assert [request.acting_as for request in fake.requests] == [[]]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"as": 7}, "as of user 'fake' is not text"),
        ({"as": "a", "as-uid": 7}, "as-uid of user 'fake' is not text"),
        ({"as": "a", "as-groups": "readers"}, "as-groups of user 'fake' is not a list of texts"),
        ({"as": "a", "as-groups": [7]}, "as-groups of user 'fake' is not a list of texts"),
        ({"as": "a", "as-user-extra": ["x"]}, "as-user-extra of user 'fake' is not a mapping of lists of texts"),
        ({"as": "a", "as-user-extra": {"k": "v"}}, "as-user-extra of user 'fake' is not a mapping of lists of texts"),
        ({"as-groups": ["readers"]}, "user 'fake' has as-groups and no as"),
        ({"as-uid": "7"}, "user 'fake' has as-uid and no as"),
        ({"as-user-extra": {"k": ["v"]}}, "user 'fake' has as-user-extra and no as"),
        ({"as": "a\r\nImpersonate-Group: system:masters"}, "holds characters that no request can carry"),
    ],
)
async def test_what_cannot_be_said_is_refused_and_never_left_out(
    tmp_path: Path, user: dict[str, Any], said: str
) -> None:
    fake = FakeKube()
    async with acting(tmp_path, fake, user) as client:
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
    assert caught.value.reason == "bad_kubeconfig"
    assert said in caught.value.message
    assert fake.requests == []


async def test_who_may_not_act_as_them_is_told_so(tmp_path: Path) -> None:
    fake = FakeKube()
    message = 'users "net-audit" is forbidden: User "alice" cannot impersonate resource "users" in API group ""'
    fake.trouble("/version", Trouble(status=403, message=message))
    async with acting(tmp_path, fake, {"as": "net-audit"}) as client:
        with pytest.raises(KubeProblem) as caught:
            await server_version(client)
    assert (caught.value.reason, "impersonate" in caught.value.remedy) == ("forbidden", True)


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.lists(st.just("v"), max_size=2), max_size=3))
def test_names_of_extra_fields_arrive_as_they_were(extra: dict[str, list[str]]) -> None:
    """Two keys never become one header, and no key becomes another one."""
    names = {name for name, _ in headers({"as": "a", "as-user-extra": extra}) if "Extra" in name}
    assert len(names) == sum(bool(values) for values in extra.values())
    assert all(name.isascii() and name.isprintable() and not set(name) & set(' :"') for name in names)
