"""PostgreSQL that the hub runs for itself when it is given none."""
