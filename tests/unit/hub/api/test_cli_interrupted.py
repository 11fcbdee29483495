"""Ctrl-C before anything was done."""

import pytest

from tests.support.commands import Outcome, interrupted_while_it_loads


@pytest.mark.parametrize("module", ["periplus_hub.api.cli", "typer"])
def test_ctrl_c_while_the_command_loads_is_no_traceback(module: str) -> None:
    assert interrupted_while_it_loads("periplus", module) == Outcome(130, "", "")
