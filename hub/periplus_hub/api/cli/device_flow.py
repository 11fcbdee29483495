"""Signing in where there is no browser (RFC 8628), and renewing that: what the command line asks of an issuer.

The issuer is called where the hub says, over TLS, and redirects are not followed: a refresh token goes with it.
"""

import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_network
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from periplus_hub.access.issuer_documents import IssuerDocument, IssuerTrouble, is_plain_https, read_document
from periplus_hub.api.sign_in import SignInDocument
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Answer, Outbound, OutboundRefusal

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_TIMEOUT_S: Final = 30.0
_FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "periplus",
}
_LEAST_WAIT_S, _MOST_WAIT_S = 1.0, 60.0
_SLOWER_S: Final = 5.0
_LONGEST_S: Final = 1_800.0
_MOST_CODE: Final = 64
_AGAIN: Final = "Run 'periplus login' again."


class SignInEnded(IssuerTrouble):
    """The issuer does not give another token for it."""


class Codes(msgspec.Struct, frozen=True):
    """What a person types, where, and what the command shows meanwhile."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str = ""
    interval: float = 5.0


class Tokens(msgspec.Struct, frozen=True):
    """What the token endpoint says; of these only what it has."""

    id_token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_in: float | None = None
    error: str = ""

    def shown(self, *, id_token: bool) -> str:
        """What the hub is shown; raises IssuerTrouble."""
        found = self.id_token if id_token else self.access_token
        if not found or not (found.isascii() and found.isprintable()):
            name = "ID token" if id_token else "access token"
            raise IssuerTrouble(f"the issuer gives no {name}", "Check its client, and oidc_scopes in the hub.")
        return found


def outbound() -> Outbound:
    """Trusts the authorities of this machine, and those of PERIPLUS_CA_FILE; raises Refusal."""
    trust, file = ssl.create_default_context(), os.environ.get("PERIPLUS_CA_FILE")
    try:
        if file:
            trust.load_verify_locations(file)
    except OSError as error:  # ssl.SSLError is one
        message = f"the certificate file {file} cannot be used: {error.strerror or error}"
        raise Refusal(message, "Check PERIPLUS_CA_FILE.") from error
    # An issuer may well be in a private network, where the person is too; is_plain_https holds that it is over TLS.
    return Outbound(allow=_EVERYWHERE, trust=trust, timeout_s=_TIMEOUT_S)


async def issuer_of(http: Outbound, told: SignInDocument) -> IssuerDocument:
    """Where to sign in; raises Refusal."""
    if not is_plain_https(told.issuer):
        raise IssuerTrouble("the hub names as its issuer what is no https URL", "Check --url, and the hub.")
    found = await read_document(http, told.issuer)
    if not found.device_authorization_endpoint or not found.token_endpoint:
        raise IssuerTrouble(
            f"{told.issuer} has no device flow (device_authorization_endpoint)",
            "Use an API token, or have the issuer offer it.",
        )
    return found


async def begin(http: Outbound, issuer: IssuerDocument, told: SignInDocument) -> Codes:
    """Raises Refusal."""
    form = {"client_id": told.client_id, "scope": " ".join(told.scopes)}
    # Issuers that give access tokens for several want to be told; those that do not know it pass it over.
    if told.audience is not None:
        form["audience"] = told.audience
    answer = await _post(http, issuer.device_authorization_endpoint, form)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not begin a sign-in")
    found = _read(answer, Codes)
    if not is_plain_https(found.verification_uri, with_query=True) or not 0 < len(found.user_code) <= _MOST_CODE:
        raise IssuerTrouble("the issuer names no page to sign in at, or no code", "Look at its device endpoint.")
    return found


async def finish(http: Outbound, issuer: IssuerDocument, client_id: str, codes: Codes, sleep: Sleep) -> Tokens:
    """Ask until the person has agreed, as seldom as the issuer wants; raises Refusal."""
    form = {"grant_type": _DEVICE, "device_code": codes.device_code, "client_id": client_id}
    wait_s = min(max(codes.interval, _LEAST_WAIT_S), _MOST_WAIT_S)
    left_s = min(codes.expires_in, _LONGEST_S)
    while left_s > 0:
        await sleep(wait_s)
        left_s -= wait_s
        try:
            answer = await _post(http, issuer.token_endpoint, form)
        except OutboundRefusal:
            wait_s = min(2 * wait_s, _MOST_WAIT_S)
            continue
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait_s = min(2 * wait_s, _MOST_WAIT_S)
            continue
        found = _read(answer, Tokens)
        if answer.status == HTTPStatus.OK and not found.error:
            return found
        if found.error == "slow_down":
            wait_s = min(wait_s + _SLOWER_S, _MOST_WAIT_S)
        elif found.error != "authorization_pending":
            raise _of_the_flow(answer, found.error)
    raise IssuerTrouble("nobody confirmed the sign-in in time", _AGAIN)


async def renew(http: Outbound, endpoint: str, client_id: str, refresh_token: str) -> Tokens:
    """New tokens; raises SignInEnded where the issuer says no, else Refusal."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
    answer = await _post(http, endpoint, form)
    if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        raise SignInEnded(f"the issuer does not renew it ({_error(answer)})", _AGAIN)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not renew it")
    return _read(answer, Tokens)


async def revoke(http: Outbound, endpoint: str, client_id: str, refresh_token: str) -> None:
    """Raises Refusal."""
    form = {"token": refresh_token, "token_type_hint": "refresh_token", "client_id": client_id}
    answer = await _post(http, endpoint, form)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not end the sign-in")


async def _post(http: Outbound, url: str, form: Mapping[str, str]) -> Answer:
    return await http.post(url, urlencode(form).encode(), _FORM)


def _of_the_flow(answer: Answer, error: str) -> IssuerTrouble:
    if error == "access_denied":
        return IssuerTrouble("the sign-in was denied", "Run 'periplus login' again to confirm it.")
    if error == "expired_token":
        return IssuerTrouble("nobody confirmed the sign-in in time", _AGAIN)
    return _refused(answer, "does not give a token")


def _refused(answer: Answer, what: str) -> IssuerTrouble:
    return IssuerTrouble(
        f"the issuer {what}: it answers {answer.status} ({_error(answer)})",
        "Check the client oidc_client_id at the issuer: public, with the device flow.",
    )


def _error(answer: Answer) -> str:
    """Its word for it. Its description is not shown: nobody knows what is in it."""
    try:
        return msgspec.json.decode(answer.body, type=Tokens).error[:100] or "it does not say why"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "it does not say why"


def _read(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IssuerTrouble("the issuer answers with what is no answer of one", "Try again, or look at it.") from error
