"""Experiments, runs, records, claims and the report."""
