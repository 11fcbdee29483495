import pytest

from tests.meta.gates.banned_calls import banned_calls
from tests.meta.gates.source import PACKAGES, hold, parse


def test_the_packages_use_none_of_them() -> None:
    hold(banned_calls, *PACKAGES)


@pytest.mark.parametrize(
    "text",
    [
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime as dt, UTC\ndt.now(UTC)",
        "from datetime import datetime\ndatetime.utcnow()",
        "from datetime import date\ndate.today()",
        "import time\ntime.time()",
        "from time import time_ns\ntime_ns()",
        "import time\ndef f(clock=time.time): ...",
        "import asyncio\nasyncio.create_task(x())",
        "from asyncio import ensure_future as go\ngo(x())",
        "import asyncio\nasyncio.get_running_loop().create_task(x())",
        "async def f(loop):\n    loop.create_task(x())",
        "import time\ntime.localtime()",
        "print('hello')",
        "import typer\ntyper.echo('hello')",
        "from rich.text import Text\nText('hello')",
        "from rich.console import Console\nConsole().print('hello')",
        "import sys\nsys.stdout.write('hello')",
    ],
)
def test_each_way_of_writing_it_is_found(text: str) -> None:
    assert len(list(banned_calls(parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.monotonic()",
        "async def f(clock):\n    clock.now()",
        "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(x())",
        "def now(time):\n    return time.isoformat()",
        "console.print('hello')",
    ],
)
def test_clocks_task_groups_and_consoles_are_fine(text: str) -> None:
    assert list(banned_calls(parse(text))) == []


def test_a_reason_in_the_same_line_allows_one_use_and_a_bare_word_does_not() -> None:
    race = "import asyncio\nasyncio.create_task(x())  # allowed: "
    assert list(banned_calls(parse(f"{race}cancelled in the finally below"))) == []
    assert len(list(banned_calls(parse(f"{race}ok")))) == 1


def test_the_clock_may_look_at_the_time_and_one_module_may_print() -> None:
    read_clock, say = "import time\ntime.time()", "print('hello')"
    assert list(banned_calls(parse(read_clock, "spoke-agent/periplus_spoke/kit/clock.py"))) == []
    assert list(banned_calls(parse(say, "hub/periplus_hub/api/cli/output.py"))) == []
    assert len(list(banned_calls(parse(say, "hub/periplus_hub/api/cli/report.py")))) == 1
    assert len(list(banned_calls(parse(read_clock, "hub/periplus_hub/api/cli/report.py")))) == 1
