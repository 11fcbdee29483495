"""Tokens that no issuer signed."""

import base64
import hmac
import json
from datetime import datetime
from typing import Any

from tests.support.issuer import SigningKey


def unsigned(claims: dict[str, Any], alg: str = "none") -> str:
    """Whoever believes the header checks nothing."""
    return f"{_part({'alg': alg, 'typ': 'JWT'})}.{_part(claims)}."


def hmac_with_the_public_key(claims: dict[str, Any], key: SigningKey) -> str:
    """Whoever lets the header choose takes a key that everybody has for a secret."""
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{_part(claims)}"
    return f"{text}.{_bytes(hmac.digest(key.public_pem, text.encode(), 'sha256'))}"


def _part(value: dict[str, Any]) -> str:
    whole = {name: int(each.timestamp()) if isinstance(each, datetime) else each for name, each in value.items()}
    return _bytes(json.dumps(whole).encode())


def _bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
