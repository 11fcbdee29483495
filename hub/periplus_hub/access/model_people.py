"""People whom an issuer of OpenID Connect vouches for, as values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from periplus_contract.names import why_no_name
from periplus_hub.kit.errors import Refusal

SIGN_IN: Final = "Run 'periplus login', or send a newer token."
_MAX_NAME: Final = 100


class SignInRefusal(Refusal):
    """What an issuer said of a person does not let them in. `reason` is for the trail, in our words alone.

    `actor` is who it was, where the issuer vouched for that.
    """

    default_slug = "unauthenticated"

    def __init__(self, message: str, remedy: str, *, reason: str, actor: str = "", slug: str | None = None) -> None:
        super().__init__(message, remedy, slug=slug)
        self.reason = reason
        self.actor = actor


@dataclass(frozen=True, slots=True)
class Grant:
    """Whoever the issuer puts into this group has this role in this tenant."""

    group: str
    tenant: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token has to say to be about somebody who may come in."""

    issuer: str
    client_id: str
    audience: str
    name_claim: str
    groups_claim: str
    tolerance: timedelta


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is: a subject of an issuer. A name is only for people who read; it may change and be another's one day."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str]

    @property
    def shown_name(self) -> str:
        """The name, or nothing where somebody could mistake it for something else: the subject says who it is."""
        return "" if why_no_name(self.name, _MAX_NAME) else self.name

    @property
    def actor(self) -> str:
        """As the audit trail names people."""
        identity = f"{self.subject}@{self.issuer}"
        return f"person:{self.shown_name} <{identity}>" if self.shown_name else f"person:{identity}"
