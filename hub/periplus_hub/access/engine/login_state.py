"""What a browser keeps between leaving for the issuer and coming back, and what the issuer is told meanwhile.

The cookie holds one secret. `state`, `nonce` and the PKCE verifier follow from it, from the time and from where it
goes on, so a change to any of them fits none of the others. The hub keeps nothing: strangers cannot fill its database
by beginning sign-ins, and any replica can finish what another began.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from periplus_hub.access.engine.own_paths import is_own_path
from periplus_hub.access.model_sessions import BEGUN_FOR

_COOKIE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.(\d{1,12})\.([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class LoginState:
    """One sign-in that was begun: its secret, the second it began at, and the path it leads to."""

    secret: str
    begun_s: int
    to: str

    @classmethod
    def of_cookie(cls, text: str) -> "LoginState | None":
        """None for what is no cookie of ours."""
        found = _COOKIE.fullmatch(text)
        if found is None:
            return None
        secret, begun, to = found.groups()
        try:
            path = base64.urlsafe_b64decode(to + "=" * (-len(to) % 4)).decode("ascii")
        except ValueError:
            return None
        return cls(secret, int(begun), path) if is_own_path(path) else None

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return f"{self.secret}.{self.begun_s}.{_text(self.to.encode())}"

    @property
    def state(self) -> str:
        """What the issuer gives back with the browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the issuer puts into the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What only whoever began the sign-in can show for the code."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """What the issuer is told of the verifier (RFC 7636, S256)."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())

    def holds(self, now: datetime) -> bool:
        """Whether it may still be finished; a time to come is none of ours."""
        return 0 <= now.timestamp() - self.begun_s < BEGUN_FOR.total_seconds()

    def _derived(self, use: str) -> str:
        return _text(hashlib.sha256(f"{use}\n{self.secret}\n{self.begun_s}\n{self.to}".encode()).digest())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
