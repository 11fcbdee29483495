"""What an exporter says on its page of metrics, read without trust: the series looked for, and their values."""

import math
import re
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from periplus_spoke.conversion.prometheus.answers import MOST_SERIES, AnswerError

STARTED: Final = "process_start_time_seconds"
"""Of an exporter that is another process than before, all counters began anew."""
_LINE: Final = re.compile(
    r"^([a-zA-Z_:][a-zA-Z0-9_:]*)((?:\{(?:[^\"\\}\n]|\"(?:[^\"\\\n]|\\.)*\")*\})?)[ \t]+(\S+)[^\n]*$", re.MULTILINE
)
_LABEL: Final = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*\"((?:[^\"\\]|\\.)*)\"")
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n"}


class Reading(NamedTuple):
    """One page, in columns: series as they are written there, and the value of each."""

    series: tuple[str, ...]
    values: "array[float]"
    started: float | None
    """When the process began, by its own clock; None where it does not say."""
    unreadable: int
    """Lines of counters that say no number."""
    unread: int
    """Series beyond those that are read of one page."""


class Series(NamedTuple):
    """What a series is of."""

    metric: str
    labels: dict[str, str]


def read_page(body: bytes, metrics: Iterable[str]) -> Reading:
    """The series of metrics whose name is one of these regular expressions. Raises AnswerError for what is no page."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        msg = "what answers there is no page of metrics"
        raise AnswerError(msg) from None
    wanted = re.compile("|".join(f"(?:{each})" for each in metrics))
    is_wanted: dict[str, bool] = {}
    found: dict[str, float] = {}
    started, lines, unreadable, unread = None, 0, 0, 0
    for line in _LINE.finditer(text):
        lines += 1
        name, labels, written = line.groups()
        if name == STARTED:
            started = _number(written)
            continue
        if name not in is_wanted:
            is_wanted[name] = wanted.fullmatch(name) is not None
        if not is_wanted[name]:
            continue
        value = _number(written)
        if value is None:
            unreadable += 1
        elif len(found) >= MOST_SERIES:
            unread += 1
        else:
            found[name + labels] = value
    if not lines and text.strip() and not text.lstrip().startswith("#"):
        msg = "what answers there is no page of metrics"
        raise AnswerError(msg)
    return Reading(tuple(found), array("d", found.values()), started, unreadable, unread)


def series_of(written: str) -> Series:
    """A series as it is written on a page."""
    name, _, labels = written.partition("{")
    return Series(name, {label: _ESCAPED.sub(_meant, value) for label, value in _LABEL.findall(labels)})


def _meant(escaped: re.Match[str]) -> str:
    return _MEANT.get(escaped[1], escaped[1])


def _number(text: str) -> float | None:
    """What a counter can be."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
