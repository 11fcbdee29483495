"""A collector of flows is registered, has a page, and says in every batch what it saw."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from periplus_contract.batch import FlowsMark
from periplus_contract.tables import FLOWS, Kind
from periplus_spoke.collectors.base import Collector, Sink
from periplus_spoke.conversion.records import Sealable, SectionRows

from tests.meta.gates.flow_collectors import REGISTRIES, flow_collectors, pages_of_operators
from tests.meta.gates.source import PACKAGES, modules, parse
from tests.support.clock import START_S
from tests.support.collector_contract import CollectorContract

AGENT = PACKAGES[2]
COLLECTOR = "class Toy:\n    name = 'toy'\n    kind = Kind.FLOWS\n"
MAKES = "def toys():\n    return Toy()\n"
IMPORTS = "from periplus_spoke.collectors.toy import toys\nMAKERS = (toys,)\n"
PAGES = {"flows-toy.md": "# Flows from a toy\n"}
INDEX = "| watch toys | [flows](flows-toy.md) |"


def found(
    registry: str, collector: str = COLLECTOR + MAKES, pages: dict[str, str] = PAGES, index: str = INDEX
) -> list[str]:
    """What the gate says of an agent with this collector and this registry."""
    parsed = [parse(collector, f"{AGENT}/collectors/toy.py"), parse(registry, REGISTRIES[0])]
    return [each.message for each in flow_collectors(parsed, pages, index)]


def test_every_collector_of_flows_is_registered_and_has_a_page() -> None:
    if left := list(flow_collectors(list(modules(AGENT)), *pages_of_operators())):
        pytest.fail("\n".join(map(str, left)), pytrace=False)


def test_without_registries_each_of_them_is_found() -> None:
    agent = [each for each in modules(AGENT) if each.path not in REGISTRIES]
    said = " ".join(each.message for each in flow_collectors(agent, *pages_of_operators()))
    for name in ("ConntrackCollector", "PrometheusFlows", "ExporterFlows", "HubbleCollector"):
        assert f"no registry makes {name}:" in said


@pytest.mark.parametrize(
    ("registry", "collector"),
    [
        (IMPORTS, COLLECTOR + MAKES),
        ("from periplus_spoke.collectors.toy import Toy\nMAKERS = (lambda: Toy(),)\n", COLLECTOR),
        ("", "class Other:\n    name = 'toy'\n    kind = Kind.IPAM\n"),
    ],
)
def test_one_that_a_registry_makes_and_other_kinds_pass(registry: str, collector: str) -> None:
    assert found(registry, collector) == []


@pytest.mark.parametrize(
    ("registry", "collector"),
    [
        ("", COLLECTOR + MAKES),
        (IMPORTS, COLLECTOR + "def toys():\n    return None\n"),
        ("from periplus_spoke.collectors.toy import others\n", COLLECTOR + MAKES),
    ],
)
def test_one_that_is_registered_nowhere_is_found(registry: str, collector: str) -> None:
    [said] = found(registry, collector)
    assert said.startswith("no registry makes Toy")


@pytest.mark.parametrize(
    ("pages", "index"),
    [({}, INDEX), (PAGES, "nothing"), ({"flows-toy.md": "# Flows\n\nof a toy\n"}, INDEX), (PAGES, "[x](flows-top.md)")],
)
def test_one_without_a_page_that_is_linked_is_found(pages: dict[str, str], index: str) -> None:
    [said] = found(IMPORTS, pages=pages, index=index)
    assert "'toy' in a heading" in said


def window(mark: FlowsMark | None, *, start_s: int = START_S, rows: int = 1) -> Sealable:
    section = SectionRows(table=FLOWS, columns={"bytes_tx": array("q", [7] * rows)}, rows=rows)
    return Sealable(kind=Kind.FLOWS, window_start_s=start_s, window_s=60, sections=(section,), flows=mark)


class Toy:
    """Tells one window."""

    name = "toy"
    kind = Kind.FLOWS

    def __init__(self, told: Sealable) -> None:
        self.settled = asyncio.Event()
        self._told = told

    def request_snapshot(self) -> None:
        """The window is over."""

    async def run(self, sink: Sink) -> None:
        await sink.emit(self._told)
        self.settled.set()
        await asyncio.Event().wait()


class ToyContract(CollectorContract):
    """Not collected: its tests are called below."""

    def __init__(self, told: Sealable) -> None:
        self._told = told

    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        del folder
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        yield Toy(self._told)


@pytest.mark.parametrize(
    "told", [window(FlowsMark(observed=1)), window(FlowsMark(observed=2, unmeasured=2)), window(FlowsMark(), rows=0)]
)
async def test_a_batch_that_says_what_was_seen_holds(tmp_path: Path, told: Sealable) -> None:
    await ToyContract(told).test_every_batch_of_flows_says_what_coverage_is_computed_of(tmp_path)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (window(None), "has no FlowsMark"),
        (window(FlowsMark()), "has rows, of nothing that was observed"),
        (window(FlowsMark(observed=1, unmeasured=2)), "has more unmeasured than observed"),
        (window(FlowsMark(observed=1), start_s=START_S + 1), "begins within a minute"),
    ],
)
async def test_a_batch_that_does_not_breaks_the_contract(tmp_path: Path, told: Sealable, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        await ToyContract(told).test_every_batch_of_flows_says_what_coverage_is_computed_of(tmp_path)
