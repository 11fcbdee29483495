"""Signed layouts: what a mirror verifies before it pushes them, and what it refuses."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from requirements.images import oci, signing
from requirements.images.__main__ import main
from requirements.images.debs import ImageError
from requirements.images.recipes import SPOKE
from tests.unit.images.test_image_layers import CONFIG, layer, tree

KEY = ec.derive_private_key(7, ec.SECP256R1())
NAME = SPOKE.name


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder as `make images SIGN_KEY=…` leaves it."""
    blob = layer(tree(tmp_path / "root"))
    oci.write_layout(tmp_path / "dist" / NAME, "1", [blob], CONFIG)
    (tmp_path / "dist" / f"{NAME}.cdx.json").write_text('{"bomFormat":"CycloneDX","components":[]}')
    signing.sign(tmp_path / "dist", NAME, KEY)
    return tmp_path / "dist"


def verify(target: Path, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    return signing.verify(target, NAME, key.public_key())


def pem(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: str = "") -> Path:
    closed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption_algorithm=closed)
    )
    return path


def test_what_was_signed_is_verified_with_the_public_key_beside_it(
    target: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    public = str(target / signing.PUBLIC_KEY)
    monkeypatch.setattr("sys.argv", ["images", NAME, "--target", str(target), "--verify", public])
    assert main() == 0
    assert oci.digest(target / NAME) in capsys.readouterr().out


def test_signed_twice_is_the_same_bytes_twice(target: Path) -> None:
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    signing.sign(target, NAME, KEY)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_a_changed_layer_is_refused_by_name(target: Path) -> None:
    (entry,) = oci.manifest(target / NAME)["layers"]
    path = target / NAME / "blobs" / "sha256" / entry["digest"].removeprefix("sha256:")
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ImageError, match=rf"not as it was built: {entry['digest']}"):
        verify(target)


def test_a_changed_layer_under_a_digest_of_its_own_is_refused(target: Path, tmp_path: Path) -> None:
    (tmp_path / "root" / "etc" / "word").write_text("another")
    shutil.rmtree(target / NAME)
    oci.write_layout(target / NAME, "1", [layer(tmp_path / "root")], CONFIG)
    with pytest.raises(ImageError, match=r"signature beside .* is of another image"):
        verify(target)


def test_another_key_is_refused(target: Path) -> None:
    with pytest.raises(ImageError, match=r"signature of .* is not by this key"):
        verify(target, ec.derive_private_key(8, ec.SECP256R1()))


@pytest.mark.parametrize(("ending", "what"), [("sig", "signature"), ("att", "attested bill of materials")])
def test_what_is_missing_is_named_with_the_remedy(target: Path, ending: str, what: str) -> None:
    shutil.rmtree(target / f"{NAME}.{ending}")
    with pytest.raises(ImageError, match=rf"has no {what}: .*make images SIGN_KEY="):
        verify(target)


def test_another_bill_than_the_attested_one_is_refused(target: Path) -> None:
    (target / f"{NAME}.cdx.json").write_text('{"bomFormat":"CycloneDX","components":[{"name":"other"}]}')
    with pytest.raises(ImageError, match=r"another periplus-spoke\.cdx\.json"):
        verify(target)


def test_an_attestation_by_another_key_is_refused(target: Path, tmp_path: Path) -> None:
    shutil.copytree(target, tmp_path / "other")
    signing.sign(tmp_path / "other", NAME, ec.derive_private_key(8, ec.SECP256R1()))
    shutil.rmtree(target / f"{NAME}.att")
    shutil.copytree(tmp_path / "other" / f"{NAME}.att", target / f"{NAME}.att")
    with pytest.raises(ImageError, match=r"attestation of .* is not by this key"):
        verify(target)


def test_the_statement_is_of_the_image_and_holds_its_bill(target: Path) -> None:
    (entry,) = oci.manifest(target / f"{NAME}.att")["layers"]
    statement = json.loads(base64.b64decode(json.loads(oci.blob(target / f"{NAME}.att", entry["digest"]))["payload"]))
    assert f"sha256:{statement['subject'][0]['digest']['sha256']}" == oci.digest(target / NAME)
    assert statement["predicate"] == json.loads((target / f"{NAME}.cdx.json").read_text())


def test_a_closed_key_is_opened_with_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pem(tmp_path / "key", KEY, "secret")
    monkeypatch.setenv(signing.OPENED_BY, "secret")
    assert signing.private_key(path).private_numbers() == KEY.private_numbers()
    monkeypatch.delenv(signing.OPENED_BY)
    with pytest.raises(ImageError, match=rf"{signing.OPENED_BY} \(not set\)"):
        signing.private_key(path)


def test_a_key_that_cannot_sign_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("requirements.images.__main__.build", lambda *_: pytest.fail("it was built"))
    path = pem(tmp_path / "key", rsa.generate_private_key(65537, 2048))
    for given in (path, tmp_path / "none", Path(__file__)):
        monkeypatch.setattr("sys.argv", ["images", "--target", str(tmp_path), "--sign-key", str(given)])
        assert main() == 1
        assert "openssl genpkey" in capsys.readouterr().err
