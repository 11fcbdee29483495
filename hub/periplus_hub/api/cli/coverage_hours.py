"""Hour by hour, what became of the rows of flows that a cluster's agents collected."""

from typing import Any, Final

from periplus_hub.api.cli.hub_connection import Listing
from periplus_hub.api.cli.output import say_labelled
from periplus_hub.api.cli.report import minute

HOURS: Final = """
query Hours($id: ID!, $since: DateTime) {
  cluster(id: $id) {
    id name
    completenessByHour(kind: "flows", since: $since) {
      hourStart completeness { collected settled queued folded rejected excess dropped { reason rows } }
    }
  }
}
"""
_COLUMNS: Final = ("hour", "collected", "settled", "queued", "folded", "dropped", "too many")


def show_hours(cluster: dict[str, Any]) -> None:
    """As a table. An hour of which nothing was told has no numbers."""
    hours = cluster["completenessByHour"]
    rows: list[tuple[str, ...]] = [(minute(each["hourStart"]), *_cells(each["completeness"])) for each in hours]
    Listing(_COLUMNS, rows, [], "No hour was asked for.", numbers=len(_COLUMNS) - 1).show(as_json=False)
    unknown = sum(each["completeness"] is None for each in hours)
    if unknown:
        say_labelled("note", f"of {unknown:,} of {len(hours):,} hours nothing was told: what passed then is not known")
    wrong = [each for each in hours if each["completeness"] and int(each["completeness"]["excess"])]
    for each in wrong:
        excess = int(each["completeness"]["excess"])
        say_labelled(
            "note",
            f"the hour {minute(each['hourStart'])} does not add up: {excess:,} rows more came, were folded or dropped "
            "than its agents said that they collected",
        )


def _cells(told: dict[str, Any] | None) -> tuple[str, ...]:
    if told is None:
        return ("not known", *[""] * (len(_COLUMNS) - 2))
    dropped = sum(int(each["rows"]) for each in told["dropped"])
    queued = "?" if told["queued"] is None else told["queued"]
    return (told["collected"], told["settled"], queued, told["folded"], str(dropped), told["excess"])
