"""From recipes to images: each layer once, in a folder of its own, and every image out of its layers."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from requirements.images import debs, libraries, oci, sbom
from requirements.images.recipes import DROPPED, KEPT_PROGRAMS, PYTHON, ROOT, SITE, TOOLS, USER, Image, Layer

_LOADER: Final = "usr/lib64/ld-linux-x86-64.so.2"
_LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
_ACCOUNTS: Final = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\nperiplus:x:{USER}:{USER}:Periplus:/tmp:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nperiplus:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_AUTHORITIES: Final = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Source:
    """What an image says of where it comes from."""

    version: str
    revision: str
    epoch: int


def source() -> Source:
    """Of this checkout; SOURCE_DATE_EPOCH stands for the time of its commit where there is no git."""
    revision = _git("rev-parse", "HEAD")
    if revision and _git("status", "--porcelain"):
        revision += "-changed"
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0)
    text = (ROOT / "hub" / "pyproject.toml").read_text(encoding="utf-8")
    version = next(line.split('"')[1] for line in text.splitlines() if line.startswith("version"))
    return Source(version, revision or "unknown", epoch)


def build(images: tuple[Image, ...], target: Path) -> dict[str, str]:
    """Every image into a layout `target/NAME`, with its bill of materials beside it; digests by name."""
    origin = source()
    os.environ["SOURCE_DATE_EPOCH"] = str(origin.epoch)  # what hatchling reads
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=target) as scratch:
        workshop = Workshop(Path(scratch), origin)
        digests = {}
        for image in images:
            layout = target / image.name
            shutil.rmtree(layout, ignore_errors=True)
            layers = [workshop.layer(layer) for layer in image.layers] + [workshop.folders(image)]
            digests[image.name] = oci.write_layout(layout, origin.version, layers, configuration(image, origin))
            bill = sbom.bill(image, origin.version, [workshop.root(layer) for layer in image.layers])
            (target / f"{image.name}.cdx.json").write_bytes(oci.as_json(bill))
    return digests


def configuration(image: Image, origin: Source) -> Mapping[str, Any]:
    """Whose account, which program, which environment."""
    labels = {
        "title": image.name,
        "description": image.title,
        "version": origin.version,
        "revision": origin.revision,
        "licenses": "Apache-2.0",
        "created": _time(origin.epoch),
    }
    return {
        "architecture": debs.ARCHITECTURE,
        "os": "linux",
        "created": _time(origin.epoch),
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": [f"/usr/local/bin/{image.program}"],
            "Env": [
                "PATH=/usr/local/bin:/usr/bin",
                "LANG=C.UTF-8",
                "PYTHONDONTWRITEBYTECODE=1",
                "PYTHONUNBUFFERED=1",
                f"SSL_CERT_FILE=/{_AUTHORITIES}",
            ],
            "WorkingDir": "/",
            "Labels": {f"org.opencontainers.image.{name}": value for name, value in labels.items()},
        },
    }


class Workshop:
    """A folder to build in: tools and base unpacked, and what is made of layers so far."""

    def __init__(self, scratch: Path, origin: Source) -> None:
        self._scratch, self._epoch = scratch, origin.epoch
        self._made: dict[str, oci.Blob] = {}
        self._tools = scratch / "tools"
        for deb in debs.fetched((*TOOLS, *_python_debs())):
            debs.unpack(deb, self._tools)

    def root(self, layer: Layer) -> Path:
        """The files of a layer that was made."""
        return self._scratch / layer.name

    def layer(self, layer: Layer) -> oci.Blob:
        """Made once, however many images have it."""
        if layer.name not in self._made:
            root = self.root(layer)
            root.mkdir()
            self._fill(layer, root)
            self._compile(root)
            self._made[layer.name] = self._pack(root)
        return self._made[layer.name]

    def folders(self, image: Image) -> oci.Blob:
        """The last layer: the folders of volumes, of the process' account, and `/tmp`."""
        root = self._scratch / f"{image.name}.folders"
        for name in (*image.folders, "tmp"):
            (root / name).mkdir(parents=True)
        return self._pack(root, image.folders)

    def _pack(self, root: Path, owned: tuple[str, ...] = ()) -> oci.Blob:
        return oci.write_layer(
            root,
            root.with_name(f"{root.name}.tar.gz"),
            python=self._python(),
            epoch=self._epoch,
            owned=oci.Owned(USER, owned),
        )

    def _fill(self, layer: Layer, root: Path) -> None:
        for deb in debs.fetched(layer.debs):
            debs.unpack(deb, root)
            _describe(deb, root)
        if layer.debs:
            _prune(root)
        if "base-files" in layer.debs:
            _configure(root)
        site = root / SITE
        if layer.lock:
            libraries.install(layer, site)
            libraries.strip(site, self._run("usr/bin/x86_64-linux-gnu-strip"))
        libraries.install_own(layer, site)
        for name, module in layer.programs:
            _write(root / "usr/local/bin" / name, _PROGRAM.format(python=PYTHON, module=module), 0o755)

    def _compile(self, root: Path) -> None:
        """Ahead of time: where nothing can be written, every start would compile again what it imports."""
        folders = [str(path) for path in (root / SITE, root / f"usr/lib/python{PYTHON}") if path.is_dir()]
        if folders:
            command = [*self._python(), "-m", "compileall", "-q", "-s", str(root), "-p", "/"]
            command += ["--invalidation-mode", "unchecked-hash", *folders]
            environment = {
                "PYTHONHOME": str(self._tools / "usr"),
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise debs.ImageError(f"Python did not compile {root.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _python(self) -> list[str]:
        return ["/usr/bin/env", f"PYTHONHOME={self._tools / 'usr'}", *self._run(f"usr/bin/python{PYTHON}")]

    def _run(self, program: str) -> list[str]:
        """A program of the tools, with their loader and libraries: without their root nobody needs to be root."""
        tools = self._tools
        return [str(tools / _LOADER), "--library-path", str(tools / _LIBRARIES), str(tools / program)]


_PROGRAM: Final = """#!/usr/bin/python{python} -I
from {module}.__main__ import main

main()
"""


def _python_debs() -> tuple[str, ...]:
    return (
        "base-files",
        f"python{PYTHON}-minimal",
        f"libpython{PYTHON}-minimal",
        f"libpython{PYTHON}-stdlib",
        "libexpat1",
        "libssl3t64",
        "libbz2-1.0",
        "liblzma5",
        "libffi8",
        "libuuid1",
    )


def _describe(deb: debs.Deb, root: Path) -> None:
    """Where scanners look in images without dpkg."""
    _write(root / "var/lib/dpkg/status.d" / deb.name, debs.control(deb))


def _prune(root: Path) -> None:
    for path in sorted((root / "usr/bin").glob("*")):
        if path.name not in KEPT_PROGRAMS:
            libraries.remove(path)
    for pattern in DROPPED:
        for path in sorted(root.glob(pattern)):
            if path.name != "copyright":
                libraries.remove(path)


def _configure(root: Path) -> None:
    """What the scripts of Debian's packages would have done."""
    for name, text in _ACCOUNTS.items():
        _write(root / name, text)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    _write(root / _AUTHORITIES, "".join(path.read_text(encoding="ascii") for path in authorities))
    shutil.rmtree(root / "usr/share/ca-certificates")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["/usr/bin/env", "git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
