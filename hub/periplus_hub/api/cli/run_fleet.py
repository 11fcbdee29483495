"""Bring up a hub and spokes for a list of contexts, wait until they are settled, and make the report."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exits import fail
from periplus_hub.api.cli.launch import ChildError, Children, HubReady, SpokeStatus, spoke_is_installed
from periplus_hub.api.cli.report import ClusterLine, ClusterState, Report
from periplus_hub.api.client import HubCallError, HubClient

_ENDED: Final = frozenset({"settled", "failed", "pending"})
"""Join tokens here approve by themselves, except a second spoke of one cluster: that one stays pending for good."""
_REGISTER_WAIT_S: Final = 20.0


@dataclass(frozen=True)
class Target:
    """One context to look at, and the cluster name it gets."""

    name: str
    context: str
    kubeconfig: Path


@dataclass
class Fleet:
    """A running hub with its spokes."""

    targets: list[Target]
    children: Children
    ready: HubReady
    client: HubClient
    token: str
    console: Console
    statuses: dict[str, SpokeStatus] = field(default_factory=dict)

    def start_spokes(self) -> None:
        """One join token and one process per target; each token is bound to its cluster's name."""
        for index, target in enumerate(self.targets):
            token = queries.create_join_token(self.client, target.name, auto_approve=True)
            self.children.start_spoke(
                index, target.name, self.ready.spokes_url, token, (target.context, target.kubeconfig)
            )

    def wait_settled(self, timeout_s: float) -> None:
        """Until every spoke has settled or failed, or the time is over. Shows one line of progress."""
        with self.console.status("reading clusters") as line:

            def done() -> bool:
                self.statuses = {
                    target.name: self.children.status(index, target.name) for index, target in enumerate(self.targets)
                }
                ended = sum(status.phase in _ENDED for status in self.statuses.values())
                busy = [
                    f"{name} {status.phase}" for name, status in self.statuses.items() if status.phase not in _ENDED
                ]
                line.update(f"{ended} of {len(self.targets)} clusters read   [dim]{', '.join(busy[:4])}[/]")
                return ended == len(self.targets)

            self.children.wait_for(done, timeout_s)
            line.update("comparing address ranges")
            self.children.wait_for(lambda: queries.register_is_current(self.client), _REGISTER_WAIT_S)

    def report(self, *, joined: bool) -> Report:
        """Ask the hub, and put each context's fate beside it."""
        known = queries.clusters(self.client)
        lines = tuple(self._line(target, known.get(target.name)) for target in self.targets)
        groups, as_of = queries.overlap_groups(self.client, joined=joined)
        return Report(clusters=lines, groups=groups, joined=joined, as_of=as_of)

    def _line(self, target: Target, known: dict[str, Any] | None) -> ClusterLine:
        status = self.statuses.get(target.name, SpokeStatus())
        line = queries.cluster_line(target.name, target.context, known)
        if status.phase == "settled":
            return line
        reason = status.reason
        if status.phase == "failed":
            state, message, remedy = ClusterState.FAILED, status.message, status.remedy
        elif status.phase == "pending":
            state, reason = ClusterState.FAILED, "same_cluster"
            message = "it leads to a cluster that another context already reaches"
            remedy = "Nothing, or leave one of the two out with --context."
        else:
            state = ClusterState.SLOW
            message = status.message or f"still {status.phase} when the time was over"
            remedy = status.remedy or "Give it longer with --wait."
        return ClusterLine(
            name=line.name,
            context=line.context,
            state=state,
            reason=reason or state,
            message=message,
            remedy=remedy,
        )


@contextlib.contextmanager
def running(targets: list[Target], console: Console) -> Iterator[Fleet]:
    """Start everything for `targets`; stops it and removes the folder on the way out."""
    if not spoke_is_installed():
        fail("the spoke agent is not installed here", "Install the package periplus-spoke beside periplus-hub.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: nothing stays behind
    root = Path(tempfile.mkdtemp(prefix="periplus-"))
    root.chmod(0o711)  # as root the embedded PostgreSQL runs as another account, which must pass through
    children = Children(root)
    try:
        with console.status("starting the hub"):
            ready = children.start_hub()
        token = Path(ready.admin_token_file).read_text(encoding="ascii").strip()
        with HubClient(ready.people_url, token) as client:
            yield Fleet(targets, children, ready, client, token, console)
    except ChildError as error:
        fail(error.message, error.remedy)
    except HubCallError as error:
        fail(error.message, error.remedy)
    finally:
        children.close()
        shutil.rmtree(root, ignore_errors=True)


def look(
    targets: list[Target], console: Console, *, wait_s: float, prepare: Callable[[Fleet], None] | None = None
) -> "contextlib.AbstractContextManager[Fleet]":
    """A fleet whose spokes have been started and waited for; `prepare` runs once they are in."""

    @contextlib.contextmanager
    def opened() -> Iterator[Fleet]:
        with running(targets, console) as fleet:
            fleet.start_spokes()
            fleet.wait_settled(wait_s)
            if prepare is not None:
                prepare(fleet)
                fleet.wait_settled(wait_s)
            yield fleet

    return opened()
