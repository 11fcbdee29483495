"""`periplus try --preflight`: whether the clusters of a kubeconfig can be joined."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.fail_on import FailOn
from periplus_hub.api.cli.output import tell_json
from periplus_hub.api.cli.preflight_answer import ask_preflight
from periplus_hub.api.cli.preflight_command import Into, targets
from periplus_hub.api.cli.preflight_text import print_preflight
from periplus_hub.api.cli.report import ClusterLine, ClusterState, Report
from periplus_hub.api.cli.tables import standard_output
from periplus_hub.api.hub_client import HubClient

PreflightOption = Annotated[
    list[Into] | None,
    typer.Option(
        help="Say whether the clusters can be joined so; all is every way. Repeatable. It decides the exit code, and "
        "--json prints its document instead of the report."
    ),
]


def one_question(into: Sequence[Into] | None, fail_on: FailOn | None, *, is_watched: bool) -> None:
    """Two would have one exit code."""
    if into and is_watched:
        fail("--preflight and --watch ask about different things", "Ask one after the other.", Exit.USAGE)
    if into and fail_on:
        fail("--preflight and --fail-on both decide the exit code", "Ask one after the other.", Exit.USAGE)


def judge_report(client: HubClient, report: Report, into: Sequence[Into]) -> dict[str, Any]:
    """The document. What the report does not know whole, whatever the hub has of it, passes nothing."""
    known = queries.clusters(client)
    asked = [known[line.name]["id"] for line in report.fleet if line.name in known]
    found = ask_preflight(client, targets(into), asked)
    unjudged = [line.name for line in report.fleet if _is_unjudged(line, known)]
    if unjudged:
        found["notJudged"] = unjudged
        for verdict in (found, *found["ways"]):
            verdict["verdict"] = verdict["verdict"].replace("pass", "unknown")
    return found


def _is_unjudged(line: ClusterLine, known: dict[str, dict[str, Any]]) -> bool:
    """The hub does not know it, or takes for whole what its spoke has not read to the end."""
    if line.state is ClusterState.COMPLETE:
        return False
    return line.name not in known or known[line.name]["state"] == ClusterState.COMPLETE.name


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """After the report, or instead of its document."""
    if as_json:
        tell_json(found)
    else:
        print_preflight(found, standard_output())
