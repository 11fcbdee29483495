"""Debian's packages by name, version and hash: found with the machine's own apt, kept in a cache, unpacked.

`debs.txt` is the lock, `NAME VERSION sha256:HASH` a line. A mirror has the newest versions only, so what an old lock
names may be in the cache alone: keep these files with a release.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from requirements.images.recipes import HERE, IMAGES, TOOLS

LOCK: Final = HERE / "debs.txt"
SUITE: Final = "trixie"
ARCHITECTURE: Final = "amd64"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "periplus" / "images"
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MIRROR: Final = r"\bhttps?://\S*/debian(?:-security)?(?=/?(?:\s|$))"


class ImageError(Exception):
    """Why no image is built, for whoever asked for one."""


class Deb(NamedTuple):
    """One line of the lock."""

    name: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """In the cache."""
        return CACHE / "debs" / f"{self.name}_{self.sha256}.deb"


def locked() -> dict[str, Deb]:
    """By name."""
    debs = {}
    for line in LOCK.read_text(encoding="ascii").splitlines():
        name, version, digest = line.split()
        debs[name] = Deb(name, version, digest.removeprefix("sha256:"))
    return debs


def wanted() -> list[str]:
    """The names of all images and tools."""
    names = {name for image in IMAGES for layer in image.layers for name in layer.debs}
    return sorted(names | set(TOOLS))


def lock() -> None:
    """Write the lock again: the newest versions that the mirror has."""
    shutil.rmtree(CACHE / "apt", ignore_errors=True)
    lines = []
    for name in wanted():
        shown = _apt("apt-cache", "show", "--no-all-versions", name)
        fields = dict(re.findall(r"^(Package|Version|SHA256): (.*)$", shown, flags=re.MULTILINE))
        lines.append(f"{name} {fields['Version']} sha256:{fields['SHA256']}\n")
    LOCK.write_text("".join(lines), encoding="ascii")


def fetched(names: Iterable[str]) -> list[Deb]:
    """The files of the cache, fetched if need be; every one is what the lock says."""
    known = locked()
    debs = [known[name] for name in names]
    missing = [deb for deb in debs if not deb.path.is_file()]
    if missing:
        shutil.rmtree(CACHE / "apt", ignore_errors=True)  # what it knows of the mirror may be of another day
        _download(missing)
    for deb in debs:
        with deb.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != deb.sha256:
            raise ImageError(f"{deb.path} is not what requirements/images/debs.txt says: its SHA-256 is {digest}")
    return debs


def unpack(deb: Deb, folder: Path) -> None:
    """Its files; no script of a package runs."""
    command = ["dpkg-deb", "--fsys-tarfile", str(deb.path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        archive.extractall(folder, filter="tar")
    if process.returncode:
        raise ImageError(f"{deb.path} cannot be unpacked")


def control(deb: Deb) -> str:
    """What the package says of itself."""
    return _run(["dpkg-deb", "--field", str(deb.path)])


def _download(debs: Iterable[Deb]) -> None:
    folder = CACHE / "debs"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{deb.name}={deb.version}": deb for deb in debs}
    if gone := [deb for deb in wanted.values() if deb.version not in _offered(deb.name)]:
        names = "\n".join(f"  {deb.name} {deb.version}, unless you put it to {deb.path}" for deb in gone)
        raise ImageError(
            "requirements/images/debs.txt names packages that the mirror of Debian has no more:\n"
            f"{names}\nTake the versions that it has now, and look at what changed: make images-pins"
        )
    with tempfile.TemporaryDirectory(dir=folder) as downloads:
        _apt("apt-get", "download", *wanted, folder=Path(downloads))
        for file in sorted(Path(downloads).glob("*.deb")):
            (deb,) = (deb for deb in wanted.values() if deb.name == file.name.partition("_")[0])
            file.rename(deb.path)


def _offered(name: str) -> list[str]:
    """The versions that the mirror has of a package."""
    shown = _apt("apt-cache", "madison", name)
    return [line.split("|")[1].strip() for line in shown.splitlines() if line.count("|") > 1]


def _apt(program: str, *arguments: str, folder: Path | None = None) -> str:
    state = CACHE / "apt"
    if not (state / "lists").is_dir() or not any((state / "lists").glob("*Packages*")):
        for name in ("lists/partial", "archives/partial"):
            (state / name).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        (state / "sources.list").write_text("".join(f"{line}\n" for line in _sources()))
        _run(["apt-get", *_options(state), "update"])
    return _run([program, *_options(state), *arguments], folder=folder)


def _options(state: Path) -> Iterator[str]:
    """Nothing of the machine but how it reaches its mirror."""
    for option in (
        f"Dir::State={state}",
        f"Dir::State::lists={state}/lists",
        f"Dir::State::status={state}/status",
        f"Dir::Cache={state}",
        f"Dir::Etc::sourcelist={state}/sources.list",
        "Dir::Etc::sourceparts=-",
        "APT::Sandbox::User=root",
        f"APT::Architecture={ARCHITECTURE}",
        f"APT::Architectures={ARCHITECTURE}",
    ):
        yield "--option"
        yield option


def _sources() -> Iterator[str]:
    """The machine's own mirrors of Debian, for our suite."""
    found = set()
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if path.suffix in {".list", ".sources"} and path.is_file():
            found.update(re.findall(_MIRROR, path.read_text(), re.MULTILINE))
    if not found:
        raise ImageError("apt on this machine knows no mirror of Debian")
    for mirror in sorted(found):
        suites = [f"{SUITE}-security"] if mirror.endswith("-security") else [SUITE, f"{SUITE}-updates"]
        for suite in suites:
            yield f"deb [signed-by={_KEYRING}] {mirror} {suite} main"


def _run(command: list[str], *, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ImageError(f"{command[0]} is not on this machine; images are built where apt is") from error
    if done.returncode:
        raise ImageError(f"{command[0]}: {done.stderr.strip()[-2000:]}")
    return done.stdout
