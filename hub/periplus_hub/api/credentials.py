"""What a request shows of who asks: a token in its header, or the cookie of a browser's session.

A browser adds cookies to whatever any page makes it send. So the cookie counts only with signs that a page of another
origin cannot give: a header that no form and no link has, and the browser's own word on which page asks.
"""

from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from periplus_hub.access.service import bearer

SESSION_COOKIE: Final = "__Host-periplus"
OWN_HEADER: Final = "X-Periplus-Request"


@dataclass(frozen=True, slots=True)
class Credential:
    """One of the two, or nothing. Neither is ever shown."""

    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)


def shown_by(connection: HTTPConnection) -> Credential:
    """What the request shows. A token wins: who sends one says who they want to be."""
    if token := bearer(connection.headers.get("authorization", "")):
        return Credential(token=token)
    return Credential(cookie=connection.cookies.get(SESSION_COOKIE, ""))


def why_foreign(headers: Headers, own: str, *, with_own_header: bool = True) -> str:
    """Why it may be another origin's page that asks with this browser's cookie; empty where it is our own."""
    if with_own_header and headers.get(OWN_HEADER) != "1":
        return f"there is no header {OWN_HEADER}: 1"
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != own:
        return f"the page that asks is not of {own} (Origin)"
    if site is not None and site != "same-origin":
        return f"the page that asks is not of {own} (Sec-Fetch-Site)"
    return "" if origin or site else "the browser does not say which page asks (Origin)"
