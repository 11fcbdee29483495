"""The access slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.access import repository_graphql as repository
from periplus_hub.access.graphql import AccessMutation, AccessQuery, ApiToken, AuditEvent
from periplus_hub.access.graphql_rights import only_with
from periplus_hub.access.graphql_sessions import Session, SessionsMutation, SessionsQuery
from periplus_hub.access.scope import Permission
from periplus_hub.kit.graphql_parts import Part, by_uuid

PART: Final = Part(
    queries=[AccessQuery, SessionsQuery],
    mutations=[AccessMutation, SessionsMutation],
    finders={
        ApiToken: only_with(Permission.TOKENS_WRITE, by_uuid(repository.tokens_by_ids)),
        Session: only_with(Permission.TOKENS_WRITE, by_uuid(repository.sessions_by_ids)),
        AuditEvent: only_with(Permission.TOKENS_WRITE, by_uuid(repository.events_by_ids)),
    },
)
