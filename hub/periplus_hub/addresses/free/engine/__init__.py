"""How free ranges are found. Pure."""
