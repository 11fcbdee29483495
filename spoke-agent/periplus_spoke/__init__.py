"""The agent inside a cluster: reads network facts, holds them as sealed batches, sends them to the hub."""
