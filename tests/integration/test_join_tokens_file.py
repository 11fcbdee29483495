"""Join tokens that a hub is handed at its start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api import join_tokens
from periplus_hub.api.join_tokens import HandedOver
from periplus_hub.fleet import secrets
from periplus_hub.fleet.repository import all_registrations, domains_by_ids
from periplus_hub.fleet.service import create_domain
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal

from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def test_a_spoke_joins_with_one_under_the_name_it_is_bound_to(door: Door) -> None:
    text = secrets.mint(secrets.JOIN_PREFIX).text
    await join_tokens.admit(door.db, [HandedOver(token=text, cluster_name="shop", auto_approve=True)])
    answer = await Member(door, "whatever").enrol(text)
    assert (answer.cluster_name, answer.state) == ("shop", "active")


async def test_its_cluster_lands_in_the_domain_that_it_names(door: Door) -> None:
    scope = system_scope(await ensure_default_tenant(door.db), "test")
    async with door.db.write(scope) as c:
        vpc = await create_domain(c, scope, "vpc", "")
    token = HandedOver(token=secrets.mint(secrets.JOIN_PREFIX).text, domain="vpc", auto_approve=True)
    await join_tokens.admit(door.db, [token])
    answer = await Member(door, "shop").enrol(token.token)
    async with door.db.read(scope) as c:
        (found,) = await all_registrations(c, scope)
    assert (str(found.id), found.domain_id) == (answer.registration, vpc.id)


async def test_a_domain_that_is_described_is_made_once(door: Door) -> None:
    tokens = [
        HandedOver(
            token=secrets.mint(secrets.JOIN_PREFIX).text,
            cluster_name=name,
            domain="vpc",
            domain_description="routed flat",
            auto_approve=True,
        )
        for name in ("shop", "payments")
    ]
    await join_tokens.admit(door.db, tokens)
    for each in tokens:
        await Member(door, "whatever").enrol(each.token, cluster_uid=f"uid of {each.cluster_name}")
    scope = system_scope(await ensure_default_tenant(door.db), "test")
    async with door.db.read(scope) as c:
        first, second = await all_registrations(c, scope)
        domain = (await domains_by_ids(c, scope, [first.domain_id]))[first.domain_id]
    assert first.domain_id == second.domain_id
    assert (domain.name, domain.description, domain.implicit) == ("vpc", "routed flat", False)


async def test_a_domain_that_is_not_there_is_named(db: Database) -> None:
    token = HandedOver(token=secrets.mint(secrets.JOIN_PREFIX).text, domain="vpc")
    with pytest.raises(Refusal, match="no network domain 'vpc'") as refused:
        await join_tokens.admit(db, [token])
    assert "periplus domains create vpc" in refused.value.remedy


async def test_reading_them_again_makes_none_of_them_new(door: Door) -> None:
    token = HandedOver(token=secrets.mint(secrets.JOIN_PREFIX).text)
    await join_tokens.admit(door.db, [token])
    await Member(door, "first").enrol(token.token)
    await join_tokens.admit(door.db, [token])
    with pytest.raises(RefusedByHubError):
        await Member(door, "second").enrol(token.token)


@pytest.mark.parametrize("text", ["", "no-secret", "id.short", "." + "s" * 40])
async def test_a_weak_token_is_refused_without_being_shown(db: Database, text: str) -> None:
    with pytest.raises(Refusal, match="32 characters") as refused:
        await join_tokens.admit(db, [HandedOver(token=text)])
    assert not text or text not in refused.value.message


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text('[{"token": "id.secret", "clusterName": "shop", "autoApprove": true, "domain": "vpc"}]')
    assert join_tokens.read(path) == [
        HandedOver(token="id.secret", cluster_name="shop", auto_approve=True, domain="vpc")
    ]


@pytest.mark.parametrize("content", [None, "", "{}", '[{"token": 1}]', '[{"token": "a.b", "autoaprove": true}]'])
def test_what_is_no_such_file_is_named_with_what_to_do(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokens.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Refusal, match=r"tokens\.json") as refused:
        join_tokens.read(path)
    assert refused.value.remedy
