"""A `periplus try` that is told to stop in the middle leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

KUBECONFIG = {
    "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}],
    "contexts": [{"name": "away", "context": {"cluster": "away", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {}}],
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_try_removes_its_folder(tmp_path: Path, open_folder: Path, number: signal.Signals) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = open_folder / f"try-{number.name}"
    folder.mkdir(mode=0o711)
    program = "from periplus_hub.api.cli import main; main()"
    command = [sys.executable, "-c", program, "try", "--kubeconfig", str(config)]
    running = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, stderr=subprocess.PIPE, text=True)
    try:
        until = monotonic() + 60
        while not list(folder.glob("periplus-*/hub")):
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
