"""HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go, and so kubectl, reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.kube.proxy import of_environment, parse

P = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("server", "environment", "found"),
    [
        ("https://api.example:6443", {"HTTPS_PROXY": P}, ("HTTPS_PROXY", P)),
        ("https://api.example:6443", {"https_proxy": P}, ("https_proxy", P)),
        ("https://api.example:6443", {"HTTPS_PROXY": P, "https_proxy": "http://b"}, ("HTTPS_PROXY", P)),
        ("https://api.example:6443", {"HTTPS_PROXY": "proxy.example:3128"}, ("HTTPS_PROXY", P)),
        ("https://api.example:6443", {"HTTP_PROXY": P, "ALL_PROXY": P}, ("", "")),
        ("http://api.example", {"HTTP_PROXY": P}, ("HTTP_PROXY", P)),
        ("https://localhost:6443", {"HTTPS_PROXY": P}, ("", "")),
        ("https://127.0.0.9:6443", {"HTTPS_PROXY": P}, ("", "")),
        ("https://[::1]:6443", {"HTTPS_PROXY": P}, ("", "")),
        ("https://api.example:6443", {}, ("", "")),
    ],
)
def test_which_variable_counts(server: str, environment: dict[str, str], found: tuple[str, str]) -> None:
    assert of_environment(server, environment) == found


@pytest.mark.parametrize(
    ("server", "exceptions", "is_excepted"),
    [
        ("https://api.example", "*", True),
        ("https://api.example", "example", True),
        ("https://example", "example", True),
        ("https://api.example", ".example", True),
        ("https://example", ".example", False),
        ("https://api.example", "*.example", True),
        ("https://example", "*.example", False),
        ("https://myexample", "example", False),
        ("https://API.Example", " x , aPi.eXample ", True),
        ("https://api.example:6443", "api.example:6443", True),
        ("https://api.example:6443", "api.example:443", False),
        ("https://api.example", "api.example:443", True),
        ("https://10.1.2.3:6443", "10.1.0.0/16", True),
        ("https://10.2.2.3:6443", "10.1.0.0/16", False),
        ("https://10.1.2.3:6443", "10.1.2.3", True),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
        ("https://10.1.2.3:6443", "10.1.2.3:443", False),
        ("https://[fd00::7]:6443", "fd00::7", True),
        ("https://[fd00::7]:6443", "[fd00::7]", True),
        ("https://[fd00::7]:6443", "[fd00::7]:6443", True),
        ("https://[fd00::7]:6443", "fd00::/8", True),
        ("https://[fd00::7]:6443", "10.0.0.0/8", False),
        ("https://api.example", "10.0.0.0/8,,not/arange,.", False),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_what_is_asked_directly(server: str, exceptions: str, is_excepted: bool, variable: str) -> None:
    assert (of_environment(server, {"HTTPS_PROXY": P, variable: exceptions}) == ("", "")) is is_excepted


@pytest.mark.parametrize(
    ("url", "port"), [("http://p", 80), ("https://p", 443), ("socks5://p", 1080), ("socks5h://p:9", 9)]
)
def test_ports_that_kinds_come_with(url: str, port: int) -> None:
    assert parse(url).port == port


def host_or_refusal(url: str) -> str:
    try:
        return parse(url).host
    except ValueError as error:
        return str(error)


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_a_password_in_a_proxys_url_is_never_said(text: str) -> None:
    assert "s3cret" not in host_or_refusal(f"{text}://me:s3cret@{text}")


@given(st.text(st.characters(codec="ascii"), max_size=20), st.sampled_from(["api.example", "10.1.2.3", "[fd00::7]"]))
def test_no_exception_breaks_anything(exceptions: str, host: str) -> None:
    of_environment(f"https://{host}:6443", {"HTTPS_PROXY": P, "NO_PROXY": exceptions})
