"""`periplus demo`: twelve simulated clusters, real spokes, a real hub, the real report, and who talks to whom."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import dependencies_command, queries
from periplus_hub.api.cli.domain_changes import connect
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.cli.keep_serving import More, serve_until_interrupted
from periplus_hub.api.cli.output import say, tell, tell_json
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.report import Report
from periplus_hub.api.cli.temporary_fleet import Fleet, Target, running
from periplus_hub.api.cli.try_command import printer
from periplus_hub.api.demo.fleet import CLUSTERS, CONNECTIONS, DOMAINS
from periplus_hub.kit.clock import SystemClock

_PATIENCE_S: Final = 120.0


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the report and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Show on a simulated fleet of twelve clusters which addresses collide and who talks to whom, until Ctrl-C.

    Real spokes send real batches to a real hub over HTTP; only the Kubernetes API behind the spokes, and what agents of
    nodes see pass, is simulated.
    """
    from periplus_hub.api.demo.serving import simulated_kubernetes  # noqa: PLC0415 - a web server no other command needs

    with simulated_kubernetes() as path, running(_targets(str(path)), Progress()) as fleet:
        show = None if as_json else printer(as_json=False, is_new=True)
        fleet.wait_settled(_PATIENCE_S)
        connect_domains(fleet)
        fleet.wait_compared()
        more = _show(fleet, fleet.report(joined=False), show)
        if not once:
            serve_until_interrupted(fleet, err=as_json, more=more)
    if not once:
        say("Stopped; nothing is left behind.")


def _targets(kubeconfig: str) -> list[Target]:
    """Each in its domain from its beginning: whose an address was is asked about the hours before, too."""
    domain_of = {name: domain for domain in DOMAINS for name in domain.clusters}
    found = []
    for cluster in CLUSTERS:
        domain = domain_of.get(cluster.name)
        landing = ("", "") if domain is None else (domain.name, domain.description)
        found.append(Target(cluster.name, cluster.name, kubeconfig, *landing))
    return found


def _show(fleet: Fleet, report: Report, show: Callable[[Report], None] | None) -> More:
    """The report at once, and who talks to whom when it is known; as JSON, both in one document."""
    from periplus_hub.api.cli import demo_flows  # noqa: PLC0415 - loads a second, and the report need not wait for it

    if show is not None:
        show(report)
    flows = demo_flows.DemoFlows(fleet, SystemClock())
    flows.begin()
    found: dict[str, Any] = flows.dependencies()
    if show is None:
        tell_json(report.document() | {"dependencies": document(found)})
    else:
        tell()
        tell("Who talks to whom across clusters, in the last hours:", bold=True)
        dependencies_command.show(found, demo_flows.ORDER)
        tell(demo_flows.TO_SEE)
    return More(query=demo_flows.QUERY, commands=demo_flows.COMMANDS, each_second=flows.each_second)


def connect_domains(fleet: Fleet) -> None:
    """Say how the domains of the clusters that came up are connected."""
    domains: dict[str, str] = {}
    for name, cluster in queries.clusters(fleet.client).items():
        domain = cluster["networkDomain"]
        domains |= {name: domain["id"], domain["name"]: domain["id"]}
    for link in CONNECTIONS:
        if link.a in domains and link.b in domains:
            connect(fleet.client, domains[link.a], domains[link.b], mode=link.mode, note=link.note)
