"""What a detector is."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from periplus_hub.findings.facts import Fact, Facts
from periplus_hub.findings.model import FindingDraft, Undecided


class Detector(Protocol):
    """A pure look at a tenant's facts. What is new, unchanged or over is the lifecycle's business (service.py)."""

    @property
    def name(self) -> str:
        """What its findings are filtered by. It never changes."""
        ...

    @property
    def needs(self) -> tuple[Fact[Any], ...]:
        """The facts it looks at; it gets no others."""
        ...

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Everything it sees, every time; None where it cannot know now: then its findings stay as they are."""
        ...
