"""Builds the programs of the cluster suite into a cache: `python -m tests.cluster.rig.build`."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.rig.golang import Go, Report, ToolchainError, find_go
from tests.cluster.rig.toolchain import (
    ASSETS_VARIABLE,
    CONTROL_PLANE,
    CRANE,
    HELM,
    HUBBLE,
    KWOK,
    PROMETHEUS,
    STAGES_FILE,
    Module,
    Tools,
    assets_folder,
    cache_root,
    read_stages,
)

_PROGRESS_EVERY_S = 10.0


def ensure_tools(report: Report, *, jobs: int | None = None) -> Tools:
    """The programs, built first if need be: ten minutes when nothing is cached, else nothing."""
    assets, missing = assets_folder()
    if assets is not None and not missing:
        return _tools_from_assets(assets, report)
    if missing:
        report(f"{ASSETS_VARIABLE} lacks {', '.join(missing)}: building instead")
    folders = _ensure_built(CONTROL_PLANE, report, jobs)
    return Tools(_binaries(folders), folders[KWOK] / STAGES_FILE)


def ensure_prometheus(report: Report, *, jobs: int | None = None) -> Mapping[str, Path]:
    """A Prometheus and its promtool by name, built first if need be: only who asks for them waits for them."""
    return _binaries(_ensure_built((PROMETHEUS,), report, jobs))


def ensure_helm(report: Report, *, jobs: int | None = None) -> Path:
    """Helm, built first if need be: two minutes."""
    return _binaries(_ensure_built((HELM,), report, jobs))[HELM.name]


def ensure_crane(report: Report, *, jobs: int | None = None) -> Path:
    """What pushes images, and is a registry; built first if need be: half a minute."""
    return _binaries(_ensure_built((CRANE,), report, jobs))["crane"]


def ensure_hubble(report: Report, *, jobs: int | None = None) -> Mapping[str, Path]:
    """Hubble Relay and the server that stands for Cilium's nodes, by name; built first if need be: five minutes."""
    return _binaries(_ensure_built((HUBBLE,), report, jobs))


def _ensure_built(modules: Sequence[Module], report: Report, jobs: int | None) -> Mapping[Module, Path]:
    """The folder of each module's binaries."""
    cache = cache_root()
    go = find_go(cache, report)
    folders = {module: module.cache_folder(cache, go) for module in modules}
    if not all(folder.is_dir() for folder in folders.values()):
        with _only_one(cache, report):
            for module, folder in folders.items():
                # Asked again under the lock: the build waited for may have made it.
                if not folder.is_dir():
                    _build(module, folder, go=go, jobs=jobs, report=report)
    return folders


def _binaries(folders: Mapping[Module, Path]) -> dict[str, Path]:
    return {name: folder / name for module, folder in folders.items() for name in module.packages}


def _tools_from_assets(assets: Path, report: Report) -> Tools:
    binaries = {name: assets / name for module in CONTROL_PLANE for name in module.packages}
    stages = assets / STAGES_FILE
    if not stages.is_file():
        cache = cache_root()
        go = find_go(cache, report)
        stages = KWOK.cache_folder(cache, go).with_suffix(".stages.yaml")
        partial = stages.with_name(f"{stages.name}.partial-{os.getpid()}")
        _download(KWOK, go)
        partial.write_text(read_stages(go))
        partial.rename(stages)
    return Tools(binaries, stages)


@contextmanager
def _only_one(cache: Path, report: Report) -> Iterator[None]:
    """Two builds at once would fight for both cores; the kernel drops the lock of a dead one."""
    with (cache / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build of the tools")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(module: Module, folder: Path, *, go: Go, jobs: int | None, report: Report) -> None:
    for left_over in folder.parent.glob(f"{module.name}-*.partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial.mkdir()
    report(f"{module.name} {module.version}: building with {go.version}")
    for name, package in module.packages.items():
        command = [str(go.binary), "build", "-v", "-trimpath", "-tags", module.tags]
        command += ["-ldflags", module.linker_flags()]
        command += ["-p", str(jobs)] if jobs else []
        command += ["-o", str(partial / name), package]
        _run_with_progress(name, command, cwd=module.folder, go=go, report=report)
    if module is KWOK:
        (partial / STAGES_FILE).write_text(read_stages(go))
    partial.rename(folder)


def _download(module: Module, go: Go) -> None:
    go.output("mod", "download", module.pinned, cwd=module.folder)


def _run_with_progress(name: str, command: Sequence[str], *, cwd: Path, go: Go, report: Report) -> None:
    log = Path(command[command.index("-o") + 1]).with_suffix(".log")
    began = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=cwd, env=go.environment(), stderr=sink)
        try:
            while _still_running(process):
                report(f"{name}: {_count_lines(log)} packages, {time.monotonic() - began:.0f} s")
        finally:
            # An interrupted build must not go on behind the back of whoever stopped it.
            process.kill()
            process.wait()
    if process.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        message = f"building {name} failed:\n{tail}"
        raise ToolchainError(message)
    report(f"{name}: done in {time.monotonic() - began:.0f} s")
    log.unlink()


def _still_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_PROGRESS_EVERY_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _count_lines(log: Path) -> int:
    # `go build -v` names each package as it is compiled.
    return log.read_bytes().count(b"\n")


def main() -> int:
    """The command line; prints progress with the seconds since it began."""
    parser = argparse.ArgumentParser(
        description="Build the programs of the cluster suite: a control plane, Helm, crane, a Prometheus, and Hubble."
    )
    parser.add_argument("--jobs", type=int, help="compilers at once (default: one per core)")
    arguments = parser.parse_args()
    began = time.monotonic()

    def report(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    try:
        built = {
            **ensure_tools(report, jobs=arguments.jobs).binaries,
            HELM.name: ensure_helm(report, jobs=arguments.jobs),
            "crane": ensure_crane(report, jobs=arguments.jobs),
            **ensure_prometheus(report, jobs=arguments.jobs),
            **ensure_hubble(report, jobs=arguments.jobs),
        }
    except ToolchainError as error:
        print(error, file=sys.stderr)
        return 1
    for name, path in built.items():
        report(f"{name}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
