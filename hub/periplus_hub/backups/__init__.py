"""Backups of a hub: PostgreSQL and the flow store as a pair, taken while the hub runs, and put into an empty place."""
