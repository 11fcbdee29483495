"""A start that takes long, as after a crash, is waited for while the server says how far it is."""

import os
import textwrap
from pathlib import Path

import pytest

from periplus_hub.embedded_postgres.account import Account
from periplus_hub.embedded_postgres.binaries import Binaries
from periplus_hub.embedded_postgres.server import Server
from periplus_hub.kit.errors import Refusal

US = Account("us", os.geteuid(), os.getegid(), borrowed=False)


class Passing:
    """Time that passes only when the server has said something."""

    def __init__(self, step_s: float, *, goes_on: bool) -> None:
        self.server: Server | None = None
        self._step_s, self._goes_on, self._asked = step_s, goes_on, 0

    def __call__(self) -> float:
        """A step for each line; where it goes on, a step for each question after the first line."""
        said = 0 if self.server is None else len(self.server._words)
        self._asked += bool(said) and self._goes_on
        return self._step_s * (self._asked if self._goes_on else said)


def slow_server(folder: Path, recovery: str, passing: Passing) -> Server:
    """One whose recovery is a script."""
    program = folder / "bin" / "postgres"
    program.parent.mkdir()
    program.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            {recovery}
            printf '%s\\n' $$ 2 3 4 5 6 7 ready > "$2/postmaster.pid"
            exec sleep 600
            """)
    )
    program.chmod(0o755)
    passing.server = Server(Binaries(folder, 18), US, folder, {}, time_s=passing)
    return passing.server


async def test_a_recovery_that_goes_on_is_waited_for(tmp_path: Path) -> None:
    redo = "for _ in 1 2 3 4 5 6 7 8 9; do echo 'LOG:  redo in progress' >&2; done"
    passing = Passing(50, goes_on=False)
    server = slow_server(tmp_path, redo, passing)
    await server.until_ready(60)
    await server.stop(20)
    assert passing() == 9 * 50, "it took longer than a silence may"


async def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    server = slow_server(tmp_path, "echo 'LOG:  starting' >&2; exec sleep 600", Passing(61, goes_on=True))
    with pytest.raises(Refusal, match="was not ready and said nothing for") as refused:
        await server.until_ready(60)
    assert "LOG:  starting" in refused.value.message
    await server.stop(20)
