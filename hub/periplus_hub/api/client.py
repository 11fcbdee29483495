"""A small GraphQL client for the command line: one hub, one token, plain errors.

httpx is loaded with the first client: it takes half a second that `periplus hub serve` need not wait for.
"""

import importlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self


class HubCallError(Exception):
    """The hub could not be asked or said no; `code` is the GraphQL error code, or a transport word."""

    def __init__(self, message: str, remedy: str, code: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code


class HubClient:
    """Asks `url`/graphql as the owner of `token`. Use as a context manager."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0, verify: str | bool = True) -> None:
        self._url = url.rstrip("/")
        self._httpx: Any = importlib.import_module("httpx")
        try:
            self._http = self._httpx.Client(
                timeout=timeout_s,
                verify=verify,
                trust_env=False,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            )
        except OSError as error:  # ssl.SSLError is one
            message = f"the certificate file {verify} cannot be used: {error.strerror or error}"
            raise HubCallError(message, "Check PERIPLUS_CA_FILE.", "tls") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run one operation and return its `data`; raises HubCallError for everything else."""
        try:
            answer = self._http.post(f"{self._url}/graphql", json={"query": document, "variables": variables or {}})
        except self._httpx.TimeoutException as error:
            msg = f"the hub at {self._url} did not answer in time"
            raise HubCallError(msg, "Look at the hub's log and its /readyz.", "timeout") from error
        except (self._httpx.HTTPError, self._httpx.InvalidURL, ValueError) as error:
            msg = f"the hub at {self._url} cannot be reached: {error}"
            remedy = "Check --url (or PERIPLUS_URL) and that the hub runs."
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                remedy = "Name the file with the hub's certificate authority in PERIPLUS_CA_FILE."
            raise HubCallError(msg, remedy, "unreachable") from error
        return _data(answer)


def _data(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - an httpx.Response
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        msg = "the hub does not accept this token"
        raise HubCallError(msg, "Give a valid one with --token-file or PERIPLUS_TOKEN.", "unauthenticated")
    try:
        body = answer.json()
    except ValueError as error:
        msg = f"the answer ({answer.status_code}) is not GraphQL"
        raise HubCallError(msg, "Check that the URL is the hub's listener for people.", "not-graphql") from error
    if not isinstance(body, dict):
        msg = "the answer is not a GraphQL object"
        raise HubCallError(msg, "Check that the URL is the hub's listener for people.", "not-graphql")
    if errors := body.get("errors"):
        first = errors[0]
        extensions = first.get("extensions") or {}
        raise HubCallError(
            str(first.get("message", "unknown error")),
            str(extensions.get("remedy", "")),
            str(extensions.get("code", "failed")),
        )
    if "data" not in body:
        msg = str(body.get("detail") or body.get("title") or f"the hub answered {answer.status_code}")
        raise HubCallError(msg, str(body.get("remedy", "")), str(answer.status_code))
    data: dict[str, Any] = body["data"]
    return data
