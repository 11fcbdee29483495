"""The command lines that pages show exist, with the options they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from periplus_hub.api import cli
from periplus_spoke.main import command_line

from tests.meta.gates.source import repository_files
from tests.support.shown_commands import lines_shown

GENERATED = "docs/reference/cli.md"


def shown(text: str) -> Iterator[list[str]]:
    """The words of each command line of ours inside the code blocks of `text`."""
    for line in lines_shown(text):
        command = line.partition("&&")[0].strip().removeprefix(".venv/bin/")
        if re.match(r"periplus(-spoke)? [a-z-]", command) and "PERIPLUS" not in command:
            yield shlex.split(command)


def fault(words: list[str]) -> str:
    """What no program of ours would understand; empty when all is well."""
    program, *rest = words
    if program == "periplus-spoke":
        return _spoke_fault(rest)
    command: Any = typer.main.get_command(cli.command_line())
    while rest and hasattr(command, "commands"):
        name, *rest = rest
        if name.startswith("--"):
            return "" if name in _options(command) else name
        if name not in command.commands:
            return name
        command = command.commands[name]
    return next(
        (word for word in rest if word.startswith("--") and word.partition("=")[0] not in _options(command)), ""
    )


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


def _spoke_fault(words: list[str]) -> str:
    try:
        command_line().parse_args(words)
    except SystemExit as left:
        return "" if left.code in (0, None) else " ".join(words)
    return ""


def pages() -> list[Path]:
    return [path for path in repository_files() if path.suffix == ".md" and not path.match(GENERATED)]


def test_every_command_line_shown_is_one() -> None:
    found = [(path, words) for path in pages() for words in shown(path.read_text(encoding="utf-8"))]
    assert [f"{path.name}: {' '.join(words)}" for path, words in found if fault(words)] == []
    assert len(found) > 10


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("periplus try --joined", ""),
        ("periplus clusters list --no-such", "--no-such"),
        ("periplus clusters fly", "fly"),
        ("periplus --version", ""),
        ("periplus-spoke run --hub http://h --no-such", "run --hub http://h --no-such"),
        ("periplus-spoke check --context a", ""),
    ],
)
def test_what_does_not_exist_is_found(line: str, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    [words] = shown(f"```\n{line}  # a comment\n```\n")
    assert fault(words) == wrong
