"""`periplus demo`: twelve simulated clusters, real spokes, a real hub, the real report."""

from typing import Annotated

import typer
from rich.console import Console

from periplus_hub.api.cli import story
from periplus_hub.api.cli.run_fleet import Target, look
from periplus_hub.api.cli.serving import print_invitation, serve_until_interrupted
from periplus_hub.api.cli.try_command import show
from periplus_hub.api.demo.fleet import CLUSTERS


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the report and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Show the main job on a simulated fleet of twelve clusters, then serve until Ctrl-C.

    Real spokes send real batches to a real hub over HTTP; only the Kubernetes API behind the spokes is simulated.
    """
    from periplus_hub.api.demo.serving import simulated_kubernetes  # noqa: PLC0415 - a web server no other command needs

    progress = Console(stderr=True)
    with simulated_kubernetes() as path:
        targets = [Target(cluster.name, cluster.name, path) for cluster in CLUSTERS]
        with look(targets, progress, wait_s=120, prepare=story.tell) as fleet:
            show(fleet.report(joined=False), as_json=as_json)
            if not once:
                print_invitation(fleet, Console(highlight=False))
                serve_until_interrupted(fleet, progress)
