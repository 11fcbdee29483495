"""Builds the container images without a container engine: `make images`, or `python -m requirements.images [NAME …]`.

--check     build everything twice and compare, byte for byte
--sign-key  sign what was built, and attest its bill of materials
--verify    build nothing; hold what was built and signed against a public key
--lock      write debs.txt again, with what the mirror has now
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from requirements.images import debs, oci, signing
from requirements.images.build import build
from requirements.images.recipes import IMAGES, ROOT, Image

TARGET: Final = ROOT / "dist" / "images"


def main() -> int:
    """Build, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m requirements.images", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(image.name for image in IMAGES))
    parser.add_argument("--check", action="store_true", help="build twice and compare")
    parser.add_argument("--sign-key", type=Path, metavar="FILE", help="sign with this private key (PEM, ECDSA P-256)")
    parser.add_argument("--verify", type=Path, metavar="FILE", help="only verify, with this public key")
    parser.add_argument("--lock", action="store_true", help="write debs.txt again")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder of the layouts")
    given = parser.parse_args()
    images = tuple(image for image in IMAGES if not given.names or image.name in given.names)
    if unknown := set(given.names) - {image.name for image in images}:
        parser.error(f"no image is called {', '.join(sorted(unknown))}")
    try:
        if given.lock:
            debs.lock()
            return 0
        if given.verify:
            return verify(images, given.target, given.verify)
        return make(images, given.target, check=given.check, sign_key=given.sign_key)
    except debs.ImageError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1


def make(images: tuple[Image, ...], target: Path, *, check: bool, sign_key: Path | None) -> int:
    """Build, tell the sizes, and sign; with `check` build once more, which has to be the same."""
    key = signing.private_key(sign_key) if sign_key else None  # a wrong one is told before minutes of building
    for image in images:
        signing.unsign(target, image.name)
    digests = build(images, target)
    for name, digest in digests.items():
        size = sum(layer["size"] for layer in oci.manifest(target / name)["layers"])
        print(f"{name:24} {size / 1e6:7.1f} MB  {digest}")
    if check and not twice_the_same(images, target, digests):
        return 1
    if key:
        for name in digests:
            signing.sign(target, name, key)
        print(f"signed; the public key is {target / signing.PUBLIC_KEY}")
    return 0


def twice_the_same(images: tuple[Image, ...], target: Path, digests: Mapping[str, str]) -> bool:
    """Build once more, and compare."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        again = build(images, Path(folder))
        bills = [[(where / f"{name}.cdx.json").read_bytes() for name in digests] for where in (target, Path(folder))]
    same = again == digests and bills[0] == bills[1]
    print("built twice: the same" if same else f"built twice: NOT the same, the second time {again}")
    return same


def verify(images: tuple[Image, ...], target: Path, public: Path) -> int:
    """Whether each image there is whole, signed and attested by this key; ImageError names what is not."""
    key = signing.public_key(public)
    for image in images:
        print(f"{image.name:24} {signing.verify(target, image.name, key)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
