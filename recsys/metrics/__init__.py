"""Metrics of rankings and classifiers, significance tests and intervals; imports no other room of recsys."""
