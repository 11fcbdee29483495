"""Each check of `periplus doctor` at what is well, what is not, and what cannot be asked."""

import socket
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor import machine
from periplus_hub.api.doctor.checks import Check, State, exit_code
from periplus_hub.api.doctor.database import clock, connections, settings
from periplus_hub.api.doctor.fleet import clocks, expiring, receiving, spokes, versions
from periplus_hub.api.doctor.processes import Process, ask, flows, hub, jobs, version_of
from periplus_hub.api.doctor.repository import Look
from periplus_hub.api.doctor.servers import judged
from periplus_hub.findings.model_receivers import Delivery
from periplus_hub.fleet.model import Liveness
from periplus_hub.kit.some_names import some

from tests.support.certificates import self_signed
from tests.support.clock import START

NOW = START
OK, WARNING, FAILED, UNKNOWN = State.OK, State.WARNING, State.FAILED, State.UNKNOWN


def states(*checks: Check) -> list[State]:
    """And whatever is not well says what to do."""
    assert all(each.remedy for each in checks if each.state is not OK)
    return [each.state for each in checks]


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize(
    ("found", "code"),
    [([OK, OK], 0), ([OK, WARNING], 1), ([OK, UNKNOWN], 1), ([UNKNOWN, FAILED, OK], 2), ([WARNING, FAILED], 2)],
)
def test_unknown_is_never_well(found: Iterable[State], code: int) -> None:
    assert exit_code(Check("a", each, "b") for each in found) == code


def test_many_names_are_counted() -> None:
    assert some([str(each) for each in range(7)], 5) == "0, 1, 2, 3, 4 and 2 more"


def look(**changes: Any) -> Look:
    given: dict[str, Any] = {
        "version": "18.6",
        "now": NOW,
        "role": "periplus",
        "most_connections": 100,
        "reserved": 3,
        "connections": 10,
        "fsync": "on",
        "full_page_writes": "on",
    }
    return Look(**given | changes)


def test_postgresql() -> None:
    assert states(settings(look()), settings(look(fsync="off"))) == [OK, FAILED]
    assert states(clock(look(), NOW), clock(look(now=NOW - timedelta(seconds=9)), NOW)) == [OK, WARNING]
    many = (look(), look(connections=97), look(most_connections=30))
    assert states(*(connections(each, 34) for each in many)) == [OK, FAILED, WARNING]


def cluster(name: str, skew_ms: int | None = 0, version: str = "1.4.2", silent: bool = False) -> Any:
    liveness = Liveness.STALE if silent else Liveness.CONNECTED
    return name, SimpleNamespace(clock_skew_ms=skew_ms, spoke_version=version, liveness=lambda _: liveness)


def test_spokes() -> None:
    assert states(spokes([], NOW), spokes([cluster("a"), cluster("b", silent=True)], NOW)) == [OK, WARNING]
    skews = ([cluster("a", 30_000)], [cluster("a", -31_000)], [cluster("a", None)])
    assert states(*map(clocks, skews)) == [OK, WARNING, UNKNOWN]
    assert "a (-31 s)" in clocks(skews[1]).found
    told = ("1.4.2", "1.2.0", "1.1.9", "1.5.0", "0.9.0", "")
    found = [versions([cluster("a", version=each)], "1.4.0") for each in told]
    assert states(*found) == [OK, OK, WARNING, WARNING, WARNING, UNKNOWN]


def test_tokens_that_end_soon_are_named() -> None:
    ends = (None, NOW + timedelta(days=15), NOW + timedelta(days=13))
    held: list[Any] = [[("ci", SimpleNamespace(expires_at=each))] for each in ends]
    assert states(*(expiring(each, NOW) for each in held)) == [OK, OK, WARNING]


def test_who_takes_no_findings_is_named() -> None:
    failing = Delivery(receiver="pager").failed(NOW, "it answers 500", timedelta(minutes=1))
    told = ([], [("pager", failing.delivered(NOW))], [("pager", failing)])
    assert states(*map(receiving, told)) == [OK, OK, WARNING]
    assert "pager (since 20" in receiving(told[2]).found


def process(ready: dict[str, Any] | None, *samples: tuple[str, dict[str, str], float]) -> Process:
    return Process("127.0.0.1:7990", "" if ready else "nobody there", ready, samples)


LEADS = ("periplus_leader", dict[str, str](), 1.0)
READY = {"status": "ready", "degraded": []}
WAITS = {"status": "ready", "degraded": [{"name": "flows", "detail": "the flow store cannot be used"}]}


def test_what_the_hub_says_of_itself() -> None:
    stopping = {"title": "Not ready", "status": 503, "detail": "the hub is stopping"}
    assert states(*(hub(process(each)) for each in (READY, WAITS, stopping, None))) == [OK, WARNING, FAILED, FAILED]
    config = HubConfig()
    assert states(*(flows(config, process(each)) for each in (READY, WAITS, None))) == [OK, FAILED, UNKNOWN]
    build = ("periplus_build_info", {"version": "1.0", "python": "3.13"}, 1.0)
    found = (version_of(process(READY, build), "1.0"), version_of(process(READY, build), "1.1"))
    assert states(*found, version_of(process(None), "1.0")) == [OK, WARNING, UNKNOWN]


def test_jobs_that_did_not_end_well_for_three_turns_are_late() -> None:
    def job(name: str, interval_s: float, ago_s: float | None) -> Process:
        every = ("periplus_job_interval_seconds", {"job": name}, interval_s)
        last = ("periplus_job_last_success_timestamp_seconds", {"job": name}, NOW.timestamp() - (ago_s or 0))
        return process(READY, every, LEADS, *([last] if ago_s is not None else []))

    found = [job("a", 1, 59), job("a", 1, 61), job("a", 900, 2_699), job("a", 900, 2_701), job("a", 1, None)]
    assert states(*(jobs([each], NOW) for each in found)) == [OK, FAILED, OK, FAILED, FAILED]
    assert states(jobs([job("a", 1, 61), job("a", 1, 1)], NOW)) == [OK], "another replica does it"
    assert states(jobs([process(None)], NOW)) == [UNKNOWN]


@pytest.mark.promise("no-false-all-clear")
def test_jobs_of_processes_that_were_not_asked_are_not_known() -> None:
    well = (
        ("periplus_job_interval_seconds", {"job": "a"}, 900.0),
        (
            "periplus_job_last_success_timestamp_seconds",
            {"job": "a"},
            NOW.timestamp(),
        ),
    )
    leads, follows = process(READY, *well, LEADS), process(READY, *well, ("periplus_leader", {}, 0.0))
    found = ([leads], [leads, follows], [follows], [leads, process(None)], [process(READY, *well)])
    assert states(*(jobs(each, NOW) for each in found)) == [OK, OK, UNKNOWN, UNKNOWN, UNKNOWN]


async def test_a_hub_whose_port_nobody_knows_is_not_known() -> None:
    assert states(hub(await ask("127.0.0.1", 0))) == [UNKNOWN]


async def test_where_nobody_listens_or_nobody_knows_the_port_nothing_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "cannot be reached" in (await ask("0.0.0.0", port)).trouble
    assert "any free one" in (await ask("127.0.0.1", 0)).trouble


def test_a_server_of_the_flow_store() -> None:
    well = {"version": "26.3", "readonly": 0, "stuck_replicas": 0}
    found = (well, {**well, "readonly": 1}, {**well, "stuck_replicas": 2})
    assert states(*map(judged, found)) == [OK, FAILED, FAILED]


def test_folders_and_files_that_others_may_use(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o711)
    (folder / "admin-token").touch(mode=0o600)
    assert states(machine.folders(folder), machine.folders(tmp_path / "none")) == [OK, UNKNOWN]
    (folder / "admin-token").chmod(0o640)
    assert "admin-token has mode 0640" in machine.folders(folder).found
    (folder / "admin-token").chmod(0o600)
    folder.chmod(0o777)
    assert states(machine.folders(folder)) == [FAILED]


def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def free(share: float) -> Check:
        usage = SimpleNamespace(total=10**11, free=int(share * 10**11))
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
        return machine.disk("disk", tmp_path)

    assert states(free(0.5), free(0.09), free(0.02)) == [OK, WARNING, FAILED]
    monkeypatch.undo()
    assert states(machine.disk("disk", tmp_path / "none")) == [UNKNOWN]


def test_flows_on_a_disk_of_their_own_are_looked_at(tmp_path: Path) -> None:
    def names(**store: str) -> set[str]:
        config = HubConfig.model_validate({"data_dir": tmp_path / "hub", **store})
        return {each.name for each in machine.machine(config, NOW)} & {"disk", "flow-disk"}

    assert names() == {"disk"}
    assert names(flow_store_url=f"chdb://{tmp_path}/hub/flows") == {"disk"}
    assert names(flow_store_url=f"chdb://{tmp_path}/flows") == {"disk", "flow-disk"}
    assert names(flow_store_url="clickhouse://store.example.org/flows") == {"disk"}


def test_certificates(tmp_path: Path) -> None:
    crt, key = self_signed(tmp_path, "hub.example.org", since=NOW, days=90)
    key.chmod(0o600)

    def after(days: int) -> Check:
        config = HubConfig(tls_certificate=crt, tls_key=key)
        return machine.certificate(config, NOW + timedelta(days=days))

    assert states(after(60), after(80), after(90)) == [OK, WARNING, FAILED]
    key.chmod(0o604)
    assert "has mode 0604" in after(60).found
    crt.write_text("no PEM")
    assert "holds no certificate" in after(60).found
    crt.unlink()
    assert states(after(60)) == [UNKNOWN]
    assert states(machine.certificate(HubConfig(), NOW)) == [OK]
