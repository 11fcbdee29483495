"""An image's process without a container engine: its unpacked files as a root that cannot be written, its account.

What an engine would do, with what every Linux has: mounts and processes of its own, the image's user by its number, no
way back to more rights. The network is this machine's. Only root can.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from requirements.images import oci

_ENTER = """
root=$1 user=$2 group=$3; shift 3
mount --bind "$root" "$root"
mount --options remount,bind,ro,nosuid "$root"
mount --types proc proc "$root/proc"
mount --types tmpfs --options mode=1777 tmpfs "$root/tmp"
mount --types tmpfs --options mode=755 tmpfs "$root/dev"
mkdir --mode 1777 "$root/dev/shm"
ln --symbolic /proc/self/fd "$root/dev/fd"
for each in null zero full random urandom; do
    touch "$root/dev/$each"
    mount --bind "/dev/$each" "$root/dev/$each"
done
while [ "$1" != -- ]; do
    chown "$user:$group" "$1"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec setpriv --no-new-privs chroot --userspec "$user:$group" --groups "" "$root" "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """An image, unpacked into `root`, and folders of this machine in it that its process may write."""

    root: Path
    layout: Path
    volumes: Mapping[str, Path] = field(default_factory=dict)

    def command(self, *arguments: str, program: str | None = None) -> list[str]:
        """What starts the image's program, or another in it; in this machine's network."""
        told = oci.config(self.layout)["config"]
        user, group = told["User"].split(":")
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
        ]
        command += ["--kill-child", "/bin/sh", "-euc", _ENTER, "box", str(self.root), user, group]
        for place, folder in self.volumes.items():
            command += [str(folder), place]
        entry = [program] if program else told["Entrypoint"]
        return [*command, "--", *entry, *arguments]

    def environment(self) -> dict[str, str]:
        """Of the process: what the image says, and where this machine has what starts it."""
        told = dict(variable.split("=", 1) for variable in oci.config(self.layout)["config"]["Env"])
        return {**told, "PATH": f"{told['PATH']}:/usr/sbin:/sbin:/bin"}

    def run(self, *arguments: str, program: str | None = None) -> "subprocess.CompletedProcess[str]":
        """To its end."""
        command = self.command(*arguments, program=program)
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)

    @contextmanager
    def running(self, *arguments: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
        """Until the block ends; then it is asked to stop, as a kubelet asks."""
        with log.open("wb") as sink:
            process = subprocess.Popen(
                self.command(*arguments), env=self.environment(), stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def unpacked(layout: Path, root: Path) -> Box:
    """A box of an image."""
    root.mkdir(parents=True)
    oci.unpack(layout, root)
    return Box(root=root, layout=layout)


def missing_programs() -> list[str]:
    """What a box is made with and is not on this machine."""
    return [name for name in ("unshare", "mount", "setpriv", "chroot") if shutil.which(name) is None]
