"""People: tenants, roles, tokens, the scope every query goes through, and the audit trail."""
