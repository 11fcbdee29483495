"""Situations that people reported in public, posted to real control planes and asked of `periplus` as a user would.

What a case is stands in README.md; `python -m tests.cases overlaps FOLDER...` runs whole folders of them.
"""
