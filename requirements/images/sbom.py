"""An image's bill of materials, as CycloneDX JSON: every package of Debian and of Python that its files are from.

Read from the files themselves, so that it tells what is there and not what was meant to be. What a wheel contains that
another project made, like the OpenSSL in `cryptography`, is part of that wheel here.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from requirements.images import debs, libraries
from requirements.images.recipes import SITE, Image

FORMAT: Final = "1.6"


def bill(image: Image, version: str, roots: Sequence[Path]) -> dict[str, Any]:
    """Of an image with these layers."""
    parts = sorted((part for root in roots for part in _parts(root)), key=lambda part: str(part["bom-ref"]))
    text = json.dumps(parts, sort_keys=True)
    subject = {"type": "container", "bom-ref": image.name, "name": image.name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": FORMAT,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, image.name + hashlib.sha256(text.encode()).hexdigest())}",
        "version": 1,
        "metadata": {"component": {**subject, "description": image.title}},
        "components": parts,
    }


def _parts(root: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((root / "var/lib/dpkg/status.d").glob("*")):
        fields = dict(line.split(": ", 1) for line in path.read_text(encoding="utf-8").splitlines() if ": " in line)
        name, version = fields["Package"], fields["Version"]
        address = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}&distro={debs.SUITE}"
        yield _part(address, name, version, fields["Description"])
    for about in libraries.installed(root / SITE):
        name, version = about["Name"].lower().replace("_", "-").replace(".", "-"), about["Version"]
        part = _part(f"pkg:pypi/{quote(name)}@{quote(version)}", name, version, about["Summary"] or "")
        licence = about["License-Expression"]
        yield {**part, "licenses": [{"expression": licence}]} if licence else part


def _part(address: str, name: str, version: str, text: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
        "description": text,
    }
