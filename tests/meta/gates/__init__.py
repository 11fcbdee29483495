"""Checks that no tool we use can make. Each is a pure function from source text to violations, with its own tests."""
