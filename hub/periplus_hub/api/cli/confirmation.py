"""What ends something for good asks first."""

import sys
from typing import Annotated

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.output import ask

YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def confirm(what: str, *, is_sure: bool) -> None:
    """Ask whether to do `what`; leaves when the answer is no, or when nobody is there to give one."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        fail(f"{what}: this asks first, and nobody is there to answer", "Give --yes.", Exit.USAGE)
    if not ask(f"{what}?"):
        fail("nothing was changed")
