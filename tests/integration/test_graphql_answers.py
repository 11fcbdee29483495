"""What an answer carries: what it cost and what is left, compressed where asked, open to no page but those named."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from starlette.applications import Starlette
from starlette.routing import Route

from periplus_hub.access.scope import Role, Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.api.config import ConfigError, load_config
from periplus_hub.api.graphql_answer import coding_for
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.graphql_cors import across_origins
from periplus_hub.api.graphql_limits import LIMITS
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import door, seed, token_for

LONG = "{clusters(first:50){nodes{id name clusterUid createdAt networkDomain{id name}}}}"
PAGE = "https://portal.example.org"
DECODERS = {"gzip": gzip.decompress, "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body, 2**24)}


async def raw(db: Database, clock: FakeClock, token: str, query: str, **headers: str) -> httpx.Response:
    """The answer as it came over the wire."""
    app = Starlette(routes=[Route("/graphql", across_origins(GraphQLApp(db, clock, Authenticator(db)), [PAGE]))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as client:
        given = {"authorization": f"Bearer {token}", "accept-encoding": "identity"} | headers
        request = client.build_request("POST", "/graphql", json={"query": query}, headers=given)
        response = await client.send(request, stream=True)
        body = b"".join([part async for part in response.aiter_raw()])
        return httpx.Response(response.status_code, headers=_plain(response.headers), content=body)


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Under another name, so that the client leaves the body as it is."""
    return [("x-coding" if name == "content-encoding" else name, value) for name, value in headers.items()]


@pytest.mark.promise("queries-are-bounded")
async def test_an_answer_says_what_it_cost_and_what_is_left(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await seed(db, tenant)
    token = await token_for(db, tenant, Role.VIEWER)
    hub, told = door(db, clock), []
    for query in (LONG, LONG, "{viewer{actor}}", "{__schema{queryType{name}}}"):
        answer = await hub.raw("POST", json.dumps({"query": query}).encode(), _json(token))
        told.append(answer.json()["extensions"]["cost"])
    first, again, small, schema = told
    assert first["left"] == LIMITS.bucket - LIMITS.new_document_cost - int(first["spent"] + 0.99)
    assert again == {"spent": first["spent"], "left": first["left"] - round(first["spent"])}
    assert small["spent"] < first["spent"]
    assert schema["left"] < small["left"] < again["left"]
    clock.advance(60)
    refilled = await hub.raw("POST", json.dumps({"query": LONG}).encode(), _json(token))
    assert refilled.json()["extensions"]["cost"]["left"] > LIMITS.bucket - LIMITS.new_document_cost


def _json(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("clusters", [20, 300])
async def test_long_answers_are_compressed_when_asked(
    db: Database, clock: FakeClock, tenant: Scope, coding: str, clusters: int
) -> None:
    await seed(db, tenant, clusters=clusters, objects=0)
    token = await token_for(db, tenant, Role.VIEWER)
    query = LONG.replace("50", str(clusters))
    plain = await raw(db, clock, token, query)
    packed = await raw(db, clock, token, query, **{"accept-encoding": coding})
    assert ("x-coding" in plain.headers, packed.headers["x-coding"]) == (False, coding)
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    assert int(packed.headers["content-length"]) == len(packed.content) < len(plain.content) / 3
    assert json.loads(DECODERS[coding](packed.content))["data"] == plain.json()["data"]


async def test_short_answers_and_those_with_secrets_are_not_compressed(
    db: Database, clock: FakeClock, tenant: Scope
) -> None:
    token = await token_for(db, tenant, Role.ADMIN)
    name = "n" * 90
    makes = [
        f'_{at}:createApiToken(input:{{name:"{name}",role:VIEWER}}){{...on CreatedApiToken{{token}}}}'
        for at in range(9)
    ]
    for query in ("{viewer{actor}}", f"mutation{{{' '.join(makes)}}}"):
        answer = await raw(db, clock, token, query, **{"accept-encoding": "gzip, zstd"})
        assert (answer.status_code, "x-coding" in answer.headers) == (200, False)
        assert "errors" not in answer.json()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", ""), ("identity", ""), ("br", ""), ("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("*", "zstd"),
        ("zstd;q=0, gzip", "gzip"), ("zstd;q=0.1, gzip;q=0.9", "gzip"), ("*;q=0", ""), ("GZIP;Q=1", "gzip"),
        ("gzip;q=x", ""), ("gzip;q=", ""), ("gzip;q=nan", ""), ("gzip;q=7", ""), (";;;,,,=", ""),
        ("*;q=0, gzip", "gzip"),
    ],
)  # fmt: skip
def test_the_coding_is_what_the_caller_likes_best(accepted: str, coding: str) -> None:
    assert coding_for(accepted) == coding


@pytest.mark.parametrize("origin", [PAGE, "https://evil.example", "null", f"{PAGE}.evil.example", ""])
async def test_only_the_pages_that_are_named_may_ask(
    db: Database, clock: FakeClock, tenant: Scope, origin: str
) -> None:
    token = await token_for(db, tenant, Role.VIEWER)
    answer = await raw(db, clock, token, "{viewer{actor}}", origin=origin)
    assert answer.headers.get("access-control-allow-origin") == (PAGE if origin == PAGE else None)
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, True), ("https://evil.example", False)])
async def test_a_browser_asks_first(db: Database, clock: FakeClock, origin: str, *, allowed: bool) -> None:
    for origins in ([PAGE], []):
        app = across_origins(GraphQLApp(db, clock, Authenticator(db)), origins)
        asked = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as client:
            answer = await client.options("/graphql", headers={"origin": origin} | asked)
        assert answer.status_code == (200 if allowed and origins else 405)
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed and origins else None)


@pytest.mark.parametrize(
    "origin", ["*", "https://*.example.org", "portal.example.org", f"{PAGE}/", "HTTPS://x.org", "null"]
)
def test_an_origin_is_written_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: str) -> None:
    monkeypatch.setenv("PERIPLUS_API_ORIGINS", f"{PAGE},{origin}")
    with pytest.raises(ConfigError, match="is not an origin"):
        load_config(None, {"data_dir": tmp_path})


def test_no_page_is_named_by_default(tmp_path: Path) -> None:
    config: Any = load_config(None, {"data_dir": tmp_path})
    assert config.api_origins == ()
