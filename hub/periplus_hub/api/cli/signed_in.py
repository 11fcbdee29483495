"""The token of somebody who signed in, renewed where it ends."""

import asyncio
from typing import Final

import msgspec

from periplus_hub.access.issuer_tokens import Tokens
from periplus_hub.api.cli import device_flow
from periplus_hub.api.cli.device_flow import SignInEnded
from periplus_hub.api.cli.sign_ins import SignIn, alone, end_of, keep, stored
from periplus_hub.kit.clock import Clock, SystemClock
from periplus_hub.kit.errors import Refusal

LOGIN: Final = "Run 'periplus login'."
_BEFORE_S: Final = 30.0
"""Renewed so long before its end: a question takes time, and clocks differ."""
_UNKNOWN_S: Final = 60.0


def token_of(url: str, clock: Clock | None = None) -> str | None:
    """What to show the hub; None where nobody signed in there. Raises Refusal for a sign-in that has ended."""
    clock = clock or SystemClock()
    found = stored(url)
    if found is None or _holds(found, clock):
        return None if found is None else found.token
    with alone(url):
        # Another command may have renewed it meanwhile; or `logout` ended it.
        found = stored(url)
        if found is None or _holds(found, clock):
            return None if found is None else found.token
        return _renewed(found, clock).token


def with_tokens(found: SignIn, tokens: Tokens, clock: Clock) -> SignIn:
    """The sign-in as it goes on with these; raises Refusal."""
    token = tokens.shown(id_token=found.shows_id_token)
    ends_at_s = end_of(token)
    if ends_at_s is None:
        ends_at_s = clock.now().timestamp() + (tokens.expires_in or _UNKNOWN_S)
    refresh = tokens.refresh_token or found.refresh_token
    return msgspec.structs.replace(found, token=token, ends_at_s=ends_at_s, refresh_token=refresh)


def _holds(found: SignIn, clock: Clock) -> bool:
    return clock.now().timestamp() < found.ends_at_s - _BEFORE_S


def _renewed(found: SignIn, clock: Clock) -> SignIn:
    ended = f"your sign-in to {found.hub} has ended"
    if not found.refresh_token:
        raise SignInEnded(f"{ended}, and the issuer gave nothing to renew it with", LOGIN)
    try:
        http = device_flow.outbound()
        tokens = asyncio.run(device_flow.renew(http, found.token_endpoint, found.client_id, found.refresh_token))
        fresh = with_tokens(found, tokens, clock)
    except SignInEnded as error:
        raise SignInEnded(f"{ended}: {error.message}", LOGIN) from error
    except Refusal as refusal:
        raise Refusal(f"{ended} and cannot be renewed now: {refusal.message}", f"Try again later. {LOGIN}") from refusal
    keep(fresh)
    return fresh
