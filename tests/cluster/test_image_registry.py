"""The commands of docs/operate/images.md, from a signed build over a carried archive to a registry and back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from requirements.images import oci, signing
from requirements.images.debs import ImageError
from requirements.images.recipes import IMAGES, SPOKE
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.processes import Child, free_port
from tests.support.shown_commands import FENCE, ROOT

pytestmark = pytest.mark.needs("Debian packages of images")
KEY = ec.derive_private_key(7, ec.SECP256R1())
PAGE = (ROOT / "docs" / "operate" / "images.md").read_text(encoding="utf-8")
REGISTRY = "registry.example.org"


@pytest.fixture
def registry(crane: Path, tmp_path: Path) -> Iterator[str]:
    """Host and port of an empty one."""
    address = f"127.0.0.1:{free_port()}"
    child = Child("registry", [str(crane), "registry", "serve", "--address", address], tmp_path / "registry.log")
    child.start()
    try:
        wait_for("a registry", lambda: listens(child), timeout_s=60)
        yield address
    finally:
        child.kill()


def listens(child: Child) -> bool:
    child.check()
    return "serving on port" in child.tail()


class Carrier:
    """Somebody who types what the page shows, with the image of the spoke alone and a registry on this machine."""

    def __init__(self, folder: Path, registry: str, crane: Path) -> None:
        self.folder, self._registry = folder, registry
        self._environment = {**os.environ, "HOME": str(folder), "PATH": f"{crane.parent}:{os.environ['PATH']}"}

    def types(self, words: str) -> str:
        """The block of the page that has these words; what it printed."""
        (block,) = (block for block in FENCE.findall(PAGE) if words in block)
        every = " ".join(image.name for image in IMAGES)
        text = block.replace(REGISTRY, self._registry).replace(every, SPOKE.name)
        return self.runs(text)

    def runs(self, script: str) -> str:
        command = ["/bin/sh", "-euc", script]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def carrier(spoke_images: Path, tmp_path: Path, registry: str, crane: Path) -> Carrier:
    """On the far side of the gap, with a signed build that came in the archive of the page."""
    signing.sign(spoke_images, SPOKE.name, KEY)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "images").symlink_to(spoke_images)
    carrier = Carrier(tmp_path, registry, crane)
    carrier.types("tar --create")
    carrier.types("tar --extract")
    carrier.folder = tmp_path / "periplus-images"
    return carrier


def test_an_image_comes_back_from_a_registry_as_it_was_built(
    carrier: Carrier, spoke_images: Path, registry: str
) -> None:
    carrier.types("crane push $name ")
    digest = oci.digest(spoke_images / SPOKE.name)
    told = carrier.types("\n    crane digest").split()
    assert told == [digest]
    name = f"{registry}/periplus/{SPOKE.name}"
    carrier.runs(f"crane pull --format oci {name}:0.1.0 back")
    assert oci.digest(carrier.folder / "back") == digest
    assert oci.changed_blobs(carrier.folder / "back") == []
    carrier.runs(f"crane validate --remote {name}@{digest}")


def test_signature_and_bill_are_where_cosign_looks_for_them(
    carrier: Carrier, spoke_images: Path, registry: str
) -> None:
    carrier.types("crane push $name ")
    carrier.types("crane push $name.sig")
    digest = oci.digest(spoke_images / SPOKE.name)
    back = carrier.folder / "back"
    back.mkdir()
    places = {"": "0.1.0", ".sig": signing.tag(digest, "sig"), ".att": signing.tag(digest, "att")}
    for ending, tag in places.items():
        carrier.runs(f"crane pull --format oci {registry}/periplus/{SPOKE.name}:{tag} back/{SPOKE.name}{ending}")
    bill = f"{SPOKE.name}.cdx.json"
    (back / bill).write_bytes((spoke_images / bill).read_bytes())
    assert signing.verify(back, SPOKE.name, KEY.public_key()) == digest
    with pytest.raises(ImageError, match=r"is not by this key"):
        signing.verify(back, SPOKE.name, ec.derive_private_key(8, ec.SECP256R1()).public_key())


def test_what_was_changed_on_the_way_is_refused_before_it_is_pushed(carrier: Carrier) -> None:
    key = signing.public_key(carrier.folder / signing.PUBLIC_KEY)
    assert signing.verify(carrier.folder, SPOKE.name, key)
    largest = max((carrier.folder / SPOKE.name / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as layer:
        layer.write(b"changed")
    with pytest.raises(ImageError, match=rf"is not as it was built: sha256:{largest.name}"):
        signing.verify(carrier.folder, SPOKE.name, key)
