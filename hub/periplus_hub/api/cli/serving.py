"""What `--keep` and `periplus demo` print before they serve until Ctrl-C."""

import json
import shlex
import signal
import threading
from typing import Final

from rich.console import Console
from rich.text import Text

from periplus_hub.api.cli.run_fleet import Fleet

EXAMPLE_QUERY: Final = (
    "{ overlapGroups(first: 5) "
    "{ nodes { cidr severity breaks members(first: 10) { nodes { clusterName kind cidr } } } } }"
)


def print_invitation(fleet: Fleet, console: Console) -> None:
    """A GraphQL query with its token, ready to paste."""
    body = json.dumps({"query": EXAMPLE_QUERY})
    command = (
        f"curl -s {fleet.ready.people_url}/graphql -H 'Authorization: Bearer {fleet.token}' "
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
    console.print()
    console.print(Text("Ask it yourself, in GraphQL (paste as it is):", style="bold"))
    console.print(Text(command), soft_wrap=True)
    console.print()
    console.print(Text("Or with the command line:", style="bold"))
    console.print(Text(f"export PERIPLUS_URL={fleet.ready.people_url} PERIPLUS_TOKEN={fleet.token}"), soft_wrap=True)
    console.print(Text("periplus clusters list"))


def serve_until_interrupted(fleet: Fleet, console: Console) -> None:
    """Block until SIGINT or SIGTERM, or until the hub dies."""
    console.print()
    console.print(Text("serving; Ctrl-C stops and removes everything", style="dim"))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    hub = fleet.children.hub
    while not stop.wait(1.0):
        if hub is not None and not hub.running:
            console.print(Text(f"the hub ended:\n{hub.tail()}", style="bold red"))
            return
