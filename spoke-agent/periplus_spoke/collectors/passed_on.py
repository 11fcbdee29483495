"""What the API server of a cluster passes on to a Service or pod in it, for an agent that is outside.

Nothing but `get` is asked, and the API server decides whether it may be. What is passed on carries no credentials.
"""

from typing import Final

from periplus_spoke.collectors.metrics_http import MOST_BYTES
from periplus_spoke.conversion.prometheus.answers import AnswerError
from periplus_spoke.kube.client import KubeClient, Params
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.kube.session import JSON

_UNKNOWN_TO_IT: Final = frozenset(("unauthorized", "expired_token"))


async def passed_on(
    kube: KubeClient, path: str, params: Params | None = None, *, right: str, accept: str = JSON
) -> bytes:
    """What answers there. Raises AnswerError, which names the right that it takes where that is lacking."""
    try:
        return await kube.get(path, params, accept=accept, max_bytes=MOST_BYTES)
    except KubeProblem as problem:
        raise AnswerError(_refused(problem, right)) from problem


def _refused(problem: KubeProblem, right: str) -> str:
    """Whether the API server refused, or what is behind it, shows in the message alone."""
    if problem.reason == "forbidden":
        return f"{problem.message}. It takes the right {right}"
    if problem.reason in _UNKNOWN_TO_IT:
        return f"{problem.message}. What wants to know who asks cannot be asked through an API server"
    return problem.message
