"""Every case of tests/cases/overlaps against real API servers: the answer is the expected one."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.cases.case import Case, read_case, read_folder
from tests.cases.running import running
from tests.cluster.rig.toolchain import Tools

FOLDER = Path(__file__).parents[1] / "cases" / "overlaps"
CASES = {case.id: case for case in map(read_case, read_folder(FOLDER))}


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, tools: Tools) -> Iterator[dict[str, Future[list[str]]]]:
    """All chosen cases, begun at once: they share API servers, and run side by side."""
    chosen = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    cases: list[Case] = [case for name, case in CASES.items() if name in chosen]
    with running(cases, tools) as futures:
        yield {case.id: future for case, future in zip(cases, futures, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_the_expected_one(name: str, found: dict[str, Future[list[str]]]) -> None:
    assert found[name].result() == [], CASES[name].why
