"""Ask the API server what these credentials may do (SelfSubjectAccessReview: it stores nothing)."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import from_exception

_PATH: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Access(NamedTuple):
    """One verb on one resource, cluster-wide unless a namespace is named."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


async def allowed(client: KubeClient, access: Access) -> bool:
    """Whether the API server would allow it. Raises KubeProblem when it does not even answer that."""
    attributes = {key: value for key, value in access._asdict().items() if value}
    document = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    body = await client.post(_PATH, document)
    try:
        return msgspec.json.decode(body, type=_Review).status.allowed
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise from_exception(error, "access review") from error


async def lacking(client: KubeClient, wanted: Sequence[Access]) -> list[Access]:
    """Those of `wanted` that are not allowed, in their order."""
    answers = await asyncio.gather(*(allowed(client, access) for access in wanted))
    return [access for access, yes in zip(wanted, answers, strict=True) if not yes]
