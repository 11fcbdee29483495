"""Sign-in with a browser: where the hub is for browsers, which client it is at the issuer, how long sessions last."""

import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from periplus_hub.access.model_sessions import SessionLimits
from periplus_hub.kit.config import Settings
from periplus_hub.kit.loopback import is_loopback

_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?")
"""As browsers write it: in lower case, without a path."""
_OWN_PORTS: Final = {"http": ":80", "https": ":443"}
_MAX_SECRET: Final = 512


class BrowserSignInConfig(Settings):
    """Sign-in of people with a browser: a session in a cookie. Without `public_url` browsers cannot sign in."""

    public_url: str | None = Field(
        default=None,
        description="Where browsers reach the API listener, like https://periplus.example.org. With it and "
        "oidc_issuer, people can sign in with a browser. Register <public_url>/auth/callback at the issuer. It has to "
        "be https, because cookies are kept for https alone; http is for localhost.",
    )
    oidc_browser_client_id: str | None = Field(
        default=None,
        description="The client that the hub is at the issuer when people sign in with a browser. Default: "
        "oidc_client_id.",
    )
    oidc_client_secret_file: Path | None = Field(
        default=None,
        description="File with the secret of that client, in one line. Without it the client is a public one; the hub "
        "uses PKCE in any case. The file is read at each sign-in, so the secret can be replaced in it.",
    )
    session_idle_minutes: int = Field(
        default=60,
        ge=5,
        le=1_440,
        description="After so many minutes without a request a browser's session ends.",
    )
    session_hours: int = Field(
        default=10,
        ge=1,
        le=24,
        description="After so many hours a browser's session ends, however much it is used. Groups are looked at again "
        "when people sign in again.",
    )

    @field_validator("public_url")
    @classmethod
    def _whole_public_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        found = url.removesuffix("/")
        if not _ORIGIN.fullmatch(found):
            raise ValueError(
                "write scheme and host in lower case, and the port unless it is the scheme's own, like "
                "https://periplus.example.org; no path: a cookie is for the whole host"
            )
        parts = urlsplit(found)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError(
                "browsers keep the cookie of a session for https alone: write https, and give the hub tls_certificate "
                "and tls_key or a proxy in front that has them; http is for localhost"
            )
        return found.removesuffix(_OWN_PORTS[parts.scheme])

    @field_validator("oidc_browser_client_id")
    @classmethod
    def _plain_client(cls, text: str | None) -> str | None:
        if text is not None and not (0 < len(text) <= _MAX_SECRET and text.isascii() and text.isprintable()):
            raise ValueError(f"write 1 to {_MAX_SECRET} printable characters of ASCII, as the issuer has them")
        return text

    @field_validator("oidc_client_secret_file")
    @classmethod
    def _usable_secret(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                read_secret(file)
            except OSError as error:
                raise ValueError(f"it cannot be read: {error.strerror}. Name a file that the hub may read") from error
        return file

    @model_validator(mode="after")
    def _with_public_url(self) -> Self:
        lonely = [name for name in ("oidc_browser_client_id", "oidc_client_secret_file") if getattr(self, name)]
        if self.public_url is None and lonely:
            raise ValueError(f"{lonely[0]} is set and public_url is not: set both or neither")
        if self.session_idle_minutes > 60 * self.session_hours:
            raise ValueError(
                f"session_idle_minutes is {self.session_idle_minutes}, longer than session_hours = "
                f"{self.session_hours}: a session would never end for being idle; set it lower"
            )
        return self

    @cached_property
    def session_limits(self) -> SessionLimits:
        """How long sessions last."""
        return SessionLimits(timedelta(minutes=self.session_idle_minutes), timedelta(hours=self.session_hours))


def read_secret(file: Path) -> str:
    """What is in it; raises OSError, and ValueError where that is no secret."""
    try:
        found = file.read_text("ascii").strip()
    except UnicodeDecodeError:
        found = ""
    if not (0 < len(found) <= _MAX_SECRET and found.isprintable()):
        raise ValueError(
            f"the file holds no secret: write 1 to {_MAX_SECRET} printable characters of ASCII, in one line"
        )
    return found
