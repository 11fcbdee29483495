"""Answers of Prometheus' API, read without trust: whatever comes, it is samples or an AnswerError, within bounds."""

import math
from typing import Final, Literal, NamedTuple

import msgspec

from periplus_contract.limits import MAX_MEASURE

LONGEST_LABEL: Final = 253
"""Bytes of the longest name that anything in Kubernetes has; what is longer names nothing."""
MOST_SERIES: Final = 50_000
"""Of one answer; what is beyond is not read."""


class AnswerError(Exception):
    """It says nothing that can be used; the message says why."""


class Sample(NamedTuple):
    """One element of a vector."""

    labels: dict[str, str]
    value: int


class Vector(NamedTuple):
    """An answer."""

    samples: tuple[Sample, ...]
    unreadable: int
    """Elements that are no sample of a counter."""
    warnings: str
    """Why the answer may be only a part; '' where it is whole."""


class _Data(msgspec.Struct):
    result: list[msgspec.Raw]
    result_type: str = msgspec.field(name="resultType", default="")


class _Document(msgspec.Struct):
    status: Literal["success", "error"]
    data: _Data | None = None
    error_type: str = msgspec.field(name="errorType", default="")
    error: str = ""
    warnings: list[str] = []


class _Element(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


_DOCUMENT: Final = msgspec.json.Decoder(_Document)
_ELEMENT: Final = msgspec.json.Decoder(_Element)
_UNDECODED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read(body: bytes) -> Vector:
    """The instant vector in a body; raises AnswerError."""
    try:
        document = _DOCUMENT.decode(body)
    except _UNDECODED:
        msg = "what answers there is not the API of Prometheus"
        raise AnswerError(msg) from None
    if document.status == "error" or document.data is None:
        raise AnswerError(_plain(document.error or document.error_type) or "it says only that there was an error")
    if document.data.result_type != "vector":
        msg = "it answered with something else than was asked for"
        raise AnswerError(msg)
    elements = document.data.result
    read_of = [_sample(raw) for raw in elements[:MOST_SERIES]]
    warnings = [_plain(each) for each in document.warnings[:3]]
    if len(elements) > MOST_SERIES:
        warnings.append(f"{len(elements) - MOST_SERIES} series beyond {MOST_SERIES} were not read")
    return Vector(
        samples=tuple(each for each in read_of if each is not None),
        unreadable=read_of.count(None),
        warnings="; ".join(warnings),
    )


def _sample(raw: msgspec.Raw) -> Sample | None:
    try:
        element = _ELEMENT.decode(raw)
        value = float(element.value[1])
    except (*_UNDECODED, ValueError):
        return None
    if not math.isfinite(value) or not 0 <= value <= MAX_MEASURE:
        return None
    if any(len(text) > LONGEST_LABEL or "\0" in text for text in element.metric.values()):
        return None
    return Sample(element.metric, round(value))


def _plain(text: str) -> str:
    """A stranger's words on one line of a log."""
    return "".join(each if each.isprintable() else " " for each in text[:200])
