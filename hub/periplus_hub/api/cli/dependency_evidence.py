"""The raw rows of the dependency that `periplus dependencies` shows in full."""

from collections.abc import Mapping
from typing import Any, Final

from periplus_hub.api.cli.dependencies_words import named_port, number
from periplus_hub.api.cli.hub_connection import Listing
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled, say_more, tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

_EVIDENCE: Final = """
query Evidence($source: DependencyEndFilter!, $destination: DependencyEndFilter!, $hour: DateTime!, $first: Int!) {
  edgeEvidence(source: $source, destination: $destination, hour: $hour, first: $first) {
    hour state rawKeptSince
    windows {
      start windowS cluster { id name } reporter collector protocol port verdict source destination host sampling
      bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits
    }
    windowCount leftOutCount namedElsewhereCount
    totals {
      reporter rows widestWindowS bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits
    }
    minutes { timestamps clientBytes serverBytes bothBytes }
  }
}
"""
LAST: Final = "last"
"""The newest hour in which anything passed."""
_COLUMNS: Final = (
    *("window", "told by", "reporter", "source of it", "from", "to", "port", "verdict"),
    *("bytes to", "bytes back", "packets to", "packets back", "connections", "failures"),
)
_NUMBERS: Final = ("bytesTx", "bytesRx", "packetsTx", "packetsRx", "connectionsOpened", "failures")
_MINUTES: Final = ("minute", "as the client saw", "as the server saw", "as both saw")


def evidence(
    client: HubClient, ends: Mapping[str, Any], history: Mapping[str, Any], hour: str, first: int
) -> dict[str, Any] | None:
    """What raw rows say of the dependency in an hour; None where that is the last one with any, and there is none."""
    if hour == LAST:
        columns = (history[name] for name in ("timestamps", "bytesTx", "bytesRx", "connectionsOpened", "failures"))
        busy = [at for at, *values in zip(*columns, strict=True) if any(value not in {None, "0"} for value in values)]
        if not busy:
            return None
        hour = busy[-1]
    found: dict[str, Any] = client.ask(_EVIDENCE, {**ends, "hour": hour, "first": first})["edgeEvidence"]
    return found


def show_evidence(found: dict[str, Any] | None) -> None:
    """Its windows, what was left out, and what each side told minute by minute."""
    tell()
    if found is None:
        tell("Nothing passed in any hour that is shown: there are no raw rows.")
        return
    tell(f"raw rows of the hour from {when(found['hour'])}")
    if found["state"] == "EXPIRED":
        say_labelled("note", f"raw rows before {when(found['rawKeptSince'])} are deleted: only edges are left")
        return
    if found["state"] == "PARTLY_LOST":
        say_labelled("note", "the flow store lost some raw rows of this hour")
    Listing(_COLUMNS, [_row(each) for each in found["windows"]], [], "None is known.", numbers=len(_NUMBERS)).show(
        as_json=False
    )
    say_more(int(found["windowCount"]), len(found["windows"]), "more raw rows are not shown")
    if besides := int(found["namedElsewhereCount"]):
        say_labelled("note", f"{besides:,} rows name an end in another cluster: which of them are of this is not known")
    for each in found["totals"]:
        sums = ", ".join(f"{number(each[name])} {label}" for name, label in zip(_NUMBERS, _COLUMNS[-6:], strict=True))
        tell(f"{word(each['reporter'])}: {each['rows']} rows, {sums}")
    _show_minutes(found["minutes"])


def _show_minutes(minutes: Mapping[str, Any]) -> None:
    columns = zip(*(minutes[name] for name in ("timestamps", "clientBytes", "serverBytes", "bothBytes")), strict=True)
    busy = [
        (when(at), *map(number, values)) for at, *values in columns if any(value not in {None, "0"} for value in values)
    ]
    if busy:
        tell()
        Listing(_MINUTES, busy, [], "", numbers=3).show(as_json=False)


def _row(window: dict[str, Any]) -> tuple[str, ...]:
    cluster = window["cluster"]
    return (
        f"{when(window['start'])} +{window['windowS']}s",
        cluster["name"] if cluster else "",
        word(window["reporter"]),
        window["collector"],
        window["source"],
        f"{window['destination']} as {window['host']}" if window["host"] else window["destination"],
        named_port(window),
        word(window["verdict"]),
        *(number(window[name]) for name in _NUMBERS),
    )
