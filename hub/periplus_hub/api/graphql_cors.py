"""Which other web pages may ask (CORS): none, but for the origins in one setting.

A page of another origin needs a token of its own, which its script sends: the cookie of a session is taken from pages
of the hub alone, and browsers are not allowed to add credentials of theirs. Pages that are not named meet the door as
it is, which says nothing of them, and so their browsers keep the answer from them.
"""

from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


def across_origins(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """`app`, which scripts on pages of these origins may ask as well."""
    if not origins:
        return app
    open_to_them = CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type"],
        expose_headers=["retry-after", "x-request-id"],
    )
    return _Crossing(app, open_to_them, frozenset(origins))


@dataclass(frozen=True, slots=True)
class _Crossing:
    """No function: Starlette would take one for a handler of GET."""

    app: ASGIApp
    open_to_them: ASGIApp
    named: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = Headers(scope=scope).get("origin", "") in self.named
        await (self.open_to_them if known else self.app)(scope, receive, send)
