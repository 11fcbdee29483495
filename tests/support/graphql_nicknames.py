"""A part of the GraphQL API that no slice has, made as docs/explain/extending.md says: of every sort of thing one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast
from uuid import UUID

import strawberry
from sqlalchemy import Row, func, select
from strawberry.types.base import get_object_definition

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission, Scope, owned
from periplus_hub.fleet.graphql import Cluster, ClusterId
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Conflict
from periplus_hub.kit.graphql import RowBacked, from_row, uuid_of
from periplus_hub.kit.graphql_parts import Part, Topic, about, by_uuid
from periplus_hub.kit.graphql_types import Node
from periplus_hub.kit.keyset import id_column

TOPIC: Final = "nick-names"


async def nicknames_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """As the first letters of the clusters' names."""
    table = registrations
    columns = (id_column("Nickname", table.c.id), table.c.id.label("of"), func.left(table.c.name, 1).label("text"))
    rows = await c.rows(select(*columns).where(owned(scope, table), table.c.id.in_(ids)))
    return {row.of: row for row in rows}


async def nickname_count(c: ReadConnection, scope: Scope) -> int:
    """One for each cluster."""
    return cast("int", await c.scalar(select(func.count()).where(owned(scope, registrations))))


@strawberry.type(description="What a cluster is called for short.")
class Nickname(RowBacked, Node):
    text: str = strawberry.field(description="The short name.")


@strawberry.type(description="Somebody called a cluster.")
class NicknameCalled:
    nickname: Nickname = strawberry.field(description="By which name.")


@strawberry.type
class ClusterNickname:
    registration_id: strawberry.Private[UUID]

    @strawberry.field(description="What it is called for short.")
    async def nickname(self, info: Info) -> Nickname:
        return cast("Nickname", await info.context.load(nicknames_by_ids, self.registration_id))


@strawberry.type
class NicknamesQuery:
    @strawberry.field(description="How many short names there are.")
    async def nickname_count(self, info: Info) -> int:
        return await info.context.read(nickname_count)


@strawberry.type
class NicknamesMutation:
    @mutation(Permission.FINDINGS_WRITE, "Call a cluster.", answers="What was called, or why nothing was.")
    async def call_cluster(self, info: Info, cluster: ClusterId) -> Nickname:
        context, identity = info.context, uuid_of(cluster, "Cluster")
        async with context.write() as c:
            found = (await nicknames_by_ids(c, context.scope, [identity])).get(identity)
        if found is None:
            raise Conflict("nobody is called that", "Call somebody who is there.")
        context.announce(context.scope.tenant_id, TOPIC, id=str(identity))
        return from_row(Nickname, found)


PART: Final = Part(
    queries=[NicknamesQuery],
    mutations=[NicknamesMutation],
    extensions={Cluster: [ClusterNickname]},
    finders={Nickname: by_uuid(nicknames_by_ids)},
    topics=[Topic(name=TOPIC, message=NicknameCalled, read=about(Nickname, lambda it: NicknameCalled(nickname=it)))],
)


@contextmanager
def clusters_as_they_were() -> Iterator[None]:
    """Takes away what schemas assembled inside add to Cluster: a type has its extensions as long as the process."""
    fields = get_object_definition(Cluster, strict=True).fields
    before = list(fields)
    try:
        yield
    finally:
        fields[:] = before
