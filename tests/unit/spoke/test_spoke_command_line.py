"""`periplus-spoke` as a person calls it: what is wrong is named before anything is done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from periplus_hub.api.cli.exit_codes import Exit as HubExit
from periplus_spoke.kit.errors import Exit

from tests.support.commands import Outcome, interrupted_while_it_loads


def spoke(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERIPLUS", "KUBE"))}
    return subprocess.run(
        [sys.executable, "-m", "periplus_spoke", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=kept | {"HOME": str(home)},
    )


@pytest.mark.parametrize("timeout", ["-1", "0", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_a_mistake(tmp_path: Path, timeout: str) -> None:
    ended = spoke("once", "--hub", "http://127.0.0.1:1", "--timeout", timeout, home=tmp_path)
    assert ended.returncode == 64
    assert f"argument --timeout: invalid seconds value: '{timeout}'" in ended.stderr


def test_check_names_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    """A spoke that is enrolled does without it, so it is no mistake by itself."""
    missing, state = tmp_path / "nowhere", tmp_path / "state"
    options = ("--hub", "http://127.0.0.1:1", "--join-token-file", str(missing), "--state-dir", str(state))
    ended = spoke("check", *options, home=tmp_path)
    assert ended.returncode == 64
    assert f"PROBLEM not enrolled, and no join token: {missing} is not there, or empty" in ended.stdout
    assert not state.exists()


def test_check_survives_a_state_folder_that_may_not_be_looked_at(tmp_path: Path) -> None:
    """Here its name is too long; one in somebody else's folder fails the same way."""
    ended = spoke("check", "--hub", "http://127.0.0.1:1", "--state-dir", "n" * 300, home=tmp_path)
    assert ended.returncode == 64
    assert (
        f"PROBLEM state folder {'n' * 300} cannot be used: File name too long. Name a folder of your own"
        in ended.stdout
    )
    assert "PROBLEM hub" in ended.stdout


@pytest.mark.parametrize("module", ["periplus_spoke.main", "msgspec"])
def test_ctrl_c_at_once_is_no_traceback(module: str) -> None:
    assert interrupted_while_it_loads("periplus-spoke", module) == Outcome(130, "", "")


def test_one_number_means_one_thing_in_both_programs() -> None:
    hub_side = {each.name: each.value for each in HubExit}
    assert {each.name: each.value for each in Exit}.items() <= hub_side.items()
