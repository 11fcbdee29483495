"""The keys of the issuer that people sign in with, and how seldom it is asked for them.

Known keys are used however long the issuer is away. A key that is not known makes the hub ask, but whoever makes up
names of keys cannot make it ask more often than twice a minute.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import JWKDict

from periplus_hub.access.issuer_documents import IssuerDocument, read_issuer
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.metrics import counter, gauge

AGAIN_S: Final = 30.0
"""For keys that are not known, the issuer is not asked again sooner."""
_SAY_AGAIN_S: Final = 600.0
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
ALGORITHMS: Final = frozenset((*_RSA, *_OF_CURVES.values()))
"""Asymmetric ones alone: whoever may read a key must not be able to sign with it."""
_PUBLIC: Final = ("kty", "n", "e", "crv", "x", "y")
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2_048, 8_192

_known: Final = gauge("periplus_issuer_keys", "Keys of the issuer that people sign in with, as the hub knows them.")
_reads: Final = counter(
    "periplus_issuer_reads_total",
    "How often the issuer's keys were read, by the outcome: done or failed.",
    ("outcome",),
)
_log: Final = structlog.get_logger(__name__)

PublicKey = Any
"""Of cryptography; PyJWT takes it as it is."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key, and what may be checked with it."""

    kid: str | None
    algorithms: frozenset[str]
    key: PublicKey


@dataclass(slots=True)
class IssuerKeys:
    """Of one issuer. One event loop owns them."""

    outbound: Outbound
    issuer: str
    clock: Clock
    trouble: Refusal | None = None
    """Why they could not be read the last time; None when they could."""
    read_at: datetime | None = None
    """When they were read last."""
    _keys: tuple[IssuerKey, ...] = ()
    _document: IssuerDocument | None = None
    _asked_s: float = float("-inf")
    _said_s: float = float("-inf")
    _reading: "asyncio.Task[None] | None" = field(default=None)

    @property
    def are_known(self) -> bool:
        """Whether there is any."""
        return bool(self._keys)

    def knows(self, kid: str | None, algorithm: str) -> bool:
        """Whether there is one that a token may have been signed with."""
        return bool(self._matching(kid, algorithm))

    async def document(self) -> IssuerDocument | None:
        """What the issuer published when its keys were read last; asks it where they never were."""
        if self._document is None and self.clock.monotonic_s() - self._asked_s >= AGAIN_S:
            await self.read()
        elif self._document is None and self._reading is not None:
            await asyncio.shield(self._reading)
        return self._document

    async def find(self, kid: str | None, algorithm: str) -> Sequence[PublicKey]:
        """Those that may have signed a token that says so of itself; asks the issuer where there are none."""
        found = self._matching(kid, algorithm)
        if not found and self.clock.monotonic_s() - self._asked_s >= AGAIN_S:
            await self.read()
        elif not found and self._reading is not None:
            await asyncio.shield(self._reading)
        return found or self._matching(kid, algorithm)

    async def read(self) -> None:
        """Ask the issuer now. Whoever asks meanwhile waits for the same answer; raises nothing of the issuer's."""
        if self._reading is None:
            self._asked_s = self.clock.monotonic_s()
            # A task of its own: whoever asked first may leave, and the others would wait for the next turn.
            self._reading = asyncio.ensure_future(self._read())  # allowed: ends by the timeouts of its two calls
            self._reading.add_done_callback(self._done)
        await asyncio.shield(self._reading)

    def degraded(self) -> dict[str, str]:
        """For `/readyz`."""
        if self.trouble is None:
            return {}
        left = "people cannot sign in"
        if self.are_known and self.read_at is not None:
            left = f"the keys of {self.read_at.isoformat(timespec='seconds')} are still used"
        return {"sign-in": f"the issuer's keys cannot be read: {self.trouble.message}; {left}"}

    def _done(self, _: "asyncio.Task[None]") -> None:
        self._reading = None

    def _matching(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        found = [each.key for each in self._keys if algorithm in each.algorithms and kid in {None, each.kid}]
        # A token need not name its key where there is one; among several, trying them all would be guessing.
        return found if kid is not None or len(found) == 1 else []

    async def _read(self) -> None:
        try:
            document, published = await read_issuer(self.outbound, self.issuer)
            keys = _usable_of(self.issuer, published)
        except Refusal as refusal:
            self.trouble = refusal
            _reads.labels("failed").inc()
            self._say(refusal)
            return
        self._keys, self.trouble, self.read_at = keys, None, self.clock.now()
        self._document = document
        self._said_s = float("-inf")
        _known.set(len(keys))
        _reads.labels("done").inc()

    def _say(self, refusal: Refusal) -> None:
        if self.clock.monotonic_s() - self._said_s >= _SAY_AGAIN_S:
            self._said_s = self.clock.monotonic_s()
            _log.warning("issuer_keys_not_read", reason=refusal.message, remedy=refusal.remedy, known=len(self._keys))


_NO_KEYS: Final = f"Have it sign with one of {', '.join(sorted(ALGORITHMS))}, RSA with {_LEAST_RSA_BITS} bits or more."


def _usable_of(issuer: str, published: Sequence[Mapping[str, Any]]) -> tuple[IssuerKey, ...]:
    """At least one; raises Refusal."""
    if found := usable(published):
        return found
    raise Refusal(f"{issuer} has no key that the hub could check tokens with", _NO_KEYS)


def usable(published: Sequence[Mapping[str, Any]]) -> tuple[IssuerKey, ...]:
    """Those for signatures that the hub checks; a set may hold others, which are for somebody else."""
    found = (_key(each) for each in published)
    return tuple(each for each in found if each is not None)


def _key(entry: Mapping[str, Any]) -> IssuerKey | None:
    kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    if not isinstance(kid, str | None) or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithms = _algorithms(entry)
    if not algorithms:
        return None
    # The public members alone: one who publishes his private key would else be given back that one.
    public = cast("JWKDict", {name: entry[name] for name in _PUBLIC if name in entry})
    try:
        key = jwt.PyJWK(public, algorithm=algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if isinstance(key, RSAPublicKey) and not _LEAST_RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
        return None
    return IssuerKey(kid, frozenset(algorithms), key)


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """By what sort of key it is, and never by what a token says; of these only its own, where it names one."""
    kind, curve = entry.get("kty"), entry.get("crv")
    possible: tuple[str, ...] = ()
    if kind == "RSA":
        possible = _RSA
    elif isinstance(curve, str) and curve in _OF_CURVES and kind == ("OKP" if curve == "Ed25519" else "EC"):
        possible = (_OF_CURVES[curve],)
    own = entry.get("alg")
    return possible if own is None else tuple(each for each in possible if each == own)
