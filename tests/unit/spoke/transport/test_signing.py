"""Signatures come from a process that ends: the library for them never enters the spoke's own memory."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.transport import signing
from periplus_spoke.transport.identity import IdentityStore


async def test_a_key_made_apart_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    store = IdentityStore(tmp_path)
    public = await store.public_key()
    assert await store.public_key() == public
    signature = await store.signature(store.held_key(), b"proof")
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(base64.b64decode(signature), b"proof")


async def test_what_is_no_key_is_an_error_that_does_not_show_it() -> None:
    short = base64.b64encode(b"too short").decode()
    with pytest.raises(SpokeError, match="32 bytes") as refused:
        await signing.sign_apart(short, b"proof")
    assert short not in refused.value.message


async def test_a_process_that_cannot_start_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(SpokeError, match="No such file") as refused:
        await signing.sign_apart("", b"")
    assert refused.value.remedy


def test_a_running_spoke_holds_no_library_it_does_not_need() -> None:
    program = (
        "import sys, periplus_spoke.main, periplus_spoke.agent\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'cryptography', 'urllib3', 'yaml', 'six'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
