"""The commands of `periplus-spoke`. Imports of weight happen only once the command line is known to be good."""

import argparse
import asyncio
import os
import platform
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from periplus_contract.native_stderr import separate_native_stderr
from periplus_contract.streams import output_problem
from periplus_spoke.kit import memory
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kit.config import SpokeConfig, join_token, load
from periplus_spoke.kit.errors import Exit, SpokeError
from periplus_spoke.kit.logs import set_up
from periplus_spoke.kit.output import say, tell
from periplus_spoke.kit.setting import PREFIX
from periplus_spoke.kit.settings import SETTINGS
from periplus_spoke.kit.version import VERSION

_EXITS: Final = """\
exit codes:
  0  done (once: the hub has everything; run: stopped by SIGTERM or SIGINT)
  1  failed; the message says why and what to do (once: also stopped, or out of time, as while approval is pending)
  3  the Kubernetes API server cannot be read
  4  the hub refuses this spoke, and waiting does not cure it
  64  the command line or configuration is wrong
  130  interrupted by Ctrl-C before it started

Every option can also be given as a variable {prefix}<OPTION> or as a key of the TOML file named with --config:
--state-dir, {prefix}STATE_DIR and state_dir are the same. Flags win over variables, variables over the file."""
_INTRODUCTION: Final = """\
Reads the network facts of one Kubernetes cluster and sends them to a Periplus hub. It only reads (no secrets), keeps
what it has not delivered in its state folder, and connects to nothing but the API server, the hub, and
a Prometheus or Hubble Relay if you name one.
"""
_COMMANDS: Final = {
    "run": "collect and send until stopped: what the Deployment in a cluster runs",
    "node": "read the connections of this node and send them until stopped: what the DaemonSet on each node runs",
    "once": "send one complete picture, wait until the hub has it safe, and end",
    "check": "look at configuration, cluster and hub, say what is missing, change nothing",
}


class _Parser(argparse.ArgumentParser):
    """Ends with our code where argparse has 2."""

    def error(self, message: str) -> NoReturn:
        """A command line that cannot be understood."""
        self.exit(int(Exit.USAGE), f"{self.format_usage()}{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point; ends the process with one of `Exit`."""
    try:
        code = int(run_command(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as ended:  # argparse's way to end after --help, and after a mistake
        code = int(ended.code or Exit.OK)
    if problem := output_problem():
        say(f"periplus-spoke: standard output cannot be written: {problem}")
        code = code or int(Exit.FAILED)
    sys.exit(code)


def run_command(arguments: Sequence[str]) -> Exit:
    """Run one command line; SystemExit only for --help, --version and usage errors."""
    options = command_line().parse_args(arguments)
    given = {setting.name: getattr(options, setting.name) for setting in SETTINGS}
    try:
        flags = {name: value for name, value in given.items() if value is not None}
        config = load(flags, os.environ, options.config, needs_hub=options.command != "check")
        token = join_token(config, os.environ)
        separate_native_stderr()
        set_up(config.log_format, config.log_level)
        memory.prepare()
        return asyncio.run(_command(options, config, token))
    except SpokeError as error:
        say(f"periplus-spoke: {error.message}", *filter(None, [error.remedy]))
        return error.exit_code


async def _command(options: argparse.Namespace, config: SpokeConfig, token: str) -> Exit:
    timer, rng = SystemClock(), random.SystemRandom()
    if options.command == "check":
        from periplus_spoke.checks import check  # noqa: PLC0415 - see the module's docstring

        return await check(config, token, timer, tell)
    if options.command == "node":
        from periplus_spoke.node_agent import NodeAgent, named  # noqa: PLC0415 - see the module's docstring

        await NodeAgent(named(config, platform.node()), token, timer, rng).run()
        return Exit.OK
    from periplus_spoke.agent import Agent  # noqa: PLC0415 - see the module's docstring

    agent = Agent(config, token, timer, rng)
    if options.command == "once":
        await agent.once(accepted=options.accepted, timeout_s=options.timeout)
    else:
        await agent.run()
    return Exit.OK


def command_line() -> argparse.ArgumentParser:
    """All commands and options; the reference is made from it."""
    parser = _Parser(
        prog="periplus-spoke",
        description=_INTRODUCTION,
        epilog=_EXITS.format(prefix=PREFIX),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"periplus-spoke {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(_COMMANDS))
    for name, text in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=_EXITS.format(prefix=PREFIX),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_settings(command)
        if name == "once":
            command.add_argument(
                "--accepted", action="store_true", help="end when the hub has accepted everything, settled or not"
            )
            command.add_argument(
                "--timeout",
                type=seconds,
                default=600.0,
                metavar="SECONDS",
                help="give up after this long (default: 600)",
            )
    return parser


def seconds(text: str) -> float:
    """A time to wait, from the command line; raises ValueError."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="TOML file with any of the options below")
    for setting in SETTINGS:
        default = SpokeConfig.default_of(setting.name)
        shown = "" if default in (None, "", (), False) else f" Default: {default}."
        command.add_argument(
            setting.flag,
            dest=setting.name,
            metavar=setting.name.rpartition("_")[2].upper(),
            nargs="?" if setting.is_switch else None,
            const=True if setting.is_switch else None,
            help=f"{setting.help} Allowed: {setting.allowed}.{shown}",
        )
