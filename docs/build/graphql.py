"""docs/reference/graphql.md: how to ask, who may, and the bounds an operation meets."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from graphql import parse

from docs.build.markdown import bullets, code, page, prose, section, table
from docs.build.source import ROOT, attribute_docs
from periplus_hub.access.scope import PERMISSIONS, Permission, Role
from periplus_hub.api import graphql_limits
from periplus_hub.api.graphql_cost import ROW, check_cost
from periplus_hub.api.graphql_limits import LIMITS
from periplus_hub.api.schema import build_schema
from periplus_hub.kit import errors

_API: Final = ROOT / "hub/periplus_hub/api"
_REFUSALS: Final = {"GraphQLRefusal", "over"}
_COUNTED: Final = re.compile(r"too-[a-z-]+")

EXAMPLE: Final = "{ clusters(first: 100) { nodes { name networkDomain { name } } } }"


def _example() -> float:
    return check_cost(build_schema()._schema, parse(EXAMPLE), {}, LIMITS)  # noqa: SLF001 - as the door reads it


_GUIDE: Final = """
    One endpoint, `POST /graphql` on the API listener, with an API token as bearer. One operation per request,
    as JSON with `query` and, if you like, `variables`.

    ```sh
    curl -s http://127.0.0.1:7980/graphql -H 'Content-Type: application/json' \\
        -H "Authorization: Bearer $PERIPLUS_TOKEN" -d '{"query": "{ clusters(first: 5) { nodes { name state } } }"}'
    ```

    The whole schema, with a description of every field, is [hub/schema.graphql](../../hub/schema.graphql). There is an
    operation to paste for each root field in [graphql-examples](graphql-examples).

    What changes is told over a websocket at the same path, with the protocol `graphql-transport-ws`: the subscription
    `changes`. The token goes into `connection_init` as `{"authorization": "Bearer …"}`. It says what to read again, and
    never is the only record of anything. Every event is an operation of its own: it is paid for from the same budget,
    and has the same deadline and size. What passes them ends the subscription with the code that says so; wait,
    subscribe and read the lists again.

    * Lists are Relay connections. `first` says how many, and `pageInfo.endCursor` goes into `after`; the other way
      round, `last` and `pageInfo.startCursor` into `before`. Both ends at once are refused.
    * `clusters`, `findings`, `pools` and `overlapGroups` take `orderBy`. A cursor belongs to one order of one list.
    * Cursors and ids are opaque. Copy them; do not build them.
    * Times are ISO 8601 in UTC. `BigInt` and `Decimal` are texts. `null` is unknown, never zero.
    * A mutation answers a union: its result, or a `Problem` with `message` and `remedy`. Ask for both, and for
      `__typename`.
    * Answers to queries longer than a packet are compressed with zstd or gzip, as `Accept-Encoding` says. Those of
      mutations never are: some hold a new token, and the length of compressed bytes would tell of it.
    * Scripts on web pages of other origins may ask only where the setting `api_origins` names them, and with a
      token of their own.
    * What breaks a whole operation is an entry of `errors`. Its `extensions` have a stable `code` and a `remedy`, and
      `limit` and `found` where something was counted.
"""


_COST: Final = f"""
    The price of an operation is known before it runs, and nothing runs that costs more than {LIMITS.cost:,.0f} units.

    * Asking costs 1. A field that has to be looked up costs what its `@cost` says in the schema, or else 1; a plain
      value costs nothing.
    * A list multiplies what is asked of each of its entries by their number, which is `first` or `last`, else the
      `assumedSize` of its `@listSize`. Each entry itself costs {ROW:g}.
    * A document that the hub has not checked yet, because its text is new, costs {LIMITS.new_document_cost:,.0f} once.
      So keep the text and send what differs as `variables`.

    For example, `{EXAMPLE}` costs {_example():g}: 1 for asking, 1 for the list, and for each of 100 clusters {ROW:g}
    and 1 for its network domain.

    A token has a budget of {LIMITS.bucket:,.0f} units, which refills by {LIMITS.refill_per_s:,.0f} a second; who asks
    for more than is left gets `budget-exhausted` with `Retry-After`. Every answer tells in `extensions.cost` what it
    `spent`, without the check of a new document, and what is `left`.
"""


def render() -> str:
    """The page."""
    return page(
        "GraphQL",
        prose(_GUIDE),
        section("Roles", "A token has one role, and a role has these permissions.", _roles()),
        section("Cost", prose(_COST)),
        section("Limits", "In the order an operation meets them.", _limits()),
        section("Codes", "What `extensions.code` of an error may be.", bullets(map(code, _codes()))),
    )


def _roles() -> str:
    rows = [
        (code(permission), *("yes" if permission in PERMISSIONS[role] else "" for role in Role))
        for permission in Permission
    ]
    return table(("permission", *Role), rows)


def _limits() -> str:
    docs = attribute_docs(graphql_limits)
    rows = [
        (code(field.name), f"{getattr(graphql_limits.LIMITS, field.name):,}", docs.get(f"Limits.{field.name}", ""))
        for field in fields(graphql_limits.Limits)
    ]
    return table(("limit", "value", "meaning"), rows)


def _codes() -> list[str]:
    """Every code an error is made with, read from the sources: there is no registry of them."""
    door = {found for path in _API.glob("graphql_*.py") for found in _made(path.read_text(encoding="utf-8"))}
    domain = (errors.NotFound, errors.Conflict, errors.Forbidden, errors.Invalid, errors.Unavailable)
    return sorted(door | {kind.default_slug for kind in domain})


def _made(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _REFUSALS:
            yield from _texts(node.args[:1])
        elif isinstance(node, ast.Dict) and node.keys and "code" in _texts([key for key in node.keys if key]):
            yield from _texts(node.values[:1])
        elif isinstance(node, ast.Tuple):
            yield from filter(_COUNTED.fullmatch, _texts(node.elts))


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
