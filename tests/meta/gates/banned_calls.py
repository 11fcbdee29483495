"""Calls that make a program untestable or let a task die unseen."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from tests.meta.gates.names import dotted, imported_names
from tests.meta.gates.source import Module, Violation

_CLOCKS = dict.fromkeys(
    [
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "time.clock_gettime",
        "time.gmtime",
        "time.localtime",
        "time.time",
        "time.time_ns",
    ],
    "ask the injected Clock",
)
_TASKS = dict.fromkeys(
    [
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.get_event_loop.create_task",
        "asyncio.get_running_loop.create_task",
        "loop.create_task",
        "self._loop.create_task",
    ],
    "start it in an asyncio.TaskGroup, which sees it fail (or end it yourself and say `# allowed: why`)",
)
# For the rare caller that races tasks and ends them itself: `# allowed: cancelled in the finally below`.
_ALLOWED = re.compile(r"#\s*allowed:\s*\w.{7,}")
_PRINT = dict.fromkeys(
    ["print", "rich.print", "typer.confirm", "typer.echo", "typer.prompt", "typer.secho", "sys.stderr", "sys.stdout"],
    "log it, or print it through the output module of the program, which shows what a foreign text hides",
)
_RICH = dict.fromkeys(
    ["rich.text.Text", "rich.console.Console"], "take Text, Console of periplus_hub.api.cli.rich_text"
)

# Where output leaves a program. Those that are no `output` module only ask what a stream is, or write what is visible.
_EDGES = (
    "contract/periplus_contract/streams.py",
    "hub/periplus_hub/api/cli/output.py",
    "hub/periplus_hub/api/cli/progress.py",
    "hub/periplus_hub/api/cli/tables.py",
    "hub/periplus_hub/kit/logs.py",
    "spoke-agent/periplus_spoke/kit/logs.py",
    "spoke-agent/periplus_spoke/kit/output.py",
)

_RULES: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    (_CLOCKS, ("*/kit/clock.py",)),
    (_TASKS, ()),
    (_PRINT, _EDGES),
    (_RICH, ("hub/periplus_hub/api/cli/rich_text.py", "spoke-agent/*")),
)


def banned_calls(module: Module) -> Iterator[Violation]:
    """Uses, not only calls: passing `time.time` on as a default is the same clock."""
    banned: dict[str, str] = {}
    for rule, exempt in _RULES:
        if not any(fnmatch(module.path, pattern) for pattern in exempt):
            banned |= rule
    origins, lines = imported_names(module.tree), module.text.splitlines()
    for node in ast.walk(module.tree):
        name = _used_name(node, origins)
        if name in banned and not _ALLOWED.search(lines[node.lineno - 1]):
            yield Violation(module.path, node.lineno, f"{name}: {banned[name]}")


def _used_name(node: ast.AST, origins: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
        owner = dotted(node.value.func, origins)
        return f"{owner}.{node.attr}"
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        return dotted(node, origins) or ""
    return ""
