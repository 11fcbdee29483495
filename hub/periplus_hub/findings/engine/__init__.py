"""Computations of findings. Pure."""
