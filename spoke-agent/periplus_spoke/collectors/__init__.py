"""What is read from a cluster: kinds with a watch each, facts polled now and then, IPAM adapters."""
