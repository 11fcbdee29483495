"""The door for batches: limits, decoding, ledger, quarantine, settlement, accounting."""
