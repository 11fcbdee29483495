"""What people do about agents of nodes."""

from typing import Annotated

import strawberry
import structlog

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.fleet import repository_graphql, repository_graphql_agents
from periplus_hub.fleet.graphql import ClusterId, JoinToken
from periplus_hub.fleet.graphql_agents import NodeAgent
from periplus_hub.fleet.graphql_mutations import CreatedJoinToken
from periplus_hub.fleet.model import AGENT_TOKEN_DAYS, CLUSTERS_TOPIC, MAX_AGENT_TOKEN_DAYS
from periplus_hub.fleet.service_agents import create_agents_token, revoke_agent
from periplus_hub.kit.graphql import from_row, uuid_of

_log = structlog.get_logger(__name__)


@strawberry.type
class AgentMutation:
    """Mutations about agents."""

    @mutation(
        Permission.FLEET_APPROVE,
        "Make a join token for the agents of an active cluster: many nodes join with it, without approval.",
        answers="The new token, or why there is none.",
    )
    async def create_agents_token(
        self,
        info: Info,
        cluster: ClusterId,
        lifetime_days: Annotated[
            int, strawberry.argument(description=f"After how many days it ends, 1 to {MAX_AGENT_TOKEN_DAYS}.")
        ] = AGENT_TOKEN_DAYS,
    ) -> CreatedJoinToken:
        """Its text is in the answer, once."""
        context = info.context
        async with context.write() as c:
            new = await create_agents_token(c, context.scope, context.clock, uuid_of(cluster, "Cluster"), lifetime_days)
            row = await repository_graphql.join_token_row(c, context.scope, new.token.id)
        return CreatedJoinToken(token=new.text, join_token=from_row(JoinToken, row))

    @mutation(
        Permission.FLEET_APPROVE,
        "Let the agent of a node send no more. Withdraw the join token too where it is in wrong hands.",
        answers="The agent as it is now, or why nothing changed.",
    )
    async def revoke_agent(
        self, info: Info, agent: Annotated[strawberry.ID, strawberry.argument(description="The agent's id.")]
    ) -> NodeAgent:
        """Revoking twice changes nothing."""
        context, identity = info.context, uuid_of(agent, "NodeAgent")
        async with context.write() as c:
            cluster = await revoke_agent(c, context.scope, context.clock, identity)
            rows = await repository_graphql_agents.agents_by_ids(c, context.scope, [identity])
        found = from_row(NodeAgent, rows[identity])
        context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(cluster))
        _log.info("agent_revoked", node=found.node_name, agent=str(identity), by=context.scope.actor)
        return found
