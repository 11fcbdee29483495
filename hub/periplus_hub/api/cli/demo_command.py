"""`periplus demo`: twelve simulated clusters, real spokes, a real hub, the real report."""

import asyncio
import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from periplus_hub.api.cli import story
from periplus_hub.api.cli.run_fleet import Target, look
from periplus_hub.api.cli.serving import print_invitation, serve_until_interrupted
from periplus_hub.api.cli.try_command import show
from periplus_hub.api.demo.fleet import CLUSTERS
from periplus_hub.api.demo.kube_api import SimulatedFleet, kubeconfig


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the report and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Show the main job on a simulated fleet of twelve clusters, then serve until Ctrl-C.

    Real spokes send real batches to a real hub over HTTP; only the Kubernetes API behind the spokes is simulated.
    """
    progress = Console(stderr=True)
    with simulated_kubernetes() as path:
        targets = [Target(cluster.name, cluster.name, path) for cluster in CLUSTERS]
        with look(targets, progress, wait_s=120, prepare=story.tell) as fleet:
            show(fleet.report(joined=False), as_json=as_json)
            if not once:
                print_invitation(fleet, Console(highlight=False))
                serve_until_interrupted(fleet, progress)


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
