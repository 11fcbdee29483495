"""Builds the container images without a container engine: `make images`, or `python -m requirements.images [NAME …]`.

--check   build everything twice and compare, byte for byte
--lock    write debs.txt again, with what the mirror has now
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from requirements.images import debs, oci
from requirements.images.build import build
from requirements.images.recipes import IMAGES, ROOT, Image

TARGET: Final = ROOT / "dist" / "images"


def main() -> int:
    """Build, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m requirements.images", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(image.name for image in IMAGES))
    parser.add_argument("--check", action="store_true", help="build twice and compare")
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
        return make(images, given.target, check=given.check)
    except debs.ImageError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1


def make(images: tuple[Image, ...], target: Path, *, check: bool) -> int:
    """Build and tell the sizes; with `check` once more, which has to be the same."""
    digests = build(images, target)
    for name, digest in digests.items():
        size = sum(layer["size"] for layer in oci.manifest(target / name)["layers"])
        print(f"{name:24} {size / 1e6:7.1f} MB  {digest}")
    if not check:
        return 0
    with tempfile.TemporaryDirectory(dir=target) as folder:
        again = build(images, Path(folder))
        bills = [[(where / f"{name}.cdx.json").read_bytes() for name in digests] for where in (target, Path(folder))]
    if again == digests and bills[0] == bills[1]:
        print("built twice: the same")
        return 0
    print(f"built twice: NOT the same, the second time {again}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
