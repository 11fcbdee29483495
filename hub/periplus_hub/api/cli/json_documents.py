"""The hub's answers as the JSON documents that commands print with --json.

Words and numbers are those of `periplus try --json`: words in lower case with hyphens, counts as numbers. GraphQL has
them in capitals, and as texts.
"""

from typing import Any, Final

WORDS: Final = frozenset(
    {
        "allocationKind",
        "end",
        "fill",
        "form",
        "gap",
        "kinds",
        "levels",
        "limitedBy",
        "liveness",
        "mode",
        "onlySeenBy",
        "outcome",
        "pathClass",
        "quality",
        "rangeSource",
        "rangeUse",
        "reach",
        "registration",
        "reportedBy",
        "reporter",
        "role",
        "scope",
        "severity",
        "state",
        "states",
        "target",
        "verdict",
        "verdicts",
    }
)
"""Members whose value is one of a few words, or a list of such."""
COUNTS: Final = frozenset(
    {"clockSkewMs", "queuedBatches", "queuedBytes", "rows"}
    | {"collected", "settled", "queued", "folded", "excess"}
    | {"capacity", "assigned", "used", "reserved", "cooling", "leaked", "borrowed", "unusable"}
    | {
        "free",
        "fragmented",
        "idle",
        "unaccounted",
        "largestFreeBlock",
        "podsAllocatable",
        "ipv4Addresses",
        "ipv6Addresses",
    }
    | {
        "observed",
        "unmeasured",
        "namedElsewhereCount",
        "otherHosts",
        "otherRows",
        "bytes",
        "bytesAToB",
        "bytesBToA",
        "bytesReceived",
        "bytesRx",
        "bytesSent",
        "bytesTx",
        "bytesWithin",
        "bytesWithoutPrice",
        "droppedBytes",
        "packetsAToB",
        "packetsBToA",
        "packetsTx",
        "packetsRx",
        "connectionsByA",
        "connectionsByB",
        "connectionsOpened",
        "connectionsTaken",
        "amount",
        "failures",
        "retransmits",
        "unitBytes",
        "rejected",
        "bothBytes",
        "clientBytes",
        "leftOutCount",
        "serverBytes",
        "windowCount",
    }
)
"""Members whose value is a number, whatever its size, or a list of such."""


def document(answer: Any) -> Any:  # noqa: ANN401 - JSON
    """The answer, member by member. Other texts, like names, stay as they are."""
    if isinstance(answer, list):
        return [document(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    return {name: _member(name, value) for name, value in answer.items()}


def word(name: str) -> str:
    """A word of GraphQL as people and programs read it."""
    return name.lower().replace("_", "-")


def _member(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str) and name in WORDS:
        return word(value)
    if isinstance(value, list) and name in WORDS:
        return [each and word(each) for each in value]
    if isinstance(value, str) and name in COUNTS:
        return int(value)
    if isinstance(value, list) and name in COUNTS:
        return [each and int(each) for each in value]
        return [None if each is None else int(each) for each in value]
    return document(value)
