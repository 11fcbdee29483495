"""A small GraphQL client for the command line: one hub, one token, plain errors.

On the standard library alone: a command that asks one question should not take half a second to load a library.
"""

import json
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from periplus_contract.tls_trouble import TlsTrouble, tls_trouble

_TIMEOUT_S: Final = 30.0
_PATIENCE: Final = 5
_LONGEST_WAIT_S: Final = 5
_VALID_ONE: Final = "Give a valid one with --token-file or PERIPLUS_TOKEN."
_API_LISTENER: Final = "Check that --url (or PERIPLUS_URL) is the hub's API listener, by default on port 7980."


_CHECK_URL: Final = "Check --url (or PERIPLUS_URL) and that the hub runs."
_PLAIN_DROPPED: Final = (
    "If the hub has a certificate, write https:// in --url (or PERIPLUS_URL); else see that it runs."
)
_TLS_REMEDIES: Final = {
    TlsTrouble.NO_TLS: "If the hub has no certificate, write http:// in --url (or PERIPLUS_URL), and check the port.",
    TlsTrouble.OTHER_NAME: "Name the hub in --url (or PERIPLUS_URL) as its certificate does, or give it one with this "
    "name.",
    TlsTrouble.WRONG_TIME: "Renew the hub's certificate, or set this machine's clock.",
    TlsTrouble.UNKNOWN_AUTHORITY: "Name the file with the hub's certificate authority in PERIPLUS_CA_FILE; of a "
    "self-signed certificate that is the certificate itself.",
    TlsTrouble.OTHER: _CHECK_URL,
}


class HubCallError(Exception):
    """The hub could not be asked or said no; `code` is the GraphQL error code, or a transport word."""

    def __init__(self, message: str, remedy: str, code: str = "failed", *, said: str = "") -> None:
        """`said` is the hub's own reason, where the message is not that."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code
        self.said = said


class HubClient:
    """Asks `url`/graphql as the owner of `token`; `ca_file` replaces the machine's own authorities.

    Use as a context manager. Raises HubCallError for a URL or file that cannot be used.
    """

    def __init__(self, url: str, token: str, *, ca_file: str | None = None) -> None:
        if not (token.isascii() and token.isprintable()):
            raise HubCallError("the API token holds characters that no token has", _VALID_ONE, "unauthenticated")
        self._url = url.rstrip("/")
        self._connection, self._path = _connection(self._url, ca_file)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run one operation and return its `data`; raises HubCallError for everything else."""
        body = json.dumps({"query": document, "variables": variables or {}}).encode()
        status, content, wait_s = self._send(body)
        for _ in range(_PATIENCE):
            if status != HTTPStatus.TOO_MANY_REQUESTS or not 0 < wait_s <= _LONGEST_WAIT_S:
                break
            time.sleep(wait_s)  # the hub says so, as after many questions in a second
            status, content, wait_s = self._send(body)
        return _data(status, content)

    def _send(self, body: bytes) -> tuple[int, bytes, int]:
        """Status, content, and the seconds to wait before asking again; 0 when the hub names none."""
        try:
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            wait = answer.getheader("retry-after", "0")
            return answer.status, answer.read(), int(wait) if wait.isdecimal() else 0
        except TimeoutError as error:
            msg = f"the hub at {self._url} did not answer in time"
            raise HubCallError(msg, "Look at the hub's log and its /readyz.", "timeout") from error
        except (HTTPException, OSError) as error:
            raise _unreached(self._url, error) from error
        finally:
            self._connection.close()  # the next question may come after any time; connecting again is cheap here


class Reply(NamedTuple):
    """What a listener of the hub answered."""

    status: int
    content_type: str
    content: bytes


def post(url: str, path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
    """Ask another listener of the hub than that of GraphQL, once. Raises HubCallError where no answer comes."""
    return _exchange(url, ("POST", path, content, dict(headers)), None)


def get(url: str, path: str, *, ca_file: str | None = None) -> Reply:
    """Read a page of the hub that asks for no token, once. Raises HubCallError where no answer comes."""
    return _exchange(url, ("GET", urlsplit(url).path.rstrip("/") + path, None, {"Accept": "application/json"}), ca_file)


def _exchange(url: str, asked: tuple[str, str, bytes | None, dict[str, str]], ca_file: str | None) -> Reply:
    connection, _ = _connection(url, ca_file)
    try:
        connection.request(*asked)
        answer = connection.getresponse()
        return Reply(answer.status, answer.getheader("content-type", ""), answer.read())
    except (HTTPException, OSError) as error:
        raise _unreached(url, error) from error
    finally:
        connection.close()


def _unreached(url: str, error: HTTPException | OSError) -> HubCallError:
    if isinstance(error, ssl.SSLError):
        trouble, said = tls_trouble(error)
        return HubCallError(f"no TLS connection to the hub at {url}: {said}", _TLS_REMEDIES[trouble], "tls")
    said = str(error) or type(error).__name__
    is_dropped = isinstance(error, HTTPException | ConnectionResetError) and url.startswith("http://")
    remedy = _PLAIN_DROPPED if is_dropped else _CHECK_URL
    return HubCallError(f"the hub at {url} cannot be reached: {said}", remedy, "unreachable")


def _connection(url: str, ca_file: str | None) -> tuple[HTTPConnection, str]:
    """An unopened connection, and the path to ask at."""
    msg = f"{url!r} is no URL of a hub"
    bad_url = HubCallError(msg, "Give one like https://hub.example:7980 with --url or PERIPLUS_URL.", "bad-url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise bad_url from error
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise bad_url
    path = f"{parts.path}/graphql"
    if parts.scheme == "http":
        return HTTPConnection(host, port, timeout=_TIMEOUT_S), path
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        message = f"the certificate file {ca_file} cannot be used: {error.strerror or error}"
        raise HubCallError(message, "Check PERIPLUS_CA_FILE.", "tls") from error
    return HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context), path


def _data(status: int, content: bytes) -> dict[str, Any]:
    if status == HTTPStatus.UNAUTHORIZED:
        msg = "the hub does not accept this token"
        raise HubCallError(msg, _VALID_ONE, "unauthenticated", said=_first_message(content))
    if status == HTTPStatus.NOT_FOUND:  # the hub's other listeners answer so, in JSON
        msg = "what answers there does not know GraphQL"
        raise HubCallError(msg, _API_LISTENER, "not-graphql")
    try:
        body = json.loads(content)
    except ValueError as error:
        msg = f"the answer ({status}) is not GraphQL"
        raise HubCallError(msg, _API_LISTENER, "not-graphql") from error
    if not isinstance(body, dict):
        msg = "the answer is not a GraphQL object"
        raise HubCallError(msg, _API_LISTENER, "not-graphql")
    if errors := body.get("errors"):
        first = errors[0]
        extensions = first.get("extensions") or {}
        raise HubCallError(
            str(first.get("message", "unknown error")),
            str(extensions.get("remedy", "")),
            str(extensions.get("code", "failed")),
        )
    if "data" not in body:
        msg = str(body.get("detail") or body.get("title") or f"the hub answered {status}")
        raise HubCallError(msg, str(body.get("remedy", "")), str(status))
    data: dict[str, Any] = body["data"]
    return data


def _first_message(content: bytes) -> str:
    try:
        return str(json.loads(content)["errors"][0]["message"])
    except (ValueError, LookupError, TypeError):
        return ""
