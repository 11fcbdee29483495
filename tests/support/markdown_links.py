"""What Markdown files point at: links, as GitHub resolves them, and the files and modules they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.*)$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_FILE: Final = re.compile(r"(contract|hub|spoke-agent|tests|benchmarks|migrations|docs|requirements)/[\w./-]+")
_MODULE: Final = re.compile(r"periplus_(contract|hub|spoke)(\.\w+)+")
_HOMES: Final = {"contract": "contract", "hub": "hub", "spoke": "spoke-agent"}
_ELSEWHERE: Final = re.compile(r"[a-z][a-z+.-]*:")


def broken_links(path: Path) -> Iterator[str]:
    """The targets in `path` that name no file beside it, or no heading of that file."""
    text = _SPAN.sub("", _FENCE.sub("", path.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if not _ELSEWHERE.match(target) and not _resolves(path, target):
            yield target


def _resolves(path: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    found = (path.parent / file).resolve() if file else path
    if not found.exists():
        return False
    return not anchor or anchor in anchors(found.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors of a file's headings."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def absent_names(path: Path, root: Path) -> Iterator[str]:
    """Files and modules that the code spans of `path` name and that are not below `root`."""
    for name in _CODE.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))):
        module = _MODULE.fullmatch(name)
        if module is not None and not _is_module(root / _HOMES[module[1]], name):
            yield name
        if _FILE.fullmatch(name) and not (root / name).exists():
            yield name


def _is_module(home: Path, name: str) -> bool:
    """Whether `name` is a package or module below `home`, or a word in its parent's source."""
    place = home.joinpath(*name.split("."))
    if place.is_dir() or place.with_suffix(".py").is_file():
        return True
    parent = place.parent.with_suffix(".py")
    return parent.is_file() and re.search(rf"\b{place.name}\b", parent.read_text(encoding="utf-8")) is not None
