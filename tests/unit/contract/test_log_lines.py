"""The logs of both programs: one set of keys, text at a terminal, and no more lines than somebody can read."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from periplus_contract.log_lines import MOST_KEYS, TOLD, WINDOW_S, CountingHandler

HUB = """
import sys, structlog
from periplus_contract import streams
streams.guard()
from periplus_hub.kit import logs
from periplus_hub.api.start_process import separate_native_stderr, tell_of_the_rest
separate_native_stderr()
tell_of_the_rest()
logs.configure("info", sys.argv[1])
def say(message, error=None, **fields):
    structlog.get_logger("periplus_hub.x").warning(message, exc_info=error, **fields)
"""
SPOKE = """
import sys, logging
from periplus_contract import streams
streams.guard()
from periplus_contract.native_stderr import separate_native_stderr
from periplus_spoke.kit import logs
separate_native_stderr()
logs.set_up(sys.argv[1], "info")
def say(message, error=None, **fields):
    logging.getLogger("periplus_spoke.x").warning(message, exc_info=error, extra=fields)
"""
BOTH = pytest.mark.parametrize("program", [HUB, SPOKE], ids=["hub", "spoke"])


def said(program: str, body: str, log_format: str = "json") -> list[str]:
    command = [sys.executable, "-c", program + body, log_format]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr.splitlines()


@BOTH
def test_both_programs_use_one_set_of_keys(program: str) -> None:
    [line] = said(program, "say('lost', ValueError('x'), registration='r', cluster='c', remedy='do')")
    found = json.loads(line)
    assert list(found)[:4] == ["time", "level", "logger", "message"]
    assert set(found) == {
        *("time", "level", "logger", "message"),
        *("registration", "cluster", "remedy", "error", "exception"),
    }
    assert (found["level"], found["message"], found["error"]) == ("warning", "lost", "ValueError: x")


@BOTH
def test_a_person_reads_time_level_message_and_fields(program: str) -> None:
    [line] = said(program, "say('lost', cluster='c', remedy='do it', empty='', seq=7)", "text")
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert rest == 'warning lost cluster=c remedy="do it" seq=7'


@BOTH
@pytest.mark.parametrize(
    ("log_format", "is_text"), [("auto", True), ("text", True), ("json", False)], ids=["auto", "text", "json"]
)
def test_a_terminal_gets_text_unless_json_is_asked_for(program: str, log_format: str, is_text: bool) -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", program + "say('lost')", log_format], stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    line = os.read(ours, 4096)
    os.close(ours)
    assert line.startswith(b"{") != is_text


@BOTH
def test_what_is_no_terminal_gets_json_unless_text_is_asked_for(program: str) -> None:
    assert [json.loads(line)["message"] for line in said(program, "say('lost')", "auto")] == ["lost"]


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        "ConnectionResetError('gone')",
        "TimeoutError()",
        "__import__('ssl').SSLError('no shared cipher')",
        "__import__('asyncio').CancelledError()",
        "OSError(24, 'Too many open files')",
        "ExceptionGroup('two', [TimeoutError(), ConnectionError()])",
    ],
)
def test_what_comes_from_outside_has_no_traceback(program: str, error: str) -> None:
    [line] = said(program, f"try:\n raise {error}\nexcept BaseException as error:\n say('lost', error)")
    found = json.loads(line)
    assert "exception" not in found
    assert found["error"]


@BOTH
@pytest.mark.parametrize("error", ["KeyError('x')", "ExceptionGroup('two', [TimeoutError(), KeyError()])"])
def test_a_fault_of_ours_has_one(program: str, error: str) -> None:
    [line] = said(program, f"try:\n raise {error}\nexcept BaseException as error:\n say('lost', error)")
    assert "Traceback (most recent call last)" in json.loads(line)["exception"]


@BOTH
def test_what_native_code_writes_becomes_lines_of_the_log(program: str) -> None:
    panic = "thread '<unnamed>' panicked at src/lib.rs:7:\\n  0: std::panicking\\n" + "   1: frame\\n" * 100
    lines = said(program, f"import os\nos.write(2, b{panic!r})\nsay('lost')".replace("\\\\n", "\\n"))
    messages = [json.loads(line)["message"] for line in lines]
    assert "lost" in messages
    assert "native code: thread '<unnamed>' panicked at src/lib.rs:7:" in messages
    assert len(lines) == TOLD + 2  # the first lines, ours, and how many more there were
    assert any("more times" in message for message in messages)


@BOTH
def test_a_thread_that_fails_and_a_warning_of_python_are_lines_too(program: str) -> None:
    body = "import threading, warnings\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\n"
    body += "warnings.warn('old')"
    lines = [json.loads(line) for line in said(program, body)]
    assert [line["level"] for line in lines] == ["error", "warning"]
    assert lines[0]["error"] == "ZeroDivisionError: division by zero"


class Counted:
    """A log whose minutes end when the test says so."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.windows: list[Callable[[], None]] = []
        self.cancelled = 0
        self.handler = CountingHandler(self.stream, self._later)
        self.log = logging.getLogger(f"counted-{id(self)}")
        self.log.propagate = False
        self.log.setLevel(logging.INFO)
        self.log.addHandler(self.handler)

    def _later(self, seconds: float, work: Callable[[], None]) -> Callable[[], None]:
        assert seconds == WINDOW_S
        self.windows.append(work)
        return self._cancel

    def _cancel(self) -> None:
        self.cancelled += 1

    def end_of_minute(self) -> None:
        self.windows.pop()()

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.mark.promise("logs-stay-small")
def test_the_same_is_written_a_few_times_and_then_counted() -> None:
    counted = Counted()
    counted.handler.setFormatter(logging.Formatter("%(message)s %(repeated)s", defaults={"repeated": 0}))
    for number in range(TOLD + 312):
        counted.log.warning("lost %s", number)
    assert len(counted.lines) == TOLD
    counted.end_of_minute()
    assert counted.lines[TOLD:] == ["lost 321 312"]
    counted.log.warning("lost %s", "again")
    assert counted.lines[-1] == "lost again 0"
    counted.end_of_minute()
    assert len(counted.lines) == TOLD + 2


def test_only_the_first_of_a_kind_shows_its_traceback() -> None:
    counted = Counted()
    for _ in range(TOLD):
        counted.log.error("lost", exc_info=KeyError())
    assert sum(line == "KeyError" for line in counted.lines) == 1
    assert counted.lines.count("lost") == TOLD


@pytest.mark.promise("logs-stay-small")
def test_however_many_different_lines_there_are_they_are_bounded() -> None:
    counted = Counted()
    for number in range(5_000):
        counted.log.warning(f"a library's line about {number}")  # noqa: G004 - that is what some do
    assert len(counted.handler._seen) == MOST_KEYS + 1
    assert len(counted.lines) == MOST_KEYS + TOLD
    counted.end_of_minute()
    assert counted.lines[-1] == "other lines"
    assert not counted.handler._seen


def test_registrations_are_told_apart_and_what_is_no_warning_is_not_counted() -> None:
    counted = Counted()
    for number in range(3):
        for _ in range(2 * TOLD):
            counted.log.warning("lost", extra={"registration": str(number)})
    assert len(counted.lines) == 3 * TOLD
    for _ in range(100):
        counted.log.info("joined")
    assert counted.lines.count("joined") == 100


def test_what_was_only_counted_is_said_at_the_end() -> None:
    counted = Counted()
    for _ in range(TOLD + 1):
        counted.log.warning("lost")
    counted.handler.close()
    assert counted.lines.count("lost") == TOLD + 1
    assert counted.cancelled == 1


def test_nobody_is_told_through_a_closed_stream(capsys: pytest.CaptureFixture[str]) -> None:
    counted = Counted()
    for _ in range(TOLD + 1):
        counted.log.warning("lost")
    counted.stream.close()
    counted.end_of_minute()
    counted.log.warning("lost")
    counted.log.info("joined")
    counted.handler.close()
    assert capsys.readouterr().err == "", "logging told of its own error"


@BOTH
def test_another_configuration_ends_the_one_before(program: str) -> None:
    again = "logs.configure('info', 'json')" if program is HUB else "logs.set_up('json', 'info')"
    body = "import logging\n[before] = logging.getLogger().handlers\n"
    body += f"for _ in range({TOLD} + 7):\n say('lost')\n"
    body += (
        f"before.stream = open('/dev/null', 'w')\nbefore.stream.close()\n{again}\nbefore.end_window()\nsay('lost')\n"
    )
    lines = [json.loads(line)["message"] for line in said(program, body)]
    assert lines == ["lost"] * (TOLD + 1)


@BOTH
def test_what_was_only_counted_is_said_before_another_configuration(program: str) -> None:
    again = "logs.configure('info', 'json')" if program is HUB else "logs.set_up('json', 'info')"
    lines = said(program, f"for _ in range({TOLD} + 7):\n say('lost')\n{again}\nsay('found')\n")
    assert [json.loads(line).get("repeated") for line in lines] == [*[None] * TOLD, 7, None]


def test_what_is_captured_does_not_depend_on_who_configured_logging_before() -> None:
    """A logger keeps the steps of its first use: a second configuration must not leave it behind."""
    body = """
from structlog.testing import capture_logs
log = structlog.get_logger("periplus_hub.y")
log.warning("first")
logs.configure("error", "json")
with capture_logs() as captured:
    log.warning("second")
assert [each["event"] for each in captured] == ["second"], captured
"""
    assert len(said(HUB, body)) == 1
