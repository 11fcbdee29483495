"""The embedded hub: seconds from nothing to ready, and resident memory of all its processes when idle.

Run: make bench ROW=hub
"""

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks._row import report

ROUNDS: Final = 3
IDLE_S: Final = 10.0
TARGET_READY_S: Final = 5.0
TARGET_RSS_MIB: Final = 600
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Hub:
    """Where a hub listens, and who asks."""

    spokes: str
    api: str
    metrics: str
    token: str
    pid: int


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """It is gone behind the block."""
    with tempfile.TemporaryDirectory() as name:
        # traversable for the account PostgreSQL runs as when this is root
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Hub]:
    """An all-in-one hub in an empty folder, which keeps its data in `data` there. It has ended behind the block."""
    process, _ = start(folder)
    try:
        ready = json.loads((folder / "ready.json").read_text())
        token = Path(ready["admin_token_file"]).read_text(encoding="utf-8").strip()
        yield Hub(ready["spokes_url"], ready["api_url"], ready["metrics_url"], token, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def start(folder: Path) -> tuple["subprocess.Popen[bytes]", float]:
    """Start an all-in-one hub in an empty folder; returns it with the seconds until it could commit."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "periplus_hub", "hub", "serve", "--all-in-one", "--data-dir", str(folder / "data")]
    command += ["--spokes-port", "0", "--api-port", "0", "--metrics-port", "0", "--ready-file", str(ready)]
    with (folder / "hub.log").open("wb") as log:
        began = time.monotonic()
        hub = subprocess.Popen(command, stdout=log, stderr=log)
    while not ready.exists():
        if hub.poll() is not None:
            sys.exit((folder / "hub.log").read_text())
        time.sleep(0.01)
    json.loads(ready.read_text())
    return hub, time.monotonic() - began


def memory_mib(pid: int) -> dict[str, float]:
    """Resident and proportional MiB of the process and all below it.

    Resident counts PostgreSQL's shared pages once per backend; proportional counts every page once.
    """
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    full = [process.memory_full_info() for process in processes]
    return {
        "rss_mib": round(sum(info.rss for info in full) / _MIB, 1),
        "pss_mib": round(sum(info.pss for info in full) / _MIB, 1),
        "processes": len(processes),
    }


def main() -> int:
    """Median ready time of some cold starts; memory of the last one after it has been idle."""
    ready, memory = [], {}
    for _ in range(ROUNDS):
        with empty_folder() as folder:
            hub, seconds = start(folder)
            ready.append(seconds)
            if len(ready) == ROUNDS:
                time.sleep(IDLE_S)
                memory = memory_mib(hub.pid)
            hub.send_signal(signal.SIGTERM)
            hub.wait(30)
    measured = {"ready_s": round(statistics.median(ready), 2)} | memory
    return int(not report("hub", measured, {"ready_s": TARGET_READY_S, "rss_mib": TARGET_RSS_MIB}))


if __name__ == "__main__":
    sys.exit(main())
