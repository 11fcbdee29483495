"""Runs cases: `python -m tests.cases overlaps|flows FOLDER...` or `finops FILE...`; one line for each case.

Exit code 0: all are as they should be; 1: some differ; 2: bad arguments, or a case that cannot be read or posted.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import structlog

from tests.cases.case import Case, UnreadableCase, read_case, read_folder, unknown_members
from tests.cases.finops_case import read_finops_cases
from tests.cases.reading_flows import read_flow_case
from tests.cases.running import AT_A_TIME, running
from tests.cases.running_finops import differences as finops_differences
from tests.cluster.rig.build import ensure_tools
from tests.cluster.rig.golang import ToolchainError

FINE, DIFFERENT, UNREADABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cases", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    overlaps = kinds.add_parser("overlaps", help="situations of address ranges, posted to real control planes")
    overlaps.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="holds a JSON file for each case")
    overlaps.add_argument("--at-a-time", type=int, default=AT_A_TIME, metavar="N", help="cases side by side (2)")
    flows = kinds.add_parser("flows", help="what clusters contained and reported, sent to a hub")
    flows.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="holds a JSON file for each case")
    flows.set_defaults(run=_flows)
    finops = kinds.add_parser("finops", help="worked examples of costs")
    finops.add_argument("folders", nargs="+", type=Path, metavar="FILE", help="a JSON file of examples, or a folder")
    finops.set_defaults(run=_finops)
    asked = parser.parse_args(arguments)
    if "run" in asked:
        return int(asked.run(asked.folders))
    try:
        cases = [_read(path) for folder in asked.folders for path in read_folder(folder)]
        tools = ensure_tools(_say)
    except (UnreadableCase, ToolchainError) as error:
        _say(str(error))
        return UNREADABLE
    with running(cases, tools, max(1, asked.at_a_time)) as found:
        return max(_told(case, differences) for case, differences in zip(cases, found, strict=True))


def _flows(folders: Sequence[Path]) -> int:
    from tests.cases.running_flows import run  # noqa: PLC0415 - the engine of flows, which other cases do without

    try:
        cases = [read_flow_case(path) for folder in folders for path in read_folder(folder)]
    except UnreadableCase as error:
        _say(str(error))
        return UNREADABLE
    worst = FINE
    with _errors_alone():
        for case, found in zip(cases, run(cases), strict=True):
            if isinstance(found, UnreadableCase):
                _say(str(found))
                worst = UNREADABLE
                continue
            _tell(case.id, found)
            worst = max(worst, DIFFERENT if found else FINE)
    return worst


def _finops(files: Sequence[Path]) -> int:
    try:
        paths = [path for file in files for path in (read_folder(file) if file.is_dir() else [file])]
        cases = [case for path in paths for case in read_finops_cases(path)]
    except UnreadableCase as error:
        _say(str(error))
        return UNREADABLE
    worst = FINE
    for case in cases:
        try:
            found = finops_differences(case)
        except UnreadableCase as error:
            _say(str(error))
            worst = UNREADABLE
            continue
        _tell(case.id, found)
        worst = max(worst, DIFFERENT if found else FINE)
    return worst


@contextmanager
def _errors_alone() -> Iterator[None]:
    """The hub of cases of flows runs in this process: what it logs is no answer, and its errors go beside them."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _read(path: Path) -> Case:
    case = read_case(path)
    for place in unknown_members(path):
        _say(f"{path}: {place.removeprefix('.')} is not posted: it is not known here")
    return case


def _told(case: Case, found: Future[list[str]]) -> int:
    try:
        differences = found.result()
    except UnreadableCase as error:
        _say(str(error))
        return UNREADABLE
    _tell(case.id, differences)
    return DIFFERENT if differences else FINE


def _tell(case_id: str, differences: Sequence[str]) -> None:
    told = " ".join("; ".join(differences).split()) or "ok"
    sys.stdout.write(f"{case_id}: {told}\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
