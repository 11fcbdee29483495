"""The demonstration fleet: twelve clusters whose Kubernetes API is simulated, and nothing else is."""
