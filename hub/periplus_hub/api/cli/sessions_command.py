"""`periplus sessions …`: who is signed in with a browser, and ending that."""

from typing import Annotated, Any, Final

import typer

from periplus_contract.names import is_id
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.confirmation import YesOption, confirm
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

sessions = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who is signed in with a browser: list, revoke."
)

SESSIONS: Final = """
query Sessions($first: Int!, $after: String, $ended: Boolean!) {
  sessions(first: $first, after: $after, ended: $ended) {
    nodes { id name subject issuer role signedInAt lastSeenAt idleEndsAt endsAt endedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
REVOKE: Final = """
mutation RevokeSession($session: ID!) {
  revokeSession(session: $session) {
    __typename
    ... on Session { id name subject }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("id", "who", "role", "signed in", "last seen", "ends")


@sessions.command("list")
def list_sessions(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over, for about a day.")] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sessions of people who signed in with a browser, newest first. Their cookies are not kept and not shown."""
    with hub(url, token_file) as client:
        documents = _known(client, ended=everything)
    Listing(_COLUMNS, [_row(each) for each in documents], documents, "Nobody is signed in with a browser.").show(
        as_json=as_json
    )


@sessions.command("revoke")
def revoke(
    identity: Annotated[
        str,
        typer.Argument(metavar="ID", help="Its id in 'periplus sessions list', or the name of who has only one."),
    ],
    *,
    yes: YesOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """End somebody's session; it is refused within five seconds. Asks first. They can sign in again."""
    with hub(url, token_file) as client:
        found = choose("Session", identity, _known(client, ended=is_id(identity)))
        who = found["name"] or found["subject"]
        confirm(f"end the session of {who} ({word(found['role'])})", is_sure=yes)
        queries.outcome(client.ask(REVOKE, {"session": found["id"]}), "revokeSession")
    tell(f"the session of {who} is over; to keep them out, take their groups out of oidc_roles")


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    ends = f"ended {when(node['endedAt'])}" if node["endedAt"] else when(min(node["idleEndsAt"], node["endsAt"]))
    seen = (when(node["signedInAt"]), when(node["lastSeenAt"]))
    return (node["id"].partition(":")[2], node["name"] or node["subject"], word(node["role"]), *seen, ends)


def _known(client: HubClient, *, ended: bool) -> list[dict[str, Any]]:
    pages = queries.pages(client, SESSIONS, "sessions", {"first": 200, "ended": ended})
    return [node for page in pages for node in page["nodes"]]
