"""Measurements: one module per row of the performance table, run as `python -m benchmarks.<row>`.

A row prints ratios of measurements taken in one run, because a number of one machine says nothing about another.
"""
