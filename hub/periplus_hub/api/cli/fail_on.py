"""`--fail-on`: how a report becomes an exit code, for every command that prints one."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.report import Report, Severity
from periplus_hub.kit.some_names import some

_COPIES: Final = "Do what the finding copied-cluster says ('periplus findings list'), or ask about others."
_NO_ANSWER: Final = "Do what the report says of each, or ask about others."


class FailOn(StrEnum):
    """Severities `--fail-on` takes."""

    CONFLICT = "conflict"
    BLOCKS_FEDERATION = "blocks-federation"
    LATENT = "latent"


FailOnOption = Annotated[
    FailOn | None,
    typer.Option(
        help="For scripts: exit with 2 if an overlap is this bad or worse, else with 1 if not everything is known or "
        "clusters are copies of one."
    ),
]


def leave(report: Report, fail_on: FailOn | None) -> None:
    """End the command as `--fail-on` asks: 0 is said only of what was read whole, computed and current.

    Copies of one cluster have its ranges by nature, and more than ranges in common: who runs them has to know.
    """
    if fail_on is None:
        return
    if report.at_least(Severity(fail_on)):
        raise typer.Exit(int(Exit.THRESHOLD))
    if unknown := report.unknown():
        fail(f"--fail-on {fail_on} has no answer while not all is known: {some(unknown)}", _NO_ANSWER)
    if report.copies:
        fail(f"--fail-on {fail_on}: {report.copies[0]}", _COPIES)
    if not report.fleet:
        fail(f"--fail-on {fail_on} has no answer: there is no cluster", "Join one: 'periplus join-token create'.")
