"""The findings slice's part of the GraphQL API."""

from typing import Final

import strawberry

from periplus_hub.findings import repository_graphql as repository
from periplus_hub.findings.graphql import ClusterFindings, Finding, FindingsMutation, FindingsQuery
from periplus_hub.findings.graphql_receivers import ReceiversMutation, ReceiversQuery
from periplus_hub.findings.service import TOPIC
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.graphql_parts import Part, Topic, about, by_uuid


@strawberry.type(description="A finding opened, changed or was resolved.")
class FindingChanged:
    """As it is now."""

    finding: Finding = strawberry.field(description="The finding.")


PART: Final = Part(
    queries=[FindingsQuery, ReceiversQuery],
    mutations=[FindingsMutation, ReceiversMutation],
    extensions={Cluster: [ClusterFindings]},
    finders={Finding: by_uuid(repository.findings_by_ids)},
    topics=[
        Topic(name=TOPIC, message=FindingChanged, read=about(Finding, lambda finding: FindingChanged(finding=finding))),
    ],
)
