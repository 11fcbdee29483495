"""How a spoke proves that it still is the registration it enrolled as.

A proof is fresh: it answers a nonce of this hub, for this registration, and is good once. `Proof` is the seam for
other methods (a cluster's own token issuer); the one here is the key the spoke made itself and showed at enrolment.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from periplus_contract.messages import CredentialRequest, proof_bytes

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_SIGN_BIT: Final = 1 << 255
_P: Final = 2**255 - 19
_EIGHTH: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""The y of the points of order 8; the other is its negative."""
_SMALL_ORDER: Final = frozenset({0, 1, _EIGHTH, _P - _EIGHTH, _P - 1, _P, _P + 1})
"""Every y, also in those encodings that are not canonical, of a point of order 1, 2, 4 or 8."""


class Proof(Protocol):
    """Checks one kind of proof."""

    @property
    def method(self) -> str:
        """The enrolment method whose registrations it checks."""
        ...

    def check(self, public_key: str, hub_id: str, request: CredentialRequest) -> bool:
        """Whether the request proves the registration enrolled with `public_key`; never raises for bad input."""
        ...


@dataclass(frozen=True, slots=True)
class TokenKeyProof:
    """Ed25519 over hub, registration and nonce, with the key enrolled under a join token."""

    method: str = "token"

    def check(self, public_key: str, hub_id: str, request: CredentialRequest) -> bool:
        """Whether the signature is this key's."""
        # The stored key was refused at enrolment if anybody can sign under it (`is_of_small_order`); OpenSSL does not
        # look.
        key = decode_base64(public_key, KEY_BYTES)
        signature = decode_base64(request.signature, SIGNATURE_BYTES)
        if key is None or signature is None:
            return False
        try:
            # The hub's id is signed too: a hub that was asked cannot pass the answer on to another hub and be taken for
            # the spoke.
            Ed25519PublicKey.from_public_bytes(key).verify(
                signature, proof_bytes(hub_id, request.registration, request.nonce)
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def is_of_small_order(public_key: bytes) -> bool:
    """Whether it is a key under which anybody can sign: its point has an order of 8 or less."""
    return int.from_bytes(public_key, "little") % _SIGN_BIT in _SMALL_ORDER


PROOFS: Final[dict[str, Proof]] = {"token": TokenKeyProof()}


def decode_base64(text: str, size: int) -> bytes | None:
    """Exactly `size` bytes in canonical base64, or None: two texts of one key would be two keys."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size and base64.b64encode(raw).decode() == text else None
