"""Computations over columns of flows. Pure."""
