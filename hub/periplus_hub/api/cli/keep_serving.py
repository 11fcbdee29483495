"""What `--keep` and `periplus demo` print before they serve until Ctrl-C."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from periplus_contract.streams import is_output_lost
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.stop_signals import StopSignals
from periplus_hub.api.cli.temporary_fleet import Fleet

EXAMPLE_QUERY: Final = (
    "{ overlapGroups(first: 5) "
    "{ nodes { cidr severity breaks members(first: 10) { nodes { clusterName kind cidr } } } } }"
)

_COMMANDS: Final = (
    "clusters list",
    "overlaps --severity conflict",
    "pools",
    "plan --cluster new-cluster --nodes 40 --services 200",
)
"""That say something of every fleet."""


@dataclass(frozen=True, kw_only=True)
class More:
    """What is served beside addresses."""

    query: str = ""
    """In GraphQL; empty for none."""
    commands: tuple[str, ...] = ()
    each_second: Callable[[], None] = lambda: None
    """What goes on while it serves; must not take long, as Ctrl-C waits for it."""


def serve_until_interrupted(fleet: Fleet, *, err: bool, more: More | None = None) -> None:
    """Say where the hub is, and block until a signal says stop; leaves with an error when the hub dies.

    Where nobody reads standard output any more there is nobody to serve, and it returns at once.

    `err` says it on standard error, where standard output is one JSON document.
    """
    more, stop = more or More(), StopSignals()
    for line, is_bold in _invitation(fleet, more):
        tell(line, err=err, bold=is_bold)
    if is_output_lost():
        return
    hub = fleet.children.hub
    while not stop.wait(1.0):
        if hub is not None and not hub.running:
            fail("the hub ended", "Start again; if it happens again, report it with these lines.", log=hub.tail())
        more.each_second()
    tell(err=True)


def _invitation(fleet: Fleet, more: More) -> list[tuple[str, bool]]:
    """GraphQL queries and the command line, each with its token and ready to paste; True for what is bold."""
    url = fleet.ready.api_url
    queries = [EXAMPLE_QUERY, *([more.query] if more.query else [])]
    return [
        ("", False),
        ("Ask it yourself, in GraphQL (paste as it is):", True),
        *((_curl(fleet, query), False) for query in queries),
        ("", False),
        ("Or with the command line, in another terminal:", True),
        (f"export PERIPLUS_URL={url} PERIPLUS_TOKEN={fleet.token}", False),
        *((f"{_program()} {command}", False) for command in (*_COMMANDS, *more.commands)),
        ("", False),
        (f"Serving {url} until Ctrl-C, which stops and removes everything.", True),
    ]


def _curl(fleet: Fleet, query: str) -> str:
    headers = (f"Authorization: Bearer {fleet.token}", "Content-Type: application/json")
    given = [part for header in headers for part in ("-H", header)]
    return shlex.join(["curl", "-sS", f"{fleet.ready.api_url}/graphql", *given, "-d", json.dumps({"query": query})])


def _program() -> str:
    """How this program can be called from the same folder."""
    if shutil.which("periplus"):
        return "periplus"
    beside = Path(sys.argv[0])
    if beside.name == "periplus":
        return shlex.quote(str(beside))
    return f"{shlex.quote(sys.executable)} -m periplus_hub"
