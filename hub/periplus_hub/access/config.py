"""Whom people sign in with."""

import re
import ssl
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from periplus_contract.names import ALLOWED, why_no_name
from periplus_hub.access.issuer_documents import is_plain_https
from periplus_hub.access.model import DEFAULT_TENANT, MAX_TENANT_NAME
from periplus_hub.access.model_people import Expected, Grant
from periplus_hub.access.scope import Role
from periplus_hub.kit.config import Settings
from periplus_hub.kit.http_out import Network, NetworkTexts, read_networks

_ROLES: Final = tuple(each.value for each in Role)
_MAX_TEXT: Final = 512
_MAX_GRANTS: Final = 500
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
"""One word of RFC 6749, 3.3."""


class SignInConfig(Settings):
    """Sign-in of people with OpenID Connect. Without `oidc_issuer` there are API tokens alone."""

    oidc_issuer: str | None = Field(
        default=None,
        description="The issuer that people sign in with, as it writes itself in its tokens (`iss`), like "
        "https://login.example.org/realms/staff. The hub reads its keys.",
    )
    oidc_client_id: str | None = Field(
        default=None,
        description="The client that `periplus login` is at the issuer: a public one that may use the device flow.",
    )
    oidc_audience: str | None = Field(
        default=None,
        description="Whom tokens have to be for (`aud`). Without it that is oidc_client_id, and `periplus login` shows "
        "ID tokens; with it, access tokens.",
    )
    oidc_name_claim: str = Field(
        default="preferred_username",
        description="The claim that holds a person's name. The audit trail has it beside the subject and the issuer.",
    )
    oidc_groups_claim: str = Field(
        default="groups",
        description="The claim that holds a person's groups. Dots lead into objects, as in realm_access.roles.",
    )
    oidc_roles: tuple[str, ...] = Field(
        default=(),
        description="Which group has which role, like network-team=operator, or in another tenant than default: "
        f"globex-network=globex/operator. Roles are {', '.join(_ROLES)}; of several the highest counts. Who is in none "
        "of the groups is refused. A group with a comma in its name can only be in the TOML file.",
    )
    oidc_scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email", "offline_access"),
        description="What `periplus login` asks for. offline_access lets a sign-in last longer than a token: "
        "leave it out where the issuer does not know it.",
    )
    oidc_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate authorities of the issuer, instead of the machine's own.",
    )
    oidc_networks: NetworkTexts = Field(
        default=(),
        description="Ranges of private addresses at which the issuer may be, like 10.1.2.0/24. None by default: then "
        "the hub calls only public addresses. It calls with https in any case.",
    )
    oidc_clock_tolerance_s: int = Field(
        default=60, ge=0, le=300, description="By how much the clocks of issuer and hub may differ."
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _plain_issuer(cls, issuer: str | None) -> str | None:
        if issuer is not None and not is_plain_https(issuer):
            raise ValueError(
                "write the issuer as its tokens do, like https://login.example.org: with https, without a user name, "
                "without ? and #; http is for a loopback address alone"
            )
        return issuer

    @field_validator("oidc_client_id", "oidc_audience", "oidc_name_claim", "oidc_groups_claim")
    @classmethod
    def _one_word(cls, text: str | None) -> str | None:
        if text is not None and not (0 < len(text) <= _MAX_TEXT and text.isascii() and text.isprintable()):
            raise ValueError(f"write 1 to {_MAX_TEXT} printable characters of ASCII, as the issuer has them")
        return text

    @field_validator("oidc_roles")
    @classmethod
    def _readable_roles(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        if len(roles) > _MAX_GRANTS:
            raise ValueError(f"there are {len(roles)}, and at most {_MAX_GRANTS} are read: map larger groups")
        for each in roles:
            grant_of(each)
        return roles

    @field_validator("oidc_scopes")
    @classmethod
    def _with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes or not all(_SCOPE.fullmatch(each) for each in scopes):
            raise ValueError('write a list of scopes with openid among them, like ["openid", "profile"]')
        return scopes

    @field_validator("oidc_ca_file")
    @classmethod
    def _usable_authorities(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                ssl.create_default_context(cafile=str(file))
            except OSError as error:  # ssl.SSLError is one
                why = error.strerror or "it holds no certificate in PEM"
                raise ValueError(f"it cannot be used: {why}. Name a PEM file that the hub may read") from error
        return file

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer is None:
            lonely = [name for name in ("oidc_client_id", "oidc_audience", "oidc_roles") if getattr(self, name)]
            if lonely:
                raise ValueError(f"{lonely[0]} is set and oidc_issuer is not: set both or neither")
            return self
        missing = [name for name in ("oidc_client_id", "oidc_roles") if not getattr(self, name)]
        if missing:
            raise ValueError(f"oidc_issuer is set and {missing[0]} is not: set it too, or nobody could sign in")
        return self

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """`oidc_roles`, read."""
        return tuple(grant_of(each) for each in self.oidc_roles)

    @property
    def expected(self) -> Expected | None:
        """What tokens have to say; None where nobody signs in."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return None
        return Expected(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            audience=self.oidc_audience or self.oidc_client_id,
            name_claim=self.oidc_name_claim,
            groups_claim=self.oidc_groups_claim,
            tolerance=timedelta(seconds=self.oidc_clock_tolerance_s),
        )

    @property
    def issuer_networks(self) -> tuple[Network, ...]:
        """`oidc_networks`, read."""
        return read_networks(self.oidc_networks)

    def issuer_trust(self) -> ssl.SSLContext:
        """Whose certificates the issuer may have."""
        return ssl.create_default_context(cafile=None if self.oidc_ca_file is None else str(self.oidc_ca_file))


def grant_of(text: str) -> Grant:
    """GROUP=ROLE or GROUP=TENANT/ROLE; raises ValueError. A group may hold what it likes, so it is read from behind."""
    group, equals, given = text.rpartition("=")
    tenant, slash, role = given.rpartition("/")
    tenant = tenant if slash else DEFAULT_TENANT
    if not equals or not group.strip() or len(group) > _MAX_TEXT or not group.isprintable():
        raise ValueError(f"{text[:_MAX_TEXT]!r} names no group and role: write it like network-team=operator")
    if role not in _ROLES:
        raise ValueError(f"{text!r} gives no role: after = write one of {', '.join(_ROLES)}, or TENANT/ROLE")
    if why := why_no_name(tenant, MAX_TENANT_NAME):
        raise ValueError(f"{text!r} names no tenant: it {why}; use {ALLOWED}")
    return Grant(group.strip(), tenant, role)
