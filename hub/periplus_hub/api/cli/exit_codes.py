"""Exit codes of `periplus`, documented in docs/reference/cli.md and kept stable.

`periplus-spoke` ends with the same numbers (`periplus_spoke.kit.errors`): one number means one thing.
"""

import signal
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NoReturn

import typer

from periplus_hub.api.cli.output import say, say_labelled

STOPPING: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    *(() if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)),
)
"""What ends a command that serves: Ctrl-C, SIGTERM, and a terminal that closes, unless nohup was asked for."""


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    """Done."""
    FAILED = 1
    """The work could not be done; the message says why and what to do. With `--fail-on` also: no overlap is so bad,
    but not all is known: a cluster is incomplete, stale or unread, or the overlaps are not computed or not current; or
    clusters are copies of one, or may be.
    With `doctor` also: nothing is known to be at fault, but somebody should look, or not all could be asked.
    With `plan` also: there is no range, or not all is known. With `--fail-if-reached` also: something is reached, or
    not all is known."""
    THRESHOLD = 2
    """`--fail-on` found an overlap at or above its severity, a rule of pre-flight fails, or `doctor` found a fault."""
    CLUSTER_UNREACHABLE = 3
    """`periplus-spoke`: the Kubernetes API server cannot be read."""
    HUB_REFUSED = 4
    """`periplus-spoke`: the hub refuses this spoke, and waiting does not cure it."""
    USAGE = 64
    """Unknown option or setting, or a bad value."""
    INTERRUPTED = 130
    """Ended before it was done: by Ctrl-C or SIGTERM, or as its terminal was closed."""


def fail(message: str, remedy: str = "", code: Exit = Exit.FAILED, *, log: Sequence[str] = ()) -> NoReturn:
    """Say what failed and what to do, on standard error, and leave. `log` holds lines that tell more."""
    say_labelled("error", message)
    for line in log:
        say(f"    {line}")
    if remedy:
        say_labelled("remedy", remedy)
    raise typer.Exit(int(code))
