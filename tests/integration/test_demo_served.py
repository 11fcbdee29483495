"""`periplus demo` as a person sees it: the report, who talks to whom, what to paste, and Ctrl-C."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.commands import own_environment

AS_AT_A_TERMINAL = """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from periplus_hub.__main__ import main
main()
"""
"""Whoever runs the tests may ignore what a child then ignores too."""

_HEADING = "Who talks to whom across clusters, in the last hours:"


@dataclass(frozen=True)
class Served:
    """What was shown until Ctrl-C, and what was left."""

    code: int
    out: list[str]
    err: list[str]
    left: list[str]

    def lines(self, *words: str) -> list[str]:
        """Those of the output with all of these words."""
        return [line for line in self.out if all(word in line for word in words)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, open_folder: Path) -> Served:
    folder = open_folder / "demo-served"
    folder.mkdir(mode=0o711)
    home = tmp_path_factory.mktemp("home")
    said = home / "said"
    command = [sys.executable, "-c", AS_AT_A_TERMINAL, "demo"]
    environment = own_environment(home, TMPDIR=str(folder), PYTHONUNBUFFERED="1")
    shown = []
    with (
        said.open("w") as sink,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=sink, text=True) as running,
    ):
        assert running.stdout is not None
        try:
            for line in running.stdout:
                shown.append(line.rstrip("\n"))
                if line.startswith("Serving "):
                    running.send_signal(signal.SIGINT)
            running.wait()
        finally:
            running.kill()
    left = [path.name for path in folder.iterdir()]
    return Served(running.returncode, shown, said.read_text().splitlines(), left)


def test_it_ends_with_ctrl_c_and_leaves_nothing(served: Served) -> None:
    assert served.code == 0, served.err
    assert served.err[-1] == "Stopped; nothing is left behind."
    assert served.left == []


def test_dependencies_follow_the_report(served: Served) -> None:
    report, table = (served.out.index(line) for line in (*served.lines("clusters complete")[:1], _HEADING))
    assert report < table
    assert served.out[table + 1].split()[:4] == ["FROM", "TO", "PORT", "STATE"]
    [silent] = served.lines("silent since")
    assert silent.startswith("shop/search@shop-dublin")
    [one_sided] = served.lines("only seen by the client")
    assert one_sided.startswith("shop/storefront@shop-frankfurt")
    assert served.lines("shop/dashboards@data-virginia", "new")
    assert served.lines("payments-dublin cannot tell whose calls it gets")


def test_it_says_how_complete_that_is_and_what_it_is_doing(served: Served) -> None:
    said = "\n".join(served.err)
    assert "note no flows are told by hr-dublin" in said
    assert "some nodes tell nothing" in said
    assert (
        said.index("joining 58 agents of nodes") < said.index("adding up who talked to whom") < said.index("coverage ")
    )


def test_it_shows_how_to_look_further(served: Served) -> None:
    [heading] = [number for number, line in enumerate(served.out) if line.startswith("Or with the command line")]
    commands = [line.split("periplus", 1)[-1] for line in served.out[heading + 2 :] if "periplus" in line]
    assert any(line.endswith(" dependencies --state new --state silent") for line in commands)
    assert len(served.lines("curl -sS", "/graphql")) == 2
