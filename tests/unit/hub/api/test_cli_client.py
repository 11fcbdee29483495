"""The command line's way to its hub: every failure names the thing and the remedy."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from periplus_hub.api.hub_client import HubCallError, HubClient

from tests.support.certificates import self_signed, untrustworthy


@contextmanager
def answering(status: int, body: bytes, tls: tuple[Path, Path] | None = None, retry_after: str = "") -> Iterator[str]:
    """A server with one answer for every POST, whatever its path."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def refused(url: str, token: str = "pph_token", ca_file: str | None = None) -> HubCallError:
    with pytest.raises(HubCallError) as refusal, HubClient(url, token, ca_file=ca_file) as client:
        client.ask("{ viewer { name } }")
    assert refusal.value.message
    assert refusal.value.remedy
    return refusal.value


@pytest.mark.parametrize(("named", "waits"), [("1", [1] * 5), ("5", [5] * 5), ("6", []), ("0", []), ("soon", [])])
def test_a_hub_that_says_wait_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, named: str, waits: list[int]
) -> None:
    waited: list[int] = []
    monkeypatch.setattr("time.sleep", waited.append)
    busy = b'{"errors": [{"message": "no", "extensions": {"code": "budget-exhausted", "remedy": "wait"}}]}'
    with answering(429, busy, retry_after=named) as url:
        assert refused(url).code == "budget-exhausted"
    assert waited == waits


def test_data_is_returned_question_after_question() -> None:
    with answering(200, b'{"data": {"viewer": null}}') as url, HubClient(url + "/", "pph_token") as client:
        assert client.ask("{ viewer { name } }") == {"viewer": None}
        assert client.ask("{ viewer { name } }") == {"viewer": None}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"{}", "unauthenticated"),
        (200, b"<html>", "not-graphql"),
        (404, b'{"detail": "Not Found"}', "not-graphql"),
        (200, b"[]", "not-graphql"),
        (503, b'{"title": "busy", "remedy": "wait"}', "503"),
        (200, b'{"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN", "remedy": "ask"}}]}', "FORBIDDEN"),
    ],
)
def test_what_is_no_answer_is_an_error(status: int, body: bytes, code: str) -> None:
    with answering(status, body) as url:
        assert refused(url).code == code


@pytest.mark.parametrize("url", ["hub:7980", "ftp://hub", "http://", "http://hub:port", "", "https://hub/?a=b"])
def test_what_is_no_url_is_named(url: str) -> None:
    found = refused(url)
    assert found.code == "bad-url"
    assert repr(url.rstrip("/")) in found.message


def test_a_closed_port_is_unreachable() -> None:
    found = refused("http://127.0.0.1:1")
    assert found.code == "unreachable"
    assert "refused" in found.message


@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        ("other name", "not valid for '127.0.0.1'", "--url"),
        ("expired", "has expired", "Renew"),
        ("not yet valid", "not yet valid", "clock"),
    ],
)
def test_what_is_wrong_with_a_certificate_of_a_known_authority_is_told_apart(
    tmp_path: Path, trouble: str, said: str, remedy: str
) -> None:
    tls = untrustworthy(tmp_path, trouble)
    with answering(200, b"", tls) as url:
        found = refused(url, ca_file=str(tls[0]))
    assert found.code == "tls"
    assert said in found.message
    assert remedy in found.remedy
    assert "PERIPLUS_CA_FILE" not in found.remedy


def test_tls_and_plain_http_mistaken_for_each_other_are_told(tmp_path: Path) -> None:
    with answering(200, b"") as url:
        found = refused(url.replace("http:", "https:"))
        assert "speaks no TLS" in found.message
        assert "SSL" not in found.message
        assert "http://" in found.remedy
    with answering(200, b"", self_signed(tmp_path, "127.0.0.1")) as url:
        assert "https://" in refused(url.replace("https:", "http:")).remedy


def test_an_untrusted_certificate_names_the_variable_that_cures_it(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "127.0.0.1")
    with answering(200, b'{"data": {}}', tls) as url:
        assert "PERIPLUS_CA_FILE" in refused(url).remedy
        with HubClient(url, "pph_token", ca_file=str(tls[0])) as client:
            assert client.ask("{ viewer { name } }") == {}


def test_a_missing_authority_is_named() -> None:
    found = refused("https://127.0.0.1:1", ca_file="/no/such/file")
    assert found.code == "tls"
    assert "/no/such/file" in found.message


def test_a_token_with_odd_characters_is_never_shown() -> None:
    found = refused("http://127.0.0.1:1", token="pph_secret\nother")
    assert found.code == "unauthenticated"
    assert "pph_secret" not in found.message
