"""The logs of both programs, as JSON and for people: a foreign text is shown, and makes no line of its own."""

import json
import subprocess
import sys

import pytest

from tests.support.poison import POISON, unseen

HUB = """
import sys, structlog
from periplus_hub.kit import logs
logs.configure("info", sys.argv[1])
log = structlog.get_logger("periplus_hub.x")
try:
    raise ValueError(sys.argv[2])
except ValueError:
    log.exception(sys.argv[2], cluster=sys.argv[2], many=[sys.argv[2]])
"""
SPOKE = """
import sys, logging
from periplus_spoke.kit import logs
logs.set_up(sys.argv[1], "info")
log = logging.getLogger("periplus_spoke.x")
try:
    raise ValueError(sys.argv[2])
except ValueError:
    log.exception("%s", sys.argv[2], extra={"cluster": sys.argv[2]})
"""


@pytest.mark.promise("texts-cannot-deceive")
@pytest.mark.parametrize("program", [HUB, SPOKE])
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_foreign_text_is_shown_in_a_log(program: str, log_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, log_format, POISON], capture_output=True, text=True, check=True, timeout=60
    )
    lines = done.stderr.split("\n")
    assert unseen(done.stderr) == []
    assert not [line for line in lines if line.startswith("error: forged")]
    if log_format == "json":
        (line, _) = lines
        assert json.loads(line)["cluster"] == POISON
