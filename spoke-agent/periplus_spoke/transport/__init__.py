"""Between the outbox and the hub: identity, credentials, sending, heartbeats, and what the hub's answers mean."""
