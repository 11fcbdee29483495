"""A `periplus try` leaves nothing behind: not at its end, and not when it is told to stop in the middle."""

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from periplus_hub.api.cli.temporary_folders import is_abandoned

from tests.support.certificates import self_signed
from tests.support.commands import AS_AT_A_TERMINAL, periplus

KUBECONFIG = {
    "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}],
    "contexts": [{"name": "away", "context": {"cluster": "away", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {}}],
}


UNDER_NOHUP = AS_AT_A_TERMINAL.replace("from periplus", "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom periplus")


@pytest.mark.promise("try-leaves-nothing")
def test_no_file_of_a_credential_outlives_it(tmp_path: Path, open_folder: Path) -> None:
    """A client's key becomes a file, as TLS takes nothing else."""
    config = tmp_path / "kubeconfig"
    certificate, key = (base64.b64encode(file.read_bytes()).decode() for file in self_signed(tmp_path, "127.0.0.1"))
    user = {"client-certificate-data": certificate, "client-key-data": key}
    cluster = {"server": "https://127.0.0.1:9", "certificate-authority-data": certificate}
    listed = {"clusters": [{"name": "away", "cluster": cluster}], "users": [{"name": "nobody", "user": user}]}
    config.write_text(json.dumps(KUBECONFIG | listed))
    folder = open_folder / "try-key"
    folder.mkdir(mode=0o711)
    ended = periplus("try", "--kubeconfig", str(config), home=tmp_path, TMPDIR=str(folder))
    assert "[unreachable]" in ended.out
    assert not list(folder.iterdir())


@pytest.mark.parametrize("started", ["hub", "hub/postgres/PG_VERSION"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_try_removes_its_folder(
    tmp_path: Path, open_folder: Path, number: signal.Signals, started: str
) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = open_folder / f"try-{number.name}-{started.count('/')}"
    folder.mkdir(mode=0o711)
    command = [sys.executable, "-c", AS_AT_A_TERMINAL, "try", "--kubeconfig", str(config)]
    running = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, stderr=subprocess.PIPE, text=True)
    try:
        until = monotonic() + 60
        while not list(folder.glob(f"periplus-*/{started}")):
            assert running.poll() is None
            assert monotonic() < until
            sleep(0.05)  # another process makes the folder, and tells nobody
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130
    finally:
        running.kill()
        running.wait()
    assert not list(folder.iterdir())
    assert said.splitlines() == ["starting a hub and 1 read-only spoke", *said.splitlines()[1:-1], "interrupted"]
    assert "stopping, and removing everything" in said


def test_under_nohup_a_terminal_that_closes_stops_nothing(tmp_path: Path, open_folder: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = open_folder / "try-nohup"
    folder.mkdir(mode=0o711)
    command = [sys.executable, "-c", UNDER_NOHUP, "try", "--kubeconfig", str(config)]
    running = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until = monotonic() + 60
        while not list(folder.glob("periplus-*/hub")):
            assert monotonic() < until
            sleep(0.05)  # another process makes the folder, and tells nobody
        running.send_signal(signal.SIGHUP)
        shown, _ = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 1  # as of a fleet of which nothing could be read
    assert "[unreachable]" in shown
    assert not list(folder.iterdir())


@pytest.mark.promise("try-leaves-nothing")
def test_what_a_killed_try_left_goes_with_the_next(tmp_path: Path, open_folder: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = open_folder / "try-killed"
    folder.mkdir(mode=0o711)
    other = folder / "periplus-of-somebody"
    other.mkdir()
    command = [sys.executable, "-m", "periplus_hub", "try", "--kubeconfig", str(config)]
    running = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, stderr=subprocess.DEVNULL)
    try:
        until = monotonic() + 60
        while not list(folder.glob("periplus-*/hub/postgres/PG_VERSION")):
            assert monotonic() < until
            sleep(0.05)  # another process makes the folder, and tells nobody
    finally:
        running.kill()
        running.wait()
    (left,) = (path for path in folder.iterdir() if path != other)
    until = monotonic() + 60
    while not is_abandoned(left):
        assert monotonic() < until
        sleep(0.05)  # its hub, which nobody waits for any more, still stops
    ended = periplus("try", "--kubeconfig", str(config), home=tmp_path, TMPDIR=str(folder))
    assert f"removed 1 folder in {folder} that a killed run had left" in ended.err
    assert list(folder.iterdir()) == [other]


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path, open_folder: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = open_folder / "try-full"
    folder.mkdir(mode=0o711)
    command = [sys.executable, "-m", "periplus_hub", "try", "--kubeconfig", str(config)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command,
            env=os.environ | {"TMPDIR": str(folder)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert "error standard output cannot be written: No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(folder.iterdir())
