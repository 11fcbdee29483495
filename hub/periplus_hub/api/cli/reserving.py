"""`periplus plan --reserve`: proposals become reservations, and what is reserved already gets a new reason or end."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubCallError, HubClient
from periplus_hub.kit.clock import SystemClock

RESERVE: Final = """
mutation Reserve(
  $cidr: Cidr!, $kind: AllocationKind!, $cluster: String!, $reason: String!, $until: DateTime!
) {
  reserveRange(input: {cidr: $cidr, kind: $kind, clusterName: $cluster, reason: $reason, expiresAt: $until}) {
    __typename
    ... on RangeReservation { id reason expiresAt }
    ... on Problem { message remedy }
  }
}
"""
RENEW: Final = """
mutation Renew($reservation: ID!, $reason: String, $until: DateTime) {
  renewReservation(reservation: $reservation, reason: $reason, expiresAt: $until) {
    __typename
    ... on RangeReservation { id reason expiresAt }
    ... on Problem { message remedy }
  }
}
"""
USUAL_DAYS: Final = 30
_RESULT: Final = ("id", "reason", "expiresAt")


class Wish(NamedTuple):
    """For how long and why, as far as somebody said it."""

    lasting: timedelta | None
    reason: str | None


def reserve_proposals(client: HubClient, proposals: list[dict[str, Any]], wish: Wish) -> list[str]:
    """Each of them, and what is to be said of those that were reserved already.

    A refusal ends the command and names who was quicker; what was reserved until then is said, and stays.
    """
    notes = []
    done: list[str] = []
    now = SystemClock().now()
    for each in proposals:
        whose = f"{each['cidr']} for the {word(each['allocationKind'])}s of {each['clusterName']}"
        try:
            known = each["reservation"]
            each["reservation"] = _renewed(client, known, wish, now) if known else _reserved(client, each, wish, now)
        except HubCallError:
            for one in done:
                say_labelled("reserved", one)
            raise
        if known:
            notes.append(_note(whose, known, each["reservation"]))
        else:
            done.append(whose)
    return notes


def _reserved(client: HubClient, proposal: dict[str, Any], wish: Wish, now: datetime) -> dict[str, Any]:
    until = now + (wish.lasting or timedelta(days=USUAL_DAYS))
    asked = {
        "cidr": proposal["cidr"],
        "kind": proposal["allocationKind"],
        "cluster": proposal["clusterName"],
        "reason": wish.reason or "",
        "until": until.isoformat(),
    }
    made = queries.outcome(client.ask(RESERVE, asked), "reserveRange")
    return {name: made[name] for name in _RESULT}


def _renewed(client: HubClient, known: dict[str, Any], wish: Wish, now: datetime) -> dict[str, Any]:
    """As it was where nothing else is wished for."""
    if wish == (None, None):
        return known
    until = None if wish.lasting is None else (now + wish.lasting).isoformat()
    asked = {"reservation": known["id"], "reason": wish.reason, "until": until}
    made = queries.outcome(client.ask(RENEW, asked), "renewReservation")
    return {name: made[name] for name in _RESULT}


def _note(whose: str, known: dict[str, Any], now_is: dict[str, Any]) -> str:
    reason = f"because: {now_is['reason']}" if now_is["reason"] else "without a reason"
    told = f"until {when(now_is['expiresAt'])}, {reason}"
    if known == now_is:
        return f"{whose} was reserved already, {told}; --expires and --reason change that"
    return f"{whose} was reserved already, and is now {told}"
