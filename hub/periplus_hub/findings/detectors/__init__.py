"""What can be wrong with a fleet: one file for each detector, and `registry.py` that lists them."""
