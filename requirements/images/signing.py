"""Signs images offline, and says that their bill of materials is theirs, in the form that cosign and controllers read.

Two more layouts beside that of an image, to be pushed beside it under tags of its digest: `NAME.sig` with the signature
and `NAME.att` with the attested bill. No log and no service takes part, so whoever verifies needs the public key and
nothing else. `verify` is what a mirror without cosign asks, before anything is pushed.
"""

import base64
import binascii
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from requirements.images import oci
from requirements.images.debs import ImageError

OPENED_BY: Final = "SIGN_PASSWORD"
PUBLIC_KEY: Final = "signed-by.pub"
_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
_STATEMENT: Final = "application/vnd.in-toto+json"
_BILL: Final = "https://cyclonedx.org/bom"
_SIGNED: Final = "dev.cosignproject.cosign/signature"
_HASH: Final = hashes.SHA256()
_REMEDY: Final = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out periplus.key"


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Of a PEM file, which SIGN_PASSWORD opens if it is closed."""
    password = os.environ.get(OPENED_BY)
    try:
        key = load_pem_private_key(path.read_bytes(), password.encode() if password else None)
    except OSError as error:
        raise ImageError(f"the key to sign with cannot be read: {path}: {error.strerror}; {_REMEDY}") from error
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"{path} is no private key in PEM that {OPENED_BY} ({'set' if password else 'not set'}) opens; {_REMEDY}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ImageError(f"{path} is no ECDSA key of the curve P-256; {_REMEDY}")
    return key


def public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """Of a PEM file."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ImageError(f"the key to verify with cannot be read: {path}: {error.strerror}") from error
    except ValueError as error:
        raise ImageError(f"{path} is no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ImageError(f"{path} is no ECDSA key")
    return key


def sign(target: Path, name: str, key: ec.EllipticCurvePrivateKey) -> None:
    """The image `target/NAME` and its bill: layouts `NAME.sig` and `NAME.att`; and the public key for both."""
    digest = oci.digest(target / name)
    payload = oci.as_json(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )
    bill = json.loads((target / f"{name}.cdx.json").read_bytes())
    statement = oci.as_json(_statement(name, digest, bill))
    envelope = {
        "payloadType": _STATEMENT,
        "payload": base64.b64encode(statement).decode(),
        "signatures": [{"keyid": "", "sig": _signed(key, _pre_authenticated(statement))}],
    }
    signature = oci.Content(_SIGNATURE, payload, {_SIGNED: _signed(key, payload)})
    attestation = oci.Content(_ENVELOPE, oci.as_json(envelope), {_SIGNED: "", "predicateType": _BILL})
    for ending, content in (("sig", signature), ("att", attestation)):
        layout = target / f"{name}.{ending}"
        shutil.rmtree(layout, ignore_errors=True)
        oci.write_artifact(layout, tag(digest, ending), content)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (target / PUBLIC_KEY).write_bytes(pem)


def unsign(target: Path, name: str) -> None:
    """Take away what was signed of an earlier build."""
    for ending in ("sig", "att"):
        shutil.rmtree(target / f"{name}.{ending}", ignore_errors=True)


def tag(digest: str, ending: str) -> str:
    """Where cosign looks for it, in the repository of the image."""
    return f"{digest.replace(':', '-')}.{ending}"


def verify(target: Path, name: str, key: ec.EllipticCurvePublicKey) -> str:
    """The digest of the image `target/NAME`, which is whole, signed and has a bill, all by this key; or ImageError."""
    layout = target / name
    digest = oci.digest(layout)
    if changed := oci.changed_blobs(layout):
        raise ImageError(f"{layout} is not as it was built: {', '.join(changed)} does not have the digest of its name")
    payload, notes = _content(target, name, "sig")
    _check(key, notes.get(_SIGNED, ""), payload, f"the signature of {layout}")
    if json.loads(payload)["critical"]["image"]["docker-manifest-digest"] != digest:
        raise ImageError(f"the signature beside {layout} is of another image: build and sign it again")
    content, _ = _content(target, name, "att")
    envelope = json.loads(content)
    statement = base64.b64decode(envelope["payload"])
    (signature,) = envelope["signatures"]
    _check(key, signature["sig"], _pre_authenticated(statement), f"the attestation of {layout}")
    bill = json.loads((target / f"{name}.cdx.json").read_bytes())
    if envelope["payloadType"] != _STATEMENT or json.loads(statement) != _statement(name, digest, bill):
        raise ImageError(f"the attestation beside {layout} is of another image or another {name}.cdx.json")
    return digest


def _statement(name: str, digest: str, bill: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": _BILL,
        "subject": [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": bill,
    }


def _pre_authenticated(statement: bytes) -> bytes:
    """What DSSE signs: type and content with their lengths, so that neither can be read as the other."""
    return b"DSSEv1 %d %s %d %s" % (len(_STATEMENT), _STATEMENT.encode(), len(statement), statement)


def _signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> str:
    """Without a random number in it: what is signed twice is the same bytes twice."""
    return base64.b64encode(key.sign(data, ec.ECDSA(_HASH, deterministic_signing=True))).decode()


def _check(key: ec.EllipticCurvePublicKey, signature: str, data: bytes, what: str) -> None:
    try:
        key.verify(base64.b64decode(signature, validate=True), data, ec.ECDSA(_HASH))
    except (InvalidSignature, binascii.Error) as error:
        raise ImageError(f"{what} is not by this key") from error


def _content(target: Path, name: str, ending: str) -> tuple[bytes, Mapping[str, str]]:
    layout = target / f"{name}.{ending}"
    what = {"sig": "signature", "att": "attested bill of materials"}[ending]
    if not (layout / "index.json").is_file():
        raise ImageError(f"{target / name} has no {what}: {layout} is missing; sign with: make images SIGN_KEY=…")
    (entry,) = oci.manifest(layout)["layers"]
    content = oci.blob(layout, entry["digest"])
    if hashlib.sha256(content).hexdigest() != entry["digest"].removeprefix("sha256:"):
        raise ImageError(f"the {what} in {layout} is damaged")
    return content, entry.get("annotations", {})
