"""The hub's connections, divided by what they are for: whoever asks much keeps only its own sort of work waiting."""

from dataclasses import dataclass

from periplus_hub.api.config import StoreConfig
from periplus_hub.ingest.service_groups import TOGETHER_S
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database, DatabaseLimits


@dataclass(frozen=True, slots=True)
class Databases:
    """One for each sort of work. All are on one server, and none can take the last connection of another."""

    questions: Database
    """What people ask and change."""
    batches: Database
    """Batches that share a transaction, and heartbeats."""
    slow_batches: Database
    """A batch that needs longer than others may be kept waiting."""
    doors: Database
    """Who is it: people's tokens, spokes' credentials; and whether a commit goes through."""
    enrolment: Database
    """Spokes that are nobody yet."""
    jobs: Database
    """Leadership, what the leader does, and events for other replicas."""

    async def dispose(self) -> None:
        """Drop every pooled connection of all of them."""
        await self.questions.dispose()


def open_databases(url: str, clock: Clock, config: StoreConfig) -> Databases:
    """Pools that connect when they are first asked."""
    questions, batches, slow, doors, enrolment, jobs = _limits(config)
    first = Database(url, clock, questions)
    return Databases(
        questions=first,
        batches=first.beside(batches),
        slow_batches=first.beside(slow),
        doors=first.beside(doors),
        enrolment=first.beside(enrolment),
        jobs=first.beside(jobs),
    )


def _limits(config: StoreConfig) -> tuple[DatabaseLimits, ...]:
    """Their sum, and one to listen with, is `config.most_connections`."""
    return (
        DatabaseLimits("questions", readers=config.database_readers, writers=3),
        DatabaseLimits("batches", readers=2, writers=config.database_writers, write_statement_s=TOGETHER_S),
        DatabaseLimits("slow-batches", readers=1, writers=1),
        DatabaseLimits("doors", readers=2, writers=2),
        DatabaseLimits("enrolment", readers=2, writers=2),
        DatabaseLimits("jobs", readers=2, writers=4, checkout_s=30.0),
    )
