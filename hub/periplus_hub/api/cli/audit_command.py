"""`periplus audit …`."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import time_of
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.output import say_more, tell_json, tell_json_line
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who did what to the hub: list, export.")

EVENTS: Final = """
query AuditTrail($first: Int!, $after: String, $since: DateTime, $until: DateTime) {
  auditEvents(first: $first, after: $after, since: $since, until: $until) {
    nodes { id at actor action objectKind objectId address requestId before after detail }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}
"""
_COLUMNS: Final = ("time", "who", "what", "object", "from")


class ExportFormat(StrEnum):
    """One event on each line, in either form."""

    JSON_LINES = "json-lines"
    CLOUDEVENTS = "cloudevents"


SinceOption = Annotated[
    str | None, typer.Option(metavar="<time>", help="Not before this, like 2026-01-31T00:00:00Z. Default: all.")
]
UntilOption = Annotated[str | None, typer.Option(metavar="<time>", help="Before this, likewise.")]


@audit.command("list")
def list_events(
    *,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 50,
    since: SinceOption = None,
    until: UntilOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest events. Needs a token that may make tokens."""
    variables = _period(since, until)
    with hub(url, token_file) as client:
        page = client.ask(EVENTS, variables | {"first": min(first, 200)})["auditEvents"]
        known, total = page["nodes"], page["totalCount"]
        while len(known) < first and page["pageInfo"]["hasNextPage"]:
            asked = {"first": min(first - len(known), 200), "after": page["pageInfo"]["endCursor"]}
            page = client.ask(EVENTS, variables | asked)["auditEvents"]
            known += page["nodes"]
    if as_json:
        tell_json(known)
    else:
        Listing(_COLUMNS, [_row(each) for each in known], known, "No events.").show(as_json=False)
    say_more(int(total), len(known))


def _period(since: str | None, until: str | None) -> dict[str, str | None]:
    return {
        "since": None if since is None else time_of("--since", since),
        "until": None if until is None else time_of("--until", until),
    }


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    return (when(event["at"]), event["actor"], event["action"], event["objectId"], event["address"] or "the hub")


@audit.command("export")
def export_events(
    *,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="json-lines, or cloudevents: one CloudEvent on each line.")
    ] = ExportFormat.JSON_LINES,
    since: SinceOption = None,
    until: UntilOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Every event of a time to standard output, newest first, one on each line."""
    with hub(url, token_file) as client:
        for event in _every(client, _period(since, until)):
            tell_json_line(_as_cloudevent(event) if form is ExportFormat.CLOUDEVENTS else event)


def _every(client: HubClient, variables: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    for page in queries.pages(client, EVENTS, "auditEvents", {"first": 200, **variables}):
        yield from page["nodes"]


def _as_cloudevent(event: dict[str, Any]) -> dict[str, Any]:
    """Version 1.0 in its JSON format. The id is the event's, so that what is exported twice can be told."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": "/periplus/audit",
        "type": "periplus.audit.v1",
        "subject": event["objectId"],
        "time": event["at"],
        "datacontenttype": "application/json",
        "data": event,
    }
