"""Signing in where there is no browser (RFC 8628), and renewing that: what the command line asks of an issuer.

The issuer is called where the hub says, over TLS, and redirects are not followed: a refresh token goes with it.
"""

import os
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_network
from typing import Final

import msgspec

from periplus_hub.access.issuer_documents import IssuerDocument, IssuerTrouble, is_plain_https, read_document
from periplus_hub.access.issuer_tokens import Tokens, error_of, post_form, read_answer
from periplus_hub.api.sign_in import SignInDocument
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Answer, Outbound, OutboundRefusal

Sleep = Callable[[float], Awaitable[None]]

_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_TIMEOUT_S: Final = 30.0
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
    answer = await post_form(http, issuer.device_authorization_endpoint, form)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not begin a sign-in")
    found = read_answer(answer, Codes)
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
            answer = await post_form(http, issuer.token_endpoint, form)
        except OutboundRefusal:
            wait_s = min(2 * wait_s, _MOST_WAIT_S)
            continue
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait_s = min(2 * wait_s, _MOST_WAIT_S)
            continue
        found = read_answer(answer, Tokens)
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
    answer = await post_form(http, endpoint, form)
    if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        raise SignInEnded(f"the issuer does not renew it ({error_of(answer)})", _AGAIN)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not renew it")
    return read_answer(answer, Tokens)


async def revoke(http: Outbound, endpoint: str, client_id: str, refresh_token: str) -> None:
    """Raises Refusal."""
    form = {"token": refresh_token, "token_type_hint": "refresh_token", "client_id": client_id}
    answer = await post_form(http, endpoint, form)
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, "does not end the sign-in")


def _of_the_flow(answer: Answer, error: str) -> IssuerTrouble:
    if error == "access_denied":
        return IssuerTrouble("the sign-in was denied", "Run 'periplus login' again to confirm it.")
    if error == "expired_token":
        return IssuerTrouble("nobody confirmed the sign-in in time", _AGAIN)
    return _refused(answer, "does not give a token")


def _refused(answer: Answer, what: str) -> IssuerTrouble:
    return IssuerTrouble(
        f"the issuer {what}: it answers {answer.status} ({error_of(answer)})",
        "Check the client oidc_client_id at the issuer: public, with the device flow.",
    )
