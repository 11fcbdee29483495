"""Where people sign in: what `periplus login` asks of a hub before it has any token. Nothing of the fleet is in it."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from periplus_hub.access.config import SignInConfig
from periplus_hub.api.problems import plain_problem

PATH: Final = "/sign-in"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class SignInDocument(msgspec.Struct, frozen=True, rename="camel"):
    """Of one hub."""

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    audience: str | None = None
    """Whom an access token has to be for; None: an ID token is shown."""


def sign_in_route(config: SignInConfig) -> Route:
    """GET /sign-in."""
    document = None
    if config.expected is not None:
        document = msgspec.json.encode(
            SignInDocument(
                issuer=config.expected.issuer,
                client_id=config.expected.client_id,
                scopes=config.oidc_scopes,
                audience=config.oidc_audience,
            )
        )

    async def answer(_: Request) -> Response:
        if document is None:
            return plain_problem(
                HTTPStatus.NOT_FOUND, "nobody signs in to this hub", "Use an API token; or set oidc_issuer in the hub."
            )
        return Response(document, headers=_HEADERS, media_type="application/json")

    return Route(PATH, answer)
