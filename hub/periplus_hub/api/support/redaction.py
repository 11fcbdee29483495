"""Takes secrets, addresses and names out of texts, by their shape and by what is known to be a name. Pure.

The same address or name is the same pseudonym everywhere in a bundle, and another one in the next bundle. Addresses
keep their structure: two that had the first n bits in common have them in common still, so that overlaps can be seen.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

REMOVED: Final = "<removed>"
_SHAPES: Final = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), REMOVED),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?"), REMOVED),
    (re.compile(r"\bpp[a-z]_[\w-]{4,}"), REMOVED),
    (re.compile(r"(?<=://)[^/\s@\"']+@"), f"{REMOVED}@"),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',}]+"), rf"\g<1>{REMOVED}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|authorization|credential|api[_-]?key|private[_-]?key)\w*"
            r"\\?[\"']?\s*[:=]\s*\\?[\"']?)(?!null\b|<removed>|set\b|unset\b)[^\s\"',;}\\]+"
        ),
        rf"\g<1>{REMOVED}",
    ),
)
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4})(?![\w:])")


class Redactor:
    """Of one bundle; `key` is random, and forgotten with it."""

    def __init__(self, key: bytes, names: Mapping[str, Sequence[str]], *, keep_addresses: bool = False) -> None:
        """`names` are those that are known, by what they name: a cluster, a tenant."""
        self._key = key
        self._keeps_addresses = keep_addresses
        self._pseudonyms = {
            name: f"{kind}-{number}"
            for kind, called in names.items()
            for number, name in enumerate(sorted(set(called), key=self._order), 1)
        }
        longest_first = sorted(self._pseudonyms, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest_first))
        self._names = re.compile(rf"(?<![\w])(?:{alternatives})(?![\w])") if longest_first else None
        self._address = lru_cache(maxsize=10_000)(self._pseudonym)

    def text(self, text: str) -> str:
        """The same without what nobody outside may see."""
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        if self._names is not None:
            text = self._names.sub(lambda found: self._pseudonyms[found[0]], text)
        if self._keeps_addresses:
            return text
        return _IPV4.sub(self._replaced, _IPV6.sub(self._replaced, text))

    def _order(self, name: str) -> bytes:
        """None that tells how they were ordered."""
        return hmac.digest(self._key, name.encode(), hashlib.sha256)

    def _replaced(self, found: "re.Match[str]") -> str:
        return self._address(found[0])

    def _pseudonym(self, text: str) -> str:
        try:
            address = ip_address(text)
        except ValueError:  # a time, or a version
            return text
        if address.is_loopback or address.is_unspecified:
            return text
        bits, kind = (32, IPv4Address) if address.version == 4 else (128, IPv6Address)  # noqa: PLR2004 - of IP
        number = 0
        for at in range(bits):
            rest = bits - at
            before = int(address) >> rest
            flip = hmac.digest(self._key, f"{bits}/{at}/{before}".encode(), hashlib.sha256)[0] & 1
            number = number << 1 | (int(address) >> (rest - 1) & 1) ^ flip
        return str(kind(number))
