"""Arithmetic of money, path classes and billing legs. Pure."""
