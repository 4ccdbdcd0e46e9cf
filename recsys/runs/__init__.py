"""Experiments as grids, their execution, records, claims with verdicts, and the report."""
