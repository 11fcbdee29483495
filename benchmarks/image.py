"""The container images: their compressed sizes, the same digests twice, and seconds until the hub's process answers.

The process is started as a container's would be: unpacked, from a root that nobody writes, as no user of the machine's.
`start_s` is `periplus --version`, which loads the command line; `ready_s` is `periplus hub serve` without any data,
until it can commit. Both need root. Two builds take some minutes.

Targets: 32, 105 and 170 MB, nothing that differs, start 0.5 s. Run: make bench ROW=image
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks._row import report
from requirements.images import oci
from requirements.images.build import build
from requirements.images.recipes import HUB_EMBEDDED, IMAGES
from tests.support.boxes import Box, unpacked

VOLUME: Final = "/var/lib/periplus"
ROUNDS: Final = 9
COLD_ROUNDS: Final = 3
TARGET_MB: Final = {"periplus-spoke": 32.0, "periplus-hub": 105.0, "periplus-hub-embedded": 170.0}
TARGET_START_S: Final = 0.5


def compressed_mb(layout: Path) -> float:
    """What a node pulls that has none of its layers."""
    size: int = sum(layer["size"] for layer in oci.manifest(layout)["layers"])
    return round(size / 1e6, 1)


def version_s(box: Box) -> float:
    """Seconds of one start that does nothing."""
    began = time.monotonic()
    subprocess.run(box.command("--version"), env=box.environment(), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def ready_s(box: Box) -> float:
    """Seconds until a hub without data can commit: initdb, migration, leader."""
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name) / "ready.json"
        arguments = [
            "hub",
            "serve",
            "--data-dir",
            "/var/lib/periplus/data",
            "--ready-file",
            "/var/lib/periplus/ready.json",
        ]
        ports = ["--spokes-port", "0", "--api-port", "0", "--metrics-port", "0"]
        volumed = replace(box, volumes={VOLUME: Path(name)})
        began = time.monotonic()
        with volumed.running(*arguments, *ports, log=Path(name) / "hub.log") as process:
            while not ready.exists():
                if process.poll() is not None:
                    sys.exit("the hub of the image ended")
                time.sleep(0.01)
            json.loads(ready.read_text())
            return time.monotonic() - began


def main() -> int:
    """Build twice, start some times, report."""
    with tempfile.TemporaryDirectory() as folder:
        once, again = Path(folder) / "once", Path(folder) / "again"
        digests, second = build(IMAGES, once), build(IMAGES, again)
        measured = {f"{name}_mb": compressed_mb(once / name) for name in digests}
        measured["differing"] = sum(second[name] != digest for name, digest in digests.items())
        box = unpacked(once / HUB_EMBEDDED.name, Path(folder) / "root")
        version_s(box)  # the files are read once before
        measured["start_s"] = round(statistics.median(version_s(box) for _ in range(ROUNDS)), 2)
        measured["ready_s"] = round(statistics.median(ready_s(box) for _ in range(COLD_ROUNDS)), 2)
    target = {f"{name}_mb": bound for name, bound in TARGET_MB.items()} | {"differing": 0, "start_s": TARGET_START_S}
    return 0 if report("image", measured, target) else 1


if __name__ == "__main__":
    sys.exit(main())
