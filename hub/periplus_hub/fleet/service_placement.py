"""Which network domain a cluster lands in when it joins: its join token's, the one it was in before, or its own."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from periplus_contract import problems
from periplus_hub.access.scope import Scope
from periplus_hub.fleet.repository_domains import domain_before, lock_domain
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


async def landing_domain(c: WriteConnection, scope: Scope, token: Row[Any], name: str, cluster_uid: str) -> UUID | None:
    """The domain to land in, held against being deleted meanwhile; None is one of its own.

    A cluster keeps what it was in when both its name and its kube-system uid are those of a revoked one.
    """
    if token.domain_id is not None:
        if await lock_domain(c, scope, token.domain_id) is None:
            detail = f"join token {token.public_id} names a network domain that is no more"
            raise SpokeRequestRefusal(problems.PROOF_REFUSED, detail)
        landing: UUID = token.domain_id
        return landing
    before = await domain_before(c, scope, name)
    if before is None or before.cluster_uid != cluster_uid or before.ended_at is not None:
        return None
    return None if await lock_domain(c, scope, before.id) is None else before.id


async def told(c: ReadConnection, scope: Scope, row: Row[Any]) -> str:
    """For who started the spoke: whether the cluster is where one of its name was before; empty when there was none."""
    before = await domain_before(c, scope, row.name)
    if before is None:
        return ""
    if before.id == row.domain_id:
        return f"it is in network domain {before.name!r} again, as before it was revoked"
    if before.ended_at is not None:
        return f"a cluster called {row.name!r} was in network domain {before.name!r}, which is no more"
    return (
        f"a cluster called {row.name!r} was in network domain {before.name!r} before, and this one is not: "
        f"if it belongs there, 'periplus domains move {before.name} {row.name}'"
    )
