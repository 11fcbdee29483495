"""The first schema.

Revision ID: expand_0001
"""

from schema_0001 import access, addresses, findings, fleet, flows, ingest, inventory, row_security

revision = "expand_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every slice's tables, in the order of their references; then who may see which of their rows."""
    access.create()
    fleet.create()
    inventory.create()
    addresses.create()
    ingest.create()
    findings.create()
    flows.create()
    row_security.create()


def downgrade() -> None:
    """There is nothing before."""
    raise NotImplementedError("restore a backup instead")
