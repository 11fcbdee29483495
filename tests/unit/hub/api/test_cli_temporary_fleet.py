"""What `periplus try` waits for, and what it says of a context that is not settled."""

import errno
import io
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from periplus_hub.api.cli.child_processes import Children, HubReady, SpokeStatus
from periplus_hub.api.cli.exit_codes import STOPPING, Exit
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.report import ClusterState
from periplus_hub.api.cli.temporary_fleet import Fleet, Target, running
from periplus_hub.api.hub_client import HubClient

_URL = "http://127.0.0.1:1"


class Spokes(Children):
    """Spokes that say what they are told to; time passes only as an interval."""

    phases: dict[str, str]

    def status(self, index: int, name: str) -> SpokeStatus:
        del index
        return SpokeStatus(phase=self.phases[name])

    def pause(self, seconds: float = 0.0) -> None:
        del seconds


class Hub:
    """Answers the questions of a report; pods are slow for the first `slow` times."""

    def __init__(self, slow: int = 0, twin: str | None = None, copy: str | None = None) -> None:
        self.slow, self.twin, self.copy = slow, twin, copy

    def ask(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        del variables
        page = {"hasNextPage": False, "endCursor": None}
        if "overlapRegister" in document:
            return {"overlapRegister": {"current": True}}
        if "overlapGroups" in document:
            return {"overlapGroups": {"nodes": [], "pageInfo": page, "asOf": "2026-01-01T00:00:00Z"}}
        self.slow -= 1
        source = {"name": "pods", "state": "SLOW" if self.slow >= 0 else "OK", "reason": "slow", "message": "late"}
        late = self.slow >= 0
        known = {
            "name": "prod",
            "registration": "PENDING" if self.twin is not None else "ACTIVE",
            "state": "INCOMPLETE" if late else "COMPLETE",
            "lastSeenAt": "2026-01-01T00:00:00Z",
            "networkDomain": {"name": "prod"},
            "missing": [{"source": "pods", "state": "SLOW", "reason": "slow", "message": "late", "remedy": "Nothing."}][
                : int(late)
            ],
            "duplicate": self.twin and {"name": self.twin},
            "copies": [{"isToldApart": True, "cluster": {"name": self.copy}}] if self.copy else [],
            "facts": None,
            "counts": None,
            "sources": [source | {"remedy": "Nothing."}],
        }
        return {"clusters": {"nodes": [known], "pageInfo": page}}


def fleet(folder: Path, hub: Hub, phase: str, log: io.StringIO) -> Fleet:
    children = Spokes(folder)
    children.phases = {"prod": phase}
    ready = HubReady(_URL, _URL, _URL, "")
    client = cast("HubClient", hub)
    return Fleet([Target("prod", "prod", "config")], children, ready, client, "", Progress(log))


def test_a_machine_that_starts_no_more_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_more(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", no_more)
    kept = {number: signal.getsignal(number) for number in STOPPING}
    try:
        with (
            pytest.raises(typer.Exit) as left,
            running([Target("prod", "prod", "config")], Progress(io.StringIO())),
        ):
            pass
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert left.value.exit_code == Exit.FAILED
    assert f"can be started: [Errno {errno.EAGAIN}]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_copies_are_told_in_the_report(tmp_path: Path) -> None:
    read = fleet(tmp_path, Hub(copy="rehearsal"), "settled", io.StringIO())
    found = read.report(joined=False, notes=("given",))
    (copies,) = found.copies
    assert copies.startswith("prod, rehearsal have one kube-system uid and no node in common")
    assert found.notes == ("given",)


def test_a_kind_that_is_slow_to_list_is_waited_for(tmp_path: Path) -> None:
    log = io.StringIO()
    patient = fleet(tmp_path, Hub(slow=2), "settled", log)
    patient.wait_settled(60)
    assert log.getvalue().splitlines()[:2] == ["1 of 1 cluster done", "waiting for what is slow to list"]
    (line,) = patient.report(joined=False).clusters
    assert line.state is ClusterState.COMPLETE


def test_when_the_time_is_over_the_rest_is_reported_with_what_helps(tmp_path: Path) -> None:
    hasty = fleet(tmp_path, Hub(slow=1_000), "settled", io.StringIO())
    hasty.wait_settled(0)
    (line,) = hasty.report(joined=False).clusters
    assert (line.state, line.remedy) == (ClusterState.INCOMPLETE, "Give it longer with --wait.")


@pytest.mark.parametrize(("twin", "named"), [("stage", "stage"), ("", "another context")])
def test_a_second_context_of_a_cluster_names_the_first(tmp_path: Path, twin: str | None, named: str) -> None:
    doubled = fleet(tmp_path, Hub(twin=twin), "pending", io.StringIO())
    doubled.wait_settled(60)
    report = doubled.report(joined=False)
    (line,) = report.clusters
    assert (line.reason, line.message) == (
        "same_cluster",
        f"same as {named}: both lead to one cluster, which is read once",
    )
    assert (line.state, report.fleet, report.unknown()) == (ClusterState.PENDING, (), ())
