"""A layout of folders: the same bytes from the same files, whoever has them, and what stands in it."""

import gzip
import hashlib
import json
import os
import sys
import tarfile
from pathlib import Path

from requirements.images import oci

EPOCH = 1_767_225_600
OWNED = oci.Owned(65532, ("var/lib/data",))
CONFIG = {"architecture": "amd64", "os": "linux", "config": {"User": "65532:65532"}}


def tree(root: Path, *, backwards: bool = False) -> Path:
    names = ["usr/bin/tool", "etc/word", "var/lib/data/.keep"]
    for name in reversed(names) if backwards else names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "usr/bin/tool").chmod(0o711)
    (root / "bin").symlink_to("usr/bin")
    (root / "tmp").mkdir()
    return root


def layer(root: Path) -> oci.Blob:
    return oci.write_layer(root, root.with_suffix(".tar.gz"), python=[sys.executable], epoch=EPOCH, owned=OWNED)


def test_times_orders_and_accounts_of_the_machine_are_not_in_it(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one"), tree(tmp_path / "other", backwards=True)
    for path in other.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1, 1))
    (other / "etc/word").chmod(0o640)
    made, again = layer(one), layer(other)
    assert (made.digest, made.inner) == (again.digest, again.inner)


def test_a_layer_has_every_file_with_a_mode_and_an_owner_that_say_what_it_is_for(tmp_path: Path) -> None:
    with tarfile.open(layer(tree(tmp_path / "root")).path) as archive:
        found = {entry.name: (oct(entry.mode), entry.uid, entry.mtime) for entry in archive}
    assert found == {
        "bin": ("0o777", 0, EPOCH),
        "etc": ("0o755", 0, EPOCH),
        "etc/word": ("0o644", 0, EPOCH),
        "tmp": ("0o1777", 0, EPOCH),
        "usr": ("0o755", 0, EPOCH),
        "usr/bin": ("0o755", 0, EPOCH),
        "usr/bin/tool": ("0o755", 0, EPOCH),
        "var": ("0o755", 0, EPOCH),
        "var/lib": ("0o755", 0, EPOCH),
        "var/lib/data": ("0o700", 65532, EPOCH),
        "var/lib/data/.keep": ("0o644", 0, EPOCH),
    }


def test_every_digest_of_a_layout_is_of_what_it_names(tmp_path: Path) -> None:
    blob = layer(tree(tmp_path / "root"))
    oci.write_layout(tmp_path / "layout", "1", [blob], CONFIG)
    for path in (tmp_path / "layout/blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    with gzip.open(blob.path) as inner:
        diff = f"sha256:{hashlib.sha256(inner.read()).hexdigest()}"
    assert oci.config(tmp_path / "layout") == {**CONFIG, "rootfs": {"type": "layers", "diff_ids": [diff]}}
    assert json.loads((tmp_path / "layout/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_a_layout_unpacks_to_the_files_it_was_made_of(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    oci.write_layout(tmp_path / "layout", "1", [layer(root)], CONFIG)
    oci.unpack(tmp_path / "layout", tmp_path / "again")
    files = {path.relative_to(root) for path in root.rglob("*")}
    assert {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*")} == files
    assert (tmp_path / "again/bin/tool").read_text() == "usr/bin/tool"
