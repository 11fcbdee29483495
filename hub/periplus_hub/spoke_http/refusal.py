"""How the hub says no to a spoke, wherever it decides so: at enrolment as for batches."""

from periplus_contract import problems
from periplus_hub.access.model import RefusedAttempt


class SpokeRequestRefusal(Exception):
    """The request ends in this registered problem; `detail` names the thing that is wrong.

    `audited` is for the audit trail, where somebody tried to be whom they are not.
    """

    def __init__(
        self,
        problem: problems.ProblemType,
        detail: str,
        *,
        retry_after_s: int | None = None,
        audited: RefusedAttempt | None = None,
    ) -> None:
        super().__init__(f"{problem.slug}: {detail}")
        self.problem = problem
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.audited = audited
