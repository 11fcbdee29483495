"""Asking the issuer's token endpoint: what the command line and the hub both do. Redirects are not followed."""

from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from periplus_hub.access.issuer_documents import IssuerTrouble
from periplus_hub.kit.http_out import Answer, Outbound

T = TypeVar("T")

_FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "periplus",
}
_MOST_WORD: Final = 100


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


async def post_form(
    http: Outbound, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Answer:
    """Raises OutboundRefusal."""
    return await http.post(url, urlencode(form).encode(), {**_FORM, **(headers or {})})


def error_of(answer: Answer) -> str:
    """Its word for it. Its description is not shown: nobody knows what is in it."""
    try:
        found = msgspec.json.decode(answer.body, type=Tokens).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = ""
    return found[:_MOST_WORD] or "it does not say why"


def read_answer(answer: Answer, kind: type[T]) -> T:
    """Raises IssuerTrouble."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IssuerTrouble("the issuer answers with what is no answer of one", "Try again, or look at it.") from error
