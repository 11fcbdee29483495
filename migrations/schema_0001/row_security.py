"""Row-level security in revision expand_0001: the database itself shows and takes the rows of one tenant only.

Which tenant that is says the setting `periplus.tenant` of the session; without it no row is seen and none is taken.
It also binds the tables' owner (FORCE), but no superuser and no role with BYPASSRLS.

The setting is read in a subselect, so once for a statement. And nothing but an equation with `tenant_id` is asked: the
planner puts it together with the statement's own, and no row is looked at twice.
"""

from typing import Final

from alembic import op

_OWN_TENANT: Final = """
DO $$ DECLARE t regclass; col name; BEGIN
    FOR t, col IN SELECT oid, attname FROM pg_class JOIN pg_attribute ON attrelid = oid
        WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
        AND (attname = 'tenant_id' OR relname = 'tenants' AND attname = 'id') AND NOT relrowsecurity
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format($policy$CREATE POLICY own_tenant ON %s USING
            (%I = (SELECT nullif(nullif(current_setting('periplus.tenant', true), ''), '*')::uuid))$policy$, t, col);
    END LOOP;
END $$
"""
_EVERY_TENANT: Final = "(SELECT current_setting('periplus.tenant', true)) = '*'"
_WHO_IS_IT: Final = ("tenants", "api_tokens", "sessions", "registrations", "agents", "join_tokens", "credentials")
"""Where the hub looks up whose a token, a session, a cluster or an agent is, and for which tenants there is work: with
'*' they can be read whosever they are, and not changed."""


def create() -> None:
    """When all tables are there."""
    show_own_rows_only()
    for table in _WHO_IS_IT:
        op.execute(f"CREATE POLICY who_is_it ON {table} FOR SELECT USING ({_EVERY_TENANT})")


def show_own_rows_only() -> None:
    """Of every table that has no policy yet: later migrations end with it, too, where they make a table."""
    op.execute(_OWN_TENANT)
