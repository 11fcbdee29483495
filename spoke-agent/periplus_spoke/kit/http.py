"""Sessions of HTTP with peers that are trusted no further than they must be, and whom they have to prove to be."""

import ssl
from pathlib import Path

import aiohttp

from periplus_spoke.kit.errors import ConfigError


def plain_session(*, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """No proxy variables, no cookies, nothing compressed: what arrives is as long as it is counted."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=8, ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "periplus-spoke"},
    )


def trust(ca_file: Path | None, setting: str, whose: str) -> ssl.SSLContext | bool:
    """Whom to trust: the authority in the file of a setting, or those of the system. Raises ConfigError."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            "bad_config",
            f"{setting} = {str(ca_file)!r} is no readable PEM bundle: {error}",
            f"Give --{setting.replace('_', '-')} the certificate authority of {whose} as a PEM file.",
        ) from error
