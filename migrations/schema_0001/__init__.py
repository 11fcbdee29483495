"""The tables of revision expand_0001, one module per slice. Frozen: later changes are migrations of their own."""
