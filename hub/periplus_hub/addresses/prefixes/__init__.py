"""CIDRs as numbers: what allocations, free ranges and overlaps are computed with. Pure."""
