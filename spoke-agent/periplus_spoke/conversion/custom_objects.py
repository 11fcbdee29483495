"""What is kept of any custom object: its name, beside the fields of its own."""

from msgspec import field

from periplus_spoke.conversion.cidr import Fault
from periplus_spoke.conversion.objects import Kept


class ObjectName(Kept):
    """metav1.ObjectMeta without all that adapters do not look at."""

    name: str = ""
    namespace: str = ""


class Named(Kept):
    """A custom object of which only the name is kept, and base of those of which more is."""

    metadata: ObjectName = field(default_factory=ObjectName)

    @property
    def title(self) -> str:
        """`namespace/name`, or the name of one that has no namespace."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.metadata.namespace else self.metadata.name


def counted(count: int | None, where: str, fault: Fault) -> int | None:
    """A count as an allocator tells it; None where it is absent, or cannot be."""
    if count is not None and count < 0:
        fault(f"{where}: a count is {count}")
        return None
    return count
