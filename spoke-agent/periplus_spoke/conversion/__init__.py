"""Objects of a cluster to rows of the wire. Pure: no I/O, no clock, no asyncio; time is an argument."""
