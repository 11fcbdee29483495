"""What an issuer of OpenID Connect says of itself.

The hub reads it for its keys and for where to send browsers, `periplus login` for where to go.
"""

from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.loopback import is_loopback

T = TypeVar("T")

MOST_KEYS: Final = 100
_MAX_URL: Final = 2_000
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "periplus"}
_LOOK: Final = "Check oidc_issuer, and what the issuer answers there."


class IssuerTrouble(Refusal):
    """The issuer cannot be used as it answers, or does not answer."""

    default_slug = "issuer"


class IssuerDocument(msgspec.Struct, frozen=True):
    """As in OpenID Connect Discovery and RP-Initiated Logout, and RFC 8628, 7009 and 9207."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    device_authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class KeyDocument(msgspec.Struct, frozen=True):
    """A set of keys as in RFC 7517; what is wrong with one of them makes no other unusable."""

    keys: tuple[dict[str, Any], ...]


async def read_document(http: Outbound, issuer: str) -> IssuerDocument:
    """What is published about the issuer; raises Refusal."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    found = await _read(http, url, issuer, IssuerDocument)
    if found.issuer != issuer:
        raise IssuerTrouble(f"what answers at {issuer} is the issuer {found.issuer[:200]!r}", _LOOK)
    for name in found.__struct_fields__:
        text = getattr(found, name)
        # Keys that came in the open could be anybody's, and so could every person who is vouched for with them.
        if isinstance(text, str) and text and not is_plain_https(text, with_query=name != "issuer"):
            raise IssuerTrouble(f"{issuer} names as its {name} what is no https URL", _LOOK)
    return found


async def read_issuer(http: Outbound, issuer: str) -> tuple[IssuerDocument, tuple[dict[str, Any], ...]]:
    """What is published about it, and the keys it signs with; raises Refusal."""
    document = await read_document(http, issuer)
    found = (await _read(http, document.jwks_uri, issuer, KeyDocument)).keys
    if len(found) > MOST_KEYS:
        raise IssuerTrouble(f"{issuer} has {len(found)} keys, and at most {MOST_KEYS} are read", _LOOK)
    return document, found


async def _read(http: Outbound, url: str, issuer: str, kind: type[T]) -> T:
    answer = await http.get(url, _HEADERS)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        raise IssuerTrouble(f"{issuer} answers {answer.status} and so leads elsewhere, where nobody follows", _LOOK)
    if answer.status != HTTPStatus.OK:
        raise IssuerTrouble(f"{issuer} answers {answer.status}", _LOOK)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IssuerTrouble(f"{issuer} answers with what is no document of an issuer", _LOOK) from error


def is_plain_https(url: str, *, with_query: bool = False) -> bool:
    """Whether it is a URL that can be called without telling others; at a loopback address http is one too."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    if not (is_whole and url.isascii() and url.isprintable() and " " not in url and len(url) <= _MAX_URL):
        return False
    if "@" in parts.netloc or "#" in url or ("?" in url and not with_query):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
