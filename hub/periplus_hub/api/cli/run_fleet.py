"""Bring up a hub and spokes for a list of contexts, wait until they are settled, and make the report."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exits import STOPPING, fail, say
from periplus_hub.api.cli.launch import ChildError, Children, HubReady, SpokeStatus, spoke_is_installed
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.report import ClusterLine, ClusterState, Report
from periplus_hub.api.client import HubCallError, HubClient
from periplus_hub.fleet import secrets

_ENDED: Final = frozenset({"settled", "failed", "pending"})
"""Join tokens here approve by themselves, except a second spoke of one cluster: that one stays pending for good."""
_REGISTER_WAIT_S: Final = 20.0
_SHOWN: Final = 3


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
    progress: Progress
    statuses: dict[str, SpokeStatus] = field(default_factory=dict)

    def wait_settled(self, timeout_s: float) -> None:
        """Until every spoke has settled or failed, or the time is over."""
        self.children.wait_for(self._all_ended, timeout_s)
        self.wait_compared()

    def wait_compared(self) -> None:
        """Until the overlap register includes every change."""
        self.progress.show("comparing address ranges")
        self.children.wait_for(lambda: queries.register_is_current(self.client), _REGISTER_WAIT_S)
        self.progress.clear()

    def _all_ended(self) -> bool:
        self.statuses = {
            target.name: self.children.status(index, target.name) for index, target in enumerate(self.targets)
        }
        busy = [f"{name} {status.phase}" for name, status in self.statuses.items() if status.phase not in _ENDED]
        ended = len(self.targets) - len(busy)
        more = f" and {len(busy) - _SHOWN} more" if len(busy) > _SHOWN else ""
        self.progress.show(f"{ended} of {len(self.targets)} clusters read", ", ".join(busy[:_SHOWN]) + more)
        return not busy

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
def running(targets: list[Target], progress: Progress) -> Iterator[Fleet]:
    """Start a hub and a spoke per target, all at once; stops them and removes their folder on the way out."""
    if not spoke_is_installed():
        fail("the spoke agent is not installed here", "Install the package periplus-spoke beside periplus-hub.")
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)  # ends like Ctrl-C: nothing stays behind
    root = Path(tempfile.mkdtemp(prefix="periplus-"))
    children = Children(root)
    try:
        root.chmod(0o711)  # as root the embedded PostgreSQL runs as another account, which must pass through
        step = f"starting a hub and {_count(len(targets), 'read-only spoke')}"
        progress.show(step)
        _start(children, targets)
        ready = children.wait_ready(lambda: progress.show(step))
        token = Path(ready.admin_token_file).read_text(encoding="ascii").strip()
        with HubClient(ready.people_url, token) as client:
            yield Fleet(targets, children, ready, client, token, progress)
    except (ChildError, HubCallError) as error:
        progress.clear()
        fail(error.message, error.remedy)
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind either
        progress.show("stopping, and removing everything")
        children.close()
        gone = children.remove_folder()
        progress.clear()
        if not gone:
            say(f"{root} could not be removed whole; remove it by hand.")


def _start(children: Children, targets: list[Target]) -> None:
    """Each token is bound to its cluster's name. Spokes read their clusters while the hub starts."""
    tokens = {target.name: secrets.mint(secrets.JOIN_PREFIX).text for target in targets}
    url = children.start_hub(tokens)
    for index, target in enumerate(targets):
        children.start_spoke(index, target.name, url, tokens[target.name], (target.context, target.kubeconfig))


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
