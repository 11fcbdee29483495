"""The wire between a spoke and the hub: everything both sides must agree on, and nothing else.

This package imports nothing of Periplus and no Arrow library: it names tables and columns, seals and opens
batches, and lists the messages, limits and problem types. Each side turns `Table` into its own Arrow schema.
"""
