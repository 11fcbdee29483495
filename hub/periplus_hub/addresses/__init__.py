"""Allocations, pools and the overlap register."""
