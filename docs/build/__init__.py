"""Writes the generated pages of docs/ from the code: `python -m docs.build`, or `--check` to compare only.

Every page is a pure function of the repository: no clock, no environment, no order that differs between runs.
"""
