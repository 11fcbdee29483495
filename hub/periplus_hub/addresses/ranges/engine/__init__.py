"""Computations about entered ranges."""
