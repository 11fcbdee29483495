"""IPAM adapters: one pure module per allocator, and the registry."""
