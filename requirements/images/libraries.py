"""Python's packages of a layer: those of a lock, as their wheels say, and ours, built here."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from requirements.images.debs import ImageError
from requirements.images.recipes import PYTHON, ROOT, STRIPPED, UNPUBLISHED, Layer

_TARGET: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}
PLATFORM: Final = "x86_64-manylinux_2_28"


def locked(layer: Layer) -> dict[str, str]:
    """Name and version of what the lock has for an image and for this layer."""
    return {name: version for name, version, _ in _entries(layer)}


def _entries(layer: Layer) -> Iterator[tuple[str, str, str]]:
    """Name, version, and the lines of the lock with the hashes."""
    if not layer.lock:
        return
    folder = ROOT / "requirements"
    path = folder / layer.lock if (folder / layer.lock).is_file() else folder / "images" / layer.lock
    text = path.read_text(encoding="ascii")
    for entry in text.replace("\\\n", " ").splitlines():
        requirement = Requirement(entry.partition(" --hash")[0])
        wanted = requirement.marker is None or requirement.marker.evaluate(_TARGET)
        if wanted and requirement.name not in layer.without:
            (pin,) = requirement.specifier
            yield requirement.name, pin.version, entry


def install(layer: Layer, site: Path) -> None:
    """Every package of the lock, without what no process of ours reads."""
    site.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.writelines(f"{entry}\n" for _, _, entry in _entries(layer))
        wanted.flush()
        command = [
            *(str(Path(sys.executable).with_name("uv")), "--no-config", "pip", "install", "--quiet"),
            *("--target", str(site), "--python-version", PYTHON, "--python-platform", PLATFORM),
            *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy"),
            *("--requirement", wanted.name),
        ]
        done = subprocess.run(command, env=_index(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"uv could not install {layer.lock}: {done.stderr.strip()}")
    for pattern in UNPUBLISHED:
        for path in sorted(site.glob(pattern)):
            remove(path)


def install_own(layer: Layer, site: Path) -> None:
    """Our wheels, unpacked."""
    for package in layer.own:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
            done = subprocess.run(command, cwd=ROOT / package, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ImageError(f"{package} cannot be built: {done.stderr.strip()}")
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)


def installed(site: Path) -> Iterator[Message]:
    """What each package in it says of itself."""
    for path in sorted(site.glob("*.dist-info/METADATA")):
        yield Parser().parsestr(path.read_text(encoding="utf-8"), headersonly=True)


def strip(site: Path, command: list[str]) -> None:
    """Debugging symbols of the libraries that stand on the list."""
    files = [
        str(path)
        for name in STRIPPED
        for top in sorted(site.glob(name))
        for path in (sorted(top.rglob("*.so*")) if top.is_dir() else [top])
        if path.is_file() and not path.is_symlink() and path.suffix != ".py"
    ]
    if files:
        subprocess.run([*command, "--strip-unneeded", *files], check=True)


def remove(path: Path) -> None:
    """A file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _index() -> dict[str, str]:
    """Where this machine's pip is told to look, for uv, which does not read pip's configuration."""
    settings = dict(os.environ)
    for name, setting in (("UV_DEFAULT_INDEX", "global.index-url"), ("SSL_CERT_FILE", "global.cert")):
        command = [sys.executable, "-m", "pip", "config", "get", setting]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if found:
            settings.setdefault(name, found)
    return settings
