"""`periplus demo`: twelve simulated clusters, real spokes, a real hub, the real report."""

from typing import Annotated, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.domain_changes import connect, create_domain, move_clusters
from periplus_hub.api.cli.keep_serving import serve_until_interrupted
from periplus_hub.api.cli.output import say
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.temporary_fleet import Fleet, Target, running
from periplus_hub.api.cli.try_command import printer
from periplus_hub.api.demo.fleet import CLUSTERS, CONNECTIONS, DOMAINS

_PATIENCE_S: Final = 120.0


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the report and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Show the main job on a simulated fleet of twelve clusters, then serve until Ctrl-C.

    Real spokes send real batches to a real hub over HTTP; only the Kubernetes API behind the spokes is simulated.
    """
    from periplus_hub.api.demo.serving import simulated_kubernetes  # noqa: PLC0415 - a web server no other command needs

    with simulated_kubernetes() as path:
        targets = [Target(cluster.name, cluster.name, str(path)) for cluster in CLUSTERS]
        with running(targets, Progress()) as fleet:
            show = printer(as_json=as_json, is_new=True)
            fleet.wait_settled(_PATIENCE_S)
            make_domains(fleet)
            fleet.wait_compared()
            show(fleet.report(joined=False))
            if not once:
                serve_until_interrupted(fleet, err=as_json)
    if not once:
        say("Stopped; nothing is left behind.")


def make_domains(fleet: Fleet) -> None:
    """Put the clusters that came up into their domains, and connect the domains."""
    client = fleet.client
    known = queries.clusters(client)
    domains = {name: cluster["networkDomain"]["id"] for name, cluster in known.items()}
    for domain in DOMAINS:
        members = [known[name]["id"] for name in domain.clusters if name in known]
        domains[domain.name] = create_domain(client, domain.name, domain.description)
        if members:
            move_clusters(client, domains[domain.name], members)
    for link in CONNECTIONS:
        if link.a in domains and link.b in domains:
            connect(client, domains[link.a], domains[link.b], mode=link.mode, note=link.note)
