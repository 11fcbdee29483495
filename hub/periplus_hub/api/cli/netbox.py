"""Reading prefixes from NetBox's REST API, for whoever types: the hub neither calls NetBox nor sees its token.

Pages are counted on from here. What an answer names as its next page is not asked: the token would go to wherever that
is. An answer that is not what was asked for ends the reading with what is wrong; half of the prefixes would be none.
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlencode

from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.http_out import Answer, Outbound

_PAGE: Final = 100
_MAX_PREFIXES: Final = 20_000
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_TIMEOUT_S: Final = 60.0
_PRIVATE: Final = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128"),
    )
)
"""Where a NetBox usually is; public ones are only asked over TLS."""
_V2_PREFIX: Final = "nbt_"
_API: Final = "/api/ipam/prefixes/"


class NetBoxTrouble(Refusal):
    """NetBox cannot be read."""


@dataclass(frozen=True, slots=True)
class NetBoxPrefix:
    """A prefix as NetBox has it; `vrf` is empty for the global table."""

    number: int
    cidr: str
    vrf: str
    status: str
    role: str
    description: str
    tenant: str


def outbound(trust: ssl.SSLContext, timeout_s: float = _TIMEOUT_S) -> Outbound:
    """Whom to call, and for how long: a NetBox may be slow."""
    return Outbound(allow=_PRIVATE, trust=trust, max_answer_bytes=_MAX_ANSWER_BYTES, timeout_s=timeout_s)


async def read_prefixes(http: Outbound, url: str, token: str, statuses: Sequence[str]) -> list[NetBoxPrefix]:
    """All prefixes with one of these statuses (empty: any); raises Refusal."""
    found: dict[int, NetBoxPrefix] = {}
    count = None
    while count is None or len(found) < count:
        page = await _page(http, url, token, {"limit": _PAGE, "offset": len(found), "status": list(statuses)})
        total, results = page.get("count"), page.get("results")
        if not isinstance(total, int) or not isinstance(results, list):
            raise _not_netbox(url)
        if total > _MAX_PREFIXES:
            raise NetBoxTrouble(f"{url} has {total:,} prefixes", f"Narrow it with --status to {_MAX_PREFIXES:,}.")
        new = {each.number: each for each in map(_prefix, results)}
        if total != (total if count is None else count) or (not new and total) or new.keys() & found.keys():
            raise NetBoxTrouble(f"prefixes of {url} changed while they were read", "Do it again.")
        count = total
        found |= new
    return list(found.values())


async def _page(http: Outbound, url: str, token: str, query: Mapping[str, object]) -> dict[str, Any]:
    scheme = "Bearer" if token.startswith(_V2_PREFIX) else "Token"
    headers = {"Authorization": f"{scheme} {token}", "Accept": "application/json", "Accept-Encoding": "identity"}
    answer = await http.get(f"{url}{_API}?{urlencode(query, doseq=True)}", headers)
    if answer.status != HTTPStatus.OK:
        raise _refused(url, answer)
    try:
        page = json.loads(answer.body)
    except ValueError as error:
        raise _not_netbox(url) from error
    if not isinstance(page, dict):
        raise _not_netbox(url)
    return page


def _refused(url: str, answer: Answer) -> NetBoxTrouble:
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = "Give a token that may view prefixes (ipam.view_prefix) with --netbox-token-file."
        return NetBoxTrouble(f"{url} does not let this token read prefixes ({answer.status})", remedy)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        where = answer.headers.get("location", "").partition("?")[0][:200]
        return NetBoxTrouble(f"{url} is elsewhere: {where or 'it does not say where'}", "Give NetBox's own address.")
    if answer.status == HTTPStatus.NOT_FOUND:
        return _not_netbox(url)
    return NetBoxTrouble(f"{url} answers {answer.status}", "Look at NetBox's log, or try later.")


def _not_netbox(url: str) -> NetBoxTrouble:
    return NetBoxTrouble(f"what answers at {url} is not NetBox's API", "Give the address without /api.")


def _prefix(row: object) -> NetBoxPrefix:
    if not isinstance(row, dict) or not isinstance(row.get("id"), int) or not isinstance(row.get("prefix"), str):
        raise NetBoxTrouble("NetBox lists a prefix without id or prefix", "Look at its version: 3.0 or later is read.")
    return NetBoxPrefix(
        number=row["id"],
        cidr=row["prefix"],
        vrf=_named(row, "vrf", "name"),
        status=_named(row, "status", "value"),
        role=_named(row, "role", "slug"),
        description=str(row.get("description") or ""),
        tenant=_named(row, "tenant", "name"),
    )


def _named(row: Mapping[str, Any], member: str, name: str) -> str:
    inner = row.get(member)
    return str(inner.get(name) or "") if isinstance(inner, dict) else ""
