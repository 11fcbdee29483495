"""Computations of this slice: no I/O, no clock."""
