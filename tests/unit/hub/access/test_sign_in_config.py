"""Settings of the sign-in: what cannot be used is named with its value and what to write."""

from pathlib import Path
from typing import Any

import pytest

from periplus_hub.access.config import SignInConfig, grant_of
from periplus_hub.access.model_people import Grant
from periplus_hub.kit.config import ConfigError, read_settings

from tests.support.certificates import self_signed

GOOD = {"oidc_issuer": "https://login.example.org/realms/staff", "oidc_client_id": "cli", "oidc_roles": ["a=viewer"]}


def read(**flags: Any) -> SignInConfig:
    return read_settings(SignInConfig, flags, environment={})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("oidc_issuer", "http://login.example.org", ["--oidc-issuer", "'http://login.example.org'", "with https"]),
        ("oidc_issuer", "https://user:pw@login.example.org", ["without a user name"]),
        ("oidc_issuer", "https://login.example.org/?x=1", ["without ? and #"]),
        ("oidc_issuer", "https://login.example.org/\n", ["like https://login.example.org"]),
        ("oidc_issuer", "file:///etc/passwd", ["'file:///etc/passwd'", "with https"]),
        ("oidc_issuer", "login.example.org", ["with https"]),
        ("oidc_client_id", "", ["--oidc-client-id", "1 to 512"]),
        ("oidc_client_id", "a\x00b", ["printable"]),
        ("oidc_groups_claim", "x" * 600, ["--oidc-groups-claim", "1 to 512"]),
        ("oidc_roles", ["network-team"], ["--oidc-roles", "'network-team'", "network-team=operator"]),
        ("oidc_roles", ["=viewer"], ["names no group"]),
        ("oidc_roles", ["a=root"], ["'a=root'", "viewer, analyst, operator, admin"]),
        ("oidc_roles", ["a=glöbex/admin"], ["names no tenant"]),
        ("oidc_roles", ["a=/admin"], ["names no tenant"]),
        ("oidc_roles", ["a=viewer"] * 501, ["at most 500"]),
        ("oidc_scopes", ["profile"], ["--oidc-scopes", "openid"]),
        ("oidc_scopes", ["openid", 'a"b'], ["openid"]),
        ("oidc_networks", ["10.0.0.1/8"], ["--oidc-networks", "like 10.1.2.0/24"]),
        ("oidc_clock_tolerance_s", 301, ["--oidc-clock-tolerance-s", "301", "300"]),
        ("oidc_clock_tolerance_s", -1, ["--oidc-clock-tolerance-s", "-1"]),
        ("oidc_ca_file", "/nowhere/ca.pem", ["--oidc-ca-file", "/nowhere/ca.pem", "No such file", "PEM"]),
        ("oidc_client_id", None, ["oidc_issuer is set and oidc_client_id is not"]),
        ("oidc_roles", None, ["oidc_issuer is set and oidc_roles is not"]),
        ("oidc_issuer", None, ["oidc_client_id is set and oidc_issuer is not"]),
    ],
)
def test_what_cannot_be_used_is_named(key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        read(**GOOD | {key: value})
    assert [word for word in words if word not in refused.value.message] == []


def test_a_file_without_a_certificate_is_no_authority(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        read(**GOOD, oidc_ca_file=tmp_path / "empty.pem")
    certificate, _ = self_signed(tmp_path, "login.example.org")
    assert len(read(**GOOD, oidc_ca_file=certificate).issuer_trust().get_ca_certs()) == 1


def test_a_group_may_be_called_as_it_likes() -> None:
    assert grant_of("network-team=operator") == Grant("network-team", "default", "operator")
    assert grant_of("cn=net,ou=groups=globex/eu/admin") == Grant("cn=net,ou=groups", "globex/eu", "admin")


def test_the_audience_is_the_client_unless_it_is_named() -> None:
    plain, other = read(**GOOD).expected, read(**GOOD, oidc_audience="api://periplus").expected
    assert plain is not None
    assert other is not None
    assert (plain.audience, other.audience, other.client_id) == ("cli", "api://periplus", "cli")
    assert read().expected is None
    assert read(**GOOD | {"oidc_issuer": "http://127.0.0.1:5556"}).expected is not None, "nobody is in between"
