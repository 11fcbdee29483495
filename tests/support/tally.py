"""Lets two pytest runs close as one: a plugin, loaded by `-p tests.support.tally`.

`make test` runs the quick suites in parallel and then, once the control plane is built, the cluster suite alone. The
first run writes its outcomes with `--tally-to`; the second reads them with `--tally-from`, counts them into its own
closing line and fails when the first one failed.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from _pytest.terminal import TerminalReporter

_COUNTED: Final = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
_LISTED: Final = ("failed", "error")


class Tally(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a run ended: its exit code, how many tests per outcome, and which ones went wrong."""

    exit: int
    counts: dict[str, int]
    listed: list[str]


NO_TALLY: Final = Tally(1, {"error": 1}, ["the earlier suites ended without a tally"])


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for each half."""
    group = parser.getgroup("tally", "closing two runs as one")
    group.addoption("--tally-to", type=Path, metavar="FILE", help="write the outcomes of this run")
    group.addoption("--tally-from", type=Path, metavar="FILE", help="count in the outcomes of an earlier run")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes this run's outcomes, or takes over the failure of the earlier one."""
    target: Path | None = session.config.option.tally_to
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if target is not None and isinstance(reporter, TerminalReporter):
        target.write_bytes(msgspec.json.encode(_tally(reporter, int(exitstatus))))
    earlier = _earlier(session.config)
    if earlier is not None and earlier.exit != 0 and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Names the earlier run's failures again and adds its counts to the closing line."""
    # Only after pytest's own summaries, which read the reports that are merely counted here.
    yield
    earlier = _earlier(config)
    if earlier is None:
        return
    terminalreporter.section("earlier suites, counted in below")
    for name in earlier.listed:
        terminalreporter.line(f"FAILED {name}", red=True)
    terminalreporter.line(", ".join(f"{count} {name}" for name, count in earlier.counts.items() if count))
    for name, count in earlier.counts.items():
        if count:
            terminalreporter.stats.setdefault(name, []).extend([object()] * count)


def _tally(reporter: TerminalReporter, exit_code: int) -> Tally:
    counts = {name: len(reporter.stats.get(name, [])) for name in _COUNTED}
    listed = [str(report.nodeid) for name in _LISTED for report in reporter.stats.get(name, [])]
    return Tally(exit_code, counts, listed)


def _earlier(config: pytest.Config) -> Tally | None:
    source: Path | None = config.option.tally_from
    # A worker of pytest-xdist has the options of its controller, but no closing line.
    if source is None or hasattr(config, "workerinput"):
        return None
    try:
        return msgspec.json.decode(source.read_bytes(), type=Tally)
    except (OSError, msgspec.DecodeError):
        return NO_TALLY
