"""Public id and secret of join tokens and credentials: only hashes of secrets are ever stored."""

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

CREDENTIAL_PREFIX: Final = "ppc_"
JOIN_PREFIX: Final = "ppj_"
"""Prefixes let a person, a log filter and a secret scanner tell what a text is."""
LEAST_SECRET: Final = 32
"""Characters of a secret that was minted elsewhere."""
_MAX_TEXT: Final = 256


class Minted(NamedTuple):
    """A new `public_id.secret` and what of it may be stored."""

    text: str
    public_id: str
    secret_sha256: str


def mint(prefix: str) -> Minted:
    """48 random bits to name it, 256 to guess."""
    public_id, secret = prefix + secrets.token_hex(6), secrets.token_urlsafe(32)
    return Minted(f"{public_id}.{secret}", public_id, sha256(secret))


def parse(text: str) -> tuple[str, str] | None:
    """Public id and secret, or None when the text has another shape."""
    public_id, dot, secret = text.partition(".")
    if not (dot and public_id and secret) or len(text) > _MAX_TEXT or not text.isascii():
        return None
    return public_id, secret


def matches(secret: str, secret_sha256: str) -> bool:
    """Constant time over the hash."""
    return hmac.compare_digest(sha256(secret), secret_sha256)


def sha256(text: str) -> str:
    """Lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()
