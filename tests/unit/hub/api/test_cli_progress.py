"""What a long command says while it works."""

import io

import pytest

from periplus_hub.api.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_each_step_is_one_plain_line() -> None:
    log = io.StringIO()
    progress = Progress(log)
    for ended in (0, 0, 1):
        progress.show(f"{ended} of 2 clusters read", "shop listing")
    progress.clear()
    assert log.getvalue() == "0 of 2 clusters read\n1 of 2 clusters read\n"


def test_on_a_terminal_one_line_changes_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    progress = Progress(screen)
    progress.show("1 of 2 clusters read", "a cluster with a long name listing")
    progress.clear()
    *_, shown, left = screen.getvalue().split("\r\x1b[2K")
    assert "1 of 2 clusters read · a clus" in shown
    assert len(shown) < 40
    assert "\n" not in shown
    assert left == ""


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    Progress(screen).show("starting")
    assert screen.getvalue() == "starting\n"
