"""`periplus login` and `periplus logout`."""

import asyncio
import os
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec

from periplus_hub.api.cli import device_flow
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.hub_connection import UrlOption, address_of
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say, say_labelled, tell
from periplus_hub.api.cli.sign_ins import SignIn, alone, forget, keep, same_hub, stored
from periplus_hub.api.cli.signed_in import with_tokens
from periplus_hub.api.hub_client import HubCallError, HubClient, get
from periplus_hub.api.sign_in import PATH, SignInDocument
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.loopback import is_loopback

VIEWER: Final = "query Viewer { viewer { actor role tenant } }"
_API_LISTENER: Final = "Check that --url (or PERIPLUS_URL) is the hub's API listener, by default on port 7980."


def login(*, url: UrlOption = None) -> None:
    """Sign in to a hub with the issuer that it names: shows where to go and a code, and waits until you confirmed."""
    address, ca_file = address_of(url), os.environ.get("PERIPLUS_CA_FILE")
    try:
        _not_in_the_open(address)
        told = _told(address, ca_file)
        found = asyncio.run(_signed_in(device_flow.outbound(), address, told))
        with HubClient(address, found.token, ca_file=ca_file) as client:
            viewer = client.ask(VIEWER)["viewer"]
        with alone(address):
            keep(found)
    except HubCallError as error:
        fail(error.said or error.message, _remedy(error))
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)
    tell(f"Signed in to {address} as {viewer['actor']}: {word(viewer['role'])} in the tenant {viewer['tenant']}.")
    if os.environ.get("PERIPLUS_TOKEN"):
        say_labelled("note", "PERIPLUS_TOKEN is set: commands use that token, and not this sign-in")


def logout(*, url: UrlOption = None) -> None:
    """End the sign-in to a hub, here and at the issuer."""
    address = address_of(url)
    try:
        with alone(address):
            found = stored(address)
            forget(address)
        if found is None:
            tell(f"Nobody is signed in to {address} here.")
            return
        trouble = _revoked(found)
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)
    tell(f"Signed out of {address}.")
    if trouble:
        say_labelled("note", f"the issuer still knows the sign-in: {trouble}")


def _not_in_the_open(address: str) -> None:
    """Whoever could answer for the hub could name an issuer, and would be shown the token."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return  # the client says what is wrong with it
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Refusal(f"{address} is not encrypted, and who signs in shows a token", "Write https:// in --url.")


def _told(address: str, ca_file: str | None) -> SignInDocument:
    """What the hub says of where to sign in; raises HubCallError and Refusal."""
    reply = get(address, PATH, ca_file=ca_file)
    if reply.status == HTTPStatus.NOT_FOUND and reply.content_type.startswith("application/problem+json"):
        raise Refusal(f"nobody signs in to the hub at {address}", "Use an API token; or set oidc_issuer in the hub.")
    try:
        if reply.status == HTTPStatus.OK:
            return msgspec.json.decode(reply.content, type=SignInDocument)
    except msgspec.DecodeError as error:
        raise Refusal(f"what answers at {address} is no hub", _API_LISTENER) from error
    raise Refusal(f"what answers at {address} answers {reply.status} and is no hub", _API_LISTENER)


async def _signed_in(http: Outbound, address: str, told: SignInDocument) -> SignIn:
    issuer = await device_flow.issuer_of(http, told)
    codes = await device_flow.begin(http, issuer, told)
    say(f"Open {codes.verification_uri} and enter the code {codes.user_code}")
    say(f"to sign in to {address} at {told.issuer}. Waiting until you did; Ctrl-C ends it.")
    tokens = await device_flow.finish(http, issuer, told.client_id, codes, asyncio.sleep)
    begun = SignIn(
        hub=same_hub(address),
        issuer=told.issuer,
        client_id=told.client_id,
        token_endpoint=issuer.token_endpoint,
        revocation_endpoint=issuer.revocation_endpoint,
        shows_id_token=told.audience is None,
        token="",
        ends_at_s=0,
    )
    return with_tokens(begun, tokens, SystemClock())


def _revoked(found: SignIn) -> str:
    """Why the issuer was not told that it ended; empty where it was, or where there is nothing to tell."""
    if not found.refresh_token:
        return ""
    if not found.revocation_endpoint:
        return "it has no place to say so (revocation_endpoint)"
    try:
        http = device_flow.outbound()
        asyncio.run(device_flow.revoke(http, found.revocation_endpoint, found.client_id, found.refresh_token))
    except Refusal as refusal:
        return refusal.message
    return ""


def _remedy(error: HubCallError) -> str:
    if error.code != "unauthenticated":
        return error.remedy
    return "Compare oidc_issuer, oidc_client_id and oidc_audience in the hub with what the issuer gives."
