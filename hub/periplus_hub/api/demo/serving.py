"""Serve the simulated Kubernetes API on loopback, in a thread of this process."""

import asyncio
import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from periplus_hub.api.demo.fleet import CLUSTERS
from periplus_hub.api.demo.kube_api import SimulatedFleet, kubeconfig


@contextlib.contextmanager
def simulated_kubernetes() -> Iterator[Path]:
    """Serve the simulated API on a free loopback port; yields a kubeconfig for it."""
    fleet = SimulatedFleet(CLUSTERS)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(fleet.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, access_log=False)
    )
    thread = threading.Thread(target=_serve, args=(server, listener), daemon=True)
    thread.start()
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with tempfile.TemporaryDirectory(prefix="periplus-demo-") as folder:
            path = Path(folder) / "kubeconfig"
            _write(path, kubeconfig(base_url, CLUSTERS))
            yield path
    finally:
        server.should_exit = True
        thread.join(timeout=5)


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[listener]))


def _write(path: Path, document: dict[str, Any]) -> None:
    # JSON is YAML, and needs no YAML writer.
    path.write_text(json.dumps(document))
