"""The command line `periplus`. Every command is listed with its options in docs/reference/cli.md."""

import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, TyperException

from periplus_hub.api.cli.clusters_command import clusters, join_tokens
from periplus_hub.api.cli.demo_command import demo
from periplus_hub.api.cli.exits import Exit, errors
from periplus_hub.api.cli.hub_command import hub_commands
from periplus_hub.api.cli.network_command import domains, overlaps
from periplus_hub.api.cli.try_command import try_fleet

app = typer.Typer(
    name="periplus",
    no_args_is_help=True,
    help="The control plane for the networks of Kubernetes fleets.",
    epilog="Exit codes: 0 done, 1 failed, 2 --fail-on met, 64 usage, 130 interrupted.",
    pretty_exceptions_enable=False,
)
app.command("demo")(demo)
app.command("try")(try_fleet)
app.command("overlaps")(overlaps)
app.add_typer(hub_commands, name="hub")
app.add_typer(join_tokens, name="join-token")
app.add_typer(clusters, name="clusters")
app.add_typer(domains, name="domains")

_TYPER_USAGE: Final = 2


def _print_version(value: bool) -> None:  # noqa: FBT001 - the shape typer calls an option's callback with
    if value:
        typer.echo(version("periplus-hub"))
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The control plane for the networks of Kubernetes fleets."""


def main() -> None:
    """Entry point; turns typer's outcomes into the documented exit codes."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        # typer calls every usage error 2, which is taken by --fail-on here
        usage = error.exit_code == _TYPER_USAGE
        errors.print(error.format_message(), markup=False)
        if usage and len(sys.argv) > 1:
            errors.print("See 'periplus --help' and 'periplus COMMAND --help'.")
        sys.exit(int(Exit.USAGE if usage else Exit.FAILED))
    except Abort:
        sys.exit(int(Exit.INTERRUPTED))
    sys.exit(code if isinstance(code, int) else int(Exit.OK))
