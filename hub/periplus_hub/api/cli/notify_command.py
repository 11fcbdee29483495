"""`periplus notify …`."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.tables import when

notify = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Receivers of findings outside of the hub: list, test."
)

RECEIVERS: Final = """
query Receivers {
  notificationReceivers {
    name form host severity detectors waitS quietHours quietTimeZone isQuiet toldCount refusedCount
    lastSuccessAt failingSince nextTryAt lastError
  }
}
"""
TEST: Final = """
mutation TestNotification($receiver: String!) {
  testNotification(receiver: $receiver) {
    __typename
    ... on NotificationTest { receiver isDelivered status error }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("receiver", "kind", "host", "severity", "state", "last success", "told")


@notify.command("list")
def list_receivers(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """Who is told of findings, of which, and whether it arrives."""
    with hub(url, token_file) as client:
        known = client.ask(RECEIVERS)["notificationReceivers"]
    empty = "No receivers: nobody outside of the hub is told of findings. Name some in the hub's receivers_file."
    Listing(_COLUMNS, [_row(each) for each in known], known, empty, numbers=1).show(as_json=as_json)


def _row(receiver: dict[str, Any]) -> tuple[str, ...]:
    return (
        receiver["name"],
        word(receiver["form"]),
        receiver["host"],
        f"{word(receiver['severity'])} and worse" if receiver["severity"] != "CRITICAL" else "critical",
        _state(receiver),
        when(receiver["lastSuccessAt"]),
        str(receiver["toldCount"]),
    )


def _state(receiver: dict[str, Any]) -> str:
    if receiver["failingSince"]:
        return f"fails since {when(receiver['failingSince'])}: {receiver['lastError']}"
    parts = []
    if receiver["isQuiet"]:
        parts.append(f"quiet ({receiver['quietHours']} {receiver['quietTimeZone']})")
    if receiver["refusedCount"]:
        parts.append(f"refused {receiver['refusedCount']}: {receiver['lastError']}")
    return ", ".join(parts) or "ready"


@notify.command("test")
def send_test(
    receiver: Annotated[str, typer.Argument(metavar="NAME", help="Its name in 'periplus notify list'.")],
    *,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a receiver a test from the hub. Exit code 1 where it does not take it."""
    with hub(url, token_file) as client:
        result = queries.outcome(client.ask(TEST, {"receiver": receiver}), "testNotification")
    if as_json:
        tell_json(document(queries.told(result)))
    if not result["isDelivered"]:
        fail(
            f"'{receiver}' did not take the test: {result['error']}", "Correct the hub's receivers_file, or try later."
        )
    if not as_json:
        tell(f"'{receiver}' took the test: it answered {result['status']}.")
