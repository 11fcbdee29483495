"""What no API server tells: ranges that people enter."""
