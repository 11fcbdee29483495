"""Join tokens that whoever starts a hub hands over in a file, so that spokes can be started without asking it first."""

from pathlib import Path

import msgspec

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.fleet.service import NamedTerms, admit_join_token
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal


class HandedOver(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One token: `id.secret` in full, the only name it is good for, whether nobody needs to approve.

    `domain` is the name of the network domain in which the cluster lands. It has to be there, unless
    `domainDescription` says what it is: then it is made.
    """

    token: str
    cluster_name: str | None = None
    auto_approve: bool = False
    domain: str | None = None
    domain_description: str | None = None


def read(path: Path) -> list[HandedOver]:
    """The file's tokens; raises Refusal naming what is wrong with it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[HandedOver])
    except OSError as error:
        raise Refusal(
            f"the join tokens {path} cannot be read: {error.strerror}", "Check join_tokens_file and its permissions."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            f"{path} is no list of join tokens: {error}",
            'Write it like [{"token": "id.secret", "clusterName": "shop", "autoApprove": true, "domain": "vpc"}].',
        ) from error


async def admit(db: Database, tokens: list[HandedOver]) -> None:
    """Know every token before the first spoke asks; raises Invalid."""
    scope = system_scope(await ensure_default_tenant(db), "system:join-tokens-file")
    async with db.write(scope) as c:
        for each in tokens:
            terms = NamedTerms(
                cluster_name=each.cluster_name,
                domain=each.domain,
                domain_description=each.domain_description,
                auto_approve=each.auto_approve,
            )
            await admit_join_token(c, scope, db.clock, each.token, terms)
