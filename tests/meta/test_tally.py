"""`make test` is two pytest runs; what the second one says at its end must be true for both."""

import json
from pathlib import Path

import pytest

from tests.support import tally as plugin

pytest_plugins = ("pytester",)


@pytest.fixture
def quick(pytester: pytest.Pytester) -> Path:
    """A first half: two tests pass, one fails, one is skipped."""
    bodies = {"a": "pass", "b": "pass", "bad": "raise AssertionError", "c": "pytest.skip('a sample')"}
    text = "import pytest\n" + "".join(f"def test_{name}(): {body}\n" for name, body in bodies.items())
    path = pytester.makepyfile(test_quick=text)
    assert run(pytester, "--tally-to=tally.json", path) == (1, "1 failed, 2 passed, 1 skipped")
    return pytester.path / "tally.json"


def run(pytester: pytest.Pytester, option: str, *files: Path) -> tuple[int, str]:
    """Exit code and closing line, without its duration."""
    result = pytester.runpytest_inprocess("-pno:asyncio", option, *files, plugins=[plugin])
    return int(result.ret), result.outlines[-1].strip("= ").rpartition(" in ")[0]


def test_the_second_half_counts_the_first_and_fails_with_it(pytester: pytest.Pytester, quick: Path) -> None:
    second = pytester.makepyfile(test_second="def test_d(): ...")
    result = pytester.runpytest_inprocess("-pno:asyncio", f"--tally-from={quick}", second, plugins=[plugin])
    result.stdout.fnmatch_lines(["*earlier suites*", "FAILED test_quick.py::test_bad"])
    result.assert_outcomes(passed=3, failed=1, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_second_half_that_failed_itself_lists_both(pytester: pytest.Pytester, quick: Path) -> None:
    second = pytester.makepyfile(test_second="def test_d(): assert 0")
    assert run(pytester, f"--tally-from={quick}", second) == (1, "2 failed, 2 passed, 1 skipped")


def test_two_green_halves_are_green(pytester: pytest.Pytester, quick: Path) -> None:
    quick.write_text(json.dumps({"exit": 0, "counts": {"passed": 2}, "listed": []}))
    second = pytester.makepyfile(test_second="def test_d(): ...")
    assert run(pytester, f"--tally-from={quick}", second) == (0, "3 passed")


@pytest.mark.parametrize("content", [None, "", "{}", '{"exit": 0'])
def test_a_first_half_that_died_is_an_error(pytester: pytest.Pytester, content: str | None) -> None:
    tally = pytester.path / "tally.json"
    if content is not None:
        tally.write_text(content)
    second = pytester.makepyfile(test_second="def test_d(): ...")
    assert run(pytester, f"--tally-from={tally}", second) == (1, "1 passed, 1 error")
