"""How an answer leaves the GraphQL door: compressed where that helps, and with what it cost.

Compressed bytes tell by their length what a secret has in common with text beside it (BREACH). Only answers of
mutations hold secrets (a new token), so those are never compressed; and nobody makes a browser send a token: it is in
no cookie.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import zstandard

_SMALLEST: Final = 1_400
"""What fits in one packet is not worth it."""
_ON_THE_LOOP: Final = 32 * 1024
"""Takes half a millisecond at most; longer ones go to a thread."""
_AT_ONCE: Final = 2
_GZIP_LEVEL: Final = 3
_ZSTD_LEVEL: Final = 3
_GZIP: Final = 16 + zlib.MAX_WBITS


def _gzip(body: bytes) -> bytes:
    made = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP)
    return made.compress(body) + made.flush()


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)


_CODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"zstd": _zstd, "gzip": _gzip}
"""The one we like best first."""


class Compressor:
    """Few at once: compressing must not take the processors from answering."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def encode(self, body: bytes, accepted: str) -> tuple[bytes, str]:
        """The body as the caller's `Accept-Encoding` allows, and the coding's name; "" leaves it as it is."""
        coding = coding_for(accepted) if len(body) >= _SMALLEST else ""
        if not coding:
            return body, ""
        if len(body) <= _ON_THE_LOOP:
            return _CODINGS[coding](body), coding
        async with self._turn:
            return await asyncio.to_thread(_CODINGS[coding], body), coding


def coding_for(accepted: str) -> str:
    """The coding with the highest weight in an `Accept-Encoding` (RFC 9110 §12.5.3); "" when none of ours is wanted."""
    weights: dict[str, float] = {}
    # Twenty are more than any client sends. `max` takes the first of equals, so `*` and equal weights give zstd.
    for part in accepted.lower().split(",")[:20]:
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    least = weights.get("*", 0.0)
    best = max(_CODINGS, key=lambda coding: weights.get(coding, least))
    return best if weights.get(best, least) > 0 else ""


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 <= weight <= 1 else 0.0


def with_cost(body: bytes, cost: float, left: float) -> bytes:
    """The answer, which is a JSON object with members, with what it cost and what is left of the budget."""
    told = {"cost": {"spent": round(cost, 1), "left": max(0, int(left))}}
    # As bytes: decoding a few MiB to add two numbers would double what the answer costs the loop.
    return body[:-1] + b',"extensions":' + msgspec.json.encode(told) + b"}"
