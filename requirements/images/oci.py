"""Folders as an OCI image layout, the same bytes every time: no name, time or order of this machine gets in."""

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

_GZIP: Final = (
    "import gzip, shutil, sys;"
    "out = gzip.GzipFile(filename='', mode='wb', compresslevel=9, fileobj=sys.stdout.buffer, mtime=0);"
    "shutil.copyfileobj(sys.stdin.buffer, out, 1 << 20); out.close()"
)
_MEDIA: Final = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class Blob:
    """A compressed layer in a file, and what the image says of it."""

    path: Path
    digest: str
    size: int
    inner: str
    """Digest of the tar, before compression."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A folder that belongs to the process."""

    user: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What an artifact that is no image holds: one blob, and notes about it."""

    media: str
    data: bytes
    notes: Mapping[str, str]


def write_layer(folder: Path, target: Path, *, python: Sequence[str], epoch: int, owned: Owned) -> Blob:
    """`folder` as a layer in the file `target`, compressed by `python`: another zlib makes other bytes."""
    digest = hashlib.sha256()
    command = [*python, "-c", _GZIP]
    with target.open("wb") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as process:
        sink = cast("BinaryIO", process.stdin)
        with tarfile.open(fileobj=cast("BinaryIO", _Hashing(sink, digest)), mode="w|") as archive:
            for path in _entries(folder):
                _add(archive, folder, path, epoch, owned)
        sink.close()
    if process.returncode:
        raise OSError(f"{target} could not be compressed")
    return Blob(target, _digest_of(target), target.stat().st_size, f"sha256:{digest.hexdigest()}")


class _Hashing:
    """Hashes what it passes on."""

    def __init__(self, sink: BinaryIO, digest: "hashlib._Hash") -> None:
        self._sink, self._digest = sink, digest

    def write(self, data: bytes) -> int:
        """Both."""
        self._digest.update(data)
        return self._sink.write(data)


def _entries(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix().encode()))


def _add(archive: tarfile.TarFile, folder: Path, path: Path, epoch: int, owned: Owned) -> None:
    name = path.relative_to(folder).as_posix()
    entry = tarfile.TarInfo(name)
    entry.mtime = epoch
    if path.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        archive.addfile(entry)
    elif path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        if name in owned.names:
            entry.uid = entry.gid = owned.user
            entry.mode = 0o700
        archive.addfile(entry)
    else:
        entry.size = path.stat().st_size
        entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        with path.open("rb") as content:
            archive.addfile(entry, content)


def write_layout(layout: Path, tag: str, layers: Sequence[Blob], config: Mapping[str, Any]) -> str:
    """An image of these layers into the folder `layout`; the digest of its manifest."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in layers:
        (blobs / layer.digest.partition(":")[2]).hardlink_to(layer.path)
    manifest = {
        "config": _put_config(blobs, config, [layer.inner for layer in layers]),
        "layers": [
            {"mediaType": f"{_MEDIA}.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    platform = {"platform": {"architecture": config["architecture"], "os": config["os"]}}
    return _write_index(layout, tag, manifest, platform)


def write_artifact(layout: Path, tag: str, content: Content) -> str:
    """A blob into the folder `layout`, as a manifest that registries take for an image's; its digest."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    described = {**_put(blobs, content.media, content.data), "annotations": dict(content.notes)}
    config = {"architecture": "", "os": "", "config": {}}
    manifest = {"config": _put_config(blobs, config, [described["digest"]]), "layers": [described]}
    return _write_index(layout, tag, manifest, {})


def _put_config(blobs: Path, config: Mapping[str, Any], inner: Sequence[str]) -> dict[str, Any]:
    whole = {**config, "rootfs": {"type": "layers", "diff_ids": list(inner)}}
    return _put(blobs, f"{_MEDIA}.config.v1+json", as_json(whole))


def _write_index(layout: Path, tag: str, manifest: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    media = f"{_MEDIA}.manifest.v1+json"
    whole = as_json({"schemaVersion": 2, "mediaType": media, **manifest})
    entry = {**_put(layout / "blobs" / "sha256", media, whole), **about}
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index = {"schemaVersion": 2, "mediaType": f"{_MEDIA}.index.v1+json", "manifests": [entry]}
    (layout / "index.json").write_bytes(as_json(index))
    (layout / "oci-layout").write_bytes(as_json({"imageLayoutVersion": "1.0.0"}))
    return str(entry["digest"])


def as_json(value: Mapping[str, Any]) -> bytes:
    """Keys in order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _put(blobs: Path, media: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}


def _digest_of(path: Path) -> str:
    with path.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def digest(layout: Path) -> str:
    """Of the one image in a layout: of its manifest, by which a registry knows it."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return str(entry["digest"])


def manifest(layout: Path) -> dict[str, Any]:
    """Of the one image in a layout."""
    found: dict[str, Any] = json.loads(blob(layout, digest(layout)))
    return found


def config(layout: Path) -> dict[str, Any]:
    """How its process starts."""
    found: dict[str, Any] = json.loads(blob(layout, manifest(layout)["config"]["digest"]))
    return found


def unpack(layout: Path, root: Path) -> None:
    """Its files into a folder, of whoever unpacks them."""
    for layer in manifest(layout)["layers"]:
        path = layout / "blobs" / "sha256" / layer["digest"].partition(":")[2]
        with tarfile.open(path, mode="r:gz") as archive:
            archive.extractall(root, filter="tar", numeric_owner=True)


def blob(layout: Path, digest: str) -> bytes:
    """What a digest names."""
    return (layout / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()


def changed_blobs(layout: Path) -> list[str]:
    """Digests that an image names and whose bytes are missing or others."""
    if changed := _changed(layout, [digest(layout)]):
        return changed
    told = manifest(layout)
    return _changed(layout, [told["config"]["digest"], *(layer["digest"] for layer in told["layers"])])


def _changed(layout: Path, digests: Sequence[str]) -> list[str]:
    paths = {name: layout / "blobs" / "sha256" / name.partition(":")[2] for name in digests}
    return [name for name, path in paths.items() if not path.is_file() or _digest_of(path) != name]
