"""The part of docs/reference/cli.md about `periplus-spoke`."""

import argparse
from collections.abc import Iterator

from docs.build.markdown import code, fenced, prose, section, table
from periplus_spoke.kit.settings import SETTINGS
from periplus_spoke.main import command_line


def sections() -> Iterator[str]:
    """The program, then each command with what is its own."""
    parser = command_line()
    yield section("periplus-spoke", prose(parser.description), fenced(parser.epilog or ""))
    for name, command in _commands(parser).items():
        yield section(f"periplus-spoke {name}", prose(command.description), _options(command), level=3)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse shows its arguments nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            found |= action.choices
    return found


def _options(command: argparse.ArgumentParser) -> str:
    """Those that are no setting: settings have a page of their own."""
    shared = {setting.flag for setting in SETTINGS}
    rows = [
        (code(f"{action.option_strings[0]} {action.metavar or ''}".strip()), action.help or "")
        for action in command._actions  # noqa: SLF001 - as above
        if not shared.intersection(action.option_strings) and action.dest != "help"
    ]
    rest = "And every setting of [configuration](configuration.md#spoke) as an option."
    return f"{table(('option', 'meaning'), rows)}\n\n{rest}"
