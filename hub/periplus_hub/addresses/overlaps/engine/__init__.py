"""How overlaps are computed. Pure."""
