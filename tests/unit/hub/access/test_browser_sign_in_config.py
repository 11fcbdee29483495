"""Settings of the sign-in with a browser: what contradicts itself is named with what to write."""

from pathlib import Path
from typing import Any

import pytest

from periplus_hub.api.config import HubConfig
from periplus_hub.kit.config import ConfigError, read_settings

from tests.support.certificates import self_signed

GOOD = {"oidc_issuer": "https://login.example.org", "oidc_client_id": "cli", "oidc_roles": ["a=viewer"]}
URL = "https://periplus.example.org"


def read(**flags: Any) -> HubConfig:
    return read_settings(HubConfig, GOOD | {"public_url": URL} | flags, environment={})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"public_url": "http://periplus.example.org"}, ["--public-url", "https alone", "http is for localhost"]),
        ({"public_url": "http://10.0.0.1:7980"}, ["https alone"]),
        ({"public_url": "https://example.org/periplus"}, ["no path", "the whole host"]),
        ({"public_url": "https://Example.org"}, ["lower case"]),
        ({"public_url": "https://user@example.org"}, ["like https://periplus.example.org"]),
        ({"public_url": "example.org"}, ["scheme and host"]),
        ({"public_url": None, "oidc_client_secret_file": "/dev/null"}, ["holds no secret"]),
        (
            {"public_url": None, "oidc_browser_client_id": "web"},
            ["oidc_browser_client_id is set and public_url is not"],
        ),
        ({"oidc_browser_client_id": ""}, ["--oidc-browser-client-id", "1 to 512"]),
        ({"oidc_client_secret_file": "/nowhere/secret"}, ["--oidc-client-secret-file", "No such file"]),
        ({"oidc_issuer": None, "oidc_client_id": None, "oidc_roles": []}, ["public_url is set and oidc_issuer is not"]),
        ({"session_idle_minutes": 4}, ["--session-idle-minutes", "4"]),
        ({"session_hours": 25}, ["--session-hours", "25"]),
        ({"session_hours": 1, "session_idle_minutes": 61}, ["never end for being idle"]),
    ],
)
def test_what_contradicts_itself_is_named(flags: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        read(**flags)
    assert [word for word in words if word not in refused.value.message] == []


def test_a_secret_is_never_quoted(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\nhush")
    with pytest.raises(ConfigError, match="holds no secret") as refused:
        read(oidc_client_secret_file=tmp_path / "secret")
    assert "hush" not in refused.value.message


def test_plain_http_is_for_localhost_without_tls(tmp_path: Path) -> None:
    for url in ("http://localhost:7980", "http://127.0.0.1:7980", "http://[::1]:7980"):
        assert read(public_url=url).public_url == url
    certificate, key = self_signed(tmp_path, "localhost")
    with pytest.raises(ConfigError, match="the API listener then takes https alone"):
        read(public_url="http://localhost:7980", tls_certificate=certificate, tls_key=key)


def test_an_origin_is_kept_as_browsers_write_it() -> None:
    assert read(public_url="https://periplus.example.org:443/").public_url == URL
    assert read(public_url="http://localhost:80").public_url == "http://localhost"
