"""An image's process without a container engine: its unpacked files as a root that cannot be written, its account."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from requirements.images import oci


@dataclass(frozen=True, kw_only=True)
class Box:
    """An image, unpacked into `root`, and folders of this machine in it that its process may write."""

    root: Path
    layout: Path
    volumes: Mapping[str, Path] = field(default_factory=dict)

    def command(
        self, *arguments: str, program: str | None = None, environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """What starts the image's program, or another in it; in this machine's network."""
        told = oci.config(self.layout)["config"]
        user, group = told["User"].split(":")
        command = ["bwrap", "--unshare-all", "--share-net", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        command += ["--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        for place, folder in self.volumes.items():
            command += ["--bind", str(folder), place]
        command += ["--uid", user, "--gid", group, "--clearenv"]
        for variable in told["Env"]:
            command += ["--setenv", *variable.split("=", 1)]
        return [*command, "--", *([program] if program else told["Entrypoint"]), *arguments]

    def run(self, *arguments: str, program: str | None = None) -> "subprocess.CompletedProcess[str]":
        """To its end."""
        return subprocess.run(self.command(*arguments, program=program), capture_output=True, text=True, check=False)


def unpacked(layout: Path, root: Path) -> Box:
    """A box of an image."""
    oci.unpack(layout, root)
    return Box(root=root, layout=layout)
