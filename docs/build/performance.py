"""docs/explain/performance.md: what is to hold and what was measured.

Rows and targets come from the docstrings of the benchmarks, numbers from benchmarks/results/<row>.json: nothing here
is typed by hand, so the page cannot disagree with a measurement.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from docs.build.markdown import code, line, page, prose, section, table
from docs.build.source import ROOT

_TARGET: Final = re.compile(r"\s*Targets?: (.+?)\.(?=\s|$)", re.DOTALL)
_INTRODUCTION: Final = """
    A number of one machine says little about another, so a benchmark measures ratios where it can: against the plain
    engine, the stock library or the idle process, in the same run. `make bench` lists the rows and
    `make bench ROW=<row>` runs one. Its last line is its result. Keep one from a quiet machine with

    ```sh
    make bench ROW=graphql_checks | tail -n 1 > benchmarks/results/graphql_checks.json && make docs
    ```

    and it is what this page shows.
"""


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line of a benchmark. A target is a ceiling, or a floor when its name starts with `min_`."""

    row: str
    ok: bool
    measured: dict[str, float]
    target: dict[str, float]
    machine: dict[str, str | int]


class Row(NamedTuple):
    """One benchmark; `target` is what its docstring says."""

    name: str
    work: str
    target: str
    result: Result | None


def render() -> str:
    """The page."""
    found = list(rows(ROOT / "benchmarks"))
    return page("Performance", prose(_INTRODUCTION), _overview(found), *(_figures(row) for row in found))


def _machine(found: Mapping[str, str | int]) -> str:
    return (
        f"On {found['architecture']}, {found['cores']} cores, {found['memory_gib']} GiB, Python {found['python']}; "
        f"an empty loop of ten million rounds takes {found['python_ms']} ms there."
    )


def _overview(found: list[Row]) -> str:
    lines = [(code(row.name), row.work, row.target, _verdict(row.result)) for row in found]
    return table(("row", "measures", "target", "result"), lines)


def _verdict(result: Result | None) -> str:
    if result is None:
        return "not measured yet"
    return "held" if result.ok else "**missed**"


def _figures(row: Row) -> str:
    if row.result is None:
        return ""
    targets = row.result.target
    lines = [(code(name), _bound(name, targets), _number(value)) for name, value in row.result.measured.items()]
    return section(row.name, _machine(row.result.machine), table(("figure", "target", "measured"), lines))


def _bound(name: str, targets: Mapping[str, float]) -> str:
    if name not in targets:
        return ""
    return f"{'≥' if name.startswith('min_') else '≤'} {_number(targets[name])}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,}"


def rows(folder: Path) -> Iterator[Row]:
    """Every benchmark of `folder`, read without importing it; raises msgspec.ValidationError on a bad result."""
    for path in sorted(folder.glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        target = _TARGET.search(text)
        work = _TARGET.sub("", text.partition("\n\n")[0])
        kept = _result(folder / "results" / f"{path.stem}.json")
        yield Row(path.stem, line(work), line(target[1]) if target else "", kept)


def _result(path: Path) -> Result | None:
    return msgspec.json.decode(path.read_bytes(), type=Result) if path.is_file() else None
