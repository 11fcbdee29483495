"""The command line `periplus`. Every command is listed with its options in docs/reference/cli.md.

A command's module is loaded when the command is: nobody waits for what another one needs.
"""

import importlib
import os
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, TyperException

from periplus_contract.streams import output_problem
from periplus_hub.api.cli.exit_codes import Exit
from periplus_hub.api.cli.output import say, say_labelled, tell

_COMMANDS: Final = {
    "demo": ("demo_command", "demo"),
    "try": ("try_command", "try_fleet"),
    "overlaps": ("overlaps_command", "overlaps"),
    "pools": ("pools_command", "pools"),
    "preflight": ("preflight_command", "preflight"),
    "plan": ("plan_command", "plan"),
    "hub": ("hub_command", "hub_commands"),
    "join-token": ("tokens_command", "join_tokens"),
    "api-token": ("tokens_command", "api_tokens"),
    "sessions": ("sessions_command", "sessions"),
    "login": ("login_command", "login"),
    "logout": ("login_command", "logout"),
    "clusters": ("clusters_command", "clusters"),
    "agents": ("agents_command", "agents"),
    "address": ("address_command", "address"),
    "explain-address": ("explain_address_command", "explain_address"),
    "findings": ("findings_command", "findings"),
    "notify": ("notify_command", "notify"),
    "audit": ("audit_command", "audit"),
    "domains": ("domains_command", "domains"),
    "ranges": ("ranges_group", "ranges"),
    "reach": ("reach_command", "reach"),
    "dependencies": ("dependencies_command", "dependencies"),
    "dependency-map": ("dependency_map_command", "dependency_map"),
    "flows": ("flows_command", "flows"),
    "blast-radius": ("blast_radius_command", "blast_radius"),
    "cluster-links": ("cluster_links_command", "cluster_links"),
    "coverage": ("coverage_command", "coverage"),
    "costs": ("costs_command", "costs"),
    "prices": ("prices_command", "prices_commands"),
    "support-bundle": ("support_bundle_command", "support_bundle"),
    "doctor": ("doctor_command", "doctor"),
    "backup": ("backup_command", "backup"),
    "restore": ("backup_command", "restore"),
}
_EXTRA: Final = {"try": {"allow_extra_args": True}}
"""Commands that say themselves what is wrong with an argument that they do not take."""
_TYPER_USAGE: Final = 2


def command_line(*names: str) -> typer.Typer:
    """The whole command line, or only the commands called `names`."""
    app = typer.Typer(
        name="periplus",
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="Exit codes: 0 done, 1 failed, 2 --fail-on met or pre-flight failed, 64 usage, 130 interrupted.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(root)
    for name in names or _COMMANDS:
        module, attribute = _COMMANDS[name]
        found = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, context_settings=_EXTRA.get(name))(found)
    return app


def _print_version(value: bool) -> None:  # noqa: FBT001 - the shape typer calls an option's callback with
    if value:
        tell(version("periplus-hub"))
        raise typer.Exit


def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The control plane for the networks of Kubernetes fleets."""


def main() -> None:
    """Entry point; turns typer's outcomes into the documented exit codes."""
    code = _run()
    if code == Exit.INTERRUPTED:
        say("interrupted")
    if problem := output_problem():
        say_labelled("error", f"standard output cannot be written: {problem}")
        code = code or int(Exit.FAILED)
    sys.exit(code)


def _run() -> int:
    wanted = [name for name in sys.argv[1:2] if name in _COMMANDS and "_PERIPLUS_COMPLETE" not in os.environ]
    try:
        code = command_line(*wanted)(standalone_mode=False)
    except TyperException as error:
        # typer calls every usage error 2, which is taken by --fail-on here
        usage = error.exit_code == _TYPER_USAGE
        if message := error.format_message().replace("Value error, ", "").expandtabs(2):
            for line in message.splitlines():
                say(line)
        if usage and len(sys.argv) > 1:
            say("See 'periplus --help' and 'periplus COMMAND --help'.")
        return int(Exit.USAGE if usage else Exit.FAILED)
    except (Abort, KeyboardInterrupt):
        return int(Exit.INTERRUPTED)
    return code if isinstance(code, int) else int(Exit.OK)
