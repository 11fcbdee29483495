"""docs/reference/cli.md: every command of both programs, with options and exit codes."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final

import typer.main

from docs.build import spoke_cli
from docs.build.markdown import code, fenced, page, prose, section, table
from docs.build.source import attribute_docs, module_of
from periplus_hub.api import cli
from periplus_hub.api.cli import exit_codes

# typer keeps its command classes private; they answer these questions as click's always did.
Command = Any

_JSON: Final = """
    Commands with `--json` print one JSON document on standard output, in one style: names of members as in GraphQL;
    words, like a state, in lower case with hyphens; counts as numbers; times in ISO 8601 and UTC; null is unknown.
    Lists are arrays. The same data prints the same bytes: members have one order, clusters and domains are sorted
    by name, ranges by address, overlap groups and what is missing of a cluster worst first, findings by their last
    change and tokens and acceptances by when they were made, newest first. Documents only grow: ignore what you do
    not know. Those of `try`, `demo` and `overlaps` are [the report](try-report.md), which has a schema.
"""
_EVERYWHERE: Final = {"--help", "--install-completion", "--show-completion"}


def render() -> str:
    """The page."""
    return page("Commands", *_hub(), *spoke_cli.sections())


def _hub() -> Iterator[str]:
    root = typer.main.get_command(cli.command_line())
    yield section("periplus", prose(root.help), _usage(root, "periplus"), _exit_codes(exit_codes.Exit), prose(_JSON))
    yield from (_command(path, command) for path, command in _walk(root, "periplus"))


def _walk(group: Command, path: str) -> Iterator[tuple[str, Command]]:
    """Every command below, groups before their members."""
    for name, found in group.commands.items():
        yield f"{path} {name}", found
        if hasattr(found, "commands"):
            yield from _walk(found, f"{path} {name}")


def _command(path: str, command: Command) -> str:
    return section(path, prose(command.help), _usage(command, path), level=3)


def _usage(command: Command, path: str) -> str:
    context = command.context_class(command, info_name=path)
    usage = command.get_usage(context).removeprefix("Usage: ")
    records = (found.get_help_record(context) for found in command.get_params(context) if not found.hidden)
    rows = [(code(_names(name)), text) for name, text in filter(None, records) if name not in _EVERYWHERE]
    return f"{fenced(usage)}\n\n{table(('option', 'meaning'), rows) if rows else ''}"


def _names(record: str) -> str:
    return record.replace("<list[str]>", "<str>").replace(" range>", ">")


def _exit_codes(codes: type[IntEnum]) -> str:
    docs = attribute_docs(module_of(codes))
    rows = [(str(int(found)), found.name.lower(), docs.get(f"{codes.__name__}.{found.name}", "")) for found in codes]
    return table(("exit code", "name", "meaning"), rows)
