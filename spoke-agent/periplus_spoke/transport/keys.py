"""Ed25519: make a key, sign with it. Run as a program it does one of the two for its parent and ends.

    {"private": "", "message": ""} -> {"private", "public", "signature"}        JSON, binary values in base64

A spoke signs once a day; the library for it would stay in its memory for good (6 MiB). Nothing but the standard
library and that one is imported here, so the program starts in a tenth of a second.
"""

import base64
import json
import sys
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Signed(NamedTuple):
    """All in base64: the private key, its public key, and the signature."""

    private: str
    public: str
    signature: str


def sign(private: str, message: bytes) -> Signed:
    """Sign `message`; an empty `private` makes a new key. Raises ValueError for what is no key."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private)) if private else Ed25519PrivateKey.generate()
    return Signed(
        *(
            base64.b64encode(value).decode()
            for value in (key.private_bytes_raw(), key.public_key().public_bytes_raw(), key.sign(message))
        )
    )


def main() -> None:
    """Answer the request on standard input."""
    asked = json.load(sys.stdin.buffer)
    answer = sign(asked["private"], base64.b64decode(asked["message"]))
    json.dump(answer._asdict(), sys.stdout)  # allowed: the parent process reads it


if __name__ == "__main__":
    main()
