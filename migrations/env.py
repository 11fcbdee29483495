"""How Alembic runs here: on the connection `periplus_hub.kit.migrate` hands over, one transaction per migration.

`alembic upgrade head --sql` (offline) prints the statements instead, for a linter or a careful DBA.
"""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
else:
    context.configure(connection=connection, transaction_per_migration=True)

with context.begin_transaction():
    context.run_migrations()

if connection is not None:
    connection.commit()
