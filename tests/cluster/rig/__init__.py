"""Builds, starts, fills and stops real Kubernetes control planes for the tests.

Nothing here imports Periplus: the rig poses as somebody else's cluster, so it must not share
code with what it proves.
"""
