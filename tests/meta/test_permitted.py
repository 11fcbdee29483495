"""A test is skipped where the machine refuses what it needs, and a skip for any other reason is a failure."""

import errno

import pytest

from tests.support import permitted

pytest_plugins = ("pytester",)


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makepyfile(f"import pytest\n{body}")
    return pytester.runpytest_inprocess("-pno:asyncio", "-rs", plugins=[permitted])


def refusing(number: int) -> None:
    raise OSError(number, "no")


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What is answered to each need: 0 for all is well."""
    answers = {"luck": 0}
    monkeypatch.setattr(permitted, "PROBES", {"luck": lambda: refusing(answers["luck"]) if answers["luck"] else None})
    monkeypatch.setattr(permitted, "refusal", permitted.refusal.__wrapped__)
    return answers


NEEDS = "@pytest.mark.needs('luck')\n"


def test_what_is_permitted_runs(pytester: pytest.Pytester, probes: dict[str, int]) -> None:
    del probes
    run(pytester, f"{NEEDS}def test_it(): ...").assert_outcomes(passed=1)


def test_what_is_refused_is_skipped_with_the_reason_and_no_fixture_is_made(
    pytester: pytest.Pytester, probes: dict[str, int]
) -> None:
    probes["luck"] = errno.EPERM
    fixture = "@pytest.fixture\ndef broken(): raise AssertionError\n"
    result = run(pytester, f"{fixture}{NEEDS}def test_it(broken): ...\ndef test_other(): ...")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*this machine permits no luck: no"])


@pytest.mark.parametrize("how", ["pytest.skip('tired')", "pytest.importorskip('nothing_of_that_name')"])
@pytest.mark.parametrize("needs", ["", NEEDS])
def test_a_skip_where_nothing_is_refused_is_a_failure(
    pytester: pytest.Pytester, probes: dict[str, int], how: str, needs: str
) -> None:
    del probes
    result = run(pytester, f"{needs}def test_it(): {how}\n@pytest.mark.skip\ndef test_b(): ...")
    result.assert_outcomes(failed=1, errors=1)


def test_a_probe_that_is_broken_refuses_nothing(pytester: pytest.Pytester, probes: dict[str, int]) -> None:
    probes["luck"] = errno.EFAULT
    run(pytester, f"{NEEDS}def test_it(): ...").assert_outcomes(errors=1)


def test_what_fails_as_expected_is_no_skip(pytester: pytest.Pytester, probes: dict[str, int]) -> None:
    del probes
    run(pytester, "@pytest.mark.xfail\ndef test_it(): assert 0").assert_outcomes(xfailed=1)
