"""Sign in a process of its own; see `keys`. The key goes through a pipe, never into arguments or the environment."""

import asyncio
import base64
import sys
from typing import Final, Protocol

import msgspec

from periplus_spoke.kit.errors import SpokeError

_PROGRAM: Final = "periplus_spoke.transport.keys"
_PATIENCE_S: Final = 30.0
_TAIL_CHARS: Final = 300


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """All in base64: the private key, its public key, and the signature."""

    private: str
    public: str
    signature: str


class Signer(Protocol):
    """Signs a message with a key of 32 bytes in base64; an empty key makes a new one."""

    async def __call__(self, private: str, message: bytes) -> Signed:
        """Raises SpokeError when that cannot be done now."""


async def sign_apart(private: str, message: bytes) -> Signed:
    """The Signer of a real spoke."""
    asked = msgspec.json.encode({"private": private, "message": base64.b64encode(message).decode()})
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise _failed(str(error)) from error
    try:
        async with asyncio.timeout(_PATIENCE_S):
            said, complaint = await child.communicate(asked)
    except TimeoutError as error:
        raise _failed(f"no answer within {_PATIENCE_S:g} s") from error
    finally:
        # Also when this task is cancelled: the child has the private key in its memory and must not outlive us.
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise _failed(complaint.decode(errors="replace").strip()[-_TAIL_CHARS:] or f"exit code {child.returncode}")
    return msgspec.json.decode(said, type=Signed)


def _failed(why: str) -> SpokeError:
    return SpokeError(
        "cannot_sign",
        f"the process that signs for this spoke failed: {why}",
        "Look at the memory and process limits of the spoke.",
    )
