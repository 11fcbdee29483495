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
def test_a_stopped_try_removes_its_folder(tmp_path_factory: pytest.TempPathFactory, number: signal.Signals) -> None:
    config = tmp_path_factory.mktemp("config") / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    folder = reachable(tmp_path_factory.mktemp("run"))
    program = "from periplus_hub.api.cli import main; main()"
    command = [sys.executable, "-c", program, "try", "--kubeconfig", str(config)]
    running = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)})
    try:
        until = monotonic() + 60
        while not list(folder.glob("periplus-*/hub")):
            assert running.poll() is None
            assert monotonic() < until
            sleep(0.05)  # another process makes the folder, and tells nobody
        running.send_signal(number)
        assert running.wait(60) == 130
    finally:
        running.kill()
        running.wait()
    assert not list(folder.iterdir())


def reachable(folder: Path) -> Path:
    """As root the embedded PostgreSQL runs as another account, which must pass through."""
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(0o711)
    return folder
