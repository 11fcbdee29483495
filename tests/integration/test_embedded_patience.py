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


def slow_server(folder: Path, recovery: str) -> Server:
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
    return Server(Binaries(folder, 18), US, folder, {})


async def test_a_recovery_that_goes_on_is_waited_for(tmp_path: Path) -> None:
    server = slow_server(tmp_path, "for _ in 1 2 3 4 5 6 7 8 9; do echo 'LOG:  redo in progress' >&2; sleep 0.3; done")
    await server.until_ready(2)
    await server.stop(20)


async def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    server = slow_server(tmp_path, "echo 'LOG:  starting' >&2; exec sleep 600")
    with pytest.raises(Refusal, match="was not ready and said nothing for") as refused:
        await server.until_ready(0.5)
    assert "LOG:  starting" in refused.value.message
    await server.stop(20)
