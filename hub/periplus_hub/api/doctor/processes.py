"""What the hub's processes tell about themselves, at the listener for metrics and health."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import Check, State, unknown
from periplus_hub.kit.http_out import Outbound, OutboundRefusal
from periplus_hub.kit.some_names import some

_OURS: Final = Outbound(allow=(ip_network("0.0.0.0/0"), ip_network("::/0")), max_answer_bytes=16 * 1024**2)
"""What is asked is the hub itself, wherever its settings say that it listens."""
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to ask, not to listen
_TURNS: Final = 3
_LEAST_S: Final = 60.0
"""A job is late after so many of its turns, and not before that time."""
_LAST, _EVERY = "periplus_job_last_success_timestamp_seconds", "periplus_job_interval_seconds"
_LEADS, _BUILD = "periplus_leader", "periplus_build_info"
_ASK_REMEDY: Final = "Run this where the hub runs, with its settings (metrics_host, metrics_port)."


@dataclass(frozen=True, slots=True)
class Process:
    """What one said; `trouble` where it said nothing."""

    place: str
    trouble: str = ""
    ready: Mapping[str, Any] | None = None
    samples: Sequence[tuple[str, Mapping[str, str], float]] = ()
    has_place: bool = True
    """Whether it is known where to ask it."""


def place_of(host: str, port: int) -> str:
    """Where to ask who listens there."""
    there = _EVERYWHERE.get(host, host)
    return f"[{there}]:{port}" if ":" in there else f"{there}:{port}"


async def page_of(place: str, path: str) -> bytes:
    """A page of a process of the hub; raises OutboundRefusal."""
    return (await _OURS.get(f"http://{place}{path}")).body


async def ask(host: str, port: int) -> Process:
    """Both its pages."""
    place = place_of(host, port)
    if not port:
        return Process(place, "its port is any free one, which only its ready file tells", has_place=False)
    try:
        ready, page = [await page_of(place, path) for path in ("/readyz", "/metrics")]
        return Process(place, ready=json.loads(ready), samples=tuple(_samples(page.decode(errors="replace"))))
    except OutboundRefusal as refusal:
        return Process(place, refusal.message)
    except ValueError:
        return Process(place, f"what answers at {place} is no hub")


async def processes(config: HubConfig, now: datetime, hub_version: str) -> list[Check]:
    """Every check of those that should run here."""
    serving = await ask(config.metrics_host, config.metrics_port)
    found = [serving]
    if not config.works:
        found.append(await ask(config.metrics_host, config.work_metrics_port))
    return [hub(serving), flows(config, serving), version_of(serving, hub_version), jobs(found, now)]


def hub(process: Process) -> Check:
    """Whether it takes batches."""
    if not process.has_place:
        return unknown("hub", process.trouble, "Give metrics_port a number.")
    if process.ready is None:
        return Check("hub", State.FAILED, process.trouble, f"Start the hub. {_ASK_REMEDY}")
    if process.ready.get("status") != "ready":
        found = f"it is not ready: {process.ready.get('detail', 'it does not say why')}"
        return Check("hub", State.FAILED, found, "Look at PostgreSQL and at the hub's log.")
    degraded = [f"{each['name']}: {each['detail']}" for each in process.ready.get("degraded", ())]
    if degraded:
        return Check("hub", State.WARNING, "; ".join(degraded), "Look at the hub's log, which has the remedy.")
    return Check("hub", State.OK, f"it is ready, at {process.place}")


def flows(config: HubConfig, process: Process) -> Check:
    """Whether the hub can use the flow store: of an embedded one only the hub itself knows."""
    where = "in the hub's process" if config.flow_store.startswith("chdb:") else "at a server"
    if process.ready is None:
        return unknown("flow-store", "the hub, which uses it, could not be asked", _ASK_REMEDY)
    trouble = [each["detail"] for each in process.ready.get("degraded", ()) if each["name"] == "flows"]
    if trouble:
        return Check("flow-store", State.FAILED, trouble[0], "Look at the flow store, its disk and its log.")
    return Check("flow-store", State.OK, f"the hub loads into it, {where}")


def version_of(process: Process, mine: str) -> Check:
    """Of the process that runs."""
    running = next((labels["version"] for name, labels, _ in process.samples if name == _BUILD), None)
    if running is None:
        return unknown("hub-version", "the hub could not be asked", _ASK_REMEDY)
    if running != mine:
        remedy = "Restart the hub, or use the program of its version."
        return Check("hub-version", State.WARNING, f"the hub runs {running}, and this is {mine}", remedy)
    return Check("hub-version", State.OK, f"the hub runs {running}, as this program")


def jobs(found: Sequence[Process], now: datetime) -> Check:
    """Whether each ended well lately. Another replica may lead that is not asked, and then its jobs are not known."""
    samples = [each for process in found for each in process.samples]
    every = {labels["job"]: value for name, labels, value in samples if name == _EVERY}
    last: dict[str, float] = {}
    for name, labels, value in samples:
        if name == _LAST:
            last[labels["job"]] = max(value, last.get(labels["job"], value))
    late = sorted(
        job
        for job, interval_s in every.items()
        if job not in last or now.timestamp() - last[job] > max(_TURNS * interval_s, _LEAST_S)
    )
    if late:
        remedy = "Look for job_failed in the hub's log."
        return Check("jobs", State.FAILED, f"these did not end well for long: {some(late, 5)}", remedy)
    if silent := [each.place for each in found if each.ready is None]:
        return unknown("jobs", f"not known of what runs at {some(silent)}", _ASK_REMEDY)
    if not any(name == _LEADS and value for name, _, value in samples):
        remedy = "Ask where the process runs that does, or start 'periplus hub work' here."
        return unknown("jobs", "none of the processes here runs the fleet-wide jobs", remedy)
    return Check("jobs", State.OK, f"all {len(every)} ended well lately")


def _samples(page: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in {_LAST, _EVERY, _LEADS, _BUILD}:
                yield sample.name, sample.labels, sample.value
