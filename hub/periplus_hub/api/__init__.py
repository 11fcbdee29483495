"""Composition root: listeners, GraphQL, command line."""
