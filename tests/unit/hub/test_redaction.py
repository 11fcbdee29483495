"""No secret, address or name of a fleet leaves in a support bundle; what is the same stays the same."""

import re

import pytest

from periplus_hub.api.support.redaction import REMOVED, Redactor

NAMES = {"cluster": ["prod-eu", "prod"], "tenant": ["acme"], "host": ["db.acme.example"]}
KEY = b"of this bundle"


def redacted(text: str, **options: bool) -> str:
    return Redactor(KEY, NAMES, **options).text(text)


@pytest.mark.promise("secrets-never-leave")
@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
        r'{"key": "-----BEGIN EC PRIVATE KEY-----\nCANARY\n-----END EC PRIVATE KEY-----\n"}',
        "-----BEGIN CERTIFICATE-----\nCANARY and it was cut off",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.CANARY-signature",
        "token ppt_CANARY01_CANARYCANARY was used",
        "ppj_CANARY01_CANARY ppc_CANARY",
        "postgresql://periplus:CANARY@db.acme.example/periplus?sslmode=require",
        "clickhouses://CANARY@ch:8443",
        "Authorization: Bearer CANARY.canary",
        '{"password": "CANARY", "other": 1}',
        r'{"event": "{\"secret\": \"CANARY\"}"}',
        "PERIPLUS_TOKEN=CANARY",
        "api_key: 'CANARY'",
        "private-key=CANARY",
    ],
)
def test_secrets_are_known_by_their_shape(text: str) -> None:
    shown = redacted(text)
    assert "CANARY" not in shown
    assert REMOVED in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"tokens": "set", "admin_token_file": null}',
        "2026-11-30T12:34:56Z level=info took=0.31s 12:34:56",
        "expand_0001, 9 passwords were asked for",
        "http://127.0.0.1:7980 and [::1]:7946 and 0.0.0.0",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_names_are_pseudonyms_that_stay_the_same() -> None:
    shown = redacted("prod-eu of acme is not prod, and products are not: prod-eu at db.acme.example")
    pattern = r"(cluster-[12]) of tenant-1 is not (cluster-[12]), and products are not: \1 at host-1"
    found = re.fullmatch(pattern, shown)
    assert found is not None, shown
    assert found[1] != found[2]


def test_addresses_keep_what_they_have_in_common_and_nothing_else() -> None:
    shown = redacted("10.1.2.3 10.1.2.200 10.9.0.0/16 192.168.0.1 10.1.2.3 fd00::1 fd00::2 ::ffff:10.1.2.3")
    words = shown.split()
    assert words[0] == words[4]
    assert not re.search(r"10\.1\.2|192\.168|fd00", shown)
    assert words[2].endswith("/16")
    assert words[0].rpartition(".")[0] == words[1].rpartition(".")[0]
    assert words[0].split(".")[0] == words[2].split(".")[0] != words[3].split(".")[0]
    assert words[5].rpartition(":")[0] == words[6].rpartition(":")[0]
    other = Redactor(b"of another", {}).text("10.1.2.3")
    assert other != words[0]
    assert redacted("10.1.2.3", keep_addresses=True) == "10.1.2.3"
