"""What detectors say, with evidence and lifecycle."""
