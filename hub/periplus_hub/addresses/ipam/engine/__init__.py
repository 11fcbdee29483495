"""The rules of allocations and pools. Pure."""
